/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of one step each: sync, getpid, the terminal, and those that wait for a time.
 */
#include "parts.h"
#include "linux/linux_abi.h"
#include "linux/linux_errno.h"

#define TIME_AT   (SCRATCH + 0x20u)
#define LOCK_AT   (SCRATCH + 0xA0u)
#define LISTEN_AT (SCRATCH + 0xE0u)

#define FUTEX_WAIT_PRIVATE 128u

static void run_sync(struct registers *registers)
{
    HOST_CALL(registers, CALL_SYNC);
}

static void after_sync(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (family_is_interrupted(registers, SYNC)) {
        return;
    }
    family_expect(registers, "sync", 0);
    family_counters.syncs++;
    if (family_synced != NULL) {
        family_synced(family_pid(), step.number);
    }
    family_finish(registers, &step);
}

/* How long a step waits: some do so for longer than it takes the power to go. */
static bool put_time(struct registers *registers, const struct family_step *step)
{
    uint32_t most_ns = (step->dice >> 28) % 4 == 0 ? 900000000 : 20000000;

    TRY_BOOL(host_store(registers, TIME_AT, 0));
    return host_store(registers, TIME_AT + 4, step->dice % most_ns);
}

static void run_sleep(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(put_time(registers, &step));
    HOST_CALL(registers, CALL_NANOSLEEP, TIME_AT, 0);
}

static void after_sleep(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (family_is_interrupted(registers, SLEEP)) {
        return;
    }
    family_expect(registers, "nanosleep", 0);
    family_finish(registers, &step);
}

/* A futex that nobody wakes: the value is another one, or the time is over. */
static void run_lock_wait(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(put_time(registers, &step));
    TRY(host_store(registers, LOCK_AT, step.dice));
    HOST_CALL(registers, CALL_FUTEX, LOCK_AT, FUTEX_WAIT_PRIVATE, step.dice + (step.dice >> 20 & 1), TIME_AT);
}

static void after_lock_wait(struct registers *registers)
{
    struct family_step step;
    int32_t expected;

    TRY(family_step(registers, &step));
    expected = (step.dice >> 20 & 1) != 0 ? -EAGAIN : -ETIMEDOUT;
    if ((int32_t)registers->eax != expected && family_is_interrupted(registers, LOCK_WAIT)) {
        return;
    }
    family_expect(registers, "futex", expected);
    family_counters.locks++;
    family_finish(registers, &step);
}

/* The terminal ----------------------------------------------------------------------------------------------------- */

#define TYPED_LINE 9u /* bytes: eight digits and the end */

uint8_t family_typed(uint32_t position)
{
    uint32_t line = position / TYPED_LINE, digit = position % TYPED_LINE;

    return digit == TYPED_LINE - 1 ? '\n' : (uint8_t)('a' + (family_mix(line, 41) >> 4 * digit & 15));
}

uint32_t family_line_at(void)
{
    return family_books[FAMILY_FIRST].words[LINE_AT];
}

static uint32_t wish_of(const struct family_step *step)
{
    return 1 + step->dice % 20;
}

/* Only the first program reads, not one that has its id later: what has been typed comes to it, each byte once. */
static void run_listen(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (step.depth != 0) {
        family_finish(registers, &step);
        return;
    }
    HOST_CALL(registers, CALL_READ, 0, LISTEN_AT, wish_of(&step));
}

/* A read gets what it asked for, and at most to the line's end. */
static void after_listen(struct registers *registers)
{
    struct family_step step;
    uint32_t at;

    TRY(family_step(registers, &step));
    TRY(family_recall(registers, LINE_AT, &at));
    if (family_is_interrupted(registers, LISTEN)) {
        return;
    }
    uint32_t rest = TYPED_LINE - at % TYPED_LINE, expected = wish_of(&step) < rest ? wish_of(&step) : rest;
    family_expect(registers, "read from the terminal", (int32_t)expected);
    for (uint32_t i = 0; i < expected; i++) {
        uint8_t byte;
        TRY(family_load_byte(registers, LISTEN_AT + i, &byte));
        if (byte != family_typed(at + i)) {
            host_wrong("pid %u: byte %u that was typed is %02x, expected %02x", family_pid(), at + i, byte,
                       family_typed(at + i));
        }
    }
    TRY(family_note(registers, LINE_AT, at + expected));
    family_counters.lines += expected == rest;
    family_finish(registers, &step);
}

#define LINE "a line of the family\n"

static void run_say(struct registers *registers)
{
    TRY(family_put_text(registers, SCRATCH + 0x800, LINE, sizeof(LINE)));
    HOST_CALL(registers, CALL_WRITE, 1, SCRATCH + 0x800, sizeof(LINE) - 1);
}

static void after_say(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    if (family_is_interrupted(registers, SAY)) {
        return;
    }
    if ((int32_t)registers->eax <= 0 || registers->eax > sizeof(LINE) - 1) {
        host_wrong("pid %u: write to the terminal is %d", family_pid(), (int32_t)registers->eax);
    }
    family_finish(registers, &step);
}

static void run_identity(struct registers *registers)
{
    HOST_CALL(registers, CALL_GETPID);
}

static void after_identity(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    family_expect(registers, "getpid", (int32_t)family_pid());
    family_finish(registers, &step);
}

void family_use_calls(struct host_instruction *table)
{
    table[SYNC] = (struct host_instruction){run_sync, after_sync};
    table[SLEEP] = (struct host_instruction){run_sleep, after_sleep};
    table[LOCK_WAIT] = (struct host_instruction){run_lock_wait, after_lock_wait};
    table[LISTEN] = (struct host_instruction){run_listen, after_listen};
    table[SAY] = (struct host_instruction){run_say, after_say};
    table[IDENTITY] = (struct host_instruction){run_identity, after_identity};
}
