/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clones on the booted kernel: what they share with their parent, when they copy, and what is left when they end.
 *
 * A parent and its clones have the same twenty pages: eight in a row, eight across the border of two chunks, and four
 * elsewhere. The host knows what each of them has written to its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/frame.h"
#include "fake/machine.h"
#include "proc_case.h"
#include "program.h"
#include "space/address_space.h"
#include "space/memory.h"
#include "space/regions.h"
#include "space/space.h"
#include "store.h"
#include "task/task.h"
#include "thread.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include "vm_map.h"
#include "vm_reclaim.h"

#define PAGES             20u
#define ROW               0x30000000u
#define BORDER            0x403FC000u /* four pages before a chunk ends */
#define ELSEWHERE         0x70000000u
#define PRESSURE          0x50000000u
#define PRIVATE_ANONYMOUS 0x32u /* with MAP_FIXED */
#define SOURCES_MAX       8u    /* MEMORY-4 */
#define ON_REQUEST        "interval=0"

/* A program's pages, as it has written them. */
struct memory {
    uint32_t words[PAGES];
};

static struct memory parent, clones[4];
static volatile uint32_t turn;

static uint32_t address_of(uint32_t page)
{
    uint32_t base = page < 8 ? ROW : page < 16 ? BORDER - 8 * PAGE_SIZE : ELSEWHERE - 16 * PAGE_SIZE;

    return base + page * PAGE_SIZE + PAGE_SIZE - (uint32_t)sizeof(uint32_t);
}

static void map(uint32_t address, uint32_t pages)
{
    EXPECT((int32_t)address, CALL_MMAP2, address, pages * PAGE_SIZE, 3, PRIVATE_ANONYMOUS, UINT32_MAX, 0);
}

static void write_page(struct memory *memory, uint32_t page, uint32_t value)
{
    WORDS(address_of(page), value);
    memory->words[page] = value;
}

static void write_all(struct memory *memory, uint32_t value)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        write_page(memory, page, value + page);
    }
}

static void compare(const struct memory *memory)
{
    for (uint32_t page = 0; page < PAGES; page++) {
        EXPECT_IS(memory->words[page], case_word(address_of(page)));
    }
}

static void begin(void)
{
    turn = 0;
    map(ROW, 8);
    map(BORDER, 8);
    map(ELSEWHERE, 4);
    write_all(&parent, 100);
}

static void await(uint32_t wanted)
{
    while (turn != wanted) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static int32_t clone_into(struct memory *clone, uint32_t function)
{
    *clone = parent;
    return case_fork(function);
}

static void nothing(void)
{
}

/* The memory that it runs in: its own, or its lender's. */
static struct space_id own_space(void)
{
    return space_window(address_space_of(task_current()->program_id));
}

/* What is shared --------------------------------------------------------------------------------------------------- */

static void share_as_clone(void)
{
    await(1);
    uint32_t frames = frame_count(FRAME_PAGE);
    uint64_t copies = vm_borrowed_copies();
    compare(&clones[0]);
    EXPECT_IS(frames, frame_count(FRAME_PAGE));
    EXPECT_IS(copies, vm_borrowed_copies());
    write_page(&clones[0], 3, 7);
    write_page(&clones[0], 3, 8);
    EXPECT_IS(frames + 1, frame_count(FRAME_PAGE));
    EXPECT_IS(copies + 1, vm_borrowed_copies());
    turn = 2;
    await(3);
    compare(&clones[0]);
}

static void share(void)
{
    begin();
    int32_t child = clone_into(&clones[0], 0);
    turn = 1;
    await(2);
    uint32_t frames = frame_count(FRAME_PAGE);
    uint64_t copies = vm_borrowed_copies();
    compare(&parent);
    write_page(&parent, 4, 9);
    EXPECT_IS(frames + 1, frame_count(FRAME_PAGE));
    EXPECT_IS(copies + 1, vm_borrowed_copies());
    compare(&parent);
    turn = 3;
    case_reap(child, 0);
}

static void clone_that_reads_takes_no_frame_and_one_that_writes_takes_one(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = share, .functions = {share_as_clone}, .options = ON_REQUEST});
}

/* DEPTH-1: no region of the program is deeper than its memory. */
static void expect_depths(void)
{
    struct address_space space = task_current()->program->space;
    uint32_t depth = vm_lineage_depth(space_window(space));
    const struct vm_region *region;

    for (uint32_t page = 0; (region = vm_region_next(&region_table, space_at(space)->region_root, page)) != NULL;
         page = vm_region_end(region)) {
        EXPECT_IS(true, region->backing.depth <= depth);
    }
}

/* A source is nobody's (MEMORY-2), and its space's again once that is its last child. */
static void divide_and_collapse(void)
{
    struct address_space space = task_current()->program->space;
    struct space_id source = space_window(space);

    int32_t child = case_fork(1);
    map(PRESSURE, 1);
    WORDS(PRESSURE, 5);
    EXPECT_IS(source.number, vm_lineage_source(space_window(space)).number);
    EXPECT_IS(0, memory_space(source).number);
    EXPECT_IS(space.number, memory_space(space_window(space)).number);
    case_reap(child, 0);
    EXPECT_IS(source.number, space_window(space).number);
    EXPECT_IS(space.number, memory_space(source).number);
    expect_depths();
    child = case_fork(2); /* it sees what was mapped beside the first one */
    EXPECT_IS(5, case_word(PRESSURE));
    case_reap(child, 0);
}

static void see_what_was_mapped(void)
{
    EXPECT_IS(5, case_word(PRESSURE));
}

static void memory_that_becomes_a_source_is_no_spaces(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = divide_and_collapse, .functions = {NULL, nothing, see_what_was_mapped}});
}

/* A child of vfork() runs in its parent's memory, and goes with it when it makes a clone of that. */
static void clone_in_lent_space(void)
{
    turn = 0;
    int32_t child = clone_into(&clones[0], 2);
    EXPECT_IS(own_space().number, task_current()->context.space.number);
    write_page(&parent, 0, 77);
    turn = 1;
    case_reap(child, 0);
}

static void compare_later(void)
{
    await(1);
    compare(&clones[0]);
}

static void lend(void)
{
    begin();
    case_registers()->ebp = 1;
    case_reap(CALL(CALL_VFORK), 0);
    compare(&parent);
}

static void clone_made_in_a_lent_space_does_not_see_what_is_written_there(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = lend, .functions = {NULL, clone_in_lent_space, compare_later}});
}

/* What is left ----------------------------------------------------------------------------------------------------- */

#define ROUNDS      1000u
#define ROUNDS_WARM 10u /* records have been made that stay */

static uint32_t round_number;

static void write_in_round(void)
{
    EXPECT_IS(clones[0].words[3], case_word(address_of(3)));
    WORDS(address_of(round_number % PAGES), round_number);
}

static void many_rounds(void)
{
    uint32_t frames = 0, records = 0, regions = 0;

    begin();
    for (round_number = 0; round_number < ROUNDS; round_number++) {
        int32_t child = clone_into(&clones[0], 0);
        write_page(&parent, 3, round_number);
        if (round_number % 100 == 0) {
            EXPECT(0, CALL_SYNC);
        }
        case_reap(child, 0);
        if (round_number == ROUNDS_WARM) {
            frames = frame_count(FRAME_PAGE);
            records = vm_map_count(vm_object_space());
            regions = vm_region_count(&region_table);
        }
    }
    compare(&parent);
    EXPECT_IS(frames, frame_count(FRAME_PAGE));
    EXPECT_IS(records, vm_map_count(vm_object_space()));
    EXPECT_IS(regions, vm_region_count(&region_table));
}

static void clone_and_end_a_thousand_times_leaves_nothing(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = many_rounds, .functions = {write_in_round}, .options = ON_REQUEST});
}

static uint32_t spaces_in_use(void)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < record_committed(RECORD_MEMORY); i++) {
        count += ((const struct memory_record *)record_at(RECORD_MEMORY, i))->state != MEMORY_FREE;
    }
    return count;
}

#define GENERATIONS 30u

/* Each generation makes the next, and ends. */
static void descend(void)
{
    compare(&clones[0]);
    write_page(&clones[0], turn % PAGES, 1000 + turn);
    if (turn++ < GENERATIONS) {
        (void)case_fork(0);
    }
}

static void generations(void)
{
    begin();
    case_reap(case_fork(1), 0);
    uint32_t spaces = spaces_in_use();
    case_reap(clone_into(&clones[0], 0), 0);
    await(GENERATIONS + 1);
    while (program_count() > 1) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    case_reap(case_fork(1), 0);
    EXPECT_IS(spaces, spaces_in_use());
    compare(&parent);
}

static void clone_of_clones_leaves_no_sources(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = generations, .functions = {descend, nothing}, .options = ON_REQUEST});
}

/* Clones that stay: a source more above the parent with each, up to a bound. */
#define STAYING (2 * SOURCES_MAX)

static void stay(void)
{
    await(1);
}

static uint32_t sources_above(struct space_id space)
{
    uint32_t count = 0;

    while ((space = vm_lineage_source(space)).number != 0) {
        count += vm_lineage_children(space) > 1;
    }
    return count;
}

static void keep_clones(void)
{
    int32_t children[STAYING];
    uint32_t most = 0;

    begin();
    for (uint32_t i = 0; i < STAYING; i++) {
        children[i] = case_fork(0);
        write_page(&parent, i % PAGES, i);
        for (uint32_t j = 0; j < i; j++) { /* what it has mapped since, whatever became of the sources of that time */
            EXPECT_IS(j + 1, case_word(PRESSURE + 2 * j * PAGE_SIZE));
        }
        map(PRESSURE + 2 * i * PAGE_SIZE, 1);
        WORDS(PRESSURE + 2 * i * PAGE_SIZE, i + 1);
        expect_depths();
        uint32_t count = sources_above(own_space());
        most = count > most ? count : most;
        compare(&parent);
    }
    EXPECT_IS(SOURCES_MAX, most);
    turn = 1;
    for (uint32_t i = 0; i < STAYING; i++) {
        case_reap(children[i], 0);
    }
    compare(&parent);
}

static void clone_beyond_the_bound_of_sources_does_without_them(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = keep_clones, .functions = {stay}, .options = ON_REQUEST});
}

/* Tables ----------------------------------------------------------------------------------------------------------- */

#define CROWD 40u

enum error __real_store_delete(struct store *store, struct page_key first, uint32_t count);
enum error __wrap_store_delete(struct store *store, struct page_key first, uint32_t count);

static bool deletions_fail;

enum error __wrap_store_delete(struct store *store, struct page_key first, uint32_t count)
{
    return deletions_fail ? ERROR_NO_MEMORY : __real_store_delete(store, first, count);
}

static uint32_t programs_in_use(void)
{
    uint32_t count = 0;

    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        count += program_at(id)->state != PROGRAM_FREE;
    }
    return count;
}

/* Tables shrink after a crowd; what the store has of their pages are records in use. */
static void crowd_twice(void)
{
    int32_t children[CROWD];

    for (uint32_t round = 0; round < 2; round++) {
        turn = 0;
        for (uint32_t i = 0; i < CROWD; i++) {
            children[i] = case_fork(0);
            EXPECT_IS(i + 2, programs_in_use());
        }
        EXPECT(0, CALL_SYNC);
        deletions_fail = round == 0;
        turn = 1;
        for (uint32_t i = 0; i < CROWD; i++) {
            case_reap(children[i], 0);
        }
        case_reap(case_fork(1), 0); /* its end trims the tables */
        deletions_fail = false;
    }
}

static void records_do_not_come_back_when_their_pages_cannot_be_discarded(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = crowd_twice, .functions = {stay, nothing}, .options = ON_REQUEST});
}

/* They end while their parent copies what it is to do without. */
static void keep_clones_that_end(void)
{
    int32_t children[SOURCES_MAX + 1];

    begin();
    map(PRESSURE, 300);
    case_reap(case_fork(1), 0);
    uint32_t spaces = spaces_in_use();
    for (uint32_t i = 0; i <= SOURCES_MAX; i++) {
        if (i >= SOURCES_MAX - 1) {
            for (uint32_t page = 0; page < 300; page++) {
                WORDS(PRESSURE + page * PAGE_SIZE, i);
            }
            EXPECT(0, CALL_SYNC);
            turn = 1;
        }
        children[i] = case_fork(0);
        write_page(&parent, i % PAGES, i);
    }
    for (uint32_t i = 0; i <= SOURCES_MAX; i++) {
        case_reap(children[i], 0);
    }
    compare(&parent);
    case_reap(case_fork(1), 0);
    EXPECT_IS(spaces, spaces_in_use());
}

static void clones_that_end_while_their_sources_are_left_leave_none(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = keep_clones_that_end, .functions = {stay, nothing}, .frames = 760});
}

static bool ends_beside;

/* While a program copies what it is to do without, all of its clones end. */
enum error __real_vm_take_from_source(struct space_id space);
enum error __wrap_vm_take_from_source(struct space_id space);

enum error __wrap_vm_take_from_source(struct space_id space)
{
    if (ends_beside) {
        ends_beside = false;
        turn = 1;
        for (uint32_t i = 0; i < 1000 && program_count() > 1; i++) {
            thread_yield();
        }
    }
    return __real_vm_take_from_source(space);
}

static void leave_sources_of_nobody(void)
{
    begin();
    case_reap(case_fork(1), 0);
    uint32_t spaces = spaces_in_use();
    int32_t children[SOURCES_MAX + 1];
    for (uint32_t i = 0; i <= SOURCES_MAX; i++) {
        ends_beside = i == SOURCES_MAX;
        children[i] = case_fork(0);
        write_page(&parent, i % PAGES, i);
    }
    EXPECT_IS(false, ends_beside);
    compare(&parent);
    case_reap(children[SOURCES_MAX], 0);
    EXPECT_IS(spaces, spaces_in_use());
    for (uint32_t i = 0; i < SOURCES_MAX; i++) {
        case_reap(children[i], 0);
    }
    compare(&parent);
}

static void source_whose_last_children_end_while_it_is_left_goes(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = leave_sources_of_nobody, .functions = {stay, nothing}, .options = ON_REQUEST});
}

/* Collapse --------------------------------------------------------------------------------------------------------- */

static void compare_when_told(void)
{
    await(2);
    compare(&clones[0]);
}

static void end_when_told(void)
{
    await(1);
}

/* A source that has borrowed a page gets another one from its last child: that is what it has then. */
static void collapse_over_borrowed(void)
{
    begin();
    int32_t child = clone_into(&clones[0], 0);
    EXPECT_IS(parent.words[5], case_word(address_of(5)));
    int32_t other = clone_into(&clones[1], 1);
    write_page(&parent, 5, 55);
    uint32_t spaces = spaces_in_use();
    turn = 1;
    case_reap(other, 0);
    EXPECT_IS(spaces - 2, spaces_in_use()); /* the clone's, and what both came from */
    compare(&parent);
    turn = 2;
    case_reap(child, 0);
    compare(&parent);
}

static void collapsed_page_that_its_source_had_borrowed_is_the_last_one_written(void **state)
{
    (void)state;
    case_run(&(struct proc_case){
        .main = collapse_over_borrowed, .functions = {compare_when_told, end_when_told}, .options = ON_REQUEST});
}

#define FAILURES    40u
#define MAPPED_ANEW 6u

static void write_and_end(void)
{
    write_page(&clones[0], round_number % PAGES, 7);
}

/* From some point on allocations fail in the collapse: nothing is lost, and the next one makes it good. */
static void collapse_without_memory(void)
{
    begin();
    case_reap(clone_into(&clones[0], 0), 0);
    uint32_t spaces = spaces_in_use(), left = 0;
    for (round_number = 0; round_number < FAILURES; round_number++) {
        int32_t child = clone_into(&clones[0], 0);
        write_all(&parent, 1000 * round_number);
        map(PRESSURE, MAPPED_ANEW); /* and what it has mapped since is its own */
        WORDS(PRESSURE, round_number);
        WORDS(PRESSURE + (MAPPED_ANEW - 1) * PAGE_SIZE, round_number);
        EXPECT(0, CALL_SYNC);
        fake_fail_allocations(round_number % 8, 20);
        case_reap(child, 0);
        fake_fail_allocations(0, 0);
        left += spaces_in_use() > spaces;
        compare(&parent);
        EXPECT_IS(round_number, case_word(PRESSURE));
        EXPECT_IS(round_number, case_word(PRESSURE + (MAPPED_ANEW - 1) * PAGE_SIZE));
    }
    EXPECT_IS(true, left > 0);
    case_reap(clone_into(&clones[0], 0), 0);
    EXPECT_IS(spaces, spaces_in_use());
    compare(&parent);
}

static void collapse_without_memory_loses_nothing(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = collapse_without_memory, .functions = {write_and_end}, .options = ON_REQUEST});
}

/* Short of memory -------------------------------------------------------------------------------------------------- */

#define FEW_FRAMES     760u
#define PRESSURE_PAGES 300u

static void press(uint32_t value)
{
    for (uint32_t page = 0; page < PRESSURE_PAGES; page++) {
        WORDS(PRESSURE + page * PAGE_SIZE, value);
    }
}

static void compare_in_turns(void)
{
    for (uint32_t round = 0; round < 6; round++) {
        await(2 * round + 1);
        compare(&clones[0]);
        write_page(&clones[0], round, round);
        turn++;
    }
}

/* Sources lose their frames while others borrow them. */
static void run_short_of_frames(void)
{
    begin();
    map(PRESSURE, PRESSURE_PAGES);
    int32_t child = clone_into(&clones[0], 0);
    for (uint32_t round = 0; round < 6; round++) {
        press(round);
        turn++;
        await(2 * round + 2);
        press(round + 100);
        compare(&parent);
        write_page(&parent, PAGES - 1 - round, round);
        EXPECT(0, CALL_SYNC);
    }
    EXPECT_IS(true, vm_reclaim_dropped() > 0);
    case_reap(child, 0);
}

static void clone_reads_again_what_its_source_had_to_give_up(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = run_short_of_frames, .functions = {compare_in_turns}, .frames = FEW_FRAMES});
}

/* What a source has where its last child has unmapped it, and by then only in the store, is not there again. */
static void unmap_what_only_the_store_has(void)
{
    uint32_t known = 0;

    begin();
    map(PRESSURE, PRESSURE_PAGES);
    int32_t child = case_fork(0);
    struct space_id source = vm_lineage_source(own_space());
    EXPECT(0, CALL_MUNMAP, ROW, 8 * PAGE_SIZE);
    for (uint32_t round = 0; round < 4; round++) {
        press(round);
        EXPECT(0, CALL_SYNC);
    }
    for (uint32_t page = 0; page < 8; page++) {
        known += vm_map_find(vm_object_space(), page_key_at(source, (struct vaddr){address_of(page)})) != NULL;
    }
    EXPECT_IS(0, known);
    turn = 1;
    case_reap(child, 0);
    EXPECT_IS(source.number, own_space().number);
    map(ROW, 8);
    for (uint32_t page = 0; page < 8; page++) {
        EXPECT_IS(0, case_word(address_of(page)));
    }
}

static void collapse_keeps_nothing_that_only_the_store_had_of_unmapped_memory(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = unmap_what_only_the_store_has, .functions = {stay}, .frames = FEW_FRAMES});
}

/* A page that a system call has made ready stays, although it is the source's. */
static void wire_borrowed(void)
{
    struct page_key page = page_key_at(own_space(), (struct vaddr){address_of(3)});

    await(1);
    struct vm_page *wired;
    EXPECT_IS(OK, vm_wire(page_key_place(page), PMAP_READ, &wired));
    EXPECT_IS(false, vm_page_is(wired, page)); /* it is the source's */
    turn = 2;
    await(3);
    EXPECT_IS(true, pmap_query(page_key_place(page), NULL));
    vm_unwire(wired);
    compare(&clones[0]);
}

static void wire_beside_pressure(void)
{
    begin();
    map(PRESSURE, PRESSURE_PAGES);
    int32_t child = clone_into(&clones[0], 0);
    turn = 1;
    await(2);
    for (uint32_t round = 0; round < 4; round++) {
        press(round);
        EXPECT(0, CALL_SYNC);
    }
    EXPECT_IS(true, vm_reclaim_dropped() > 0);
    turn = 3;
    case_reap(child, 0);
    compare(&parent);
}

static void wired_page_of_a_source_is_not_dropped(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = wire_beside_pressure, .functions = {wire_borrowed}, .frames = FEW_FRAMES});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clone_that_reads_takes_no_frame_and_one_that_writes_takes_one),
        cmocka_unit_test(memory_that_becomes_a_source_is_no_spaces),
        cmocka_unit_test(clone_made_in_a_lent_space_does_not_see_what_is_written_there),
        cmocka_unit_test(clone_and_end_a_thousand_times_leaves_nothing),
        cmocka_unit_test(clone_of_clones_leaves_no_sources),
        cmocka_unit_test(clone_beyond_the_bound_of_sources_does_without_them),
        cmocka_unit_test(clones_that_end_while_their_sources_are_left_leave_none),
        cmocka_unit_test(source_whose_last_children_end_while_it_is_left_goes),
        cmocka_unit_test(records_do_not_come_back_when_their_pages_cannot_be_discarded),
        cmocka_unit_test(collapsed_page_that_its_source_had_borrowed_is_the_last_one_written),
        cmocka_unit_test(collapse_without_memory_loses_nothing),
        cmocka_unit_test(clone_reads_again_what_its_source_had_to_give_up),
        cmocka_unit_test(wired_page_of_a_source_is_not_dropped),
        cmocka_unit_test(collapse_keeps_nothing_that_only_the_store_had_of_unmapped_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
