/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes of the kernel as it is, on the fake machine: a program puts numbers into a pipe and takes them out again, in
 * pieces of all lengths, while the pipe is given one capacity after another, a clone of the program asks for one
 * snapshot after the other, and the power is cut at any event of the disk. Every number comes out once and in order,
 * and a pipe is empty only when all of them have come out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "campaign.h"
#include "host_calls.h"
#include "linux/linux_abi.h"
#include "proc_cut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORLDS      10u
#define SOAK        100u /* times as many */
#define STEPS       100u
#define CHILD_TURNS 24u
#define WORDS_MAX   2500u
#define STATUS      3u
#define CUTS_MAX    20u /* in one world */
#define EVENTS_MAX  150u

#define SET_CAPACITY 1031u
#define AGAIN        (-11)
#define BUSY         (-16)

/* The program's memory. */
#define ENDS    (HOST_DATA + PAGE_SIZE)
#define STEP    (HOST_DATA + PAGE_SIZE + 0x10u) /* of the program */
#define WRITTEN (HOST_DATA + PAGE_SIZE + 0x14u) /* numbers that have gone in, */
#define READ    (HOST_DATA + PAGE_SIZE + 0x18u) /* and that have come out */
#define CHILD   (HOST_DATA + PAGE_SIZE + 0x20u)
#define PAUSE   (HOST_DATA + PAGE_SIZE + 0x28u) /* a timespec */
#define NEXT    (HOST_DATA + PAGE_SIZE + 0x1Cu) /* what one of these becomes */
#define NUMBERS (HOST_DATA + 2u * PAGE_SIZE + 0x7F0u)

enum {
    BEGIN,
    FORK,
    CHOOSE,
    FILL,
    WRITE,
    WRITE_COUNT,
    TAKE,
    TAKE_COUNT,
    RESIZE,
    REST,
    ADVANCE,
    ADVANCED,
    KILL,
    WAIT,
    END,
    CHILD_TURN
};

static uint32_t seed; /* of the program */

static uint32_t mix(uint32_t value)
{
    value = (value ^ value >> 16) * 0x7FEB352Du;
    value = (value ^ value >> 15) * 0x846CA68Bu;
    return value ^ value >> 16;
}

/* What the program does is decided by its step, so that it does it again after a cut. */
static uint32_t choice(uint32_t step, uint32_t what)
{
    return mix(seed * 1000003u + step * 31u + what);
}

static uint32_t words_of(uint32_t step)
{
    uint32_t most = choice(step, 1) % 3 == 0 ? WORDS_MAX : 300u;

    return choice(step, 2) % most + 1;
}

static uint32_t number(uint32_t at)
{
    return mix(at ^ seed);
}

/* The program ------------------------------------------------------------------------------------------------------ */

static void run_begin(struct registers *registers)
{
    HOST_CALL(registers, CALL_PIPE2, ENDS, O_NONBLOCK);
}

static void after_begin(struct registers *registers)
{
    if (registers->eax != 0) {
        host_wrong("pipe2: %d", (int32_t)registers->eax);
    }
    if (host_store(registers, PAUSE, 0) && host_store(registers, PAUSE + 4, 60000000)) {
        host_jump(registers, FORK);
    }
}

static void run_fork(struct registers *registers)
{
    HOST_CALL(registers, CALL_FORK);
}

static void after_fork(struct registers *registers)
{
    if (registers->eax == 0) {
        host_jump(registers, CHILD_TURN);
    } else {
        cut_store(registers, CHILD, registers->eax, CHOOSE);
    }
}

static void run_choose(struct registers *registers)
{
    static const uint8_t ways[] = {FILL, FILL, FILL, TAKE, TAKE, TAKE, RESIZE, REST};
    uint32_t step, written, read;

    if (host_load(registers, STEP, &step) && host_load(registers, WRITTEN, &written) &&
        host_load(registers, READ, &read)) {
        bool is_over = step >= STEPS;
        host_jump(registers, !is_over ? ways[choice(step, 0) % sizeof(ways)] : written == read ? KILL : TAKE);
    }
}

static void run_fill(struct registers *registers)
{
    uint32_t step, written;

    if (!host_load(registers, STEP, &step) || !host_load(registers, WRITTEN, &written)) {
        return;
    }
    for (uint32_t i = 0; i < words_of(step); i++) {
        if (!host_store(registers, NUMBERS + 4 * i, number(written + i))) {
            return;
        }
    }
    host_jump(registers, WRITE);
}

static void transfer(struct registers *registers, uint32_t call, uint32_t end)
{
    uint32_t step, descriptor;

    if (host_load(registers, STEP, &step) && host_load(registers, ENDS + 4 * end, &descriptor)) {
        HOST_CALL(registers, call, descriptor, NUMBERS, 4 * words_of(step));
    }
}

/* Note that the count at `address` becomes so many words more, and go where it does. */
static void note_transfer(struct registers *registers, uint32_t address, uint32_t next)
{
    int32_t result = (int32_t)registers->eax;
    uint32_t count;

    if (result != AGAIN && (result <= 0 || result % 4 != 0)) {
        host_wrong("a transfer of %d bytes", result);
    }
    if (host_load(registers, address, &count)) {
        cut_store(registers, NEXT, count + (result == AGAIN ? 0 : (uint32_t)result / 4), next);
    }
}

static void count_transfer(struct registers *registers, uint32_t address)
{
    uint32_t count;

    if (host_load(registers, NEXT, &count)) {
        cut_store(registers, address, count, ADVANCE);
    }
}

static void run_write(struct registers *registers)
{
    transfer(registers, CALL_WRITE, 1);
}

static void after_write(struct registers *registers)
{
    note_transfer(registers, WRITTEN, WRITE_COUNT);
}

static void run_write_count(struct registers *registers)
{
    count_transfer(registers, WRITTEN);
}

static void run_take(struct registers *registers)
{
    transfer(registers, CALL_READ, 0);
}

static void after_take(struct registers *registers)
{
    int32_t result = (int32_t)registers->eax;
    uint32_t written, read, value;

    if (!host_load(registers, WRITTEN, &written) || !host_load(registers, READ, &read)) {
        return;
    }
    if (result == AGAIN ? written != read : (uint32_t)result / 4 > written - read) {
        host_wrong("%u words in the pipe, and a read is %d", written - read, result);
    }
    for (int32_t i = 0; i < result / 4; i++) {
        if (!host_load(registers, NUMBERS + 4 * (uint32_t)i, &value)) {
            return;
        }
        if (value != number(read + (uint32_t)i)) {
            host_wrong("word %u is %08x, expected %08x", read + (uint32_t)i, value, number(read + (uint32_t)i));
        }
    }
    note_transfer(registers, READ, TAKE_COUNT);
}

static void run_take_count(struct registers *registers)
{
    count_transfer(registers, READ);
}

static void run_resize(struct registers *registers)
{
    uint32_t step, descriptor;

    if (host_load(registers, STEP, &step) && host_load(registers, ENDS, &descriptor)) {
        HOST_CALL(registers, CALL_FCNTL64, descriptor, SET_CAPACITY, PAGE_SIZE << (choice(step, 3) % 7));
    }
}

static void after_resize(struct registers *registers)
{
    int32_t result = (int32_t)registers->eax;
    uint32_t step, written, read;

    if (!host_load(registers, STEP, &step) || !host_load(registers, WRITTEN, &written) ||
        !host_load(registers, READ, &read)) {
        return;
    }
    uint32_t wanted = PAGE_SIZE << (choice(step, 3) % 7);
    bool fits = 4 * (written - read) <= wanted;
    if (fits ? result != (int32_t)wanted : result != BUSY) {
        host_wrong("%u words in the pipe, and a capacity of %u is answered %d", written - read, wanted, result);
    }
    host_jump(registers, ADVANCE);
}

static void run_rest(struct registers *registers)
{
    HOST_CALL(registers, CALL_NANOSLEEP, PAUSE, 0);
}

static void after_rest(struct registers *registers)
{
    host_jump(registers, ADVANCE);
}

/* The clone counts its turns in a register. In one of several it waits for a snapshot. */
static void run_child(struct registers *registers)
{
    HOST_CALL(registers, mix(registers->ebp ^ seed) % CHILD_TURNS == 0 ? CALL_SYNC : CALL_SCHED_YIELD);
}

static void after_child(struct registers *registers)
{
    registers->ebp++;
    host_jump(registers, CHILD_TURN);
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
        cut_store(registers, STEP, step, CHOOSE);
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
    [FORK] = {run_fork, after_fork},
    [CHOOSE] = {run_choose, NULL},
    [FILL] = {run_fill, NULL},
    [WRITE] = {run_write, after_write},
    [WRITE_COUNT] = {run_write_count, NULL},
    [TAKE] = {run_take, after_take},
    [TAKE_COUNT] = {run_take_count, NULL},
    [RESIZE] = {run_resize, after_resize},
    [REST] = {run_rest, after_rest},
    [ADVANCE] = {run_advance, NULL},
    [ADVANCED] = {run_advanced, NULL},
    [KILL] = {run_kill, after_kill},
    [WAIT] = {run_wait, after_wait},
    [END] = {run_end, run_end},
    [CHILD_TURN] = {run_child, after_child},
};

/* Tests ------------------------------------------------------------------------------------------------------------ */

static struct host_end boot(uint64_t schedule)
{
    struct host_machine machine = {.command_line = "interval=1",
                                   .frames = 640 + (uint32_t)(schedule % 100),
                                   .schedule = schedule,
                                   .program_words = "pipe"};

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

static void pipe_that_is_cut_anywhere_loses_nothing_and_repeats_nothing(void **state)
{
    uint32_t first = (uint32_t)campaign_seed(1);
    uint32_t worlds = (uint32_t)campaign_length(WORLDS, WORLDS * SOAK);
    uint32_t cuts = 0;

    (void)state;
    printf("pipe: worlds from %u on; EIDOLON_SEED=N begins with world N\n", first);
    for (uint32_t world = 0; world < worlds; world++) {
        cuts += run_world(first + world);
    }
    printf("pipe: %u cuts in %u worlds\n", cuts, worlds);
    assert_true(cuts > worlds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipe_that_is_cut_anywhere_loses_nothing_and_repeats_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
