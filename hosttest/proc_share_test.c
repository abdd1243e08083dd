/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared memory on the booted kernel: what clones and views see of it, what the calls on memory do to it, and what is
 * left when nobody shows it any more. (proc_world_test.c does all that at random, over cuts.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eidolon/eidolon.h"
#include "fake/machine.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "program.h"
#include "space/object.h"
#include "space/regions.h"
#include "program/programs.h"
#include "space/space.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AT       SPACE_AT
#define SEGMENTS (OBJECTS_RECORDED - 1) /* beside the program's file */
#define ROW      0x603FE000u            /* two pages before a chunk ends */
#define OTHER    0x70002000u
#define SHARED   0x31u /* MAP_SHARED, MAP_FIXED, MAP_ANONYMOUS */
#define MOVES    (MREMAP_MAYMOVE | MREMAP_FIXED)
#define NEVER    1000000u

static volatile uint32_t turn;

static uint32_t page(uint32_t base, uint32_t number)
{
    return base + number * PAGE_SIZE;
}

static void share(uint32_t address, uint32_t pages)
{
    EXPECT((int32_t)address, CALL_MMAP2, address, pages * PAGE_SIZE, 3, SHARED, UINT32_MAX, 0);
}

static void unmap(uint32_t address, uint32_t pages)
{
    EXPECT(0, CALL_MUNMAP, address, pages * PAGE_SIZE);
}

static void fill(uint32_t address, uint32_t pages, uint32_t value)
{
    for (uint32_t i = 0; i < pages; i++) {
        WORDS(page(address, i), value + i);
    }
}

static void compare(uint32_t address, uint32_t pages, uint32_t value)
{
    for (uint32_t i = 0; i < pages; i++) {
        EXPECT_IS(value + i, case_word(page(address, i)));
    }
}

/* But for the program's own file. */
static bool is_segment(uint32_t index)
{
    const struct object_record *object = record_at(RECORD_OBJECT, index);

    return object->state == OBJECT_USED && object->name[0] == 0;
}

static uint32_t objects(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < record_committed(RECORD_OBJECT); i++) {
        count += is_segment(i);
    }
    return count;
}

/* Regions that show any object. */
static uint32_t references(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < record_committed(RECORD_OBJECT); i++) {
        count += is_segment(i) ? object_references((struct object_id){OBJECTS_FIRST + i}) : 0;
    }
    return count;
}

/* Pages of segments that are in memory. */
static uint32_t pages_of_objects(void)
{
    uint32_t count = 0;

    for (struct vm_map_cursor cursor = {0}; !cursor.done;) {
        const struct vm_page *found = vm_map_next(vm_object_space(), &cursor);
        count += found != NULL && !page_key_has_place(vm_page_key(found)) &&
                 is_segment(page_key_object(vm_page_key(found)).number - OBJECTS_FIRST) &&
                 !frame_is_none(vm_page_frame(found));
    }
    return count;
}

/* The kernel may neither read nor write there. */
static void expect_nothing(uint32_t address)
{
    EXPECT(-EFAULT, CALL_NANOSLEEP, address, 0);
    EXPECT(-EFAULT, CALL_PIPE, address);
}

static void await(uint32_t wanted)
{
    while (turn != wanted) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

/* Clones ----------------------------------------------------------------------------------------------------------- */

static void see_as_clone(void)
{
    await(1);
    EXPECT_IS(1, case_word(page(ROW, 0)));
    EXPECT_IS(2, case_word(page(ROW, 1)));
    WORDS(page(ROW, 2), 3);
    WORDS(page(ROW, 0), 4);
    EXPECT(0, CALL_MADVISE, ROW, 4 * PAGE_SIZE, 4);
    EXPECT_IS(3, case_word(page(ROW, 2))); /* a view of a clone is one as before */
    EXPECT(0, CALL_MUNMAP, ROW, 4 * PAGE_SIZE);
    EXPECT_IS(1, objects());
}

static void see_as_parent(void)
{
    turn = 0;
    share(ROW, 4);
    WORDS(page(ROW, 0), 1);
    int32_t child = case_fork(0);
    WORDS(page(ROW, 1), 2); /* touched for the first time after the clone */
    turn = 1;
    case_reap(child, 0);
    EXPECT_IS(3, case_word(page(ROW, 2)));
    EXPECT_IS(4, case_word(page(ROW, 0)));
    EXPECT_IS(0, case_word(page(ROW, 3)));
    EXPECT_IS(1, objects());
    EXPECT_IS(4, pages_of_objects());
}

static void clones_share_pages_touched_after_the_fork(void **state)
{
    (void)state;
    for (uint64_t schedule = 0; schedule < 4; schedule++) {
        case_run(&(struct proc_case){.main = see_as_parent, .functions = {see_as_clone}, .schedule = schedule});
    }
}

/* A clone sleeps over the cut; its parent stores after it. Registers say which function is next (proc_case.c). */
static void store_before_cut(void)
{
    share(ROW, 4);
    WORDS(page(ROW, 0), 1);
    (void)case_fork(0);
    while (case_word(page(ROW, 1)) != 2) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    case_registers()->ebp = 2;
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void sleep_over_cut(void)
{
    WORDS(page(ROW, 1), 2);
    WORDS(AT, 0, 200000000);
    case_registers()->ebp = 1;
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
    host_wrong("the power did not go");
}

static void look_after_cut(void)
{
    EXPECT_IS(1, case_word(page(ROW, 0)));
    while (case_word(page(ROW, 2)) != 3) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    WORDS(page(ROW, 3), 4);
}

static void store_after_cut(void)
{
    compare(ROW, 2, 1);
    EXPECT_IS(0, case_word(page(ROW, 2)));
    WORDS(page(ROW, 2), 3);
    EXPECT(2, CALL_WAIT4, UINT32_MAX, AT, 0, 0);
    EXPECT_IS(0, case_word(AT));
    compare(ROW, 4, 1);
    unmap(ROW, 4);
    EXPECT(0, CALL_SCHED_YIELD);
    EXPECT_IS(0, objects());
}

static void clones_share_what_is_stored_after_a_cut(void **state)
{
    struct proc_case scene = {.main = store_before_cut,
                              .functions = {sleep_over_cut, look_after_cut, store_after_cut},
                              .options = "interval=0",
                              .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    case_run(&scene);
}

/* Views ------------------------------------------------------------------------------------------------------------ */

static void see_twice(void)
{
    share(ROW, 6);
    fill(ROW, 6, 10);
    EXPECT((int32_t)OTHER, CALL_MREMAP, page(ROW, 2), 0, 3 * PAGE_SIZE, MOVES, OTHER);
    compare(OTHER, 3, 12);
    WORDS(page(OTHER, 1), 77);
    EXPECT_IS(77, case_word(page(ROW, 3)));
    WORDS(page(ROW, 3), 13);
    compare(OTHER, 3, 12);
    EXPECT_IS(1, objects());
    EXPECT_IS(2, references());

    /* Rights are those of a view. */
    EXPECT(0, CALL_MPROTECT, OTHER, PAGE_SIZE, 1);
    EXPECT(-EFAULT, CALL_PIPE, OTHER);
    WORDS(page(ROW, 2), 20);
    EXPECT_IS(20, case_word(OTHER));
    EXPECT(0, CALL_MPROTECT, page(ROW, 3), PAGE_SIZE, 0);
    expect_nothing(page(ROW, 3));
    WORDS(page(OTHER, 1), 21);
    EXPECT(0, CALL_MPROTECT, page(ROW, 3), PAGE_SIZE, 3);
    EXPECT_IS(21, case_word(page(ROW, 3)));

    /* What is not needed through one is there all the same. */
    EXPECT(0, CALL_MADVISE, ROW, 6 * PAGE_SIZE, 4);
    EXPECT_IS(20, case_word(OTHER));
    EXPECT_IS(21, case_word(page(ROW, 3)));
    EXPECT_IS(15, case_word(page(ROW, 5)));
}

static void see_to_the_end(void)
{
    see_twice();
    unmap(page(ROW, 1), 4);
    expect_nothing(page(ROW, 2));
    EXPECT_IS(10, case_word(ROW));
    EXPECT_IS(15, case_word(page(ROW, 5)));
    EXPECT_IS(21, case_word(page(OTHER, 1)));
    unmap(ROW, 6);
    EXPECT_IS(21, case_word(page(OTHER, 1)));
    EXPECT_IS(1, objects());
    unmap(page(OTHER, 1), 1);
    EXPECT_IS(2, references());
    EXPECT_IS(14, case_word(page(OTHER, 2)));
    unmap(OTHER, 3);
    EXPECT(0, CALL_SCHED_YIELD);
    EXPECT_IS(0, objects());
    EXPECT_IS(0, pages_of_objects());
    EXPECT(0, CALL_SYNC);
    share(OTHER, 6); /* of the same number */
    EXPECT_IS(1, references());
    for (uint32_t i = 0; i < 6; i++) {
        EXPECT_IS(0, case_word(page(OTHER, i)));
    }
}

static void views_share_pages_and_not_rights_and_the_last_one_ends_them(void **state)
{
    static const char *const options[] = {"interval=0", "interval=1"};

    (void)state;
    for (uint64_t i = 0; i < 4; i++) {
        case_run(&(struct proc_case){.main = see_to_the_end, .options = options[i % 2], .schedule = i});
    }
}

/* A view leads to the page whatever a snapshot copies meanwhile. */
static void store_in_turns(void)
{
    share(ROW, 2);
    EXPECT((int32_t)OTHER, CALL_MREMAP, ROW, 0, 2 * PAGE_SIZE, MOVES, OTHER);
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t to = i % 2 == 0 ? ROW : OTHER, from = i % 3 == 0 ? ROW : OTHER;
        WORDS(page(to, i % 5 == 0), i);
        EXPECT(0, CALL_SCHED_YIELD);
        EXPECT_IS(i, case_word(page(from, i % 5 == 0)));
    }
}

static void views_agree_under_snapshots(void **state)
{
    (void)state;
    for (uint64_t schedule = 1; schedule < 5; schedule++) {
        case_run(&(struct proc_case){.main = store_in_turns, .options = "interval=1", .schedule = schedule});
    }
}

/*
 * What a call is about reaches over two pages. While it waits for one of them, another program stores to the other one, and
 * the copy for the snapshot takes it from all who see it.
 */
#define PRESSURE       0x50000000u
#define PRESSURE_PAGES 300u
#define FEW_FRAMES     760u
#define ROUNDS         150u

static void store_beside(void)
{
    EXPECT((int32_t)PRESSURE, CALL_MMAP2, PRESSURE, PRESSURE_PAGES * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
    for (uint32_t i = 0; turn == 0; i++) {
        WORDS(page(ROW, i % 2) + 64, i);
        for (uint32_t k = 0; k < 20; k++) {
            WORDS(page(PRESSURE, (20 * i + k) % PRESSURE_PAGES), i);
        }
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void read_over_two_pages(void)
{
    turn = 0;
    share(ROW, 2);
    int32_t child = case_fork(0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        EXPECT(0, CALL_NANOSLEEP, page(ROW, 1) - 4, 0); /* for no time */
        EXPECT(0, CALL_SCHED_YIELD);
    }
    turn = 1;
    case_reap(child, 0);
}

static void page_that_is_copied_while_a_call_waits_for_another_is_looked_for_again(void **state)
{
    (void)state;
    for (uint64_t schedule = 1; schedule < 4; schedule++) {
        case_run(&(struct proc_case){.main = read_over_two_pages,
                                     .functions = {store_beside},
                                     .options = "interval=1",
                                     .frames = FEW_FRAMES,
                                     .schedule = schedule});
    }
}

/* mremap ----------------------------------------------------------------------------------------------------------- */

static void touch_beyond(void)
{
    WORDS(page(OTHER, 4), 1);
    host_wrong("there is something beyond the end");
}

static void move(void)
{
    share(ROW, 4);
    fill(ROW, 4, 30);
    uint64_t copies = vm_copies();
    uint32_t pages = pages_of_objects();
    EXPECT((int32_t)OTHER, CALL_MREMAP, ROW, 4 * PAGE_SIZE, 6 * PAGE_SIZE, MOVES, OTHER);
    compare(OTHER, 4, 30);
    expect_nothing(ROW);
    EXPECT_IS(copies, vm_copies());
    EXPECT_IS(pages, pages_of_objects());

    /* Nothing is beyond the end, for nobody. */
    expect_nothing(page(OTHER, 4));
    EXPECT(-EFAULT, CALL_NANOSLEEP, page(OTHER, 4) - 4, 0);
    case_reap(case_fork(0), SIGBUS);
    EXPECT(0, CALL_MADVISE, OTHER, 6 * PAGE_SIZE, 4);
    compare(OTHER, 4, 30);

    /* It shrinks, and grows back to what is there. */
    EXPECT((int32_t)OTHER, CALL_MREMAP, OTHER, 6 * PAGE_SIZE, PAGE_SIZE, 0, 0);
    expect_nothing(page(OTHER, 1));
    EXPECT((int32_t)OTHER, CALL_MREMAP, OTHER, PAGE_SIZE, 4 * PAGE_SIZE, 0, 0);
    compare(OTHER, 4, 30);

    /* Where something is in the way it goes elsewhere. */
    EXPECT((int32_t)page(OTHER, 4), CALL_MREMAP, page(OTHER, 1), 0, PAGE_SIZE, MOVES, page(OTHER, 4));
    EXPECT(-ENOMEM, CALL_MREMAP, OTHER, 4 * PAGE_SIZE, 5 * PAGE_SIZE, 0, 0);
    uint32_t elsewhere = (uint32_t)CALL(CALL_MREMAP, OTHER, 4 * PAGE_SIZE, 5 * PAGE_SIZE, MREMAP_MAYMOVE, 0);
    compare(elsewhere, 4, 30);
    expect_nothing(OTHER);
    EXPECT((int32_t)OTHER, CALL_MREMAP, elsewhere, 5 * PAGE_SIZE, 4 * PAGE_SIZE, MOVES, OTHER);

    /* One mapping is what continues. */
    EXPECT(-EFAULT, CALL_MREMAP, OTHER, 5 * PAGE_SIZE, 5 * PAGE_SIZE, MOVES, ROW);
    EXPECT_IS(31, case_word(page(OTHER, 4)));
    EXPECT(-EINVAL, CALL_MREMAP, page(OTHER, 1), 0, 4 * PAGE_SIZE, MOVES, OTHER);
    EXPECT(-EINVAL, CALL_MREMAP, OTHER, 0, PAGE_SIZE, 0, 0);
    compare(OTHER, 4, 30);
}

static void view_that_moves_keeps_its_pages_and_ends_where_the_object_does(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = move, .functions = {touch_beyond}, .options = "interval=0"});
}

/* A region says at most which page of 4 GiB it shows; a view that would reach beyond is none. */
#define HALF_GIB  0x20000000u
#define LAST_PAGE (3u * (HALF_GIB / PAGE_SIZE) - 1)

static void reach(void)
{
    uint32_t low = HALF_GIB, bytes = 3 * HALF_GIB;

    share(ROW, 1);
    WORDS(ROW, 50);
    EXPECT((int32_t)0x90000000u, CALL_MREMAP, ROW, 0, PAGE_SIZE, MOVES, 0x90000000u);
    EXPECT((int32_t)low, CALL_MREMAP, 0x90000000u, 0, bytes, MOVES, low);
    EXPECT((int32_t)0x90000000u, CALL_MREMAP, page(low, LAST_PAGE), 0, PAGE_SIZE, MOVES, 0x90000000u);
    EXPECT((int32_t)low, CALL_MREMAP, 0x90000000u, 0, bytes, MOVES, low);
    EXPECT((int32_t)0x90000000u, CALL_MREMAP, page(low, LAST_PAGE), 0, PAGE_SIZE, MOVES, 0x90000000u);
    EXPECT(-EINVAL, CALL_MREMAP, 0x90000000u, 0, bytes, MOVES, low);
    uint32_t most = OBJECT_PAGES - 2 * LAST_PAGE; /* from that page on */
    EXPECT((int32_t)low, CALL_MREMAP, 0x90000000u, 0, most * PAGE_SIZE, MOVES, low);
    EXPECT(-ENOMEM, CALL_MREMAP, low, most * PAGE_SIZE, (most + 1) * PAGE_SIZE, 0, 0);
    expect_nothing(low);
    EXPECT_IS(OK, record_prove_all());
}

static void view_beyond_all_that_an_object_can_have_is_refused(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = reach});
}

/* As on Linux the new place is emptied first, and then there is nothing to be seen a second time. */
static void cover(void)
{
    share(ROW, 4);
    fill(ROW, 4, 40);
    EXPECT(-EFAULT, CALL_MREMAP, ROW, 0, 4 * PAGE_SIZE, MOVES, ROW);
    expect_nothing(ROW);
    EXPECT(0, CALL_SCHED_YIELD);
    EXPECT_IS(0, objects());
    EXPECT_IS(0, pages_of_objects());
    share(ROW, 1);
    EXPECT_IS(0, case_word(ROW));
}

static void view_put_onto_its_own_original_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = cover});
}

/* What there is not ------------------------------------------------------------------------------------------------ */

#define FAILURES 14u

static void store_as_clone(void)
{
    WORDS(page(ROW, 1), 8);
}

static bool is_failure(int32_t result, uint32_t expected)
{
    EXPECT_IS(true, result == -ENOMEM || (uint32_t)result == expected);
    return result == -ENOMEM;
}

/* The first record of all needs a page. */
static void map_first_without_memory(uint32_t at)
{
    uint32_t regions = vm_region_count(&region_table);

    fake_fail_allocations(at, 1000);
    bool has_none = is_failure(CALL(CALL_MMAP2, ROW, PAGE_SIZE, 3, SHARED, UINT32_MAX, 0), ROW);
    fake_fail_allocations(0, 0);
    EXPECT_IS(has_none ? 0 : 1, objects());
    if (has_none) {
        EXPECT_IS(regions, vm_region_count(&region_table));
        share(ROW, 1);
    }
    unmap(ROW, 1);
}

/* Pages, page tables and links, in chunks that have none yet; each allocation fails once. */
static void touch_without_memory(void)
{
    map_first_without_memory(0);
    for (uint32_t i = 0; i < FAILURES; i++) {
        uint32_t address = OTHER + i * (PAGE_SIZE << 10);
        share(address, 2);
        fake_fail_allocations(i, 1 + i % 3);
        WORDS(address, 5);
        bool has_none = is_failure(CALL(CALL_MREMAP, address, 0, 2 * PAGE_SIZE, MOVES, ROW), ROW);
        if (has_none) {
            EXPECT((int32_t)ROW, CALL_MREMAP, address, 0, 2 * PAGE_SIZE, MOVES, ROW);
        }
        EXPECT_IS(5, case_word(ROW));
        WORDS(ROW, 6);
        int32_t child = case_fork(0);
        fake_fail_allocations(0, 0);
        if (child < 0) {
            EXPECT_IS(-ENOMEM, child);
            EXPECT_IS(2, references());
            child = case_fork(0);
        }
        case_reap(child, 0);
        EXPECT_IS(6, case_word(address));
        EXPECT_IS(8, case_word(page(address, 1)));
        EXPECT_IS(2, references());
        fake_fail_allocations(i % 4, 1);
        unmap(address, 2);
        unmap(ROW, 2);
        fake_fail_allocations(0, 0);
        EXPECT(0, CALL_SCHED_YIELD);
        EXPECT_IS(0, objects());
        EXPECT_IS(0, pages_of_objects());
    }
}

static void segment_is_whole_or_not_there_wherever_memory_fails(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = touch_without_memory, .functions = {store_as_clone}, .options = "interval=0"});
}

/* Regions run out before records of objects do. */
static void map_without_regions(void)
{
    uint32_t made = 0;

    while (!is_failure(CALL(CALL_MMAP2, page(ROW, made), PAGE_SIZE, 3, SHARED, UINT32_MAX, 0), page(ROW, made))) {
        made++;
    }
    EXPECT_IS(true, made > 100 && made < OBJECTS_RECORDED);
    EXPECT_IS(made, objects());
    EXPECT_IS(made, references());
    unmap(ROW, made);
    EXPECT(0, CALL_SCHED_YIELD);
    EXPECT_IS(0, objects());
}

static void segment_without_region_was_never_there(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = map_without_regions, .options = "interval=0"});
}

static void map_all(void)
{
    uint32_t regions = vm_region_count(&region_table);

    for (uint32_t i = 0; i < SEGMENTS; i++) {
        share(page(ROW, i), 1);
    }
    EXPECT_IS(SEGMENTS, objects());
    EXPECT(-ENOMEM, CALL_MMAP2, OTHER, PAGE_SIZE, 3, SHARED, UINT32_MAX, 0);
    WORDS(page(ROW, SEGMENTS - 1), 1);
    EXPECT((int32_t)OTHER, CALL_MREMAP, page(ROW, SEGMENTS - 1), 0, PAGE_SIZE, MOVES, OTHER);
    unmap(ROW, SEGMENTS);
    EXPECT(0, CALL_SCHED_YIELD);
    EXPECT_IS(1, objects());
    EXPECT_IS(1, case_word(OTHER));
    unmap(OTHER, 1);
    EXPECT(0, CALL_SCHED_YIELD);
    EXPECT_IS(0, objects());
    EXPECT_IS(regions, vm_region_count(&region_table));
    share(ROW, 1);
}

static void segments_up_to_the_limit_are_there_and_come_back(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = map_all, .options = "interval=0", .frames = 32768});
}

/* What a cut leaves ------------------------------------------------------------------------------------------------- */

/* As if the power had gone between the last reference and the end of the object. */
static void commit_unused(void)
{
    struct object_id object;

    share(ROW, 1);
    WORDS(ROW, 3);
    EXPECT_IS(OK, object_create(PAGE_SIZE, &object));
    case_registers()->ebp = 0;
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void find_none_unused(void)
{
    EXPECT(0, CALL_SCHED_YIELD);
    EXPECT_IS(1, objects());
    EXPECT_IS(3, case_word(ROW));
}

static void object_that_nobody_shows_is_taken_back_by_a_boot(void **state)
{
    struct proc_case scene = {
        .main = commit_unused, .functions = {find_none_unused}, .options = "interval=0", .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    case_run(&scene);
}

/* Records that lie ------------------------------------------------------------------------------------------------- */

static struct vm_region *region_of_row(void)
{
    uint32_t root = space_at(case_program(1)->space)->region_root;

    return (struct vm_region *)(uintptr_t)vm_region_find(&region_table, root, ROW >> PAGE_SHIFT);
}

static void object_that_is_free(void)
{
    *object_at((struct object_id){OBJECTS_FIRST + 1}) = (struct object_record){0};
}

static void object_without_record(void)
{
    region_of_row()->backing.object = (struct object_id){OBJECTS_FIRST + OBJECTS_RECORDED};
}

static void object_of_a_window(void)
{
    region_of_row()->backing.object = (struct object_id){1};
}

static void (*const lies[])(void) = {object_that_is_free, object_without_record, object_of_a_window};
static uint32_t lie;
static uint64_t generation;

static void commit_lie(void)
{
    share(ROW, 2);
    WORDS(ROW, 9);
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    lies[lie]();
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    generation = case_word(AT) | (uint64_t)case_word(AT + 4) << 32;
    host_cut_power(0);
}

static void region_of_no_object_is_refused(void **state)
{
    char options[64];

    (void)state;
    for (lie = 0; lie < sizeof(lies) / sizeof(lies[0]); lie++) {
        case_run(&(struct proc_case){.main = commit_lie, .options = "interval=0", .cut_after = NEVER});
        snprintf(options, sizeof(options), "interval=0 generation=%" PRIu64, generation);
        case_run(&(struct proc_case){.main = commit_lie, .options = options, .kind = HOST_REFUSED, .keeps_disk = true});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clones_share_pages_touched_after_the_fork),
        cmocka_unit_test(clones_share_what_is_stored_after_a_cut),
        cmocka_unit_test(views_share_pages_and_not_rights_and_the_last_one_ends_them),
        cmocka_unit_test(views_agree_under_snapshots),
        cmocka_unit_test(page_that_is_copied_while_a_call_waits_for_another_is_looked_for_again),
        cmocka_unit_test(view_that_moves_keeps_its_pages_and_ends_where_the_object_does),
        cmocka_unit_test(view_beyond_all_that_an_object_can_have_is_refused),
        cmocka_unit_test(view_put_onto_its_own_original_is_refused_and_leaves_nothing),
        cmocka_unit_test(segment_is_whole_or_not_there_wherever_memory_fails),
        cmocka_unit_test(segment_without_region_was_never_there),
        cmocka_unit_test(segments_up_to_the_limit_are_there_and_come_back),
        cmocka_unit_test(object_that_nobody_shows_is_taken_back_by_a_boot),
        cmocka_unit_test(region_of_no_object_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
