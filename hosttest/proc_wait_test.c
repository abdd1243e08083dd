/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waitid(), niceness and scheduling on the booted kernel: what a parent hears of whom, what it takes away and what it
 * leaves, and that questions about one processor have Linux's answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "proc_case.h"

#define AT     SPACE_AT
#define BUFFER (SPACE_AT + PAGE_SIZE)
#define USAGE  (SPACE_AT + 2 * PAGE_SIZE)

enum {
    NICE = 34,
    SETPGID = 57,
    GETPRIORITY = 96,
    SETPRIORITY = 97,
    PERSONALITY = 136,
    SETPARAM = 154,
    GETPARAM = 155,
    SETSCHEDULER = 156,
    GETSCHEDULER = 157,
    MOST = 159,
    LEAST = 160,
    INTERVAL = 161,
    SETAFFINITY = 241,
    WAITID = 284,
    GETCPU = 318,
    INTERVAL64 = 423,
};
enum { END_WITH_7, SLEEP, BE_NICE };

static void end_with_7(void)
{
    CALL(CALL_EXIT, 7);
}

static void sleep_long(void)
{
    WORDS(AT, 100, 0);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
}

/* What waitid() has to say, and the rest of siginfo as it was. */
static void expect_news(int32_t code, int32_t child, uint32_t status)
{
    EXPECT_IS(SIGCHLD, case_word(BUFFER));
    EXPECT_IS(0, case_word(BUFFER + 4));
    EXPECT_IS(code, (int32_t)case_word(BUFFER + 8));
    EXPECT_IS(child, (int32_t)case_word(BUFFER + 12));
    EXPECT_IS(0, case_word(BUFFER + 16));
    EXPECT_IS(status, case_word(BUFFER + 20));
    EXPECT_IS(99, case_word(BUFFER + 24));
    WORDS(BUFFER, 9, 9, 9, 9, 9, 9, 99);
}

static void ends(void)
{
    int32_t child = case_fork(END_WITH_7);

    EXPECT(0, WAITID, P_ALL, 0, BUFFER, WAIT_ENDED | WAIT_ONLY_LOOK, 0);
    expect_news(CLD_EXITED, child, 7);
    EXPECT(0, WAITID, P_PGID, 1, BUFFER, WAIT_ENDED | WAIT_ONLY_LOOK, 0);
    expect_news(CLD_EXITED, child, 7);
    EXPECT(0, WAITID, P_PGID, 0, BUFFER, WAIT_ENDED | WAIT_ONLY_LOOK, 0);
    expect_news(CLD_EXITED, child, 7);
    EXPECT(-ECHILD, WAITID, P_PGID, 77, BUFFER, WAIT_ENDED, 0);
    EXPECT(0, WAITID, P_ALL, 0, BUFFER, WAIT_STOPPED | WAIT_NO_HANG, 0); /* its end is not asked for */
    EXPECT_IS(0, case_word(BUFFER) | case_word(BUFFER + 8) | case_word(BUFFER + 12));
    EXPECT(-EFAULT, WAITID, P_PID, (uint32_t)child, BAD, WAIT_ENDED, 0); /* and it is there still */
    EXPECT(-EFAULT, WAITID, P_PID, (uint32_t)child, BUFFER, WAIT_ENDED, BAD);
    WORDS(USAGE + 17 * 4, 77, 77);
    EXPECT(0, WAITID, P_PID, (uint32_t)child, BUFFER, WAIT_ENDED, USAGE);
    expect_news(CLD_EXITED, child, 7);
    EXPECT_IS(0, case_word(USAGE + 17 * 4));
    EXPECT_IS(77, case_word(USAGE + 18 * 4));
    EXPECT(-ECHILD, WAITID, P_ALL, 0, BUFFER, WAIT_ENDED, 0);
    child = case_fork(END_WITH_7);
    EXPECT(0, WAITID, P_PID, (uint32_t)child, 0, WAIT_ENDED, 0);
    EXPECT(-ECHILD, WAITID, P_ALL, 0, 0, WAIT_ENDED, 0);
}

static void stops(void)
{
    int32_t child = case_fork(SLEEP);

    EXPECT(0, WAITID, P_ALL, 0, BUFFER, WAIT_ENDED | WAIT_STOPPED | WAIT_CONTINUED | WAIT_NO_HANG, 0);
    EXPECT_IS(0, case_word(BUFFER));
    EXPECT(0, CALL_KILL, (uint32_t)child, SIGSTOP);
    EXPECT(0, WAITID, P_PID, (uint32_t)child, BUFFER, WAIT_STOPPED | WAIT_ONLY_LOOK, 0);
    expect_news(CLD_STOPPED, child, SIGSTOP);
    EXPECT(0, WAITID, P_PID, (uint32_t)child, BUFFER, WAIT_STOPPED, 0);
    expect_news(CLD_STOPPED, child, SIGSTOP);
    EXPECT(0, WAITID, P_PID, (uint32_t)child, BUFFER, WAIT_STOPPED | WAIT_NO_HANG, 0);
    EXPECT_IS(0, case_word(BUFFER));
    EXPECT(0, CALL_KILL, (uint32_t)child, SIGCONT);
    EXPECT(0, WAITID, P_PID, (uint32_t)child, BUFFER, WAIT_CONTINUED, 0);
    expect_news(CLD_CONTINUED, child, SIGCONT);
    EXPECT(0, CALL_KILL, (uint32_t)child, SIGKILL);
    EXPECT(0, WAITID, P_ALL, 0, BUFFER, WAIT_ENDED, 0);
    expect_news(CLD_KILLED, child, SIGKILL);
}

static void main_of_waits(void)
{
    WORDS(BUFFER, 9, 9, 9, 9, 9, 9, 99);
    ends();
    stops();
    EXPECT(-EINVAL, WAITID, P_ALL, 0, BUFFER, 0, 0);
    EXPECT(-EINVAL, WAITID, P_ALL, 0, BUFFER, WAIT_NO_HANG, 0);
    EXPECT(-EINVAL, WAITID, P_ALL, 0, BUFFER, WAIT_ENDED | 16, 0);
    EXPECT(-EINVAL, WAITID, 9, 0, BUFFER, WAIT_ENDED, 0);
    EXPECT(-EINVAL, WAITID, P_PID, 0, BUFFER, WAIT_ENDED, 0);
    EXPECT(-EINVAL, WAITID, P_PGID, UINT32_MAX, BUFFER, WAIT_ENDED, 0);
}

static void waitid_tells_of_children(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_waits, .functions = {end_with_7, sleep_long}});
}

/* Who gets the processor ------------------------------------------------------------------------------------------- */

static void be_nice(void)
{
    EXPECT(17, GETPRIORITY, 0, 0);
    EXPECT(0, NICE, 100);
    EXPECT(1, GETPRIORITY, 0, 0);
    EXPECT(17, GETPRIORITY, 1, 0); /* the least nice of the group */
    EXPECT(17, GETPRIORITY, 2, 0);
    EXPECT(0, SETPRIORITY, 0, 0, UINT32_MAX - 29);
    EXPECT(40, GETPRIORITY, 0, 0);
}

static void niceness(void)
{
    EXPECT(20, GETPRIORITY, 0, 0);
    EXPECT(0, NICE, 3);
    case_reap(case_fork(BE_NICE), 0);
    EXPECT(0, SETPRIORITY, 1, 1, 5);
    EXPECT(15, GETPRIORITY, 0, 1);
    EXPECT(-ESRCH, GETPRIORITY, 0, 77);
    EXPECT(-ESRCH, SETPRIORITY, 1, 77, 5);
    EXPECT(-EINVAL, GETPRIORITY, 3, 0);
    EXPECT(-EINVAL, SETPRIORITY, UINT32_MAX, 0, 0);
}

static void policies(void)
{
    WORDS(AT, 0);
    EXPECT(0, GETSCHEDULER, 0);
    EXPECT(0, GETSCHEDULER, 1);
    EXPECT(-ESRCH, GETSCHEDULER, 77);
    EXPECT(-EINVAL, GETSCHEDULER, UINT32_MAX);
    EXPECT(0, SETSCHEDULER, 0, 0, AT);
    EXPECT(-EINVAL, SETSCHEDULER, 0, 1, AT); /* a priority of 0 */
    EXPECT(-EINVAL, SETSCHEDULER, 0, 4, AT);
    EXPECT(-EINVAL, SETSCHEDULER, 0, 0, 0);
    EXPECT(-EFAULT, SETSCHEDULER, 0, 0, BAD);
    EXPECT(-ESRCH, SETSCHEDULER, 77, 0, AT);
    EXPECT(0, SETPARAM, 0, AT);
    WORDS(AT, 1);
    EXPECT(-EPERM, SETSCHEDULER, 0, 2, AT);
    EXPECT(-EINVAL, SETPARAM, 0, AT);
    EXPECT(0, GETPARAM, 0, AT);
    EXPECT_IS(0, case_word(AT));
    EXPECT(-EINVAL, GETPARAM, 0, 0);
    EXPECT(-EFAULT, GETPARAM, 0, BAD);
    EXPECT(99, MOST, 1);
    EXPECT(1, LEAST, 2);
    EXPECT(0, MOST, 3);
    EXPECT(-EINVAL, LEAST, 9);
    EXPECT(0, INTERVAL, 0, AT);
    EXPECT_IS(10000000, case_word(AT + 4));
    EXPECT(-ESRCH, INTERVAL64, 77, AT);
}

static void processor(void)
{
    WORDS(AT, 3);
    EXPECT(0, SETAFFINITY, 0, 4, AT);
    WORDS(AT, 2);
    EXPECT(-EINVAL, SETAFFINITY, 0, 4, AT);
    EXPECT(-EINVAL, SETAFFINITY, 0, 0, AT);
    EXPECT(-EFAULT, SETAFFINITY, 0, 4, BAD);
    EXPECT(-ESRCH, SETAFFINITY, 77, 4, AT);
    EXPECT(0, GETCPU, AT, AT + 4, 0);
    EXPECT_IS(0, case_word(AT) | case_word(AT + 4));
    EXPECT(-EFAULT, GETCPU, BAD, 0, 0);
    EXPECT(0, PERSONALITY, UINT32_MAX);
    EXPECT(0, PERSONALITY, 0x0040000);
    EXPECT(-EINVAL, PERSONALITY, 6);
}

static void main_of_scheduling(void)
{
    niceness();
    policies();
    processor();
}

static void questions_about_one_processor_are_answered(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_scheduling, .functions = {NULL, NULL, be_nice}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waitid_tells_of_children),
        cmocka_unit_test(questions_about_one_processor_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
