/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of records on the booted kernel: a crowd of one kind of thing ends with an error for itself, leaves others
 * what is theirs for certain, and leaves nothing when it goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "proc_case.h"
#include "program.h"
#include "record.h"
#include "space/regions.h"
#include "vm_reserve.h"

#define AT             SPACE_AT
#define ARENA          0x40000000u
#define KEPT           0x30000000u
#define MANY           20000u
#define MACHINE_FRAMES 3000u
#define MOVED_REGIONS  2000u

enum { OPEN = 5 };

static uint32_t turn, arrived, regions;

static void await(uint32_t wanted)
{
    while (turn < wanted) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

/* Every other page. Returns how many regions there was room for. */
static uint32_t map_regions(uint32_t most)
{
    for (uint32_t i = 0; i < most; i++) {
        int32_t result = CALL(CALL_MMAP2, ARENA + 2 * i * PAGE_SIZE, PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
        if (result < 0) {
            EXPECT_IS(-ENOMEM, result);
            return i;
        }
    }
    return most;
}

static void unmap_regions(uint32_t count)
{
    EXPECT(0, CALL_MUNMAP, ARENA, 2 * count * PAGE_SIZE);
}

static void stay(void)
{
    arrived++;
    await(1);
}

static void hoard_regions(void)
{
    regions = map_regions(MANY);
    arrived++;
    await(1);
}

/* Returns how many programs there was room for. */
static uint32_t fork_crowd(int32_t *children, uint32_t most)
{
    uint32_t count = 0;

    while (count < most && (children[count] = case_fork(0)) > 0) {
        count++;
    }
    return count;
}

static void end_crowd(const int32_t *children, uint32_t count)
{
    turn = 1;
    for (uint32_t i = 0; i < count; i++) {
        case_reap(children[i], 0);
    }
}

/* design.md: of 64 parts of half of the reserve, programs have 8 and others 21; a terminal is beside that. */
static void crowds(void)
{
    static int32_t children[PROGRAMS_MAX];
    uint32_t budget = vm_frame_reserve() / 2, share = budget * 8 / 64;
    uint32_t small = budget * 2 / 64; /* tasks, files, pipes */
    uint32_t shared = budget - share - 3 * small - budget / 64 - budget * 14 / 64;

    turn = arrived = regions = 0;
    int32_t hoarder = case_fork(1);
    while (arrived == 0) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    uint32_t at_first = regions, programs = fork_crowd(children, share - 3);
    EXPECT_IS(true, at_first > 0 && at_first < MANY);
    EXPECT_IS(share - 3, programs); /* for certain, whatever others have */
    end_crowd(children, programs);
    case_reap(hoarder, 0);
    turn = 0;
    programs = fork_crowd(children, PROGRAMS_MAX);
    EXPECT_IS(true, programs > share && programs - share + programs / 4 - small <= shared); /* four tasks a page */
    EXPECT(0, CALL_PIPE, AT);
    EXPECT(0, CALL_CLOSE, 3);
    EXPECT(0, CALL_CLOSE, 4);
    end_crowd(children, programs);
    case_reap(case_fork(0), 0); /* with an end the records go that nobody needs */
    EXPECT_IS(true, record_committed(RECORD_PROGRAM) < share);
    case_reap(case_fork(1), 0);
    EXPECT_IS(true, regions + 100 > at_first);
}

static void crowd_leaves_others_their_share_and_then_all(void **state)
{
    (void)state;
    case_run(&(struct proc_case){
        .main = crowds, .functions = {stay, hoard_regions}, .frames = MACHINE_FRAMES, .options = "interval=0"});
}

/*
 * The end of the budget comes between two kinds of records that a clone needs: it is refused, and does not go on
 * forever.
 */
#define FRAMES_LEAST 8300u
#define FRAMES_STEP  37u
#define FRAMES_TRIED 16u

static void fork_until_refused(void)
{
    static int32_t children[PROGRAMS_MAX];

    turn = 0;
    uint32_t count = fork_crowd(children, PROGRAMS_MAX);
    EXPECT_IS(-ENOMEM, children[count]);
    end_crowd(children, count);
}

static void clone_at_the_end_of_the_budget_is_refused(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FRAMES_TRIED; i++) {
        case_run(&(struct proc_case){.main = fork_until_refused,
                                     .functions = {stay},
                                     .frames = FRAMES_LEAST + i * FRAMES_STEP,
                                     .options = "interval=0"});
    }
}

/* Regions are moved together when many have gone: whoever has some finds them. ------------------------------------- */

static void nothing(void)
{
}

static void unmap_and_stay(void)
{
    unmap_regions(MOVED_REGIONS);
    arrived++;
    await(1);
    EXPECT_IS(77, case_word(KEPT));
    EXPECT_IS(79, case_word(KEPT + 4 * PAGE_SIZE));
}

static void move_regions(void)
{
    turn = arrived = 0;
    EXPECT_IS(MOVED_REGIONS, map_regions(MOVED_REGIONS));
    EXPECT((int32_t)KEPT, CALL_MMAP2, KEPT, PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
    EXPECT((int32_t)(KEPT + 4 * PAGE_SIZE), CALL_MMAP2, KEPT + 4 * PAGE_SIZE, PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
    WORDS(KEPT, 77);
    WORDS(KEPT + 4 * PAGE_SIZE, 79);
    int32_t child = case_fork(0);
    unmap_regions(MOVED_REGIONS);
    while (arrived == 0) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    uint32_t before = region_table.committed;
    case_reap(case_fork(1), 0); /* an end: regions go back */
    case_reap(case_fork(1), 0);
    EXPECT_IS(true, region_table.committed < before);
    EXPECT_IS(77, case_word(KEPT));
    turn = 1;
    case_reap(child, 0);
    EXPECT_IS(77, case_word(KEPT));
    EXPECT_IS(79, case_word(KEPT + 4 * PAGE_SIZE));
    EXPECT(0, CALL_MUNMAP, KEPT, 5 * PAGE_SIZE);
}

static void regions_that_are_moved_together_are_found(void **state)
{
    (void)state;
    case_run(
        &(struct proc_case){.main = move_regions, .functions = {unmap_and_stay, nothing}, .frames = MACHINE_FRAMES});
}

/* More often than there are records in two pages, and never more than two at a time. */
static void open_again_and_again(void)
{
    uint32_t before = record_committed(RECORD_FILE);

    WORDS(AT, 0x7665642f, 0x6c756e2f, 0x0000006c); /* /dev/null */
    for (uint32_t i = 0; i < 2 * before; i++) {
        int32_t first = CALL(OPEN, AT, 0), second = CALL(OPEN, AT, 0);
        EXPECT_IS(true, first >= 3 && second > first);
        EXPECT(0, CALL_CLOSE, (uint32_t)first);
        EXPECT(0, CALL_CLOSE, (uint32_t)second);
    }
    EXPECT_IS(before, record_committed(RECORD_FILE));
}

static void record_that_is_free_again_is_used_again(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = open_again_and_again});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowd_leaves_others_their_share_and_then_all),
        cmocka_unit_test(clone_at_the_end_of_the_budget_is_refused),
        cmocka_unit_test(regions_that_are_moved_together_are_found),
        cmocka_unit_test(record_that_is_free_again_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
