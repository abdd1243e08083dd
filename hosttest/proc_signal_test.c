/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals and exceptions at their edges, on the booted kernel: who gets them, when, and with what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "proc_case.h"

#define AT       SPACE_AT
#define BUFFER   (SPACE_AT + PAGE_SIZE)
#define COUNT    (SPACE_AT + 2 * PAGE_SIZE) /* signals that the handlers have seen, by number */
#define USR1     10u
#define USR2     12u
#define RESTORE  0x04000000u
#define RESTART  0x10000000u
#define INFO     4u
#define RESETS   0x80000000u
#define ON_STACK 0x08000000u

enum {
    ALARM_STACK = 186,
    PROCMASK = 175,
    PENDING = 176,
    SUSPEND = 179,
    TKILL = 238,
    TGKILL = 270,
    PAUSE = 29,
    OLD_ACTION = 67,
    OLD_SIGNAL = 48,
    SGETMASK = 68,
    SSETMASK = 69,
    OLD_SUSPEND = 72,
    OLD_PENDING = 73,
    OLD_PROCMASK = 126
};

/* Instructions behind the last handler: where handlers return to (proc_case.c). */
static uint32_t restorer(uint32_t flags)
{
    return case_code(CASE_FUNCTIONS) + ((flags & INFO) != 0 ? HOST_CODE_BYTES : 0);
}

static void count(void)
{
    uint32_t number = case_word(case_registers()->esp + 4);

    WORDS(COUNT + 4 * number, case_word(COUNT + 4 * number) + 1);
}

static uint32_t seen(uint32_t number)
{
    return case_word(COUNT + 4 * number);
}

static void handle(uint32_t number, uint32_t flags)
{
    flags |= RESTORE;
    WORDS(AT, case_code(0), flags, restorer(flags), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, number, AT, BUFFER, 8);
}

static void actions(void)
{
    handle(USR1, 0);
    EXPECT(0, CALL_RT_SIGACTION, USR1, 0, AT, 8);
    EXPECT_IS(case_code(0), case_word(AT));
    EXPECT(-EINVAL, CALL_RT_SIGACTION, 9, AT, 0, 8);
    EXPECT(-EINVAL, CALL_RT_SIGACTION, 65, AT, 0, 8);
    EXPECT(-EINVAL, CALL_RT_SIGACTION, USR1, AT, 0, 4);
    EXPECT(-EFAULT, CALL_RT_SIGACTION, USR1, BAD, 0, 8);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(1, seen(USR1));
    handle(USR1, INFO);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(2, seen(USR1));
    handle(USR1, RESETS);
    EXPECT(0, TKILL, 1, USR1);
    EXPECT_IS(3, seen(USR1));
    EXPECT(0, CALL_RT_SIGACTION, USR1, 0, AT, 8);
    EXPECT_IS(0, case_word(AT));
}

static void sending(void)
{
    EXPECT(-ESRCH, CALL_KILL, 99, USR1);
    EXPECT(-EINVAL, CALL_KILL, 1, 65);
    EXPECT(0, CALL_KILL, 1, 0);
    EXPECT(-ESRCH, CALL_KILL, UINT32_MAX, USR1);
    EXPECT(-ESRCH, CALL_KILL, 0u - 77u, USR1);
    EXPECT(-EINVAL, TKILL, 0, USR1);
    EXPECT(-ESRCH, TKILL, 99, USR1);
    EXPECT(-EINVAL, TGKILL, 0, 1, USR1);
    EXPECT(0, TGKILL, 1, 1, 0);
    EXPECT(-ESRCH, TGKILL, 2, 1, USR1);
    handle(USR1, 0);
    EXPECT(0, CALL_KILL, 0, USR1);
    EXPECT_IS(4, seen(USR1));
}

static void masks(void)
{
    WORDS(AT, 1u << (USR1 - 1), 0);
    EXPECT(0, PROCMASK, 0, AT, BUFFER, 8);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(4, seen(USR1));
    EXPECT(0, PENDING, BUFFER, 8);
    EXPECT_IS(1u << (USR1 - 1), case_word(BUFFER));
    EXPECT(-EINVAL, PENDING, BUFFER, 16);
    EXPECT(-EINVAL, PROCMASK, 7, AT, 0, 8);
    EXPECT(-EINVAL, PROCMASK, 0, AT, 0, 9);
    EXPECT(-EFAULT, PROCMASK, 0, BAD, 0, 8);
    WORDS(AT, 0, 0);
    EXPECT(-EINTR, SUSPEND, AT, 8);
    EXPECT_IS(5, seen(USR1));
    EXPECT(-EINVAL, SUSPEND, AT, 9);
    WORDS(AT, 1u << (USR1 - 1), 0);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT(0, PROCMASK, 1, AT, 0, 8);
    EXPECT_IS(6, seen(USR1));
    WORDS(AT, 0, 0);
    EXPECT(0, PROCMASK, 2, AT, 0, 8);
}

static void old_calls(void)
{
    WORDS(AT, case_code(0), 0, RESTORE, restorer(0));
    EXPECT(0, OLD_ACTION, USR2, AT, BUFFER);
    EXPECT(-EINVAL, OLD_ACTION, 9, AT, 0);
    EXPECT(-EFAULT, OLD_ACTION, USR2, BAD, 0);
    EXPECT(0, CALL_KILL, 1, USR2);
    EXPECT_IS(1, seen(USR2));
    WORDS(AT, 1u << (USR2 - 1));
    EXPECT(0, OLD_PROCMASK, 0, AT, BUFFER);
    EXPECT(0, CALL_KILL, 1, USR2);
    EXPECT(0, OLD_PENDING, BUFFER);
    EXPECT_IS(1u << (USR2 - 1), case_word(BUFFER));
    EXPECT(1 << (USR2 - 1), SGETMASK);
    EXPECT(-EINTR, OLD_SUSPEND, 0, 0, 0);
    EXPECT_IS(2, seen(USR2));
    EXPECT(0, OLD_PROCMASK, 1, AT, 0);
    EXPECT(0, OLD_PROCMASK, 2, AT, 0);
    EXPECT(-EINVAL, OLD_PROCMASK, 5, AT, 0);
    EXPECT(-EFAULT, OLD_PROCMASK, 0, BAD, 0);
    EXPECT(1 << (USR2 - 1), SSETMASK, 0);
    EXPECT((int32_t)case_code(0), OLD_SIGNAL, USR2, 1);
    EXPECT(-EINVAL, OLD_SIGNAL, 9, 1);
    EXPECT(0, CALL_KILL, 1, USR2);
    EXPECT_IS(2, seen(USR2));
}

static void other_stack(void)
{
    WORDS(AT, BUFFER, 0, 100);
    EXPECT(-ENOMEM, ALARM_STACK, AT, 0);
    WORDS(AT, BUFFER, 64, 4 * PAGE_SIZE);
    EXPECT(-EINVAL, ALARM_STACK, AT, 0);
    WORDS(AT, BUFFER, 0, 4 * PAGE_SIZE);
    EXPECT(-EFAULT, ALARM_STACK, BAD, 0);
    WORDS(AT, HOST_DATA + 8 * PAGE_SIZE, 0, 4 * PAGE_SIZE);
    EXPECT(0, ALARM_STACK, AT, 0);
    handle(USR1, ON_STACK | INFO);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(7, seen(USR1));
    EXPECT(0, ALARM_STACK, 0, AT);
    EXPECT_IS(HOST_DATA + 8 * PAGE_SIZE, case_word(AT));
}

/* From another program, into calls that wait. */
static void disturb_parent(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        WORDS(AT, 0, 5000000);
        EXPECT(0, CALL_NANOSLEEP, AT, 0);
        EXPECT(0, CALL_KILL, 1, USR1);
    }
    WORDS(AT, 0, 50000000);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
}

static void interruptions(void)
{
    uint32_t before = seen(USR1);

    handle(USR1, 0);
    int32_t child = case_fork(1);
    EXPECT(-EINTR, CALL_WAIT4, (uint32_t)child, AT, 0, 0);
    WORDS(AT, 10, 0);
    EXPECT(-EINTR, CALL_NANOSLEEP, AT, BUFFER);
    EXPECT_IS(9, case_word(BUFFER));
    EXPECT(-EINTR, PAUSE);
    EXPECT_IS(before + 3, seen(USR1));
    case_reap(child, 0);
    handle(USR1, RESTART);
    case_reap(case_fork(1), 0); /* the wait is not interrupted three times */
    EXPECT_IS(before + 6, seen(USR1));
}

/* Exceptions ------------------------------------------------------------------------------------------------------- */

static void divide(void)
{
    host_trap_exception(case_registers(), 0);
    host_wrong("a division by zero came back");
}

static void halt(void)
{
    host_trap_exception(case_registers(), 13);
    host_wrong("a protection fault came back");
}

static void run_nowhere(void)
{
    EXPECT(-EINTR, PAUSE);
}

static void ended_by_exceptions(void)
{
    case_reap(case_fork(2), 8);
    case_reap(case_fork(3), 11);
    int32_t child = case_fork(4);
    EXPECT(0, CALL_KILL, (uint32_t)child, 15);
    case_reap(child, 15);
}

static void main_of_signals(void)
{
    actions();
    sending();
    masks();
    old_calls();
    other_stack();
    interruptions();
    ended_by_exceptions();
}

static void signals_arrive_as_documented(void **state)
{
    (void)state;
    case_run(
        &(struct proc_case){.main = main_of_signals, .functions = {count, disturb_parent, divide, halt, run_nowhere}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signals_arrive_as_documented)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
