/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits of programs and time on the processor, on the booted kernel: what is held to them, what clones have of them,
 * and whose time it is. (All time of the fake machine is everybody's.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "proc_case.h"
#include "record.h"

#define AT    SPACE_AT
#define ARENA 0x40000000u
#define NONE  0xFFFFFFFFu
#define MS    1000u /* in microseconds */

enum {
    DUP = 41,
    TIMES = 43,
    SETRLIMIT = 75,
    GETRUSAGE = 77,
    GETRLIMIT = 191,
    CLOCK_GETTIME = 265,
    SEGV = 11,
    XCPU = 24
};
enum { CHILDREN_ALSO = 0xFFFFFFFF, SELF = 0 };

static void limit(uint32_t resource, uint32_t soft, uint32_t hard)
{
    WORDS(AT, soft, hard);
    EXPECT(0, SETRLIMIT, resource, AT);
}

/* Descriptors and memory ------------------------------------------------------------------------------------------- */

static void use_descriptors(void)
{
    EXPECT(0, GETRLIMIT, RLIMIT_NOFILE, AT);
    EXPECT_IS(5, case_word(AT));
    EXPECT(3, DUP, 0);
    EXPECT(4, DUP, 0);
    EXPECT(-EMFILE, DUP, 0);
}

static void deep_stack(void)
{
    WORDS(0xBFFFF000u - 200 * PAGE_SIZE, 1);
}

static void limits(void)
{
    WORDS(AT, 6, 5);
    EXPECT(-EINVAL, SETRLIMIT, RLIMIT_NOFILE, AT);
    WORDS(AT, 5, 65);
    EXPECT(-EPERM, SETRLIMIT, RLIMIT_NOFILE, AT);
    limit(RLIMIT_NOFILE, 5, 64);
    case_reap(case_fork(0), 0);
    use_descriptors();
    case_reap(case_fork(1), 0);
    limit(RLIMIT_STACK, 100 * PAGE_SIZE, NONE);
    case_reap(case_fork(1), SEGV);
    EXPECT((int32_t)ARENA, CALL_MMAP2, ARENA, 4 * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
    for (uint32_t pages = 1;; pages++) { /* as much as there is, and so many more */
        limit(RLIMIT_AS, pages * PAGE_SIZE, NONE);
        if (CALL(CALL_MMAP2, ARENA + 16 * PAGE_SIZE, 10 * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0) > 0) {
            break;
        }
    }
    EXPECT(-ENOMEM, CALL_MMAP2, 0, PAGE_SIZE, 3, 0x22, UINT32_MAX, 0);
    EXPECT(-ENOMEM, CALL_MREMAP, ARENA, PAGE_SIZE, 2 * PAGE_SIZE, 1, 0);
    EXPECT((int32_t)ARENA, CALL_MMAP2, ARENA, 4 * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0); /* in the place of as much */
}

static void limits_hold_for_programs_and_their_clones(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = limits, .functions = {use_descriptors, deep_stack}});
}

/* Time ------------------------------------------------------------------------------------------------------------- */

struct used {
    uint32_t user, system; /* microseconds */
};

static struct used used_by(uint32_t whom)
{
    EXPECT(0, GETRUSAGE, whom, AT);
    return (struct used){case_word(AT) * 1000000 + case_word(AT + 4), case_word(AT + 8) * 1000000 + case_word(AT + 12)};
}

static void sleep_ms(uint32_t ms)
{
    WORDS(AT + 0x80, ms / 1000, ms % 1000 * 1000000);
    EXPECT(0, CALL_NANOSLEEP, AT + 0x80, 0);
}

/* Each way into the kernel takes some time of the program's. */
static void compute(void)
{
    for (uint32_t i = 0; i < 5000; i++) {
        host_trap_interrupt(case_registers());
    }
}

static void sleep_200_ms(void)
{
    sleep_ms(200);
}

static void times_of_programs(void)
{
    struct used before = used_by(SELF);
    sleep_ms(100);
    struct used now = used_by(SELF);
    EXPECT_IS(true, now.system - before.system >= 100 * MS);
    EXPECT_IS(true, now.user - before.user < 10 * MS);
    before = now;
    compute();
    now = used_by(SELF);
    EXPECT_IS(true, now.user - before.user >= 5 * MS);
    EXPECT_IS(true, now.system - before.system < 5 * MS);
    EXPECT_IS(0, used_by(CHILDREN_ALSO).system);
    case_reap(case_fork(0), 0);
    EXPECT_IS(true, used_by(CHILDREN_ALSO).system >= 200 * MS);
}

static void time_is_told_as_whose_it_is(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = times_of_programs, .functions = {sleep_200_ms}});
}

static void take_too_long(void)
{
    limit(RLIMIT_CPU, 1, 100);
    sleep_ms(500);
    sleep_ms(3000);
    host_wrong("a program goes on beyond its limit");
}

static void take_far_too_long(void)
{
    WORDS(AT, SIG_IGN, 0, 0, 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, XCPU, AT, 0, 8);
    limit(RLIMIT_CPU, 1, 2);
    sleep_ms(500);
    sleep_ms(9000);
    host_wrong("a program goes on beyond its hard limit");
}

static void limit_on_time(void)
{
    case_reap(case_fork(0), XCPU);
    case_reap(case_fork(1), 9);
}

static void program_that_takes_too_long_is_told_and_then_ended(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = limit_on_time, .functions = {take_too_long, take_far_too_long}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold_for_programs_and_their_clones),
        cmocka_unit_test(time_is_told_as_whose_it_is),
        cmocka_unit_test(program_that_takes_too_long_is_told_and_then_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
