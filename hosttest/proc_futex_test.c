/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Futexes on the booted kernel: who of several tasks that wait for words of memory is woken, by what, and when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "proc_case.h"
#include "task/futex.h"
#include "task/task.h"

#define AT      SPACE_AT
#define FIRST   (AT + 0)
#define SECOND  (AT + 4)
#define TIME    (AT + 0x10)
#define STACKS  (AT + 0x4000)
#define PRIVATE 0x80u
#define ON_WALL 0x100u
#define ALL     UINT32_MAX

#define OF_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

enum { WAIT, WAKE, REQUEUE = 3, CMP_REQUEUE, WAKE_OP, WAIT_BITS = 9, WAKE_BITS };
enum { GETTID = 224, FUTEX_TIME64 = 422, TKILL = 238, CLOCK_GETTIME = 265 };

static struct waiter {
    uint32_t word, operation, bits, time; /* that it waits for, and how */
    int32_t tid, result;
    bool has_ended;
} waiters[8];
static uint32_t waiter_count, order[8], ended;

static void yield(uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

/* Function 0: the newest waiter. */
static void be_waiter(void)
{
    uint32_t i = waiter_count++;
    struct waiter *self = &waiters[i];

    self->tid = CALL(GETTID);
    self->result = CALL(CALL_FUTEX, self->word, self->operation, 0, self->time, 0, self->bits);
    self->has_ended = true;
    order[ended++] = i;
}

static void start(uint32_t word, uint32_t operation, uint32_t bits, uint32_t time)
{
    uint32_t i = waiter_count;

    waiters[i] = (struct waiter){.word = word, .operation = operation, .bits = bits, .time = time};
    case_registers()->ebp = 0;
    EXPECT_IS(true, CALL(CALL_CLONE, OF_THREAD, STACKS + i * 0x1000, 0, 0, 0) > 0);
    while (waiter_count == i) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    yield(2);
}

static void start_plain(uint32_t word)
{
    start(word, WAIT | PRIVATE, 0, 0);
}

static void begin(void)
{
    waiter_count = ended = 0;
    WORDS(FIRST, 0, 0);
}

/* So many have been woken, `result` each, and in the order in which they came. */
static void expect_ended(uint32_t count, int32_t result)
{
    yield(4);
    EXPECT_IS(count, ended);
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_IS(result, waiters[order[i]].result);
        EXPECT_IS(true, i == 0 || order[i] > order[i - 1]);
    }
}

static void wake(void)
{
    begin();
    for (uint32_t i = 0; i < 5; i++) {
        start_plain(FIRST);
    }
    start_plain(SECOND);
    EXPECT(1, CALL_FUTEX, FIRST, WAKE, 1); /* shared and private are the same */
    expect_ended(1, 0);
    EXPECT(2, CALL_FUTEX, FIRST, WAKE | PRIVATE, 2);
    expect_ended(3, 0);
    EXPECT(1, CALL_FUTEX, FIRST, WAKE, 0); /* as Linux does */
    EXPECT(1, CALL_FUTEX, FIRST, WAKE, INT32_MAX);
    expect_ended(5, 0);
    EXPECT(0, CALL_FUTEX, FIRST, WAKE, INT32_MAX);
    EXPECT(-EAGAIN, CALL_FUTEX, SECOND, WAIT, 1, 0);
    EXPECT(1, CALL_FUTEX, SECOND, WAKE, 1);
    expect_ended(6, 0);
}

static void so_many_are_woken_as_are_asked_for_the_first_first(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = wake, .functions = {be_waiter}});
}

static void bits(void)
{
    begin();
    start(FIRST, WAIT_BITS, 1, 0);
    start(FIRST, WAIT_BITS, 2, 0);
    start(FIRST, WAIT_BITS, 3, 0);
    EXPECT(-EINVAL, CALL_FUTEX, FIRST, WAIT_BITS, 0, 0, 0, 0);
    EXPECT(-EINVAL, CALL_FUTEX, FIRST, WAKE_BITS, 1, 0, 0, 0);
    EXPECT(0, CALL_FUTEX, FIRST, WAKE_BITS, 9, 0, 0, 4);
    EXPECT(2, CALL_FUTEX, FIRST, WAKE_BITS, 9, 0, 0, 2);
    yield(4);
    EXPECT_IS(false, waiters[0].has_ended);
    EXPECT(1, CALL_FUTEX, FIRST, WAKE, 9);
    yield(4);
    EXPECT_IS(0, waiters[0].result);
    EXPECT_IS(3, ended);
}

static void only_who_waits_for_one_of_the_bits_is_woken(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = bits, .functions = {be_waiter}});
}

static void requeue(void)
{
    begin();
    start_plain(SECOND);
    for (uint32_t i = 0; i < 5; i++) {
        start_plain(FIRST);
    }
    EXPECT(-EAGAIN, CALL_FUTEX, FIRST, CMP_REQUEUE, 1, 2, SECOND, 7);
    EXPECT(-EINVAL, CALL_FUTEX, FIRST, REQUEUE, 1, UINT32_MAX, SECOND);
    EXPECT(3, CALL_FUTEX, FIRST, CMP_REQUEUE, 1, 2, SECOND, 0); /* waiter 1 woken, 2 and 3 moved */
    yield(4);
    EXPECT_IS(1, ended);
    EXPECT_IS(1, order[0]);
    EXPECT(1, CALL_FUTEX, SECOND, WAKE, 1);
    yield(4);
    EXPECT_IS(0, order[1]); /* who came there first */
    EXPECT(2, CALL_FUTEX, SECOND, WAKE, 9);
    yield(4);
    EXPECT_IS(2, order[2]);
    EXPECT_IS(3, order[3]);
    EXPECT(2, CALL_FUTEX, FIRST, REQUEUE, 0, INT32_MAX, FIRST); /* to where they are */
    EXPECT(2, CALL_FUTEX, FIRST, WAKE, 9);
    yield(4);
    EXPECT_IS(6, ended);
}

static void who_is_moved_is_woken_at_the_other_word(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = requeue, .functions = {be_waiter}});
}

#define OPERATION(operation, comparison, operand, value)                                                               \
    ((uint32_t)(operation) << 28 | (uint32_t)(comparison) << 24 | ((operand)&0xFFFu) << 12 | ((value)&0xFFFu))

/* Whether waiters of the second word are woken: its value before is compared. */
static void expect_comparison(uint32_t before, uint32_t comparison, uint32_t value, bool wakes)
{
    begin();
    WORDS(FIRST, 0, 0);
    start_plain(FIRST);
    start_plain(SECOND);
    WORDS(SECOND, before);
    EXPECT(wakes ? 2 : 1, CALL_FUTEX, FIRST, WAKE_OP, 1, 1, SECOND, OPERATION(0, comparison, 5, value));
    EXPECT_IS(5, case_word(SECOND));
    EXPECT(wakes ? 0 : 1, CALL_FUTEX, SECOND, WAKE, 1);
    yield(4);
    EXPECT_IS(2, ended);
}

static void compare(void)
{
    expect_comparison(3, 0, 3, true);
    expect_comparison(3, 0, 4, false);
    expect_comparison(3, 1, 4, true);
    expect_comparison(3, 1, 3, false);
    expect_comparison(UINT32_MAX, 2, 0, true);
    expect_comparison(3, 2, 3, false);
    expect_comparison(3, 3, 3, true);
    expect_comparison(4, 3, 3, false);
    expect_comparison(4, 4, 3, true);
    expect_comparison(3, 4, 3, false);
    expect_comparison(3, 5, 3, true);
    expect_comparison(3, 5, (uint32_t)-3, true);
    expect_comparison((uint32_t)-4, 5, (uint32_t)-3, false);
}

static void second_word_s_waiters_are_woken_if_it_compares(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = compare, .functions = {be_waiter}});
}

static void read_clock(uint32_t clock, uint32_t more_ns)
{
    uint32_t time[2];

    EXPECT(0, CLOCK_GETTIME, clock, TIME);
    case_get(TIME, time, sizeof(time));
    uint64_t ns = (uint64_t)time[0] * 1000000000u + time[1] + more_ns;
    WORDS(TIME, (uint32_t)(ns / 1000000000u), (uint32_t)(ns % 1000000000u));
}

static uint64_t now_ns(void)
{
    uint32_t time[2];

    EXPECT(0, CLOCK_GETTIME, CLOCK_MONOTONIC, AT + 0x30);
    case_get(AT + 0x30, time, sizeof(time));
    return (uint64_t)time[0] * 1000000000u + time[1];
}

static void times(void)
{
    begin();
    uint64_t before = now_ns();
    WORDS(TIME, 0, 50000000);
    EXPECT(-ETIMEDOUT, CALL_FUTEX, FIRST, WAIT, 0, TIME);
    EXPECT_IS(true, now_ns() - before >= 50000000 && now_ns() - before < 200000000);
    read_clock(CLOCK_MONOTONIC, 50000000);
    before = now_ns();
    EXPECT(-ETIMEDOUT, CALL_FUTEX, FIRST, WAIT_BITS, 0, TIME, 0, ALL);
    EXPECT_IS(true, now_ns() - before >= 40000000);
    read_clock(CLOCK_REALTIME, 50000000);
    before = now_ns();
    EXPECT(-ETIMEDOUT, CALL_FUTEX, FIRST, WAIT_BITS | ON_WALL, 0, TIME, 0, ALL);
    EXPECT_IS(true, now_ns() - before >= 40000000);
    WORDS(TIME, 1, 0);
    EXPECT(-ETIMEDOUT, CALL_FUTEX, FIRST, WAIT_BITS | ON_WALL, 0, TIME, 0, ALL); /* long past */
    EXPECT(-ENOSYS, CALL_FUTEX, FIRST, WAIT | ON_WALL, 0, TIME);
    WORDS(TIME, 0, 1000000000);
    EXPECT(-EINVAL, CALL_FUTEX, FIRST, WAIT, 0, TIME);
    WORDS(TIME, 0, 0, 20000000, 0);
    EXPECT(-ETIMEDOUT, FUTEX_TIME64, FIRST, WAIT, 0, TIME);
    EXPECT(0, CALL_FUTEX, FIRST, WAKE, 1); /* none of them waits any more */
    WORDS(TIME, 10, 0);
    start(FIRST, WAIT, 0, TIME);
    EXPECT(1, CALL_FUTEX, FIRST, WAKE, 1); /* in time */
    expect_ended(1, 0);
}

static void wait_ends_when_its_time_is_over(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = times, .functions = {be_waiter}});
}

static void handle(void)
{
}

static void catch (void)
{
    WORDS(AT + 0x40, case_code(1), SA_RESTORER, host_code(1 + 2 * CASE_FUNCTIONS), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, 10, AT + 0x40, 0, 8);
}

static void interrupt(void)
{
    begin();
    catch ();
    start_plain(FIRST);
    start_plain(FIRST);
    EXPECT(0, TKILL, (uint32_t)waiters[0].tid, 10);
    yield(4);
    EXPECT_IS(1, ended);
    EXPECT_IS(-EINTR, waiters[0].result);
    EXPECT(1, CALL_FUTEX, FIRST, WAKE, 9); /* it does not wait any more */
    yield(4);
    EXPECT_IS(2, ended);
}

static void signal_ends_a_wait(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = interrupt, .functions = {be_waiter, handle}});
}

/* Woken and interrupted at the same time: it was woken, which nobody else was. */
static void wake_and_interrupt(void)
{
    begin();
    catch ();
    start_plain(FIRST);
    EXPECT(0, TKILL, (uint32_t)waiters[0].tid, 10);
    EXPECT(1, CALL_FUTEX, FIRST, WAKE, 1);
    expect_ended(1, 0);
}

static void wake_is_not_lost_to_a_signal(void **state)
{
    (void)state;
    case_run(
        &(struct proc_case){.main = wake_and_interrupt, .functions = {be_waiter, handle}, .options = "interval=0"});
}

/* The same address in another program is another word. */
static void wake_in_vain(void)
{
    EXPECT(0, CALL_FUTEX, FIRST, WAKE, 9);
    EXPECT(0, CALL_FUTEX, FIRST, REQUEUE, 9, 9, SECOND);
}

static void wake_beside_clone(void)
{
    begin();
    start_plain(FIRST);
    case_reap(case_fork(2), 0);
    EXPECT_IS(0, ended);
    EXPECT(1, CALL_FUTEX, FIRST, WAKE, 9); /* its memory has been cloned meanwhile */
    expect_ended(1, 0);
}

static void waiters_of_another_program_are_not_woken(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = wake_beside_clone, .functions = {be_waiter, handle, wake_in_vain}});
}

static void bad_words(void)
{
    begin();
    EXPECT(-EINVAL, CALL_FUTEX, FIRST + 1, WAIT, 0, 0);
    EXPECT(-EINVAL, CALL_FUTEX, FIRST + 2, WAKE, 1);
    EXPECT(-EFAULT, CALL_FUTEX, BAD, WAIT | PRIVATE, 0, 0);
    EXPECT(-EFAULT, CALL_FUTEX, BAD, WAKE, 1);
    EXPECT(0, CALL_FUTEX, BAD, WAKE | PRIVATE, 1);
    EXPECT(-EFAULT, CALL_FUTEX, 0xC0000000u, WAKE | PRIVATE, 1);
    EXPECT(-EFAULT, CALL_FUTEX, FIRST, WAIT, 0, BAD);
    EXPECT(-EFAULT, CALL_FUTEX, FIRST, CMP_REQUEUE, 1, 1, BAD, 0);
    EXPECT(-EFAULT, CALL_FUTEX, FIRST, WAKE_OP, 1, 1, BAD, 0);
    for (uint32_t operation = 6; operation < 14; operation++) {
        if (operation < WAIT_BITS || operation > WAKE_BITS) {
            EXPECT(-ENOSYS, CALL_FUTEX, FIRST, operation, 1, 0, SECOND, 0); /* priority inheritance */
        }
    }
    EXPECT(-ENOSYS, CALL_FUTEX, FIRST, 2, 1, 0, SECOND, 0); /* FUTEX_FD */
}

static void word_that_is_none_is_refused(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = bad_words, .functions = {handle}});
}

/* A waiter whose program ends is on no list any more, and a space that is used again has no waiters. */
static void die_waiting(void)
{
    begin();
    for (uint32_t i = 0; i < 3; i++) {
        start_plain(FIRST);
    }
    EXPECT(0, 252, 0);
}

static void wait_and_die(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        case_reap(case_fork(3), 0);
        case_reap(case_fork(2), 0);
    }
}

static void who_ends_does_not_wait_any_more(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = wait_and_die, .functions = {be_waiter, handle, wake_in_vain, die_waiting}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_are_woken_as_are_asked_for_the_first_first),
        cmocka_unit_test(only_who_waits_for_one_of_the_bits_is_woken),
        cmocka_unit_test(who_is_moved_is_woken_at_the_other_word),
        cmocka_unit_test(second_word_s_waiters_are_woken_if_it_compares),
        cmocka_unit_test(wait_ends_when_its_time_is_over),
        cmocka_unit_test(signal_ends_a_wait),
        cmocka_unit_test(wake_is_not_lost_to_a_signal),
        cmocka_unit_test(waiters_of_another_program_are_not_woken),
        cmocka_unit_test(word_that_is_none_is_refused),
        cmocka_unit_test(who_ends_does_not_wait_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
