/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real-time signals on the booted kernel: queued in order, each with its value, up to a limit; waited for without a
 * handler; and over a cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eidolon/eidolon.h"
#include "linux/linux_abi.h"
#include "proc_case.h"

#define AT      SPACE_AT
#define SET     (SPACE_AT + 0x800u)
#define BUFFER  (SPACE_AT + PAGE_SIZE)
#define TIME    (SPACE_AT + PAGE_SIZE + 0x800u)
#define COUNT   (SPACE_AT + 2 * PAGE_SIZE)
#define RESTORE 0x04000000u
#define FIRST   34u
#define SECOND  35u
#define NEVER   1000000u

enum { PROCMASK = 175, PENDING = 176, TIMEDWAIT = 177, QUEUE = 178, SETRLIMIT = 75, TIMEDWAIT64 = 421 };
enum { COUNT_SIGNAL, SEND_LATER, GO_ON };

static void count(void)
{
    WORDS(COUNT, case_word(COUNT) + 1);
}

static void block(uint32_t low, uint32_t high)
{
    WORDS(AT, low, high);
    EXPECT(0, PROCMASK, SIG_SETMASK, AT, 0, 8);
}

static int32_t queue(uint32_t program, uint32_t signal, int32_t code, uint32_t value)
{
    WORDS(BUFFER, signal, 0, (uint32_t)code, 1, 0, value);
    return CALL(QUEUE, program, signal, BUFFER);
}

/* The signal of a set that comes, and its value in the buffer. */
static int32_t wait_ms(uint32_t low, uint32_t high, uint32_t ms)
{
    WORDS(SET, low, high);
    WORDS(TIME, ms / 1000, ms % 1000 * 1000000);
    return CALL(TIMEDWAIT, SET, BUFFER, TIME, 8);
}

static void expect_taken(uint32_t signal, uint32_t value)
{
    EXPECT_IS(signal, wait_ms(0, 0xFFFFFFFF, 0));
    EXPECT_IS(signal, case_word(BUFFER));
    EXPECT_IS(SI_QUEUE, (int32_t)case_word(BUFFER + 8));
    EXPECT_IS(value, case_word(BUFFER + 20));
}

static void in_order(void)
{
    block(0, 0xFFFFFFFF);
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT_IS(0, queue(1, SECOND, SI_QUEUE, 10 + i));
        EXPECT_IS(0, queue(1, FIRST, SI_QUEUE, 20 + i));
    }
    for (uint32_t i = 0; i < 5; i++) {
        expect_taken(FIRST, 20 + i);
    }
    for (uint32_t i = 0; i < 5; i++) {
        expect_taken(SECOND, 10 + i);
    }
    EXPECT_IS(-EAGAIN, wait_ms(0, 0xFFFFFFFF, 100));
}

static void handled(void)
{
    WORDS(AT, case_code(COUNT_SIGNAL), RESTORE, case_code(CASE_FUNCTIONS), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, FIRST, AT, 0, 8);
    for (uint32_t i = 0; i < 7; i++) {
        EXPECT(0, CALL_KILL, 1, FIRST);
    }
    EXPECT_IS(0, case_word(COUNT));
    block(0, 0);
    EXPECT_IS(7, case_word(COUNT));
    block(0, 0xFFFFFFFF);
}

static void limits(void)
{
    for (uint32_t i = 0; i <= QUEUED_MAX; i++) {
        EXPECT_IS(0, queue(1, FIRST, SI_QUEUE, i));
    }
    EXPECT_IS(-EAGAIN, queue(1, FIRST, SI_QUEUE, 0));
    EXPECT(0, CALL_KILL, 1, FIRST); /* which cannot fail */
    WORDS(AT, SIG_IGN, 0, 0, 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, FIRST, AT, 0, 8);
    EXPECT_IS(-EAGAIN, wait_ms(0, 0xFFFFFFFF, 0));
    WORDS(AT, 3, 3);
    EXPECT(0, SETRLIMIT, RLIMIT_SIGPENDING, AT);
    for (uint32_t i = 0; i <= 3; i++) {
        EXPECT_IS(0, queue(1, SECOND, SI_QUEUE, i));
    }
    EXPECT_IS(-EAGAIN, queue(1, SECOND, SI_QUEUE, 0));
    for (uint32_t i = 0; i <= 3; i++) {
        expect_taken(SECOND, i);
    }
}

static void mistakes(void)
{
    EXPECT(-EFAULT, QUEUE, 1, FIRST, BAD);
    EXPECT_IS(-ESRCH, queue(99, FIRST, SI_QUEUE, 0));
    EXPECT_IS(-ESRCH, queue(0, FIRST, SI_QUEUE, 0));
    EXPECT_IS(-EPERM, queue(99, FIRST, SI_USER, 0));
    EXPECT_IS(-EINVAL, queue(1, 65, SI_QUEUE, 0));
    EXPECT_IS(0, queue(1, 0, SI_QUEUE, 0));
    WORDS(SET, 0, 1);
    EXPECT(-EINVAL, TIMEDWAIT, SET, 0, 0, 4);
    EXPECT(-EFAULT, TIMEDWAIT, BAD, 0, 0, 8);
    EXPECT(-EFAULT, TIMEDWAIT, SET, 0, BAD, 8);
    WORDS(TIME, 0, 1000000000);
    EXPECT(-EINVAL, TIMEDWAIT, SET, 0, TIME, 8);
    WORDS(TIME, 0, 0, 0, 0);
    EXPECT(-EAGAIN, TIMEDWAIT64, SET, 0, TIME, 8);
    EXPECT_IS(0, queue(1, SECOND, SI_QUEUE, 5));
    WORDS(SET, 0, 0xFFFFFFFF);
    EXPECT(-EFAULT, TIMEDWAIT, SET, BAD, TIME, 8);
    expect_taken(SECOND, 5); /* it has not been lost */
}

static void send_later(void)
{
    WORDS(TIME, 0, 50000000);
    EXPECT(0, CALL_NANOSLEEP, TIME, 0);
    EXPECT_IS(0, queue(1, SECOND, SI_QUEUE, 77));
}

static void waited_for(void)
{
    block(1u << (SIGCHLD - 1), 0xFFFFFFFF);
    int32_t child = case_fork(SEND_LATER);

    EXPECT_IS(SECOND, wait_ms(0, 0xFFFFFFFF, 5000));
    EXPECT_IS(77, case_word(BUFFER + 20));
    EXPECT_IS(SIGCHLD, wait_ms(1u << (SIGCHLD - 1), 0, 5000)); /* which nobody would hear of otherwise */
    EXPECT_IS(CLD_EXITED, case_word(BUFFER + 8));
    case_reap(child, 0);
}

static void main_of_queue(void)
{
    in_order();
    handled();
    limits();
    mistakes();
    waited_for();
}

static void real_time_signals_come_in_order_with_their_values(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_queue, .functions = {count, send_later}});
}

static void cut_with_queue(void)
{
    block(0, 0xFFFFFFFF);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_IS(0, queue(1, FIRST, SI_QUEUE, i));
    }
    case_registers()->ebp = GO_ON;
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void go_on(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        expect_taken(FIRST, i);
    }
    EXPECT_IS(-EAGAIN, wait_ms(0, 0xFFFFFFFF, 0));
}

static void queue_is_whole_after_a_cut(void **state)
{
    struct proc_case scene = {
        .main = cut_with_queue, .functions = {count, NULL, go_on}, .options = "interval=0", .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    case_run(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_time_signals_come_in_order_with_their_values),
        cmocka_unit_test(queue_is_whole_after_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
