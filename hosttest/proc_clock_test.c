/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers that programs make (timer_create()) and sleeps, on each clock, on the booted kernel: when their signals come,
 * what overruns, what they show, how many there can be, who has them, and what a cut and the time until the next boot
 * do to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eidolon/eidolon.h"
#include "fake/machine.h"
#include "linux/linux_abi.h"
#include "proc_case.h"

#include <string.h>

#define AT       SPACE_AT
#define EVENT    (SPACE_AT + 0x400u)
#define NUMBER   (SPACE_AT + 0x800u)
#define BUFFER   (SPACE_AT + PAGE_SIZE)
#define SEEN     (SPACE_AT + 2 * PAGE_SIZE) /* what the handler was told: the count, then five words for each */
#define RESTORE  0x04000000u
#define REALTIME 34u
#define USR1     10u
#define MS       1000000ull
#define SECOND   1000000000ull
#define NEVER    1000000u

enum {
    ALARM = 27,
    PAUSE = 29,
    PROCMASK = 175,
    TIMEDWAIT = 177,
    QUEUE = 178,
    MAKE = 259,
    SET = 260,
    GET = 261,
    OVERRUN = 262,
    DELETE = 263,
    GETTIME64 = 403,
    SLEEP64 = 407,
    GET64 = 408,
    SET64 = 409,
    PRLIMIT = 340,
};
enum { NOTE, HAVE_NONE = 2, COMPUTE, GO_ON, SLEEP_ON_CLOCK, END_AFTER_SLEEP };

/* A handler with SA_SIGINFO. */
static void note(void)
{
    uint32_t information = case_word(case_registers()->esp + 8), count = case_word(SEEN);

    for (uint32_t i = 0; i < 5; i++) {
        static const uint32_t fields[] = {0, 8, 12, 16, 20}; /* signal, code, timer, overrun, value */
        WORDS(SEEN + 4 + 20 * (count % 100) + 4 * i, case_word(information + fields[i]));
    }
    WORDS(SEEN, count + 1);
}

static uint32_t seen(void)
{
    return case_word(SEEN);
}

static uint32_t told(uint32_t which, uint32_t field)
{
    return case_word(SEEN + 4 + 20 * (which % 100) + 4 * field);
}

static void handle(uint32_t number)
{
    WORDS(AT, case_code(NOTE), RESTORE | SA_SIGINFO, case_code(CASE_FUNCTIONS) + HOST_CODE_BYTES, 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, number, AT, 0, 8);
}

static void block(uint32_t how, uint32_t signal)
{
    uint32_t set[2] = {0, 0};

    set[(signal - 1) / 32] = 1u << (signal - 1) % 32;
    WORDS(BUFFER, set[0], set[1]);
    EXPECT(0, PROCMASK, how, BUFFER, 0, 8);
}

static void sleep_ms(uint32_t ms)
{
    WORDS(AT, ms / 1000, ms % 1000 * 1000000);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
}

static uint32_t make(uint32_t clock, uint32_t notify, uint32_t signal, uint32_t value)
{
    WORDS(EVENT, value, signal, notify, case_word(EVENT + 12));
    EXPECT(0, MAKE, clock, EVENT, NUMBER);
    return case_word(NUMBER);
}

static void put_time(uint32_t address, uint64_t ns)
{
    WORDS(address, (uint32_t)(ns / SECOND), 0, (uint32_t)(ns % SECOND), 0);
}

static uint64_t time_at(uint32_t address)
{
    return (uint64_t)case_word(address) * SECOND + case_word(address + 8);
}

static void set(uint32_t timer, uint32_t flags, uint64_t value_ns, uint64_t interval_ns)
{
    put_time(AT, interval_ns);
    put_time(AT + 16, value_ns);
    EXPECT(0, SET64, timer, flags, AT, 0);
}

static uint64_t left(uint32_t timer)
{
    EXPECT(0, GET64, timer, BUFFER);
    return time_at(BUFFER + 16);
}

static uint64_t now(uint32_t clock)
{
    EXPECT(0, GETTIME64, clock, BUFFER);
    return time_at(BUFFER);
}

static void expect_within(uint64_t least, uint64_t most, uint64_t value)
{
    if (value < least || value > most) {
        host_wrong("%llu is not within %llu and %llu", (unsigned long long)value, (unsigned long long)least,
                   (unsigned long long)most);
    }
}

/* Signals ---------------------------------------------------------------------------------------------------------- */

static void one_shot(void)
{
    uint32_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGALRM, 77);

    EXPECT_IS(0, timer);
    EXPECT_IS(0, left(timer));
    set(timer, 0, 500 * MS, 0);
    expect_within(499 * MS, 500 * MS, left(timer));
    EXPECT(-EINTR, PAUSE);
    EXPECT_IS(1, seen());
    EXPECT_IS(SIGALRM, told(0, 0));
    EXPECT_IS(SI_TIMER, (int32_t)told(0, 1));
    EXPECT_IS(timer, told(0, 2));
    EXPECT_IS(0, told(0, 3));
    EXPECT_IS(77, told(0, 4));
    EXPECT_IS(0, left(timer));
    set(timer, 0, 500 * MS, 0);
    set(timer, 0, 0, 0);
    set(timer, TIMER_ABSTIME, 1, 0); /* long past: at once */
    EXPECT(-EINTR, PAUSE);
    EXPECT_IS(2, seen());
    EXPECT(0, DELETE, timer);
    EXPECT(-EINVAL, DELETE, timer);
}

/* Without an event: SIGALRM, and the timer's number as its value. */
static void without_event(void)
{
    EXPECT(0, MAKE, CLOCK_MONOTONIC, 0, NUMBER);
    uint32_t first = case_word(NUMBER);
    EXPECT(0, MAKE, CLOCK_MONOTONIC, 0, NUMBER);
    uint32_t second = case_word(NUMBER);

    EXPECT_IS(first + 1, second);
    WORDS(AT, 0, 0, 0, 300 * (uint32_t)MS); /* the narrow form */
    WORDS(BUFFER, 9, 9, 9, 9);
    EXPECT(0, SET, second, 0, AT, BUFFER);
    EXPECT_IS(0, case_word(BUFFER) | case_word(BUFFER + 4) | case_word(BUFFER + 8) | case_word(BUFFER + 12));
    EXPECT(0, GET, second, BUFFER);
    expect_within(299 * MS, 300 * MS, case_word(BUFFER + 12));
    EXPECT(-EINTR, PAUSE);
    EXPECT_IS(second, told(2, 2));
    EXPECT_IS(second, told(2, 4));
    EXPECT(0, DELETE, first);
    EXPECT(0, DELETE, second);
}

static void intervals(void)
{
    uint32_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGALRM, 5);

    set(timer, 0, 100 * MS, 200 * MS);
    uint64_t begun = now(CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT(-EINTR, PAUSE);
        EXPECT_IS(4 + i, seen());
        EXPECT_IS(0, told(3 + i, 3));
    }
    expect_within(900 * MS, 910 * MS, now(CLOCK_MONOTONIC) - begun);
    EXPECT_IS(0, CALL(OVERRUN, timer));
    block(SIG_BLOCK, SIGALRM);
    sleep_ms(1500); /* due at 200, 400, ... 1400 */
    expect_within(1, 200 * MS, left(timer));
    EXPECT_IS(0, CALL(OVERRUN, timer)); /* of the last one that came */
    block(SIG_UNBLOCK, SIGALRM);
    EXPECT_IS(9, seen());
    EXPECT_IS(6, told(8, 3));
    EXPECT_IS(6, CALL(OVERRUN, timer));
    EXPECT(-EINTR, PAUSE);
    EXPECT_IS(0, told(9, 3));
    set(timer, 0, 0, 0);
    sleep_ms(1000);
    EXPECT_IS(10, seen());
    EXPECT(0, DELETE, timer);
}

/* A timer of a nanosecond overruns as much as can be counted, and goes on in time. */
static void overruns_end(void)
{
    uint32_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGALRM, 5), before = seen();

    block(SIG_BLOCK, SIGALRM);
    set(timer, 0, 1, 1);
    sleep_ms(10000);
    block(SIG_UNBLOCK, SIGALRM);
    EXPECT_IS(INT32_MAX, told(before, 3));
    EXPECT_IS(before + 1, seen());
    EXPECT(0, DELETE, timer);
    EXPECT(0, ALARM, 0);
}

/* Each timer's signal comes, whatever else is pending of its number: in the order in which they were due. */
static void same_signal(void)
{
    uint32_t timers[3], before = seen();

    block(SIG_BLOCK, SIGALRM);
    for (uint32_t i = 0; i < 3; i++) {
        timers[i] = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGALRM, 100 + i);
        set(timers[i], 0, (30 - 10 * i) * MS, i == 1 ? 1000 * MS : 0);
    }
    sleep_ms(100);
    EXPECT(0, CALL_KILL, 1, SIGALRM); /* which is pending already */
    block(SIG_UNBLOCK, SIGALRM);
    EXPECT_IS(before + 3, seen());
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_IS(102 - i, told(before + i, 4));
        EXPECT_IS(SI_TIMER, (int32_t)told(before + i, 1));
    }
    expect_within(900 * MS, 930 * MS, left(timers[1]));
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT(0, DELETE, timers[i]);
    }
}

/* However full the queue is. */
static void full_queue(void)
{
    uint32_t before = seen(), timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, REALTIME, 500);

    block(SIG_BLOCK, REALTIME);
    WORDS(BUFFER, REALTIME, 0, (uint32_t)SI_QUEUE, 1, 0, 7);
    for (uint32_t i = 0; i < 1 + QUEUED_MAX; i++) {
        EXPECT(0, QUEUE, 1, REALTIME, BUFFER);
    }
    EXPECT(-EAGAIN, QUEUE, 1, REALTIME, BUFFER);
    set(timer, 0, 10 * MS, 0);
    sleep_ms(100);
    block(SIG_UNBLOCK, REALTIME);
    EXPECT_IS(before + QUEUED_MAX + 2, seen());
    EXPECT_IS(500, told(seen() - 1, 4));
    EXPECT(0, DELETE, timer);
}

/* Ignored signals are nobody's, and the timer goes on; nor do waits for signals miss one. */
static void ignored_and_awaited(void)
{
    uint32_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL | SIGEV_THREAD_ID, REALTIME, 9), before = seen();

    WORDS(AT, SIG_IGN, 0, 0, 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, REALTIME, AT, 0, 8);
    set(timer, 0, 10 * MS, 10 * MS);
    sleep_ms(1000);
    EXPECT_IS(before, seen());
    block(SIG_BLOCK, REALTIME);
    sleep_ms(100);
    handle(REALTIME);
    WORDS(AT, 0, 1u << (REALTIME - 33));
    EXPECT((int32_t)REALTIME, TIMEDWAIT, AT, BUFFER, 0, 8);
    EXPECT_IS(SI_TIMER, (int32_t)case_word(BUFFER + 8));
    expect_within(8, 10, case_word(BUFFER + 16));
    EXPECT_IS(9, case_word(BUFFER + 20));
    EXPECT((int32_t)REALTIME, TIMEDWAIT, AT, BUFFER, 0, 8);
    EXPECT_IS(0, case_word(BUFFER + 16));
    EXPECT(0, DELETE, timer);
    block(SIG_UNBLOCK, REALTIME);
}

/* One that is ignored by default is taken all the same when it is not blocked any more. */
static void blocked_and_ignored(void)
{
    uint32_t timer = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGCONT, 9);

    block(SIG_BLOCK, SIGCONT);
    set(timer, 0, 10 * MS, 10 * MS);
    sleep_ms(1005);
    EXPECT_IS(0, CALL(OVERRUN, timer));
    block(SIG_UNBLOCK, SIGCONT);
    EXPECT_IS(99, CALL(OVERRUN, timer));
    EXPECT(0, DELETE, timer);
}

/* One that signals nothing shows what is left, on and on. */
static void silent(void)
{
    uint32_t timer = make(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0);

    set(timer, 0, 300 * MS, 200 * MS);
    expect_within(299 * MS, 300 * MS, left(timer));
    sleep_ms(450);
    expect_within(40 * MS, 51 * MS, left(timer));
    set(timer, 0, 300 * MS, 0);
    sleep_ms(400);
    EXPECT_IS(0, left(timer));
    EXPECT(0, DELETE, timer);
}

static void mistakes(void)
{
    static const uint32_t clocks[] = {8, 9, 10, 12, 16, 99, 0x7FFFFFFF, 0x80000000};
    uint32_t timer = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGALRM, 0);

    set(timer, 0, 500 * SECOND, 0);
    for (uint32_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        EXPECT(-EINVAL, MAKE, clocks[i], 0, NUMBER);
    }
    EXPECT(-EOPNOTSUPP, MAKE, CLOCK_MONOTONIC_RAW, 0, NUMBER);
    EXPECT(-EOPNOTSUPP, MAKE, CLOCK_MONOTONIC_COARSE, 0, NUMBER);
    EXPECT(-EFAULT, MAKE, CLOCK_REALTIME, BAD, NUMBER);
    EXPECT(-EFAULT, MAKE, CLOCK_REALTIME, 0, BAD);
    WORDS(EVENT, 0, 0, SIGEV_SIGNAL, 0);
    EXPECT(-EINVAL, MAKE, CLOCK_REALTIME, EVENT, NUMBER);
    WORDS(EVENT, 0, 65, SIGEV_SIGNAL, 0);
    EXPECT(-EINVAL, MAKE, CLOCK_REALTIME, EVENT, NUMBER);
    WORDS(EVENT, 0, SIGALRM, 3, 0);
    EXPECT(-EINVAL, MAKE, CLOCK_REALTIME, EVENT, NUMBER);
    WORDS(EVENT, 0, SIGALRM, SIGEV_THREAD_ID, 4000);
    EXPECT(-EINVAL, MAKE, CLOCK_REALTIME, EVENT, NUMBER);
    EXPECT(-EINVAL, SET, timer, 0, 0, 0);
    EXPECT(-EFAULT, SET, timer, 0, BAD, 0);
    EXPECT(-EFAULT, SET64, timer, 0, BAD, 0);
    WORDS(AT, 0, 0, 1, 1000000000);
    EXPECT(-EINVAL, SET, timer, 0, AT, 0);
    WORDS(AT, 0, UINT32_MAX, 1, 0);
    EXPECT(-EINVAL, SET, timer, 0, AT, 0);
    WORDS(AT, 0, 0, UINT32_MAX, 0);
    EXPECT(-EINVAL, SET, timer, 0, AT, 0);
    EXPECT(-EINVAL, SET, 77, 0, SPACE_AT, 0);
    EXPECT(-EINVAL, GET, 77, BUFFER);
    EXPECT(-EFAULT, GET, timer, BAD);
    EXPECT(-EINVAL, OVERRUN, UINT32_MAX);
    EXPECT(-EINVAL, DELETE, 77);
    expect_within(499 * SECOND, 500 * SECOND, left(timer)); /* none of it has changed anything */
    WORDS(AT, 0, 0, 300, 0);
    EXPECT(-EFAULT, SET, timer, 0, AT, BAD); /* it is set, and what it was is not told */
    expect_within(299 * SECOND, 300 * SECOND, left(timer));
    EXPECT(0, DELETE, timer);
}

static void main_of_signals(void)
{
    handle(SIGALRM);
    handle(REALTIME);
    one_shot();
    without_event();
    intervals();
    overruns_end();
    same_signal();
    full_queue();
    WORDS(EVENT + 12, 1);
    ignored_and_awaited();
    blocked_and_ignored();
    silent();
    mistakes();
}

static void timer_that_a_program_made_signals_when_it_is_due(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_signals, .functions = {note}});
}

/* Limits, clones --------------------------------------------------------------------------------------------------- */

static void have_none(void)
{
    EXPECT(-EINVAL, GET, 0, BUFFER);
    for (uint32_t i = 0; i < TIMERS_OF_PROGRAM_MAX; i++) {
        EXPECT_IS(i, make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGALRM, 0));
        set(i, 0, SECOND + i, 1);
    }
    EXPECT(-EAGAIN, MAKE, CLOCK_MONOTONIC, 0, NUMBER);
}

static uint32_t timers_there(void)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i < record_committed(RECORD_TIMER); i++) {
        count += ((const struct timer_record *)record_at(RECORD_TIMER, i))->program.number != 0;
    }
    return count;
}

static void main_of_limits(void)
{
    make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGALRM, 0);
    for (uint32_t i = 0; i < 3; i++) {
        case_reap(case_fork(HAVE_NONE), 0);
    }
    EXPECT_IS(1, timers_there());
    EXPECT(0, DELETE, 0);
    EXPECT_IS(0, timers_there());
    WORDS(AT, 3, 0, 3, 0);
    EXPECT(0, PRLIMIT, 0, RLIMIT_SIGPENDING, AT, 0);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_IS(i, make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGALRM, 0));
    }
    EXPECT(-EAGAIN, MAKE, CLOCK_MONOTONIC, 0, NUMBER);
    EXPECT(0, DELETE, 1);
    EXPECT_IS(1, make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGALRM, 0));
}

static void timers_have_a_limit_and_go_with_their_program(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_limits, .functions = {NULL, NULL, have_none}});
}

/* Time on the processor -------------------------------------------------------------------------------------------- */

static void compute(uint32_t clock, uint64_t length_ns)
{
    uint64_t end = now(clock) + length_ns;

    while (now(clock) < end) {
    }
}

static void compute_forever(void)
{
    for (;;) {
        CALL(CALL_SCHED_YIELD);
    }
}

static uint32_t clock_of(int32_t program)
{
    return ~(uint32_t)program << 3 | 2;
}

static void main_of_processor_time(void)
{
    static const uint32_t clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, 0xFFFFFFF2, 0xFFFFFFFA};

    handle(SIGALRM);
    for (uint32_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        uint32_t before = seen(), timer = make(clocks[i], SIGEV_SIGNAL, SIGALRM, i);
        set(timer, 0, 20 * MS, 10 * MS);
        while (seen() == before) {
            CALL(CALL_GETPID);
        }
        compute(CLOCK_PROCESS_CPUTIME_ID, 35 * MS);
        expect_within(before + 4, before + 5, seen());
        expect_within(1, 10 * MS, left(timer));
        EXPECT(0, DELETE, timer);
        compute(CLOCK_PROCESS_CPUTIME_ID, 20 * MS);
        expect_within(before + 4, before + 5, seen());
    }
    int32_t child = case_fork(COMPUTE);
    EXPECT(-EOPNOTSUPP, MAKE, clock_of(child), 0, NUMBER);
    uint64_t begun = now(clock_of(child));
    put_time(AT, 30 * MS);
    EXPECT(0, SLEEP64, clock_of(child), 0, AT, 0);
    expect_within(30 * MS, 60 * MS, now(clock_of(child)) - begun);
    EXPECT(0, CALL_KILL, (uint32_t)child, SIGKILL);
    case_reap(child, SIGKILL);
}

static void timer_follows_the_time_on_the_processor(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_processor_time, .functions = {note, NULL, NULL, compute_forever}});
}

/* Cuts ------------------------------------------------------------------------------------------------------------- */

#define AWAY_S 1000u /* that no kernel ran */

enum { OF_MONOTONIC, OF_WHOLE, WALL_FOR, WALL_UNTIL, WALL_LATER, PENDING, WAITING, INTERVAL };

static void cut_with_timers(void)
{
    handle(SIGALRM);
    handle(REALTIME);
    make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGALRM, OF_MONOTONIC);
    make(CLOCK_BOOTTIME, SIGEV_SIGNAL, REALTIME, OF_WHOLE);
    make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGALRM, WALL_FOR);
    make(CLOCK_REALTIME, SIGEV_SIGNAL, REALTIME, WALL_UNTIL);
    make(CLOCK_REALTIME, SIGEV_SIGNAL, SIGALRM, WALL_LATER);
    make(CLOCK_MONOTONIC, SIGEV_SIGNAL, USR1, PENDING);
    make(CLOCK_MONOTONIC, SIGEV_SIGNAL, USR1, WAITING);
    make(CLOCK_BOOTTIME, SIGEV_SIGNAL, USR1, INTERVAL);
    block(SIG_BLOCK, USR1);
    block(SIG_BLOCK, REALTIME);
    handle(USR1);
    set(PENDING, 0, 10 * MS, 0);
    set(WAITING, 0, 20 * MS, 100 * SECOND);
    sleep_ms(100);
    set(OF_MONOTONIC, 0, 500 * SECOND, 0);
    set(OF_WHOLE, 0, 500 * SECOND, 0);
    set(WALL_FOR, 0, 500 * SECOND, 0);
    set(WALL_UNTIL, TIMER_ABSTIME, now(CLOCK_REALTIME) + 500 * SECOND, 0);
    set(WALL_LATER, TIMER_ABSTIME, now(CLOCK_REALTIME) + (AWAY_S + 500) * SECOND, 0);
    set(INTERVAL, 0, 100 * SECOND, 100 * SECOND);
    EXPECT_IS(now(CLOCK_MONOTONIC) / SECOND, now(CLOCK_BOOTTIME) / SECOND);
    case_registers()->ebp = GO_ON;
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void go_on(void)
{
    expect_within((AWAY_S - 2) * SECOND, (AWAY_S + 2) * SECOND, now(CLOCK_BOOTTIME) - now(CLOCK_MONOTONIC));
    expect_within(498 * SECOND, 500 * SECOND, left(OF_MONOTONIC));
    expect_within(498 * SECOND, 500 * SECOND, left(WALL_FOR));
    expect_within(498 * SECOND, 502 * SECOND, left(WALL_LATER));
    EXPECT_IS(0, left(PENDING));
    sleep_ms(10);
    EXPECT_IS(0, seen());
    block(SIG_UNBLOCK, REALTIME);
    EXPECT_IS(2, seen()); /* both came due while no kernel ran */
    EXPECT_IS(OF_WHOLE + WALL_UNTIL, told(0, 4) + told(1, 4));
    block(SIG_UNBLOCK, USR1);
    EXPECT_IS(5, seen());
    EXPECT_IS(PENDING, told(2, 4));
    EXPECT_IS(WAITING, told(3, 4));
    EXPECT_IS(INTERVAL, told(4, 4));
    expect_within(AWAY_S / 100 - 2, AWAY_S / 100 - 1, told(4, 3));
    EXPECT(-EINTR, PAUSE); /* the interval, or what waits for 100 s */
    sleep_ms(1000);
    EXPECT_IS(6, seen());
}

static void timers_go_on_after_a_cut_by_their_clocks(void **state)
{
    struct proc_case scene = {.main = cut_with_timers,
                              .functions = {note, NULL, NULL, NULL, go_on},
                              .options = "interval=0",
                              .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    fake_wall_ahead_ns += AWAY_S * SECOND;
    case_run(&scene);
}

/* Sleeps ----------------------------------------------------------------------------------------------------------- */

static void sleep_on(void)
{
    uint32_t clock = case_word(SEEN);
    uint32_t flags = case_word(SEEN + 4);

    put_time(AT, ((flags & TIMER_ABSTIME) != 0 ? now(clock) : 0) + 500 * SECOND);
    case_registers()->ebp = END_AFTER_SLEEP;
    EXPECT(0, SLEEP64, clock, flags, AT, 0);
    CALL(CALL_EXIT, 7);
}

/* They sleep when the power goes; what they then sleep on is the same call. */
static void cut_while_they_sleep(void)
{
    static const uint32_t sleeps[][2] = {{CLOCK_MONOTONIC, 0},      {CLOCK_MONOTONIC, TIMER_ABSTIME},
                                         {CLOCK_REALTIME, 0},       {CLOCK_REALTIME, TIMER_ABSTIME},
                                         {CLOCK_BOOTTIME, 0},       {CLOCK_BOOTTIME, TIMER_ABSTIME},
                                         {CLOCK_TAI, TIMER_ABSTIME}};

    for (uint32_t i = 0; i < sizeof(sleeps) / sizeof(sleeps[0]); i++) {
        WORDS(SEEN, sleeps[i][0], sleeps[i][1]);
        EXPECT_IS(2 + i, case_fork(SLEEP_ON_CLOCK));
    }
    sleep_ms(1000);
    case_registers()->ebp = GO_ON;
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void find_who_woke(void)
{
    uint32_t awake = 0;

    sleep_ms(3000);
    for (uint32_t i = 2; i < 9; i++) {
        awake |= (uint32_t)(CALL(CALL_WAIT4, i, BUFFER, 1, 0) == (int32_t)i) << i;
    }
    EXPECT_IS(1u << 5 | 1u << 6 | 1u << 7 | 1u << 8, awake);
    sleep_ms(500000);
    for (uint32_t i = 2; i < 5; i++) {
        EXPECT((int32_t)i, CALL_WAIT4, i, BUFFER, 1, 0);
    }
}

static void end_after_sleep(void)
{
}

static void sleeps_end_after_a_cut_by_their_clocks(void **state)
{
    struct proc_case scene = {.main = cut_while_they_sleep,
                              .functions = {note, NULL, NULL, NULL, find_who_woke, sleep_on, end_after_sleep},
                              .options = "interval=0",
                              .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    fake_wall_ahead_ns += AWAY_S * SECOND;
    case_run(&scene);
}

static void main_of_sleeps(void)
{
    static const uint32_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};

    handle(SIGALRM);
    for (uint32_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        uint64_t begun = now(clocks[i]);
        put_time(AT, begun + 1200 * MS);
        EXPECT(0, SLEEP64, clocks[i], TIMER_ABSTIME, AT, BUFFER);
        put_time(AT, 300 * MS);
        EXPECT(0, SLEEP64, clocks[i], 0, AT, BUFFER);
        expect_within(1500 * MS, 1510 * MS, now(clocks[i]) - begun);
        put_time(AT, 1);
        EXPECT(0, SLEEP64, clocks[i], TIMER_ABSTIME, AT, BUFFER);
        put_time(AT, 9 * SECOND);
        EXPECT(0, ALARM, 2);
        EXPECT(-EINTR, SLEEP64, clocks[i], 0, AT, BUFFER);
        expect_within(6900 * MS, 7001 * MS, time_at(BUFFER));
    }
    put_time(AT, SECOND);
    EXPECT(-EOPNOTSUPP, SLEEP64, CLOCK_MONOTONIC_COARSE, 0, AT, 0);
    EXPECT(-EOPNOTSUPP, SLEEP64, CLOCK_THREAD_CPUTIME_ID, 0, AT, 0);
    EXPECT(-EINVAL, SLEEP64, 8, 0, AT, 0);
    EXPECT(-EINVAL, SLEEP64, clock_of(4000), 0, AT, 0);
    EXPECT(-EFAULT, SLEEP64, CLOCK_BOOTTIME, 0, BAD, 0);
}

static void sleeps_on_every_clock_end_in_time(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_sleeps, .functions = {note}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer_that_a_program_made_signals_when_it_is_due),
        cmocka_unit_test(timers_have_a_limit_and_go_with_their_program),
        cmocka_unit_test(timer_follows_the_time_on_the_processor),
        cmocka_unit_test(timers_go_on_after_a_cut_by_their_clocks),
        cmocka_unit_test(sleeps_end_after_a_cut_by_their_clocks),
        cmocka_unit_test(sleeps_on_every_clock_end_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
