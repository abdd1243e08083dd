/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that do anything at all (proc_mayhem.h), many at once, on the booted kernel in little memory: what another
 * program has stays as it was, and when they have ended nothing is left of them. As systest/test_mayhem.py, where the
 * plug is pulled; here calls cost so little that there can be millions, and a life is the same again with its seed.
 *
 *     proc_mayhem_test [SEED [CALLS [LIVES]]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/clock.h"
#include "proc_mayhem.h"
#include "program.h"
#include "record.h"
#include "space/regions.h"
#include "vm_fault.h"
#include "vm_map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_OF_CI   30000u
#define LIVES_OF_SOAK 200u
#define CALLS_OF_LIFE 50000u
#define CALLS_BEFORE  2000u /* so many, and then what there is is what there is to be in the end */
#define FRAMES_LEAST  4096u /* 16 MiB, and up to 24 */
#define FRAMES_MORE   2049u
#define FRAMES_SHORT  800u /* of lives in which nearly everybody waits for memory */

#define KEPT          0x20000000u
#define KEPT_PAGES    64u
#define KEPT_SHARED   32u         /* from that page on they are shared, */
#define KEPT_VIEW     0x27FF0000u /* and seen there, too */
#define SLOTS         4u
#define STUCK_NS      4000000000ull
#define SLACK         64u /* pages that are kept for the next ones */
#define PROGRAMS_LEFT 4u  /* records of programs that are kept as well */

enum { SETPGID = 57, USR1 = 10, USR2 = 12 };

static uint64_t wanted;
static bool is_short; /* of memory, and attempts to get some fail */
static uint32_t of_slot[SLOTS];

/* Who watches ------------------------------------------------------------------------------------------------------ */

static uint32_t versions[KEPT_PAGES];

static uint32_t word_of(uint32_t page, uint32_t word)
{
    return (page * 0x9E3779B9u) ^ (versions[page] * 0x85EBCA6Bu) ^ word;
}

static void fill_kept(uint32_t page)
{
    versions[page]++;
    for (uint32_t word = 0; word < PAGE_SIZE / 4; word += 61) {
        WORDS(KEPT + page * PAGE_SIZE + 4 * word, word_of(page, word));
    }
}

static void verify_kept(uint32_t page)
{
    uint32_t at = page < KEPT_SHARED ? KEPT + page * PAGE_SIZE : KEPT_VIEW + (page - KEPT_SHARED) * PAGE_SIZE;

    for (uint32_t word = 0; word < PAGE_SIZE / 4; word += 61) {
        EXPECT_IS(word_of(page, word), case_word(at + 4 * word));
    }
}

static void end_group(uint32_t group)
{
    while (CALL(CALL_KILL, 0u - group, 9) == 0) {
        (void)CALL(CALL_WAIT4, group, 0, 1, 0);
        EXPECT(0, CALL_SCHED_YIELD);
    }
    (void)CALL(CALL_WAIT4, group, 0, 1, 0);
}

static void replace(uint32_t slot)
{
    uint32_t now = of_slot[slot];

    if (now != 0 && CALL(CALL_WAIT4, now, 0, 1, 0) == 0 && clock_boot_ns() - mayhem_heard_ns(now) < STUCK_NS) {
        return;
    }
    if (now != 0) {
        end_group(now);
    }
    int32_t made = case_fork(0);
    of_slot[slot] = made > 0 ? (uint32_t)made : 0;
    mayhem_hear(of_slot[slot]);
    (void)CALL(SETPGID, of_slot[slot], of_slot[slot]);
}

static void watch_until(uint64_t count)
{
    for (uint32_t round = 0; mayhem_calls() < count; round++) {
        WORDS(SPACE_AT, 0, 1000000);
        EXPECT(0, CALL_NANOSLEEP, SPACE_AT, 0);
        for (uint32_t i = 0; i < 4; i++) {
            verify_kept((round * 4 + i) % KEPT_PAGES);
        }
        fill_kept(round * 7 % KEPT_PAGES);
        for (uint32_t i = 0; i < SLOTS; i++) {
            if (round % 4 == 0 && of_slot[i] != 0) {
                (void)CALL(CALL_KILL, 0u - of_slot[i], round % 8 == 0 ? USR1 : USR2);
            }
            replace(i);
        }
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (of_slot[i] != 0) {
            end_group(of_slot[i]);
        }
        of_slot[i] = 0;
    }
    while (CALL(CALL_KILL, UINT32_MAX, 9) == 0 || program_count() > 1) {
        (void)CALL(CALL_WAIT4, UINT32_MAX, 0, 1, 0);
        EXPECT(0, CALL_SCHED_YIELD);
    }
    while (CALL(CALL_WAIT4, UINT32_MAX, 0, 0, 0) > 0) {
    }
}

struct picture {
    uint32_t programs, tasks, files, timers, spaces, memories, objects, regions, pages;
};

static uint32_t in_use(enum record_type type)
{
    uint32_t count = 0;

    for (uint32_t i = type == RECORD_OBJECT ? 0 : 1; i < record_committed(type); i++) {
        const void *record = record_at(type, i);
        switch (type) {
        case RECORD_PROGRAM:
            count += ((const struct program_record *)record)->state != PROGRAM_FREE;
            break;
        case RECORD_SPACE:
            count += ((const struct space_record *)record)->state != SPACE_FREE;
            break;
        case RECORD_TASK:
            count += ((const struct task_record *)record)->state != TASK_FREE;
            break;
        case RECORD_OBJECT:
            count += ((const struct object_record *)record)->state != OBJECT_FREE;
            break;
        case RECORD_FILE:
            count += ((const struct file_record *)record)->kind != FILE_FREE;
            break;
        case RECORD_TIMER:
            count += ((const struct timer_record *)record)->program.number != 0;
            break;
        default:
            count += ((const struct memory_record *)record)->state != MEMORY_FREE;
        }
    }
    return count;
}

/* Those that take memory, a page each. */
static uint32_t program_records(void)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < record_committed(RECORD_PROGRAM); i++) {
        count += record_is_present(RECORD_PROGRAM, i);
    }
    return count;
}

/* What there is, when everything that may be settled is. */
static struct picture look(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        int32_t child = case_fork(MAYHEM_NEXT);
        if (child > 0) {
            case_reap(child, 0);
        }
        WORDS(SPACE_AT, 0, 500000000);
        EXPECT(0, CALL_NANOSLEEP, SPACE_AT, 0);
    }
    return (struct picture){
        .programs = in_use(RECORD_PROGRAM),
        .tasks = in_use(RECORD_TASK),
        .files = in_use(RECORD_FILE),
        .timers = in_use(RECORD_TIMER),
        .spaces = in_use(RECORD_SPACE),
        .memories = in_use(RECORD_MEMORY),
        .objects = in_use(RECORD_OBJECT),
        .regions = vm_region_count(&region_table),
        .pages = vm_map_count(vm_object_space()),
    };
}

static void nothing(void)
{
}

static void share_kept(void)
{
    uint32_t at = KEPT + KEPT_SHARED * PAGE_SIZE, bytes = (KEPT_PAGES - KEPT_SHARED) * PAGE_SIZE;

    EXPECT((int32_t)at, CALL_MMAP2, at, bytes, 3, 0x31, UINT32_MAX, 0);
    EXPECT((int32_t)KEPT_VIEW, CALL_MREMAP, at, 0, bytes, 3, KEPT_VIEW);
}

static void watch(void)
{
    if (case_word(case_registers()->esp) != 3) { /* words: it was executed */
        mayhem_live_after_exec();
    }
    memset(of_slot, 0, sizeof(of_slot));
    EXPECT((int32_t)KEPT, CALL_MMAP2, KEPT, KEPT_SHARED * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
    share_kept();
    for (uint32_t page = 0; page < KEPT_PAGES; page++) {
        fill_kept(page);
    }
    watch_until(CALLS_BEFORE);
    struct picture before = look();
    watch_until(wanted);
    struct picture after = look();
    for (uint32_t page = 0; page < KEPT_PAGES; page++) {
        verify_kept(page);
    }
    EXPECT_IS(before.programs, after.programs);
    EXPECT_IS(before.tasks, after.tasks);
    EXPECT_IS(before.files, after.files);
    EXPECT_IS(before.timers, after.timers);
    if (is_short) {
        return; /* what could not be taken back for want of memory stays for the next boot */
    }
    EXPECT_IS(before.spaces, after.spaces);
    EXPECT_IS(before.memories, after.memories);
    EXPECT_IS(before.objects, after.objects);
    EXPECT_IS(before.regions, after.regions);
    EXPECT_IS(true, after.pages <= before.pages + SLACK);
    EXPECT_IS(true, program_records() <= PROGRAMS_LEFT);
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

static uint64_t first_seed = 1, calls_of_life = CALLS_OF_CI;
static uint32_t lives = 1;

static void anything_at_once_leaves_others_and_nothing_behind(void **state)
{
    uint64_t total = 0;

    (void)state;
    for (uint32_t life = 0; life < lives; life++) {
        uint64_t seed = first_seed + life;
        is_short = life % 4 == 2;
        mayhem_seed(seed, is_short);
        wanted = calls_of_life;
        struct proc_case scene = {
            .main = watch,
            .functions = {MAYHEM_FUNCTIONS, nothing},
            .frames = is_short ? FRAMES_SHORT + mayhem_below(200) : FRAMES_LEAST + mayhem_below(FRAMES_MORE),
            .blocks = life % 4 == 3 ? 4096 : 32768,
            .schedule = seed,
            .options = life % 2 == 0 ? "interval=20" : "interval=100",
        };
        printf("mayhem: seed %" PRIu64 ", %u frames, %u blocks, ", seed, scene.frames, scene.blocks);
        fflush(stdout);
        case_run(&scene);
        printf("%" PRIu64 " calls\n", mayhem_calls());
        fflush(stdout);
        total += mayhem_calls();
    }
    printf("mayhem: %" PRIu64 " calls\n", total);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(anything_at_once_leaves_others_and_nothing_behind)};
    const char *seed = getenv("EIDOLON_SEED");

    if (getenv("EIDOLON_SOAK") != NULL) {
        lives = LIVES_OF_SOAK;
        calls_of_life = CALLS_OF_LIFE;
    }
    first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : seed != NULL ? strtoull(seed, NULL, 10) : 1;
    calls_of_life = argc > 2 ? strtoull(argv[2], NULL, 10) : calls_of_life;
    lives = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : lives;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
