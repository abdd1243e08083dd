/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cloned spaces over the whole stack: what is shared and what is copied, what is left when they end, and that a power
 * cut finds every member as it was at one instant.
 *
 * The cases look at one thing each; the worlds are lives at random, as in space_crash_test, with a family beside the
 * other programs. Arguments and environment as there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>

#include "space_case.h"
#include "space_family.h"

#include "arch/frame.h"
#include "snap.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include "vm_map.h"
#include "vm_reclaim.h"

#define WORLDS      8u
#define WORLDS_SOAK 2000u

static uint64_t first = 1;
static uint64_t worlds = WORLDS;

/* Cases ------------------------------------------------------------------------------------------------------------ */

static void store_all(uint32_t member, uint32_t value)
{
    for (uint32_t page = 0; page < FAMILY_PAGES; page++) {
        SPACE_CHECK(family_store(member, page, value + page));
    }
}

static void load_all(uint32_t member)
{
    for (uint32_t page = 0; page < FAMILY_PAGES; page++) {
        SPACE_CHECK(family_load(member, page));
    }
    space_check();
}

static void share(void)
{
    uint32_t parent = 0, child;

    store_all(parent, 100);
    uint32_t frames = frame_count(FRAME_PAGE);
    SPACE_CHECK(family_clone(&parent, &child));
    load_all(child);
    load_all(parent);
    SPACE_CHECK(frame_count(FRAME_PAGE) == frames);
    uint64_t copies = vm_borrowed_copies();
    SPACE_CHECK(family_store(child, 3, 7) && family_store(child, 3, 8) && family_store(parent, 4, 9));
    SPACE_CHECK(frame_count(FRAME_PAGE) == frames + 2 && vm_borrowed_copies() == copies + 2);
    load_all(child);
    load_all(parent);
}

SPACE_CASE(clone_that_reads_takes_no_frame_and_one_that_writes_takes_one, share, .extension = &family_extension)

/* Pages of the source are in memory, in the committed tree, in the open layer, or were never there. */
static void share_over_boots(void)
{
    uint32_t parent = 0, child;

    store_all(parent, 100);
    space_reboot();
    SPACE_CHECK(family_store(parent, 1, 1) && family_unmap(parent, 2));
    SPACE_CHECK(family_clone(&parent, &child));
    SPACE_CHECK(family_load(child, 1) && family_load(child, 2) && family_load(child, 3));
    space_reboot();
    load_all(child);
    SPACE_CHECK(family_store(child, 5, 55) && family_store(parent, 6, 66) && family_store(parent, 2, 22));
    space_reboot();
    load_all(child);
    load_all(parent);
}

SPACE_CASE(clone_finds_its_source_after_every_boot, share_over_boots, .extension = &family_extension)

static void many_rounds(void)
{
    uint32_t parent = 0, child;

    store_all(parent, 100);
    SPACE_CHECK(space_sync());
    load_all(parent);
    uint32_t frames = frame_count(FRAME_PAGE), records = vm_map_count(vm_object_space());
    for (uint32_t round = 0; round < 1000; round++) {
        SPACE_CHECK(family_clone(&parent, &child));
        SPACE_CHECK(family_store(child, round % FAMILY_PAGES, round) && family_store(parent, 3, round));
        SPACE_CHECK(family_load(child, 3) && family_load(parent, round % FAMILY_PAGES));
        SPACE_CHECK(round % 100 != 0 || space_sync());
        family_end(child);
        SPACE_CHECK(family_settle(&parent) && parent == 0 && family_spaces() == 1);
    }
    load_all(parent);
    SPACE_CHECK(frame_count(FRAME_PAGE) == frames && vm_map_count(vm_object_space()) == records);
}

SPACE_CASE(clone_and_end_a_thousand_times_leaves_nothing, many_rounds, .extension = &family_extension)

/* Each generation clones the next and ends; and one member clones others that stay. */
static void generations(void)
{
    uint32_t member = 0, child;

    store_all(member, 100);
    for (uint32_t i = 0; i < 30; i++) {
        SPACE_CHECK(family_clone(&member, &child));
        SPACE_CHECK(family_store(child, i % FAMILY_PAGES, i));
        family_end(member);
        member = child;
    }
    SPACE_CHECK(family_settle(&member) && family_spaces() == 1);
    load_all(member);
    for (uint32_t i = 0; i < 3; i++) {
        SPACE_CHECK(family_clone(&member, &child) && family_store(member, i, i));
    }
    SPACE_CHECK(family_counters.bounded == 0 && family_clone(&member, &child) && family_counters.bounded == 3);
    load_all(member);
    load_all(child);
}

SPACE_CASE(clone_of_clones_has_a_bounded_number_of_sources, generations, .extension = &family_extension)

/* A source that has borrowed a page itself gets it from its last child: what it had borrowed is not what it has then.
 */
static void settle_over_borrowed(void)
{
    uint32_t parent = 0, child, other;

    store_all(parent, 100);
    SPACE_CHECK(family_clone(&parent, &child) && family_load(parent, 5));
    SPACE_CHECK(family_clone(&parent, &other) && family_store(parent, 5, 55));
    family_end(other);
    SPACE_CHECK(family_settle(&parent) && family_spaces() == 3);
    load_all(parent);
    load_all(child);
}

SPACE_CASE(settled_page_that_its_source_had_borrowed_is_the_settled_one, settle_over_borrowed,
           .extension = &family_extension)

/* More pages than frames: sources lose their frames while others borrow them. */
static void short_of_frames(void)
{
    uint32_t parent = 0, child;

    store_all(parent, 100);
    SPACE_CHECK(family_clone(&parent, &child));
    for (uint32_t round = 0; round < 20; round++) {
        load_all(child);
        space_store_pages(60, round);
        load_all(parent);
        SPACE_CHECK(family_store(round % 2 == 0 ? parent : child, round, round));
        SPACE_CHECK(space_sync());
    }
    SPACE_CHECK(vm_reclaim_dropped() > 0);
}

SPACE_CASE(clone_reads_again_what_its_source_had_to_give_up, short_of_frames, .frames = 48,
           .extension = &family_extension)

/* A page that a system call has made ready stays, although it is the source's. */
static void wire_borrowed(void)
{
    const struct gpn page = {FAMILY_FIRST << 20 | 0x08048u};
    uint32_t parent = 0, child;

    store_all(parent, 100);
    SPACE_CHECK(family_clone(&parent, &child) && space_sync());
    struct gpn own = gpn_make((struct space_id){FAMILY_FIRST + child}, gpn_address(page));
    SPACE_CHECK(vm_wire(own, PMAP_READ) == OK);
    uint32_t records = vm_map_count(vm_object_space());
    for (uint32_t round = 0; round < 10; round++) {
        space_store_pages(60, round);
        SPACE_CHECK(space_sync() && pmap_query(own, NULL));
    }
    SPACE_CHECK(vm_reclaim_dropped() > 0);
    vm_unwire(own);
    SPACE_CHECK(vm_map_find(vm_object_space(), own) == NULL && records > 0);
    load_all(child);
}

SPACE_CASE(wired_page_of_a_source_is_not_dropped, wire_borrowed, .frames = 48, .extension = &family_extension)

/* No memory in the middle of settling: nothing is lost, and it can be done again. */
static void settle_without_memory(void)
{
    uint32_t parent = 0, child;

    store_all(parent, 100);
    SPACE_CHECK(family_clone(&parent, &child));
    store_all(parent, 200);
    SPACE_CHECK(space_sync());
    family_end(child);
    space_world.has_faults = true;
    for (uint32_t fails = 0; fails < 40; fails++) {
        uint32_t member = parent;
        fake_fail_allocations(fails, 1);
        bool settled = family_settle(&member);
        fake_fail_allocations(0, 0);
        load_all(member);
        parent = member;
        SPACE_CHECK(!settled || family_clone(&parent, &child));
        if (settled) {
            SPACE_CHECK(family_store(parent, fails % FAMILY_PAGES, fails));
            family_end(child);
        }
    }
    space_world.has_faults = false;
    SPACE_CHECK(family_settle(&parent) && family_spaces() == 1);
    load_all(parent);
}

SPACE_CASE(settling_without_memory_changes_nothing, settle_without_memory, .extension = &family_extension)

/*
 * Nothing can be written, and few frames are left. What takes two of them, for a page that has to be read and for where
 * it is copied, is refused with one, and does not wait for ever.
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

static uint32_t survivor; /* a member whose page 3 its source has as well */

static bool store_in_survivor(void)
{
    return family_store(survivor, 3, 7);
}

static void copy_in_full_memory(void)
{
    uint32_t parent = 0;

    store_all(parent, 100);
    SPACE_CHECK(family_clone(&parent, &survivor));
    act_in_full_memory(store_in_survivor);
    load_all(survivor);
    load_all(parent);
}

SPACE_CASE(clone_copies_in_a_full_memory_or_is_refused, copy_in_full_memory, .extension = &family_extension)

static bool settle_survivor(void)
{
    return family_settle(&survivor);
}

static void settle_in_full_memory(void)
{
    uint32_t child;

    survivor = 0;
    store_all(survivor, 100);
    SPACE_CHECK(family_clone(&survivor, &child) && family_store(survivor, 3, 33));
    family_end(child);
    act_in_full_memory(settle_survivor);
    load_all(survivor);
}

SPACE_CASE(settling_happens_in_a_full_memory_or_is_refused, settle_in_full_memory, .extension = &family_extension)

/* A stop comes while what the pager knows of a settled page is being forgotten: the snapshot has the page once more. */
static uint32_t stops_seen;

static bool has_stopped(void)
{
    return vm_stops() != stops_seen;
}

static void give_once(void *unused)
{
    (void)unused;
    SPACE_CHECK(vm_give_to_source((struct space_id){FAMILY_FIRST + survivor}) == OK);
    space_world.programs--;
}

static void settle_beside_stop(void)
{
    struct store_entry entry;
    struct gpn page;
    uint32_t child;

    survivor = 0;
    store_all(survivor, 100);
    SPACE_CHECK(family_clone(&survivor, &child) && family_store(survivor, 3, 33));
    family_end(child);
    space_world.slow.holds_discards = true;
    space_start(give_once);
    stops_seen = vm_stops();
    (void)snap_request();
    space_wait_until(has_stopped);
    space_world.slow.holds_discards = false;
    space_wait_programs();
    SPACE_CHECK(space_sync());
    struct space_id space = {FAMILY_FIRST + survivor};
    enum error error = store_next(space_world.store, gpn_make(space, (struct vaddr){0}), &page, &entry);
    SPACE_CHECK(error == ERROR_NOT_FOUND || gpn_space(page).number != space.number);
    load_all(survivor);
}

SPACE_CASE(settled_page_does_not_come_back_with_a_stop_in_between, settle_beside_stop, .extension = &family_extension)

/* What happens to a page while its source's is being read, as to a program that has several threads. */
static void load_third(void *unused)
{
    (void)unused;
    has_succeeded = family_load(survivor, 3);
    space_world.programs--;
}

static void replace_third(void *unused)
{
    (void)unused;
    SPACE_CHECK(family_replace(survivor, 3));
    space_world.programs--;
}

static void unmap_third(void *unused)
{
    (void)unused;
    SPACE_CHECK(family_unmap(survivor, 3));
    space_world.programs--;
}

static void borrow_beside(void (*change)(void *unused))
{
    uint32_t parent = 0;

    store_all(parent, 100);
    SPACE_CHECK(family_clone(&parent, &survivor));
    space_reboot();
    space_world.has_faults = true; /* the load may be refused */
    space_world.slow.holds_reads = true;
    space_start(load_third);
    space_start(change);
    space_world.slow.holds_reads = false;
    space_wait_programs();
    space_world.has_faults = false;
}

static void borrow_beside_replacement(void)
{
    borrow_beside(replace_third);
    SPACE_CHECK(has_succeeded && family_load(survivor, 3));
}

SPACE_CASE(borrowed_page_that_another_region_replaces_meanwhile_is_that_ones, borrow_beside_replacement,
           .extension = &family_extension)

static void borrow_beside_unmapping(void)
{
    borrow_beside(unmap_third);
    SPACE_CHECK(!has_succeeded && family_load(survivor, 3));
}

SPACE_CASE(borrowed_page_that_is_unmapped_meanwhile_is_refused, borrow_beside_unmapping,
           .extension = &family_extension)

/* Worlds ----------------------------------------------------------------------------------------------------------- */

static struct family_counters *sums;

static void run_world(void *context)
{
    uint64_t seed = *(const uint64_t *)context;
    struct space_life life = {
        .seed = seed,
        .boots = 4,
        .turns = seed % 4 == 1 ? 800 : 2000,
        .cut_one_in = seed % 4 == 1 ? 2 : 32,
        .extension = &family_extension,
        .start = family_start_programs,
    };

    space_live(&life);
    sums->clones += family_counters.clones;
    sums->settled += family_counters.settled;
    sums->bounded += family_counters.bounded;
    sums->ends += family_counters.ends;
    sums->unmappings += family_counters.unmappings;
    sums->stores += space_world.counters.states; /* the crash states looked at */
}

static void every_cut_of_a_family_is_one_instant(void **state)
{
    (void)state;
    sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(sums != MAP_FAILED);
    for (uint64_t seed = first; seed < first + worlds; seed++) {
        if (!space_in_child(run_world, &seed, false)) {
            fail_msg("world %llu: space_clone_test %llu repeats it", (unsigned long long)seed,
                     (unsigned long long)seed);
        }
    }
    print_message("%llu clones, %llu settled, %llu sources left, %llu ends, %llu unmappings; %llu crash states\n",
                  (unsigned long long)sums->clones, (unsigned long long)sums->settled,
                  (unsigned long long)sums->bounded, (unsigned long long)sums->ends,
                  (unsigned long long)sums->unmappings, (unsigned long long)sums->stores);
    bool is_enough = sums->clones > 0 && sums->settled > 0 && sums->bounded > 0 && sums->ends > 0 && sums->stores > 0;
    assert_true(is_enough || worlds < WORLDS);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clone_that_reads_takes_no_frame_and_one_that_writes_takes_one),
        cmocka_unit_test(clone_finds_its_source_after_every_boot),
        cmocka_unit_test(clone_and_end_a_thousand_times_leaves_nothing),
        cmocka_unit_test(clone_of_clones_has_a_bounded_number_of_sources),
        cmocka_unit_test(settled_page_that_its_source_had_borrowed_is_the_settled_one),
        cmocka_unit_test(clone_reads_again_what_its_source_had_to_give_up),
        cmocka_unit_test(wired_page_of_a_source_is_not_dropped),
        cmocka_unit_test(settling_without_memory_changes_nothing),
        cmocka_unit_test(clone_copies_in_a_full_memory_or_is_refused),
        cmocka_unit_test(settling_happens_in_a_full_memory_or_is_refused),
        cmocka_unit_test(settled_page_does_not_come_back_with_a_stop_in_between),
        cmocka_unit_test(borrowed_page_that_another_region_replaces_meanwhile_is_that_ones),
        cmocka_unit_test(borrowed_page_that_is_unmapped_meanwhile_is_refused),
        cmocka_unit_test(every_cut_of_a_family_is_one_instant),
    };
    const char *seed = getenv("EIDOLON_SEED");

    if (count > 1) {
        first = strtoull(words[1], NULL, 10);
        worlds = count > 2 ? strtoull(words[2], NULL, 10) : 1;
    } else if (seed != NULL) {
        first = strtoull(seed, NULL, 10);
    }
    if (getenv("EIDOLON_SOAK") != NULL) {
        worlds = WORLDS_SOAK;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
