/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that have no state of their own: sync, nanosleep, a write to the terminal, getpid.
 */
#include "parts.h"

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

static void run_sleep(struct registers *registers)
{
    struct family_step step;

    TRY(family_step(registers, &step));
    TRY(host_store(registers, SCRATCH + 0x20, 0));
    TRY(host_store(registers, SCRATCH + 0x24, step.dice % 20000000));
    HOST_CALL(registers, CALL_NANOSLEEP, SCRATCH + 0x20, 0);
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
    table[SAY] = (struct host_instruction){run_say, after_say};
    table[IDENTITY] = (struct host_instruction){run_identity, after_identity};
}
