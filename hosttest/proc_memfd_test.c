/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that memfd_create() makes, on the kernel as it is over the fake machine: what calls and views see of each other,
 * and that a generation holds the file as it was at the stop. For that a program writes versions of pages by calls and
 * stores through a view, cuts the file shorter and lets it grow, has a private view that it stores to and drops what it
 * has there, notes what it did in its own memory, and compares before each step, while a clone asks for one snapshot after the other and the power goes at any event of the disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "campaign.h"
#include "fake/machine.h"
#include "host_calls.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "proc_cut.h"

#include <stdio.h>
#include <string.h>

enum {
    LSEEK = 19,
    MUNMAP = 91,
    FTRUNCATE = 93,
    PREAD64 = 180,
    PWRITE64 = 181,
    MMAP2 = 192,
    MADVISE = 219,
    MEMFD_CREATE = 356
};

#define AT        SPACE_AT
#define TEXT      (SPACE_AT + 64u)
#define VIEW      0x603FE000u /* of four pages, two on each side of the border of a page table */
#define OWN_VIEW  0x60BFE000u /* the same, private */
#define SHARED    0x11u       /* MAP_SHARED | MAP_FIXED */
#define PRIVATE   0x12u
#define SCHEDULES 64u

/* Cases ------------------------------------------------------------------------------------------------------------ */

static char seen[16];

static const char *bytes_of(uint32_t descriptor, uint32_t position, uint32_t count)
{
    EXPECT(count, PREAD64, descriptor, AT, count, position, 0);
    case_get(AT, seen, count);
    seen[count] = 0;
    return seen;
}

static void expect_bytes(uint32_t descriptor, uint32_t position, const char *expected)
{
    EXPECT_IS(0, strcmp(bytes_of(descriptor, position, (uint32_t)strlen(expected)), expected));
}

static uint32_t make_file(uint32_t pages)
{
    uint32_t descriptor = (uint32_t)CALL(MEMFD_CREATE, case_string(TEXT, "name"), 0);

    EXPECT(0, FTRUNCATE, descriptor, pages * PAGE_SIZE);
    return descriptor;
}

static void main_of_bytes(void)
{
    uint32_t file = make_file(0);

    EXPECT(-EINVAL, MEMFD_CREATE, TEXT, 2);
    EXPECT(-EFAULT, MEMFD_CREATE, BAD, 0);
    EXPECT(5, CALL_WRITE, file, case_string(TEXT, "hello"), 5);
    EXPECT(0, CALL_READ, file, AT, 4); /* at the end */
    EXPECT(1, LSEEK, file, 1, SEEK_SET);
    EXPECT(4, CALL_READ, file, AT, 100);
    EXPECT(5 + 3, LSEEK, file, 3, SEEK_END);
    EXPECT(-EINVAL, LSEEK, file, (uint32_t)-9, SEEK_CUR);
    EXPECT(2, CALL_WRITE, file, TEXT, 2); /* leaves a hole of zeroes */
    EXPECT(10, LSEEK, file, 0, SEEK_END);
    EXPECT_IS(0, memcmp(bytes_of(file, 0, 10), "hello\0\0\0he", 10));
    EXPECT(6, PWRITE64, file, case_string(TEXT, "border"), 6, PAGE_SIZE - 3, 0);
    expect_bytes(file, PAGE_SIZE - 3, "border");
    EXPECT(-EFAULT, PWRITE64, file, BAD, 6, 0, 0);
    EXPECT(-EFAULT, PREAD64, file, BAD, 6, 0, 0);
    EXPECT(-EINVAL, PREAD64, file, AT, 6, 0, UINT32_MAX);
    EXPECT(-EFBIG, PWRITE64, file, TEXT, 6, 0, 1); /* 4 GiB */
    EXPECT(-EINVAL, FTRUNCATE, file, (uint32_t)-1);
}

static void file_has_the_bytes_that_calls_wrote(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_bytes});
}

static void main_of_cutting(void)
{
    uint32_t file = make_file(3);

    EXPECT(6, PWRITE64, file, case_string(TEXT, "border"), 6, PAGE_SIZE - 3, 0);
    EXPECT(6, PWRITE64, file, TEXT, 6, 2 * PAGE_SIZE, 0);
    EXPECT(0, FTRUNCATE, file, PAGE_SIZE - 1);
    EXPECT(2, PREAD64, file, AT, 100, PAGE_SIZE - 3, 0);
    EXPECT(0, CALL_SYNC);
    EXPECT(0, FTRUNCATE, file, 3 * PAGE_SIZE);
    EXPECT_IS(0, memcmp(bytes_of(file, PAGE_SIZE - 3, 6), "bo\0\0\0\0", 6));
    EXPECT_IS(0, memcmp(bytes_of(file, 2 * PAGE_SIZE, 6), "\0\0\0\0\0\0", 6));
}

static void file_that_was_cut_has_zeroes_when_it_grows(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_cutting});
}

static void main_of_views(void)
{
    uint32_t file = make_file(4);

    EXPECT(VIEW, MMAP2, VIEW, 4 * PAGE_SIZE, 3, SHARED, file, 0);
    EXPECT(6, PWRITE64, file, case_string(TEXT, "border"), 6, 2 * PAGE_SIZE - 3, 0);
    EXPECT_IS(0x00726564, case_word(VIEW + 2 * PAGE_SIZE) & 0xFFFFFF);
    WORDS(VIEW + 3 * PAGE_SIZE, 0x44434241);
    expect_bytes(file, 3 * PAGE_SIZE, "ABCD");
    EXPECT(4, PWRITE64, file, VIEW + 3 * PAGE_SIZE, 4, 3 * PAGE_SIZE + 4, 0); /* from the page into itself */
    expect_bytes(file, 3 * PAGE_SIZE, "ABCDABCD");
    EXPECT(4, PREAD64, file, VIEW, 4, 3 * PAGE_SIZE, 0);
    expect_bytes(file, 0, "ABCD");
    EXPECT(-EOVERFLOW, MMAP2, 0, 2 * PAGE_SIZE, 3, 1, file, OBJECT_PAGES - 1);
    EXPECT(0, CALL_CLOSE, file); /* the view has it */
    EXPECT_IS(0x44434241, case_word(VIEW));
    file = make_file(1);
    WORDS(AT, 0x31323334);
    EXPECT(4, PWRITE64, file, AT, 4, 0, 0);
    EXPECT(VIEW, MMAP2, VIEW, PAGE_SIZE, 3, SHARED, file, 0);
    EXPECT(0, MUNMAP, VIEW, PAGE_SIZE); /* the file has it */
    expect_bytes(file, 0, "4321");
}

static void view_and_file_are_the_same_bytes(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_views});
}

static uint64_t fail_at; /* the allocation for which it has to wait */

/* Sleeps in the middle, for memory that is not there at first. */
static void cut_it_shorter(void)
{
    fake_fail_allocations(fail_at, 1);
    fake_hide_frames(fail_at, 3);
    EXPECT(0, FTRUNCATE, 3, 100);
}

/* What a write answered is there, unless the file has been cut since: then it is shorter. */
static void main_of_racing(void)
{
    uint32_t file = make_file(4);

    EXPECT_IS(3, file);
    EXPECT(4, PWRITE64, file, case_string(TEXT, "here"), 4, 3 * PAGE_SIZE, 0);
    EXPECT(0, CALL_SYNC);
    int32_t child = case_fork(0);
    while (CALL(LSEEK, file, 0, SEEK_END) != 100) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    EXPECT(4, PWRITE64, file, TEXT, 4, 2 * PAGE_SIZE, 0);
    case_reap(child, 0);
    fake_fail_allocations(0, 0);
    fake_hide_frames(0, 0);
    if (CALL(LSEEK, file, 0, SEEK_END) > 100) {
        expect_bytes(file, 2 * PAGE_SIZE, "here");
    }
}

static void write_beside_a_cut_is_there_or_cut_off(void **state)
{
    (void)state;
    for (uint64_t schedule = 1; schedule <= SCHEDULES; schedule++) {
        fail_at = schedule % 6;
        case_run(&(struct proc_case){.main = main_of_racing, .functions = {cut_it_shorter}, .schedule = schedule});
    }
}

static void main_of_the_last(void)
{
    uint32_t file = make_file(4);

    EXPECT(4, PWRITE64, file, AT, 4, 0, 0);
    EXPECT(VIEW, MMAP2, VIEW, 4 * PAGE_SIZE, 3, SHARED, file, 0);
    EXPECT_IS(OBJECT_USED, ((const struct object_record *)record_at(RECORD_OBJECT, 1))->state);
    EXPECT(0, CALL_CLOSE, file);
    EXPECT_IS(OBJECT_USED, ((const struct object_record *)record_at(RECORD_OBJECT, 1))->state);
    EXPECT(0, MUNMAP, VIEW, 4 * PAGE_SIZE);
    EXPECT_IS(OBJECT_FREE, ((const struct object_record *)record_at(RECORD_OBJECT, 1))->state);
}

static void object_goes_with_the_last_of_file_and_views(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_the_last});
}

/* Cuts ------------------------------------------------------------------------------------------------------------- */

#define WORLDS     8u
#define SOAK       100u /* times as many */
#define STEPS      150u
#define STATUS     3u
#define CUTS_MAX   20u /* in one world */
#define EVENTS_MAX 150u
#define PAGES      4u
#define WORDS_OUT  500u /* of a page, written by a call; the view has another one */
#define VIEW_WORD  900u
#define OWN_WORD   700u /* of a page of the private view */
#define DONTNEED   4u

/* The program's memory. */
#define FILE_AT (HOST_DATA + PAGE_SIZE)
#define STEP    (HOST_DATA + PAGE_SIZE + 4u)
#define CHILD   (HOST_DATA + PAGE_SIZE + 8u)
#define NEXT    (HOST_DATA + PAGE_SIZE + 12u)
#define WRITTEN (HOST_DATA + PAGE_SIZE + 0x40u) /* by page: the step at which it was written; 0: zeroes */
#define STORED  (HOST_DATA + PAGE_SIZE + 0x80u) /* the same of the view's word */
#define OWN     (HOST_DATA + PAGE_SIZE + 0xA0u) /* the same of the private view's; 0: it shows the file's page */
#define COPIED  (HOST_DATA + PAGE_SIZE + 0xC0u) /* what WRITTEN and STORED were when the private page became a copy */
#define NUMBERS (HOST_DATA + 2u * PAGE_SIZE)
#define NO_TEXT (HOST_DATA + PAGE_SIZE + 0x100u)

enum {
    BEGIN,
    SIZE,
    MAP,
    MAP_OWN,
    FORK,
    COMPARE,
    CHOOSE,
    FILL,
    WRITE,
    NOTE,
    STORE,
    STORE_OWN,
    DROP_OWN,
    TRIM,
    GROW,
    ADVANCE,
    ADVANCED,
    KILL,
    WAIT,
    END,
    TURN
};

static uint32_t seed;

static uint32_t mix(uint32_t value)
{
    value = (value ^ value >> 16) * 0x7FEB352Du;
    value = (value ^ value >> 15) * 0x846CA68Bu;
    return value ^ value >> 16;
}

static uint32_t choice(uint32_t step, uint32_t what)
{
    return mix(seed * 1000003u + step * 31u + what);
}

static uint32_t page_of(uint32_t step)
{
    return choice(step, 1) % PAGES;
}

/* Word `index` of a page that was written at a step. */
static uint32_t word_of(uint32_t step, uint32_t index)
{
    return step == 0 ? 0 : mix(step * 4096u + index + seed);
}

static void run_begin(struct registers *registers)
{
    HOST_CALL(registers, MEMFD_CREATE, NO_TEXT, 0);
}

static void after_begin(struct registers *registers)
{
    cut_store(registers, FILE_AT, registers->eax, SIZE);
}

/* A call on the file; `size` is an argument that follows. */
static void on_file(struct registers *registers, uint32_t call, uint32_t size)
{
    uint32_t file;

    if (host_load(registers, FILE_AT, &file)) {
        HOST_CALL(registers, call, file, size);
    }
}

static void run_size(struct registers *registers)
{
    on_file(registers, FTRUNCATE, PAGES * PAGE_SIZE);
}

static void after_size(struct registers *registers)
{
    host_jump(registers, MAP);
}

static void run_map(struct registers *registers)
{
    uint32_t file;

    if (host_load(registers, FILE_AT, &file)) {
        HOST_CALL(registers, MMAP2, VIEW, PAGES * PAGE_SIZE, 3, SHARED, file, 0);
    }
}

static void after_map(struct registers *registers)
{
    host_jump(registers, MAP_OWN);
}

static void run_map_own(struct registers *registers)
{
    uint32_t file;

    if (host_load(registers, FILE_AT, &file)) {
        HOST_CALL(registers, MMAP2, OWN_VIEW, PAGES * PAGE_SIZE, 3, PRIVATE, file, 0);
    }
}

static void after_map_own(struct registers *registers)
{
    host_jump(registers, FORK);
}

static void run_fork(struct registers *registers)
{
    HOST_CALL(registers, CALL_FORK);
}

static void after_fork(struct registers *registers)
{
    if (registers->eax == 0) {
        host_jump(registers, TURN);
    } else {
        cut_store(registers, CHILD, registers->eax, COMPARE);
    }
}

static bool has(struct registers *registers, uint32_t view, uint32_t index, uint32_t step)
{
    uint32_t value;

    if (!host_load(registers, view + 4 * index, &value)) {
        return false;
    }
    if (value != word_of(step, index)) {
        host_wrong("%08x, word %u is %08x, and was written at step %u", view, index, value, step);
    }
    return true;
}

/* A few words of a page. */
static bool has_page(struct registers *registers, uint32_t view, uint32_t any, uint32_t written, uint32_t stored)
{
    return has(registers, view, 0, written) && has(registers, view, any, written) &&
           has(registers, view, VIEW_WORD, stored);
}

/* All pages by both views. */
static void run_compare(struct registers *registers)
{
    uint32_t step, written, stored, own;

    if (!host_load(registers, STEP, &step)) {
        return;
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        uint32_t any = choice(step, 2) % WORDS_OUT, at = 4 * page;
        if (!host_load(registers, WRITTEN + at, &written) || !host_load(registers, STORED + at, &stored) ||
            !host_load(registers, OWN + at, &own) ||
            !has_page(registers, VIEW + page * PAGE_SIZE, any, written, stored)) {
            return;
        }
        if (own != 0 &&
            (!host_load(registers, COPIED + 2 * at, &written) || !host_load(registers, COPIED + 2 * at + 4, &stored))) {
            return;
        }
        if (!has_page(registers, OWN_VIEW + page * PAGE_SIZE, any, written, stored) ||
            !has(registers, OWN_VIEW + page * PAGE_SIZE, OWN_WORD, own)) {
            return;
        }
    }
    host_jump(registers, step >= STEPS ? KILL : CHOOSE);
}

static void run_choose(struct registers *registers)
{
    static const uint8_t ways[] = {FILL, FILL, FILL, STORE, STORE, STORE_OWN, STORE_OWN, DROP_OWN, TRIM};
    uint32_t step;

    if (host_load(registers, STEP, &step)) {
        host_jump(registers, ways[choice(step, 0) % sizeof(ways)]);
    }
}

static void run_fill(struct registers *registers)
{
    uint32_t step;

    if (!host_load(registers, STEP, &step)) {
        return;
    }
    for (uint32_t i = 0; i < WORDS_OUT; i++) {
        if (!host_store(registers, NUMBERS + 4 * i, word_of(step + 1, i))) {
            return;
        }
    }
    host_jump(registers, WRITE);
}

static void run_write(struct registers *registers)
{
    uint32_t step, file;

    if (host_load(registers, STEP, &step) && host_load(registers, FILE_AT, &file)) {
        HOST_CALL(registers, PWRITE64, file, NUMBERS, 4 * WORDS_OUT, page_of(step) * PAGE_SIZE, 0);
    }
}

static void after_write(struct registers *registers)
{
    if (registers->eax != 4 * WORDS_OUT) {
        host_wrong("pwrite: %d", (int32_t)registers->eax);
    }
    host_jump(registers, NOTE);
}

static void run_note(struct registers *registers)
{
    uint32_t step;

    if (host_load(registers, STEP, &step)) {
        cut_store(registers, WRITTEN + 4 * page_of(step), step + 1, ADVANCE);
    }
}

/* Memory and note may be of two stops: the word first, and comparing is a step later. */
static void run_store(struct registers *registers)
{
    uint32_t step;

    if (host_load(registers, STEP, &step) &&
        host_store(registers, VIEW + page_of(step) * PAGE_SIZE + 4 * VIEW_WORD, word_of(step + 1, VIEW_WORD)) &&
        host_store(registers, STORED + 4 * page_of(step), step + 1)) {
        host_jump(registers, ADVANCE);
    }
}

/* What the page holds at its first store is noted first, and that it is a copy last. */
static void run_store_own(struct registers *registers)
{
    uint32_t step, own, written, stored;

    if (!host_load(registers, STEP, &step)) {
        return;
    }
    uint32_t at = 4 * page_of(step);
    if (!host_load(registers, OWN + at, &own) || !host_load(registers, WRITTEN + at, &written) ||
        !host_load(registers, STORED + at, &stored)) {
        return;
    }
    if (own == 0 &&
        (!host_store(registers, COPIED + 2 * at, written) || !host_store(registers, COPIED + 2 * at + 4, stored))) {
        return;
    }
    if (host_store(registers, OWN_VIEW + page_of(step) * PAGE_SIZE + 4 * OWN_WORD, word_of(step + 1, OWN_WORD)) &&
        host_store(registers, OWN + at, step + 1)) {
        host_jump(registers, ADVANCE);
    }
}

static void run_drop_own(struct registers *registers)
{
    HOST_CALL(registers, MADVISE, OWN_VIEW, PAGES * PAGE_SIZE, DONTNEED);
}

static void after_drop_own(struct registers *registers)
{
    if (registers->eax != 0) {
        host_wrong("madvise: %d", (int32_t)registers->eax);
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        if (!host_store(registers, OWN + 4 * page, 0)) {
            return;
        }
    }
    host_jump(registers, ADVANCE);
}

static void run_trim(struct registers *registers)
{
    uint32_t step;

    if (host_load(registers, STEP, &step)) {
        on_file(registers, FTRUNCATE, page_of(step) * PAGE_SIZE);
    }
}

static void after_trim(struct registers *registers)
{
    host_jump(registers, GROW);
}

static void run_grow(struct registers *registers)
{
    on_file(registers, FTRUNCATE, PAGES * PAGE_SIZE);
}

static void after_grow(struct registers *registers)
{
    uint32_t step;

    if (registers->eax != 0) {
        host_wrong("ftruncate: %d", (int32_t)registers->eax);
    }
    if (!host_load(registers, STEP, &step)) {
        return;
    }
    for (uint32_t page = page_of(step); page < PAGES; page++) {
        if (!host_store(registers, WRITTEN + 4 * page, 0) || !host_store(registers, STORED + 4 * page, 0)) {
            return;
        }
    }
    host_jump(registers, ADVANCE);
}

/* The clone counts its turns in a register. In one of several it waits for a snapshot. */
static void run_turn(struct registers *registers)
{
    HOST_CALL(registers, mix(registers->ebp ^ seed) % 24 == 0 ? CALL_SYNC : CALL_SCHED_YIELD);
}

static void after_turn(struct registers *registers)
{
    registers->ebp++;
    host_jump(registers, TURN);
}

static void run_advance(struct registers *registers)
{
    uint32_t step;

    if (host_load(registers, STEP, &step)) {
        cut_store(registers, NEXT, step + 1, ADVANCED);
    }
}

static void run_advanced(struct registers *registers)
{
    uint32_t step;

    if (host_load(registers, NEXT, &step)) {
        cut_store(registers, STEP, step, COMPARE);
    }
}

static void run_kill(struct registers *registers)
{
    uint32_t child;

    if (host_load(registers, CHILD, &child)) {
        HOST_CALL(registers, CALL_KILL, child, SIGKILL);
    }
}

static void after_kill(struct registers *registers)
{
    host_jump(registers, WAIT);
}

static void run_wait(struct registers *registers)
{
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, 0, 0, 0);
}

static void after_wait(struct registers *registers)
{
    host_jump(registers, END);
}

static void run_end(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXIT, STATUS);
}

static const struct host_instruction program[] = {
    [BEGIN] = {run_begin, after_begin},
    [SIZE] = {run_size, after_size},
    [MAP] = {run_map, after_map},
    [FORK] = {run_fork, after_fork},
    [COMPARE] = {run_compare, NULL},
    [CHOOSE] = {run_choose, NULL},
    [FILL] = {run_fill, NULL},
    [WRITE] = {run_write, after_write},
    [NOTE] = {run_note, NULL},
    [STORE] = {run_store, NULL},
    [MAP_OWN] = {run_map_own, after_map_own},
    [STORE_OWN] = {run_store_own, NULL},
    [DROP_OWN] = {run_drop_own, after_drop_own},
    [TRIM] = {run_trim, after_trim},
    [GROW] = {run_grow, after_grow},
    [ADVANCE] = {run_advance, NULL},
    [ADVANCED] = {run_advanced, NULL},
    [KILL] = {run_kill, after_kill},
    [WAIT] = {run_wait, after_wait},
    [END] = {run_end, run_end},
    [TURN] = {run_turn, after_turn},
};

static struct host_end boot(uint64_t schedule)
{
    struct host_machine machine = {.command_line = "interval=1",
                                   .frames = 640 + (uint32_t)(schedule % 100),
                                   .schedule = schedule,
                                   .program_words = "memfd"};

    host_program_tick(3, schedule);
    return cut_boot(&machine, program, sizeof(program) / sizeof(program[0]));
}

/* One world from its first boot to the program's end. Returns how often it was cut. */
static uint32_t run_world(uint32_t world)
{
    uint32_t cuts = 0;
    struct host_end end;

    seed = world;
    cut_start();
    do {
        cut.at = cuts < CUTS_MAX ? cut.disk.event_count + 1 + mix(world * 7919u + cuts) % EVENTS_MAX : 0;
        end = boot(world * 16u + cuts);
        cuts += end.kind == HOST_CUT;
    } while (end.kind == HOST_CUT);
    cut_expect(end, HOST_ENDED, STATUS, world);
    cut_stop();
    return cuts;
}

static void file_that_is_cut_anywhere_is_as_it_was_at_a_stop(void **state)
{
    uint32_t first = (uint32_t)campaign_seed(1);
    uint32_t worlds = (uint32_t)campaign_length(WORLDS, WORLDS * SOAK);
    uint32_t cuts = 0;

    (void)state;
    printf("memfd: worlds from %u on; EIDOLON_SEED=N begins with world N\n", first);
    for (uint32_t world = 0; world < worlds; world++) {
        cuts += run_world(first + world);
    }
    printf("memfd: %u cuts in %u worlds\n", cuts, worlds);
    assert_true(cuts > worlds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_has_the_bytes_that_calls_wrote),
        cmocka_unit_test(file_that_was_cut_has_zeroes_when_it_grows),
        cmocka_unit_test(view_and_file_are_the_same_bytes),
        cmocka_unit_test(write_beside_a_cut_is_there_or_cut_off),
        cmocka_unit_test(object_goes_with_the_last_of_file_and_views),
        cmocka_unit_test(file_that_is_cut_anywhere_is_as_it_was_at_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
