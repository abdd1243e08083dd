/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A space that borrows pages from its source, over the whole stack: races and shortages in the middle of a borrowing, a
 * copying or a giving back, step by step. Cases of whole programs are in proc_clone_test.c.
 *
 * There are two spaces of eight pages: the lender, which is written to until it is copied, and its copy from then on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "space_case.h"

#include "arch/frame.h"
#include "arch/pmap.h"
#include "fake/mmu.h"
#include "fake/pmap_state.h"
#include "log.h"
#include "snap.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include "vm_map.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"

#define LENDER   ((struct space_id){SPACE_PROGRAMS + 1})
#define COPY     ((struct space_id){SPACE_PROGRAMS + 2})
#define PAGES    8u
#define FIRST    0x08048000u
#define TRIES    10000u
#define THE_PAGE 3u

/* What both are; taken at each stop, and given back by a boot. */
struct pair {
    bool is_copied;
    bool own[PAGES];    /* of the copy: another region, which is no copy */
    bool leaves[PAGES]; /* of the copy: being unmapped */
    uint32_t words[PAGES];
};

static struct pair now;
static struct pair *stops; /* by number */

static struct space_id living(void)
{
    return now.is_copied ? COPY : LENDER;
}

static struct vaddr address_of(uint32_t page)
{
    return (struct vaddr){FIRST + page * PAGE_SIZE};
}

static uint32_t page_of(struct page_key key)
{
    return (page_key_address(key).value - FIRST) / PAGE_SIZE;
}

static void note_change(void)
{
    space_world.counters.stores++; /* so that the next stop is committed */
}

/* What the kernel asks --------------------------------------------------------------------------------------------- */

static enum error check(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    uint32_t page = page_of(place_key(place));

    (void)access;
    if (place_space(place).number != living().number || page >= PAGES || now.leaves[page]) {
        return ERROR_DENIED;
    }
    *out = (struct vm_allowance){.may_write = true, .pages_before = page, .pages_after = PAGES - 1 - page};
    return OK;
}

static struct space_id source_of(struct place place, struct space_id at)
{
    uint32_t page = page_of(place_key(place));
    bool borrows =
        at.number == COPY.number && place_space(place).number == COPY.number && page < PAGES && !now.own[page];

    return borrows && now.is_copied ? LENDER : SPACE_NONE;
}

static void stop(uint64_t number)
{
    if (number == 0) {
        now = (struct pair){0};
    }
    stops = realloc(stops, (number + 1) * sizeof(*stops));
    ASSERT(stops != NULL);
    stops[number] = now;
}

static void resume(uint64_t number)
{
    now = stops[number];
}

static bool discard(struct space_id space, uint32_t page, uint32_t count)
{
    return vm_discard(page_key_at(space, address_of(page)), count) == OK;
}

static void boot(void)
{
    SPACE_CHECK(pmap_create(LENDER) == OK);
    if (now.is_copied) {
        SPACE_CHECK(pmap_create(COPY) == OK);
        vm_lineage_set_source(COPY, LENDER);
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        if (now.leaves[page]) {
            SPACE_CHECK(discard(COPY, page, 1));
            now.leaves[page] = false;
            now.words[page] = 0;
        }
    }
}

static void end_copy(void)
{
    if (fake_pmap.active.number == COPY.number) {
        pmap_activate(SPACE_SYSTEM);
    }
    vm_lineage_set_source(COPY, SPACE_NONE);
    pmap_delete(COPY);
    now.is_copied = false;
    note_change();
}

static void discard_both(void)
{
    if (now.is_copied) {
        SPACE_CHECK(discard(COPY, 0, PAGES));
        end_copy();
    }
    SPACE_CHECK(discard(LENDER, 0, PAGES));
    if (fake_pmap.active.number == LENDER.number) {
        pmap_activate(SPACE_SYSTEM);
    }
    pmap_delete(LENDER);
    memset(&now, 0, sizeof(now));
    note_change();
}

static bool equals(uint64_t number, struct store *store, char *why, uint32_t room)
{
    const struct pair *pair = &stops[number];

    for (uint32_t page = 0; page < PAGES; page++) {
        uint32_t content[PAGE_SIZE / sizeof(uint32_t)] = {0};
        struct page_key key = page_key_at(COPY, address_of(page));
        struct store_entry entry;
        enum error error = pair->is_copied ? store_find(store, key, &entry) : ERROR_NOT_FOUND;
        if (error == ERROR_NOT_FOUND && !(pair->is_copied && pair->own[page])) {
            key = page_key_at(LENDER, address_of(page));
            error = store_find(store, key, &entry);
        }
        if (error == OK) {
            error = store_read(store, key, &entry, content);
        }
        if ((error != OK && error != ERROR_NOT_FOUND) || (content[0] != pair->words[page] && !pair->leaves[page])) {
            snprintf(why, room, "page %u is %08x (%s) and was %08x", page, content[0], error_text(error),
                     pair->words[page]);
            return false;
        }
    }
    return true;
}

static const struct space_extension extension = {
    .check = check,
    .source = source_of,
    .stop = stop,
    .resume = resume,
    .boot = boot,
    .discard = discard_both,
    .equals = equals,
};

/* What is done to them --------------------------------------------------------------------------------------------- */

static bool touch(uint32_t page, enum pmap_access access, uint32_t *value)
{
    if (fake_pmap.active.number != living().number) {
        pmap_activate(living());
    }
    return access == PMAP_WRITE ? mmu_store(address_of(page), *value) : mmu_load(address_of(page), value);
}

static bool access_word(uint32_t page, enum pmap_access access, uint32_t *value)
{
    for (uint32_t tries = 0; tries < TRIES; tries++) {
        if (touch(page, access, value)) {
            return true;
        }
        enum error error = vm_fault(page_key_place(page_key_at(living(), address_of(page))), access);
        if (error != OK && error != ERROR_INTERRUPTED) {
            SPACE_CHECK(space_world.has_faults);
            return false;
        }
    }
    space_fail("page %u cannot be touched", page);
}

static bool store(uint32_t page, uint32_t value)
{
    if (!access_word(page, PMAP_WRITE, &value)) {
        return false;
    }
    now.words[page] = value;
    note_change();
    return true;
}

static bool load(uint32_t page)
{
    uint32_t value;

    if (!access_word(page, PMAP_READ, &value)) {
        return false;
    }
    SPACE_CHECK(value == now.words[page]);
    return true;
}

static void load_all(void)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        SPACE_CHECK(load(page));
    }
    space_check();
}

/* All pages are written, and then copied. */
static void make_copy(void)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        SPACE_CHECK(store(page, 100 + page));
    }
    SPACE_CHECK(pmap_create(COPY) == OK);
    vm_lineage_set_source(COPY, LENDER);
    now.is_copied = true;
    note_change();
}

/* The copy gives what it has written to the lender, and ends. */
static bool give_back(void)
{
    if (vm_give_to_source(COPY) != OK || !discard(COPY, 0, PAGES)) {
        SPACE_CHECK(space_world.has_faults);
        return false;
    }
    end_copy();
    return true;
}

/* The copy takes what it borrows, and does without the lender, which has nothing any more. */
static void take_all(void)
{
    SPACE_CHECK(vm_take_from_source(COPY) == OK);
    memset(now.own, true, sizeof(now.own));
    vm_lineage_set_source(COPY, SPACE_NONE);
    note_change();
    SPACE_CHECK(discard(LENDER, 0, PAGES));
}

static void take_and_lose_the_lender(void)
{
    make_copy();
    SPACE_CHECK(space_sync() && load(THE_PAGE));
    take_all();
    load_all();
    space_reboot();
    load_all();
}

SPACE_CASE(borrower_that_takes_all_it_borrows_keeps_it, take_and_lose_the_lender, .extension = &extension)

/* Full memory ------------------------------------------------------------------------------------------------------ */

/*
 * Nothing can be written, and few frames are left. What takes two of them, for a page that has to be read and for where
 * it is copied, is refused with one, and does not wait forever.
 */
static bool (*act)(void);
static bool has_succeeded;

static void act_once(void *unused)
{
    (void)unused;
    has_succeeded = act();
    space_world.programs--;
}

static void act_with_frames(uint32_t count)
{
    struct frame *taken = calloc(frame_limit(), sizeof(*taken));
    uint32_t held = 0;

    while (frame_count(FRAME_FREE) > vm_frame_reserve() + count) {
        SPACE_CHECK(frame_allocate(FRAME_KERNEL, &taken[held++]) == OK);
    }
    space_start(act_once);
    space_wait_programs();
    while (held > 0) {
        frame_free(taken[--held]);
    }
    free(taken);
}

static void act_in_full_memory(bool (*what)(void))
{
    struct fake_disk_fault *fault = &space_world.slow.disk->fault;

    act = what;
    space_reboot();
    space_world.has_faults = true;
    *fault = (struct fake_disk_fault){.armed = true, .operation = BLOCK_WRITE, .count = UINT64_MAX, .error = ERROR_IO};
    for (uint32_t count = 0; count <= 2; count++) {
        act_with_frames(count);
        SPACE_CHECK(has_succeeded == (count == 2));
    }
    fault->armed = false;
    space_world.has_faults = false;
}

static bool store_once(void)
{
    return store(THE_PAGE, 7);
}

static void copy_in_full_memory(void)
{
    make_copy();
    act_in_full_memory(store_once);
    load_all();
}

SPACE_CASE(borrower_copies_in_a_full_memory_or_is_refused, copy_in_full_memory, .extension = &extension)

static void give_in_full_memory(void)
{
    make_copy();
    SPACE_CHECK(store(THE_PAGE, 33));
    act_in_full_memory(give_back);
    load_all();
}

SPACE_CASE(borrower_gives_back_in_a_full_memory_or_is_refused, give_in_full_memory, .extension = &extension)

/* No memory in the middle: nothing is lost, and it can be done again. */
static void give_without_memory(void)
{
    uint32_t refused = 0;

    make_copy();
    for (uint32_t page = 0; page < PAGES; page += 2) {
        SPACE_CHECK(store(page, 200 + page));
    }
    SPACE_CHECK(space_sync());
    space_world.has_faults = true;
    do {
        fake_fail_allocations(refused, 1);
        bool is_given = give_back();
        fake_fail_allocations(0, 0);
        refused += !is_given;
        load_all();
    } while (now.is_copied);
    space_world.has_faults = false;
    load_all();
}

SPACE_CASE(borrower_gives_back_without_memory_and_loses_nothing, give_without_memory, .extension = &extension)

/* Races ------------------------------------------------------------------------------------------------------------ */

/* A stop comes while what the pager knows of a given page is being forgotten: the snapshot has the page once more. */
static uint32_t stops_seen;

static bool has_stopped(void)
{
    return vm_stops() != stops_seen;
}

static void give_once(void *unused)
{
    (void)unused;
    SPACE_CHECK(vm_give_to_source(COPY) == OK);
    space_world.programs--;
}

static void give_beside_stop(void)
{
    struct store_entry entry;
    struct page_key page;

    make_copy();
    SPACE_CHECK(store(THE_PAGE, 33));
    space_world.slow.holds_discards = true;
    space_start(give_once);
    stops_seen = vm_stops();
    (void)snap_request();
    space_wait_until(has_stopped);
    space_world.slow.holds_discards = false;
    space_wait_programs();
    SPACE_CHECK(space_sync());
    enum error error = store_next(space_world.store, page_key_at(COPY, (struct vaddr){0}), &page, &entry);
    SPACE_CHECK(error == ERROR_NOT_FOUND || page_key_object(page).number != COPY.number);
    load_all();
}

SPACE_CASE(given_page_does_not_come_back_with_a_stop_in_between, give_beside_stop, .extension = &extension)

/* What happens to a page while its lender's is being read, as to a program that has several threads. */
static void load_the_page(void *unused)
{
    (void)unused;
    has_succeeded = load(THE_PAGE);
    space_world.programs--;
}

/* Another region takes the place of the copy. */
static void replace_the_page(void *unused)
{
    (void)unused;
    now.own[THE_PAGE] = true;
    now.words[THE_PAGE] = 0;
    note_change();
    SPACE_CHECK(discard(COPY, THE_PAGE, 1));
    space_world.programs--;
}

static void unmap_the_page(void *unused)
{
    (void)unused;
    now.leaves[THE_PAGE] = true;
    now.own[THE_PAGE] = true;
    note_change();
    SPACE_CHECK(discard(COPY, THE_PAGE, 1));
    now.words[THE_PAGE] = 0;
    now.leaves[THE_PAGE] = false;
    note_change();
    space_world.programs--;
}

static void borrow_beside(void (*change)(void *unused))
{
    make_copy();
    space_reboot();
    space_world.has_faults = true; /* the load may be refused */
    space_world.slow.holds_reads = true;
    space_start(load_the_page);
    space_start(change);
    space_world.slow.holds_reads = false;
    space_wait_programs();
    space_world.has_faults = false;
}

static void borrow_beside_replacement(void)
{
    borrow_beside(replace_the_page);
    SPACE_CHECK(has_succeeded && load(THE_PAGE));
}

SPACE_CASE(borrowed_page_that_another_region_replaces_meanwhile_is_that_ones, borrow_beside_replacement,
           .extension = &extension)

static void borrow_beside_unmapping(void)
{
    borrow_beside(unmap_the_page);
    SPACE_CHECK(!has_succeeded && load(THE_PAGE));
}

SPACE_CASE(borrowed_page_that_is_unmapped_meanwhile_is_refused, borrow_beside_unmapping, .extension = &extension)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borrower_that_takes_all_it_borrows_keeps_it),
        cmocka_unit_test(borrower_copies_in_a_full_memory_or_is_refused),
        cmocka_unit_test(borrower_gives_back_in_a_full_memory_or_is_refused),
        cmocka_unit_test(borrower_gives_back_without_memory_and_loses_nothing),
        cmocka_unit_test(given_page_does_not_come_back_with_a_stop_in_between),
        cmocka_unit_test(borrowed_page_that_another_region_replaces_meanwhile_is_that_ones),
        cmocka_unit_test(borrowed_page_that_is_unmapped_meanwhile_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
