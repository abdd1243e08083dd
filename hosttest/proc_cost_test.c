/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What calls cost on the booted kernel, counted and not timed: it must not grow with what others own, nor with the
 * length of what was never touched.
 *
 * The kernel's modules are compiled so that every basic block they execute calls __sanitizer_cov_trace_pc(), which is
 * here. A block stands for a bounded number of instructions. What the fake machine does is not counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc_case.h"

#define TURNS             6u
#define ELSEWHERE         0x30000000u
#define MANY              3000u /* pages */
#define LIFE_BLOCKS       7000u /* of fork, exit and wait of a small program; 5,400 when this was written */
#define SCRATCH           0x60000000u
#define PRIVATE_ANONYMOUS 0x32u /* with MAP_FIXED */

static uint64_t blocks;
static volatile bool is_over;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

/* The least of some turns: the kernel's own threads come in between now and then. */
static uint64_t cost_of(void (*act)(void))
{
    uint64_t least = UINT64_MAX;

    for (uint32_t turn = 0; turn < TURNS; turn++) {
        uint64_t begun = blocks;
        act();
        least = blocks - begun < least ? blocks - begun : least;
    }
    return least;
}

static void expect_at_most(const char *what, uint64_t limit, uint64_t cost)
{
    if (cost > limit) {
        host_wrong("%s: %llu blocks, at most %llu", what, (unsigned long long)cost, (unsigned long long)limit);
    }
}

static void map(uint32_t address, uint32_t pages)
{
    EXPECT((int32_t)address, CALL_MMAP2, address, pages * PAGE_SIZE, 3, PRIVATE_ANONYMOUS, UINT32_MAX, 0);
}

static void touch(uint32_t address, uint32_t pages)
{
    for (uint32_t page = 0; page < pages; page++) {
        WORDS(address + page * PAGE_SIZE, page + 1);
    }
}

/* Others' memory --------------------------------------------------------------------------------------------------- */

static void nothing(void)
{
}

static void hold_much(void)
{
    map(ELSEWHERE, MANY);
    touch(ELSEWHERE, MANY);
    while (!is_over) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

#define CROWD 60u
#define KILL  9u
#define PAUSE 29

static volatile bool are_there;

static void wait_for_ever(void)
{
    (void)CALL(PAUSE);
}

static void hold_many(void)
{
    int32_t programs[CROWD];

    for (uint32_t i = 0; i < CROWD; i++) {
        programs[i] = case_fork(3);
    }
    are_there = true;
    while (!is_over) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    for (uint32_t i = 0; i < CROWD; i++) {
        EXPECT(0, CALL_KILL, (uint32_t)programs[i], KILL);
        case_reap(programs[i], KILL);
    }
}

static void run(void (*main)(void))
{
    struct proc_case scene = {.main = main,
                              .functions = {nothing, hold_much, hold_many, wait_for_ever},
                              .frames = 8192,
                              .blocks = 16384,
                              .options = "interval=0"};

    is_over = false;
    case_run(&scene);
}

static void start_and_reap(void)
{
    case_reap(case_fork(0), 0);
}

static void map_and_unmap_untouched(void)
{
    map(SCRATCH, 2048);
    EXPECT(0, CALL_MUNMAP, SCRATCH, 2048 * PAGE_SIZE);
}

static void map_and_unmap_a_little(void)
{
    map(SCRATCH, 16);
    touch(SCRATCH, 2);
    EXPECT(0, CALL_MUNMAP, SCRATCH, 16 * PAGE_SIZE);
}

static void map_and_unmap_untouched_but_for_two(void)
{
    map(SCRATCH, 2048);
    touch(SCRATCH + 700 * PAGE_SIZE, 2);
    EXPECT(0, CALL_MUNMAP, SCRATCH, 2048 * PAGE_SIZE);
}

static void beside_much_memory_of_others(void)
{
    uint64_t alone = cost_of(start_and_reap);
    uint64_t unmapping = cost_of(map_and_unmap_untouched);
    int32_t holder = case_fork(1);

    for (uint32_t i = 0; i < 4; i++) { /* it begins as soon as it is its turn, and is not interrupted */
        EXPECT(0, CALL_SCHED_YIELD);
    }
    expect_at_most("a clone's life", LIFE_BLOCKS, alone);
    expect_at_most("a clone's life beside 3,000 pages of others", alone * 11 / 10 + 400, cost_of(start_and_reap));
    expect_at_most("unmapping beside 3,000 pages of others", unmapping * 11 / 10, cost_of(map_and_unmap_untouched));
    is_over = true;
    case_reap(holder, 0);
}

/* What ended ones leave behind: holes in tables, deleted pages in the store. */
static void after_many_programs(void)
{
    uint64_t alone = cost_of(start_and_reap);

    for (uint32_t i = 0; i < 4 * CROWD; i++) {
        start_and_reap();
        if (i % 16 == 0) {
            EXPECT(0, CALL_SYNC);
        }
    }
    expect_at_most("a clone's life after 240 others", alone * 11 / 10 + 400, cost_of(start_and_reap));
}

static void programs_that_have_ended_cost_nothing(void **state)
{
    (void)state;
    run(after_many_programs);
}

static void beside_many_programs(void)
{
    uint64_t alone = cost_of(start_and_reap);
    int32_t holder = case_fork(2);

    are_there = false;
    while (!are_there) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    start_and_reap(); /* finds the lowest record that is free, once */
    expect_at_most("a clone's life beside 60 programs", alone * 11 / 10 + 400, cost_of(start_and_reap));
    is_over = true;
    case_reap(holder, 0);
}

static void others_programs_cost_nothing(void **state)
{
    (void)state;
    run(beside_many_programs);
}

static void others_memory_costs_nothing(void **state)
{
    (void)state;
    run(beside_much_memory_of_others);
}

static void beside_much_memory_of_its_own(void)
{
    uint64_t alone = cost_of(start_and_reap);

    map(ELSEWHERE, MANY);
    touch(ELSEWHERE, MANY);
    start_and_reap(); /* takes it along: its pages become a source's */
    expect_at_most("a clone's life beside 3,000 pages of its parent's", alone * 12 / 10, cost_of(start_and_reap));
}

static void own_memory_that_is_not_written_costs_a_clone_nothing(void **state)
{
    (void)state;
    run(beside_much_memory_of_its_own);
}

static void unmap_ranges(void)
{
    uint64_t few = cost_of(map_and_unmap_a_little);

    expect_at_most("unmapping 2,048 pages never touched", few, cost_of(map_and_unmap_untouched));
    expect_at_most("unmapping 2,048 pages, two of them touched", few * 12 / 10,
                   cost_of(map_and_unmap_untouched_but_for_two));
}

static void pages_that_were_never_touched_cost_nothing_to_unmap(void **state)
{
    (void)state;
    run(unmap_ranges);
}

/* Copies ----------------------------------------------------------------------------------------------------------- */

#define OPEN          5
#define CLOCK_GETTIME 265
#define COPY_BLOCKS   60u /* what a copy may cost beyond a call that copies nothing; with wires it is 200 */

static uint32_t zero;

static void call_nothing(void)
{
    (void)CALL(CALL_GETPPID);
}

static void read_a_byte(void)
{
    EXPECT(1, CALL_READ, zero, SPACE_AT, 1);
}

static void ask_the_time(void)
{
    EXPECT(0, CLOCK_GETTIME, 1, SPACE_AT);
}

static void copy_to_what_is_present(void)
{
    case_string(SPACE_AT, "/dev/zero");
    zero = (uint32_t)CALL(OPEN, SPACE_AT, 0);
    uint64_t none = cost_of(call_nothing);

    expect_at_most("a byte of /dev/zero", none + COPY_BLOCKS, cost_of(read_a_byte));
    expect_at_most("the time", none + COPY_BLOCKS, cost_of(ask_the_time));
}

static void what_is_present_is_copied_to_without_wires(void **state)
{
    (void)state;
    run(copy_to_what_is_present);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_memory_costs_nothing),
        cmocka_unit_test(others_programs_cost_nothing),
        cmocka_unit_test(programs_that_have_ended_cost_nothing),
        cmocka_unit_test(own_memory_that_is_not_written_costs_a_clone_nothing),
        cmocka_unit_test(pages_that_were_never_touched_cost_nothing_to_unmap),
        cmocka_unit_test(what_is_present_is_copied_to_without_wires),
    };

    return cmocka_run_group_tests_name("proc_cost", tests, NULL, NULL);
}
