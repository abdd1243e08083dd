/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A shared object and its views, over the whole stack: programs at random, and power cuts.
 *
 * One object of a few pages is seen three times in two windows, each time from another page on, with rights of its own
 * that change, over a border of two chunks; in the same chunks the windows have private pages. Programs load and store
 * through all of them beside those of the other worlds, move the views, take rights, sync and empty pages. Each load
 * finds what was stored last, through whatever view; the invariants are verified after each step; each generation holds
 * what all pages were at its stop. Arguments as in space_crash_test.c: the first seed, and how many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "space_case.h"

#include "arch/frame.h"
#include "arch/pmap.h"
#include "fake/mmu.h"
#include "fake/pmap_state.h"
#include "log.h"
#include "snap_write.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_reserve.h"
#include "vm_snapshot.h"

#define WORLDS 8u
#define TRIES  10000u
/* The lower half of its pages' keys is that of the first window's private pages, and of its views. */
#define OBJECT  ((struct object_id){5 * OBJECTS_FIRST + SPACE_PROGRAMS + 1})
#define WINDOWS 2u
#define PAGES   12u /* of the object */
#define VIEWS   3u
#define PRIVATE 4u /* pages of each window */
#define WORDS   4u
#define BORDER  0x00C00000u                   /* of two chunks */
#define FIRST   ((BORDER >> PAGE_SHIFT) - 22) /* the object's first page that is used */

/* From which place of which window how many pages are seen. */
static const struct {
    uint32_t window, address, count;
} views[VIEWS] = {
    {0, BORDER - 6 * PAGE_SIZE, 10},
    {0, 2 * BORDER - 3 * PAGE_SIZE, 6},
    {1, BORDER - 4 * PAGE_SIZE, 8},
};

/* What everything is; taken at each stop, and given back by a boot. */
struct model {
    uint32_t offsets[VIEWS]; /* the first page of the object that is seen */
    enum space_access access[VIEWS][PAGES];
    bool leaving[PAGES]; /* being emptied */
    uint32_t words[PAGES][WORDS];
    uint32_t private[WINDOWS][PRIVATE];
};

static struct model now;
static struct model *stops; /* by number */
static uint64_t view_faults, emptied;

static struct space_id window_of(uint32_t window)
{
    return (struct space_id){SPACE_PROGRAMS + 1 + window};
}

static struct page_key object_page(uint32_t page)
{
    return page_key_make(OBJECT, FIRST + page);
}

static struct place view_place(uint32_t view, uint32_t index)
{
    return place_make(window_of(views[view].window), (struct vaddr){views[view].address + index * PAGE_SIZE});
}

/* Some before the border, some behind it, beside the views. */
static struct place private_place(uint32_t window, uint32_t index)
{
    uint32_t address = index % 2 == 0 ? BORDER - (20 + index) * PAGE_SIZE : BORDER + (20 + index) * PAGE_SIZE;

    return place_make(window_of(window), (struct vaddr){address});
}

static void note_change(void)
{
    space_world.counters.stores++; /* so that the next stop is committed */
}

/* What the kernel asks --------------------------------------------------------------------------------------------- */

static enum error check_view(uint32_t view, uint32_t index, enum pmap_access access, struct vm_allowance *out)
{
    uint32_t page = now.offsets[view] + index;
    enum space_access allowed = now.access[view][index];

    if (allowed == SPACE_NOTHING || (access == PMAP_WRITE && allowed != SPACE_WRITE) || now.leaving[page]) {
        return ERROR_DENIED;
    }
    *out = (struct vm_allowance){.may_write = allowed == SPACE_WRITE, .is_shared = true, .shown = object_page(page)};
    return OK;
}

static enum error check(struct place place, enum pmap_access access, struct vm_allowance *out)
{
    for (uint32_t view = 0; view < VIEWS; view++) {
        uint32_t index = place.number - view_place(view, 0).number;
        if (index < views[view].count) {
            return check_view(view, index, access, out);
        }
    }
    for (uint32_t i = 0; i < WINDOWS * PRIVATE; i++) {
        if (place.number == private_place(i / PRIVATE, i % PRIVATE).number) {
            *out = (struct vm_allowance){.may_write = true};
            return OK;
        }
    }
    return ERROR_DENIED;
}

static struct space_id source_of(struct place place, struct space_id at)
{
    (void)place;
    (void)at;
    return SPACE_NONE;
}

static void stop(uint64_t number)
{
    if (number == 0) {
        memset(&now, 0, sizeof(now));
        now.offsets[1] = 3;
        now.offsets[2] = 1;
        for (uint32_t i = 0; i < VIEWS * PAGES; i++) {
            now.access[i / PAGES][i % PAGES] = SPACE_WRITE;
        }
    }
    stops = realloc(stops, (number + 1) * sizeof(*stops));
    ASSERT(stops != NULL);
    stops[number] = now;
}

static void resume(uint64_t number)
{
    now = stops[number];
}

static bool empty(uint32_t page)
{
    emptied++; /* in part even if it fails */
    if (vm_discard(object_page(page), 1) != OK) {
        return false;
    }
    memset(now.words[page], 0, sizeof(now.words[page]));
    now.leaving[page] = false;
    note_change();
    return true;
}

static void boot(void)
{
    for (uint32_t window = 0; window < WINDOWS; window++) {
        SPACE_CHECK(pmap_create(window_of(window)) == OK);
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        SPACE_CHECK(!now.leaving[page] || empty(page));
    }
}

static void discard(void)
{
    for (uint32_t window = 0; window < WINDOWS; window++) {
        SPACE_CHECK(vm_discard(page_key_at(window_of(window), (struct vaddr){USER_START}),
                               (USER_END - USER_START) >> PAGE_SHIFT) == OK);
        SPACE_CHECK(!pmap_has_views(window_of(window)));
        if (fake_pmap.active.number == window_of(window).number) {
            pmap_activate(SPACE_SYSTEM);
        }
        pmap_delete(window_of(window));
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        SPACE_CHECK(empty(page));
    }
}

static bool holds(struct store *store, struct page_key page, const uint32_t *words, uint32_t count)
{
    uint32_t content[PAGE_SIZE / sizeof(uint32_t)] = {0};
    struct store_entry entry;
    enum error error = store_find(store, page, &entry);

    if (error == OK) {
        error = store_read(store, page, &entry, content);
    }
    return (error == OK || error == ERROR_NOT_FOUND) && memcmp(content, words, count * sizeof(*words)) == 0;
}

static bool equals(uint64_t number, struct store *store, char *why, uint32_t room)
{
    const struct model *model = &stops[number];

    for (uint32_t page = 0; page < PAGES; page++) {
        if (!model->leaving[page] && !holds(store, object_page(page), model->words[page], WORDS)) {
            snprintf(why, room, "page %u of the object is not what it was", page);
            return false;
        }
    }
    for (uint32_t i = 0; i < WINDOWS * PRIVATE; i++) {
        struct page_key page = place_key(private_place(i / PRIVATE, i % PRIVATE));
        if (!holds(store, page, &model->private[i / PRIVATE][i % PRIVATE], 1)) {
            snprintf(why, room, "private page %u is not what it was", i);
            return false;
        }
    }
    return true;
}

static const struct space_extension extension = {.check = check,
                                                 .source = source_of,
                                                 .stop = stop,
                                                 .resume = resume,
                                                 .boot = boot,
                                                 .discard = discard,
                                                 .equals = equals};

/* What programs do ------------------------------------------------------------------------------------------------- */

static bool touch(struct place place, uint32_t word, enum pmap_access access, uint32_t *value)
{
    struct vaddr address = {place_address(place).value + word * (uint32_t)sizeof(uint32_t)};

    if (fake_pmap.active.number != place_space(place).number) {
        pmap_activate(place_space(place));
    }
    return access == PMAP_WRITE ? mmu_store(address, *value) : mmu_load(address, value);
}

/* Access a word at a place as a program would. False: refused, or it cannot be had; the caller notes it at once. */
static bool access_word(struct place place, uint32_t word, enum pmap_access access, uint32_t *value)
{
    for (uint32_t tries = 0; tries < TRIES; tries++) {
        struct vm_allowance allowance;
        if (touch(place, word, access, value)) {
            SPACE_CHECK(check(place, access, &allowance) == OK);
            return true;
        }
        view_faults++;
        enum error error = vm_fault(place, access);
        if (error == ERROR_DENIED) {
            SPACE_CHECK(check(place, access, &allowance) != OK);
            return false;
        }
        if (error != OK && error != ERROR_INTERRUPTED) {
            SPACE_CHECK(space_world.slow.is_off || space_world.has_faults);
            return false;
        }
        if (error == OK) {
            SPACE_CHECK(touch(place, word, access, value) || touch(place, word, access, value));
            return true;
        }
    }
    space_fail("place %08x cannot be touched", place.number);
}

static void store_shared(uint32_t view, uint32_t index, uint32_t word, uint32_t value)
{
    if (access_word(view_place(view, index), word, PMAP_WRITE, &value)) {
        now.words[now.offsets[view] + index][word] = value;
        note_change();
    }
}

static void load_shared(uint32_t view, uint32_t index, uint32_t word)
{
    uint32_t value;

    if (access_word(view_place(view, index), word, PMAP_READ, &value)) {
        uint32_t page = now.offsets[view] + index;
        if (value != now.words[page][word]) {
            space_fail("view %u: word %u of page %u is %08x, expected %08x", view, word, page, value,
                       now.words[page][word]);
        }
    }
}

static void use_private(uint32_t window, uint32_t index, bool is_store)
{
    uint32_t value = space_below(UINT32_MAX);

    if (!access_word(private_place(window, index), 0, is_store ? PMAP_WRITE : PMAP_READ, &value)) {
        return;
    }
    if (is_store) {
        now.private[window][index] = value;
        note_change();
    }
    SPACE_CHECK(value == now.private[window][index]);
}

static void set_rights(uint32_t view, uint32_t first, uint32_t count, enum space_access access)
{
    for (uint32_t i = first; i < first + count; i++) {
        now.access[view][i] = access;
    }
    if (access != SPACE_WRITE) {
        vm_restrict(view_place(view, first), count, access == SPACE_READ, false);
    }
}

/* As a system call holds memory: the page that is seen stays, whoever sleeps, unless it is emptied. */
static void hold(uint32_t view, uint32_t index, enum pmap_access access)
{
    uint64_t before = emptied;
    struct vm_page *wired;

    if (vm_wire(view_place(view, index), access, &wired) != OK) {
        return;
    }
    SPACE_CHECK(vm_page_is(wired, object_page(now.offsets[view] + index)));
    for (uint32_t yields = space_below(6); yields > 0; yields--) {
        thread_yield();
    }
    SPACE_CHECK(!frame_is_none(vm_page_frame(wired)) || emptied != before);
    vm_unwire(wired);
}

/* munmap, and mmap of another part of the object. */
static void move_view(uint32_t view)
{
    set_rights(view, 0, views[view].count, SPACE_NOTHING);
    now.offsets[view] = space_below(PAGES - views[view].count + 1);
    set_rights(view, 0, views[view].count, SPACE_WRITE);
}

static void empty_page(uint32_t page)
{
    if (!now.leaving[page]) {
        now.leaving[page] = true;
        note_change();
        while (!empty(page)) {
            SPACE_CHECK(space_world.slow.is_off || space_world.has_faults);
            if (space_world.slow.is_off) {
                return;
            }
            thread_yield();
        }
    }
}

static void step(void)
{
    uint32_t dice = space_below(1000);
    uint32_t view = space_below(VIEWS);
    uint32_t index = space_below(views[view].count);
    uint32_t count = 1 + space_below(views[view].count - index);

    if (dice < 400) {
        store_shared(view, index, space_below(WORDS), space_chance(4) ? 0 : space_below(UINT32_MAX));
    } else if (dice < 600) {
        load_shared(view, index, space_below(WORDS));
    } else if (dice < 720) {
        use_private(space_below(WINDOWS), space_below(PRIVATE), space_chance(2));
    } else if (dice < 760) {
        set_rights(view, index, count, space_chance(2) ? SPACE_READ : SPACE_NOTHING);
    } else if (dice < 880) {
        set_rights(view, index, count, SPACE_WRITE);
    } else if (dice < 910) {
        move_view(view);
    } else if (dice < 925) {
        empty_page(space_below(PAGES));
    } else if (dice < 945) {
        (void)space_sync();
    } else if (dice < 965) {
        hold(view, index, space_chance(2) ? PMAP_WRITE : PMAP_READ);
    } else {
        thread_yield();
    }
}

static void program(void *unused)
{
    (void)unused;
    while (!space_world.is_ending && !space_world.slow.is_off) {
        step();
        space_check();
    }
    space_world.programs--;
}

static void start_programs(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct thread *thread;
        space_world.programs++;
        SPACE_CHECK(thread_create("program", program, NULL, &thread) == OK);
    }
}

/* Step by step ----------------------------------------------------------------------------------------------------- */

static void store_all(uint32_t value)
{
    for (uint32_t view = 0; view < VIEWS; view++) {
        for (uint32_t index = 0; index < views[view].count; index++) {
            store_shared(view, index, 0, value + 100 * view + index);
        }
    }
    space_check();
}

/* Once all pages are written nothing counts as dirty, and all can be stored to again without a fault. */
static void store_after_a_snapshot(void)
{
    store_all(1);
    SPACE_CHECK(space_sync());
    for (uint32_t view = 0; view < VIEWS; view++) {
        for (uint32_t index = 0; index < views[view].count; index++) {
            SPACE_CHECK(!pmap_is_dirty(view_place(view, index)));
        }
    }
    uint64_t before = view_faults;
    store_all(2);
    SPACE_CHECK(view_faults <= before + VIEWS * PAGES); /* translations from before: one each */
    store_all(3);
    SPACE_CHECK(view_faults <= before + VIEWS * PAGES);
}

SPACE_CASE(view_that_was_written_is_clean_and_writable_again, store_after_a_snapshot, .extension = &extension)

/* Replacement hears of a use through any view, once. */
static void use_through_one_view(void)
{
    const struct vm_replacement *replacement = &vm_object_space()->replacement;

    store_all(1);
    const struct vm_page *page = vm_map_find(vm_object_space(), object_page(4));
    (void)replacement->take_accessed(page); /* the policy may have asked since */
    load_shared(1, 1, 0);
    SPACE_CHECK(replacement->take_accessed(page) && !replacement->take_accessed(page));
    load_shared(2, 3, 0);
    SPACE_CHECK(replacement->take_accessed(page) && !replacement->take_accessed(page));
}

SPACE_CASE(view_that_is_used_keeps_its_page, use_through_one_view, .extension = &extension)

static void open_all_chunks(uint32_t window)
{
    for (uint32_t border = BORDER; border <= 2 * BORDER; border += BORDER) {
        vm_open_chunk(place_make(window_of(window), (struct vaddr){border - PAGE_SIZE}));
        vm_open_chunk(place_make(window_of(window), (struct vaddr){border}));
    }
}

static bool may_write_at(uint32_t view, uint32_t index)
{
    enum pmap_access access;

    return pmap_query(view_place(view, index), &access) && access == PMAP_WRITE;
}

/* A stop comes, and a store before the first pass: its chunk opens narrowly, and is wide again after the second. */
static void store_between_stop_and_first_pass(void)
{
    store_all(1);
    SPACE_CHECK(space_sync());
    store_shared(0, 4, 0, 2); /* page 4, which is seen in two more views */
    SPACE_CHECK(may_write_at(1, 1) && may_write_at(2, 3));
    SPACE_CHECK(vm_stop() == OK);
    use_private(0, 1, true); /* behind the border: that chunk opens, where page 7 is seen */
    SPACE_CHECK(!pmap_is_closed(view_place(0, 7)) && !may_write_at(0, 7));
    SPACE_CHECK(pmap_is_closed(view_place(0, 4)) && may_write_at(0, 4));
    space_check();
    store_shared(2, 3, 0, 3); /* through another view: the content of the stop is saved first, and the chunk opens */
    SPACE_CHECK(vm_copies() == 1 && !pmap_query(view_place(0, 4), NULL) && !may_write_at(2, 2));
    space_check();
    for (uint32_t window = 0; window < WINDOWS; window++) {
        for (uint32_t border = BORDER; border <= 2 * BORDER; border += BORDER) {
            vm_collect_chunk(place_make(window_of(window), (struct vaddr){border - PAGE_SIZE}));
            vm_collect_chunk(place_make(window_of(window), (struct vaddr){border}));
        }
    }
    vm_end_collecting();
    for (uint32_t window = 0; window < WINDOWS; window++) {
        open_all_chunks(window);
    }
    SPACE_CHECK(may_write_at(0, 7) && may_write_at(2, 2));
    space_check();
    snap_return_pages();
    load_shared(0, 4, 0);
    load_shared(1, 1, 0);
    space_check();
}

SPACE_CASE(view_is_read_only_after_a_narrow_opening_until_all_is_collected, store_between_stop_and_first_pass,
           .extension = &extension)

/*
 * What only the D bit of a view knows outlasts it: rights go in a closed chunk and in an open one, and the window ends.
 */
static void take_a_dirty_view_away(void)
{
    store_all(1);
    SPACE_CHECK(space_sync());
    store_shared(0, 5, 0, 2);
    set_rights(0, 5, 1, SPACE_NOTHING);
    SPACE_CHECK(pmap_is_dirty(view_place(1, 2)) && pmap_is_dirty(view_place(2, 4))); /* VIEW-4 */
    store_shared(1, 4, 0, 3);
    SPACE_CHECK(vm_stop() == OK);
    set_rights(1, 4, 1, SPACE_NOTHING); /* page 7, known to the snapshot by now */
    SPACE_CHECK(vm_snapshot_count(vm_object_space()) == 2 && !may_write_at(0, 7));
    space_check();
    vm_end_collecting();
    snap_return_pages();
    SPACE_CHECK(space_sync());
    store_shared(2, 0, 0, 4);
    SPACE_CHECK(
        vm_discard(page_key_at(window_of(1), (struct vaddr){USER_START}), (USER_END - USER_START) >> PAGE_SHIFT) == OK);
    memset(now.private[1], 0, sizeof(now.private[1]));
    SPACE_CHECK(space_sync());
    space_reboot();
    load_shared(0, 0, 0);
    load_shared(0, 1, 0);
}

SPACE_CASE(view_that_goes_leaves_what_it_knew, take_a_dirty_view_away, .extension = &extension)

static bool is_owed(uint32_t page)
{
    const struct vm_page *record = vm_map_find(vm_object_space(), object_page(page));

    return record != NULL && vm_snapshot_has(vm_object_space(), record);
}

static void page_out_all_that_may_go(void)
{
    struct frame *taken = calloc(frame_limit(), sizeof(*taken));
    uint32_t held = 0, freed;

    while (frame_count(FRAME_FREE) > vm_frame_reserve()) {
        SPACE_CHECK(frame_allocate(FRAME_KERNEL, &taken[held++]) == OK);
    }
    SPACE_CHECK(vm_page_out(&freed) == OK);
    while (held > 0) {
        frame_free(taken[--held]);
    }
    free(taken);
}

/* Between a stop and the first pass, pages that only a D bit in a closed chunk knows are asked to go. */
static void take_frames_before_the_first_pass(void)
{
    store_all(1);
    SPACE_CHECK(space_sync());
    store_shared(0, 5, 0, 2);
    store_shared(2, 5, 0, 3); /* page 6 */
    SPACE_CHECK(vm_stop() == OK && vm_snapshot_count(vm_object_space()) == 0);
    page_out_all_that_may_go();
    SPACE_CHECK(is_owed(5) && is_owed(6) && vm_snapshot_count(vm_object_space()) == 2);
    snap_return_pages();
    SPACE_CHECK(space_sync());
    store_shared(0, 5, 0, 4);
    SPACE_CHECK(vm_stop() == OK);
    empty_page(5);
    SPACE_CHECK(is_owed(5));
    space_check();
    vm_end_collecting();
    snap_return_pages();
}

SPACE_CASE(view_that_was_dirty_at_the_stop_is_the_snapshots_before_its_frame_goes, take_frames_before_the_first_pass,
           .extension = &extension)

/* Worlds ----------------------------------------------------------------------------------------------------------- */

static uint64_t first = 1;
static uint64_t worlds = WORLDS;

/* Sums over all worlds, in memory shared with their processes. */
static struct sums {
    uint64_t faults, copies, snapshots, page_outs, drops, states;
} * sums;

static void run_world(void *context)
{
    uint64_t seed = *(const uint64_t *)context;
    struct space_life life = {.seed = seed,
                              .boots = 3,
                              .turns = 800,
                              .cut_one_in = seed % 4 == 1 ? 1 : 24,
                              .extension = &extension,
                              .start = start_programs};

    space_live(&life);
    sums->faults += view_faults;
    sums->copies += space_world.counters.copies;
    sums->snapshots += space_world.counters.snapshots;
    sums->page_outs += space_world.counters.page_outs;
    sums->drops += space_world.counters.drops;
    sums->states += space_world.counters.states;
}

static void views_at_random_recover_one_instant_after_any_cut(void **unused)
{
    (void)unused;
    memset(sums, 0, sizeof(*sums));
    for (uint64_t seed = first; worlds == 0 || seed < first + worlds; seed++) {
        if (!space_in_child(run_world, &seed, false)) {
            fail_msg("world of seed %llu", (unsigned long long)seed);
        }
    }
    print_message("%llu faults, %llu copies, %llu snapshots, %llu paged out, %llu dropped, %llu crash states\n",
                  (unsigned long long)sums->faults, (unsigned long long)sums->copies,
                  (unsigned long long)sums->snapshots, (unsigned long long)sums->page_outs,
                  (unsigned long long)sums->drops, (unsigned long long)sums->states);
    assert_true(sums->faults > 0 && sums->copies > 0 && sums->snapshots > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_that_was_written_is_clean_and_writable_again),
        cmocka_unit_test(view_that_is_used_keeps_its_page),
        cmocka_unit_test(view_is_read_only_after_a_narrow_opening_until_all_is_collected),
        cmocka_unit_test(view_that_goes_leaves_what_it_knew),
        cmocka_unit_test(view_that_was_dirty_at_the_stop_is_the_snapshots_before_its_frame_goes),
        cmocka_unit_test(views_at_random_recover_one_instant_after_any_cut),
    };

    if (argc > 1) {
        first = strtoull(argv[1], NULL, 0);
        worlds = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    }
    sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return sums == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
