/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interval timers on the booted kernel: when their signals come, what they show, who has them, and what a cut does to
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eidolon/eidolon.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "signal/timer_queue.h"

#define AT      SPACE_AT
#define BUFFER  (SPACE_AT + PAGE_SIZE)
#define COUNT   (SPACE_AT + 2 * PAGE_SIZE) /* signals that the handler has seen, by number */
#define CHILD   (SPACE_AT + 3 * PAGE_SIZE) /* which child it is */
#define RESTORE 0x04000000u
#define MS      1000u /* in microseconds */
#define NEVER   1000000u
#define FAMILY  24u

enum { ALARM = 27, PAUSE = 29, SETITIMER = 104, GETITIMER = 105, PROCMASK = 175, PENDING = 176 };
enum { COUNT_SIGNAL, HAVE_NONE = 2, END_BY_TIMER, GO_ON, END_WITH_A_TIMER, SLEEP_LONGER };

static void count(void)
{
    uint32_t number = case_word(case_registers()->esp + 4);

    WORDS(COUNT + 4 * number, case_word(COUNT + 4 * number) + 1);
}

static uint32_t seen(uint32_t number)
{
    return case_word(COUNT + 4 * number);
}

static void handle(uint32_t number)
{
    WORDS(AT, case_code(COUNT_SIGNAL), RESTORE, case_code(CASE_FUNCTIONS), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, number, AT, 0, 8);
}

static void set(uint32_t kind, uint32_t value_us, uint32_t interval_us)
{
    WORDS(AT, interval_us / 1000000, interval_us % 1000000, value_us / 1000000, value_us % 1000000);
    EXPECT(0, SETITIMER, kind, AT, 0);
}

/* In microseconds. */
static uint32_t left(uint32_t kind)
{
    EXPECT(0, GETITIMER, kind, BUFFER);
    return case_word(BUFFER + 8) * 1000000 + case_word(BUFFER + 12);
}

static void expect_within(uint32_t least, uint32_t most, uint32_t value)
{
    if (value < least || value > most) {
        host_wrong("%u is not within %u and %u", value, least, most);
    }
}

static void sleep_ms(uint32_t ms)
{
    WORDS(AT, ms / 1000, ms % 1000 * 1000000);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
}

/* Real time -------------------------------------------------------------------------------------------------------- */

static void alarms(void)
{
    EXPECT(0, ALARM, 100);
    EXPECT(100, ALARM, 2);
    expect_within(1999 * MS, 2000 * MS, left(TIMER_REAL));
    EXPECT(-EINTR, PAUSE);
    EXPECT_IS(1, seen(SIGALRM));
    EXPECT_IS(0, left(TIMER_REAL));
    EXPECT(0, ALARM, 0);
    set(TIMER_REAL, 1, 0);
    EXPECT(1, ALARM, 0); /* a microsecond counts as a second */
    set(TIMER_REAL, 1400 * MS, 0);
    EXPECT(1, ALARM, 0);
    EXPECT(0, ALARM, UINT32_MAX);
    EXPECT(0x7FFFFFFF, ALARM, 0);
    sleep_ms(5000);
    EXPECT_IS(1, seen(SIGALRM));
}

static void intervals(void)
{
    set(TIMER_REAL, 300 * MS, 200 * MS);
    for (uint32_t i = 2; i < 12; i++) {
        EXPECT(-EINTR, PAUSE);
        EXPECT_IS(i, seen(SIGALRM));
        expect_within(190 * MS, 200 * MS, left(TIMER_REAL));
        EXPECT_IS(200 * MS, case_word(BUFFER + 4));
    }
    WORDS(AT, 0, 0, 0, 0);
    EXPECT(0, SETITIMER, TIMER_REAL, AT, BUFFER);
    expect_within(190 * MS, 200 * MS, case_word(BUFFER + 12));
    EXPECT_IS(0, left(TIMER_REAL));
    set(TIMER_REAL, 300 * MS, 0);
    EXPECT(0, SETITIMER, TIMER_REAL, 0, 0);
    sleep_ms(1000);
    EXPECT_IS(11, seen(SIGALRM));
}

/* However often it was due while it was blocked, it comes once; and goes on in time. */
static void blocked(void)
{
    uint32_t before = seen(SIGALRM);

    WORDS(BUFFER, 1u << (SIGALRM - 1), 0);
    EXPECT(0, PROCMASK, SIG_BLOCK, BUFFER, 0, 8);
    set(TIMER_REAL, 1 * MS, 1 * MS);
    sleep_ms(3000);
    EXPECT(0, PENDING, BUFFER, 8);
    EXPECT_IS(1u << (SIGALRM - 1), case_word(BUFFER));
    EXPECT_IS(before, seen(SIGALRM));
    EXPECT(0, PROCMASK, SIG_UNBLOCK, BUFFER, 0, 8);
    EXPECT_IS(before + 1, seen(SIGALRM));
    EXPECT(-EINTR, PAUSE);
    WORDS(AT, 0, 0, 0, 0);
    EXPECT(0, SETITIMER, TIMER_REAL, AT, 0);
    expect_within(before + 2, before + 3, seen(SIGALRM));
}

static void mistakes(void)
{
    set(TIMER_REAL, 500000 * MS, 0);
    WORDS(AT, 0, 0, 1, 1000000);
    EXPECT(-EINVAL, SETITIMER, TIMER_REAL, AT, 0);
    WORDS(AT, 0, UINT32_MAX, 1, 0);
    EXPECT(-EINVAL, SETITIMER, TIMER_REAL, AT, 0);
    WORDS(AT, 0, 0, UINT32_MAX, 0);
    EXPECT(-EINVAL, SETITIMER, TIMER_REAL, AT, 0);
    WORDS(AT, 0, 0, 1, 0);
    EXPECT(-EINVAL, SETITIMER, INTERVAL_TIMERS, AT, 0);
    EXPECT(-EINVAL, SETITIMER, UINT32_MAX, AT, 0);
    EXPECT(-EFAULT, SETITIMER, TIMER_REAL, BAD, 0);
    EXPECT(-EFAULT, SETITIMER, UINT32_MAX, BAD, 0);
    EXPECT(-EINVAL, GETITIMER, INTERVAL_TIMERS, BUFFER);
    EXPECT(-EFAULT, GETITIMER, TIMER_REAL, BAD);
    expect_within(499000 * MS, 500000 * MS, left(TIMER_REAL)); /* none of it has changed anything */
    WORDS(AT, 0, 0, 700, 0);
    EXPECT(-EFAULT, SETITIMER, TIMER_REAL, AT, BAD); /* it is set, and what it was is not told */
    expect_within(699000 * MS, 700000 * MS, left(TIMER_REAL));
    set(TIMER_REAL, 0, 5);
}

static void have_none(void)
{
    EXPECT_IS(0, left(TIMER_REAL));
    EXPECT_IS(0, left(TIMER_PROFILE));
}

static void end_with_a_timer(void)
{
    set(TIMER_REAL, 500 * MS, 0);
}

static void sleep_longer(void)
{
    sleep_ms(2000);
}

/* The next program of the same number is another one, and nothing is due for either. */
static void successors(void)
{
    int32_t child = case_fork(END_WITH_A_TIMER);
    struct program_id first;
    uint64_t moment_ns;

    case_reap(child, 0);
    EXPECT_IS(false, timer_queue_first(&first, &moment_ns));
    EXPECT_IS(child, case_fork(SLEEP_LONGER));
    case_reap(child, 0);
}

static void clones(void)
{
    set(TIMER_REAL, 500 * MS, 0);
    set(TIMER_PROFILE, 500000 * MS, 0);
    case_reap(case_fork(HAVE_NONE), 0);
    expect_within(1, 500 * MS, left(TIMER_REAL));
    set(TIMER_REAL, 0, 0);
    set(TIMER_PROFILE, 0, 0);
}

static void main_of_real_time(void)
{
    handle(SIGALRM);
    alarms();
    intervals();
    blocked();
    mistakes();
    clones();
    successors();
}

static void timer_of_real_time_signals_when_it_is_due(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_real_time,
                                 .functions = {count, NULL, have_none, NULL, NULL, end_with_a_timer, sleep_longer}});
}

/* Many of them: each ends at its own moment, and some are set anew meanwhile. -------------------------------------- */

static uint32_t moment_of(uint32_t child)
{
    return (1 + child * 7 % FAMILY) * 100 * MS;
}

static void end_by_timer(void)
{
    uint32_t child = case_word(CHILD);

    if (child % 3 == 0) {
        set(TIMER_REAL, 1 + child * 50 * MS, 0); /* another moment first */
    }
    set(TIMER_REAL, moment_of(child), 0);
    if (child % 4 == 1) {
        set(TIMER_REAL, 0, 0);
        set(TIMER_REAL, moment_of(child), 1);
    }
    EXPECT(-EINTR, PAUSE);
}

static void main_of_many(void)
{
    int32_t children[FAMILY];

    for (uint32_t i = 0; i < FAMILY; i++) {
        WORDS(CHILD, i);
        children[i] = case_fork(END_BY_TIMER);
    }
    for (uint32_t moment = 0; moment < FAMILY; moment++) {
        int32_t ended = CALL(CALL_WAIT4, UINT32_MAX, BUFFER, 0, 0);
        EXPECT_IS(SIGALRM, case_word(BUFFER));
        for (uint32_t i = 0; i < FAMILY; i++) {
            if (children[i] == ended) {
                EXPECT_IS((moment + 1) * 100 * MS, moment_of(i));
            }
        }
    }
}

static void timers_of_many_programs_are_due_in_order(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_many, .functions = {NULL, NULL, NULL, end_by_timer}});
}

/* Time on the processor -------------------------------------------------------------------------------------------- */

/* How much it took. */
static uint32_t compute_until(uint32_t number)
{
    uint32_t before = seen(number), rounds = 0;

    while (seen(number) == before) {
        CALL(CALL_GETPID); /* some time in user mode */
        rounds++;
    }
    return rounds;
}

static void main_of_processor_time(void)
{
    handle(SIGVTALRM);
    handle(SIGPROF);
    set(TIMER_VIRTUAL, 20 * MS, 10 * MS);
    set(TIMER_PROFILE, 30 * MS, 0);
    sleep_ms(10000); /* which is the program's, too, and in the kernel */
    EXPECT_IS(0, seen(SIGVTALRM));
    EXPECT_IS(1, seen(SIGPROF));
    set(TIMER_PROFILE, 30 * MS, 0);
    uint32_t first = compute_until(SIGVTALRM);
    uint32_t second = compute_until(SIGVTALRM);
    expect_within(first * 4 / 10, first * 6 / 10, second);
    compute_until(SIGPROF);
    EXPECT_IS(0, left(TIMER_PROFILE));
    expect_within(1, 10 * MS, left(TIMER_VIRTUAL));
    set(TIMER_VIRTUAL, 0, 0);
}

static void timer_of_processor_time_signals_when_so_much_is_used(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_processor_time, .functions = {count}});
}

/* Cuts ------------------------------------------------------------------------------------------------------------- */

static void cut_with_timers(void)
{
    handle(SIGALRM);
    set(TIMER_REAL, 2000 * MS, 500 * MS);
    set(TIMER_PROFILE, 900000 * MS, 700 * MS);
    case_registers()->ebp = GO_ON;
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void go_on(void)
{
    expect_within(1, 2000 * MS, left(TIMER_REAL));
    EXPECT_IS(500 * MS, case_word(BUFFER + 4));
    expect_within(800000 * MS, 900000 * MS, left(TIMER_PROFILE));
    for (uint32_t i = 1; i < 4; i++) {
        EXPECT(-EINTR, PAUSE);
        EXPECT_IS(i, seen(SIGALRM));
    }
}

static void timer_goes_on_after_a_cut(void **state)
{
    struct proc_case scene = {.main = cut_with_timers,
                              .functions = {count, NULL, NULL, NULL, go_on},
                              .options = "interval=0",
                              .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    case_run(&scene);
}

/* A child that has ended with a timer set is still there, and is asked for after the next boot. */
static void cut_with_an_ended_child(void)
{
    int32_t child = case_fork(END_WITH_A_TIMER);

    sleep_ms(100);
    case_registers()->ebp = GO_ON;
    WORDS(CHILD, (uint32_t)child);
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void ask_for_child(void)
{
    case_reap((int32_t)case_word(CHILD), 0);
    sleep_ms(2000); /* longer than the timer would have taken */
    EXPECT_IS(0, case_program(case_word(CHILD))->timer_mark);
}

static void timer_of_an_ended_child_is_left_alone_after_a_cut(void **state)
{
    struct proc_case scene = {.main = cut_with_an_ended_child,
                              .functions = {count, NULL, NULL, NULL, ask_for_child, end_with_a_timer},
                              .options = "interval=0",
                              .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    case_run(&scene);
}

static void wait_long(void)
{
    uint32_t before = case_program(1)->timer_mark;

    EXPECT(0, ALARM, 1000);
    sleep_ms(900000);
    expect_within(1, UINT32_MAX, case_program(1)->timer_mark - before);
    expect_within(99000 * MS, 100000 * MS, left(TIMER_REAL));
    EXPECT(100, ALARM, 0);
}

static void long_wait_leaves_marks(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = wait_long});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer_of_real_time_signals_when_it_is_due),
        cmocka_unit_test(timers_of_many_programs_are_due_in_order),
        cmocka_unit_test(timer_of_processor_time_signals_when_so_much_is_used),
        cmocka_unit_test(timer_goes_on_after_a_cut),
        cmocka_unit_test(timer_of_an_ended_child_is_left_alone_after_a_cut),
        cmocka_unit_test(long_wait_leaves_marks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
