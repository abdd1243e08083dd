/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eventfd(), timerfd_create(), signalfd() and EIDOLON_REBORN on the booted kernel: what they are read as, whom they
 * wake, what poll() says, whose they are; and over a cut.
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

#define AT     SPACE_AT
#define EVENT  (SPACE_AT + 0x400u)
#define POLLED (SPACE_AT + 0x800u)
#define BUFFER (SPACE_AT + PAGE_SIZE)
#define KEPT   (SPACE_AT + 2 * PAGE_SIZE)
#define SECOND 1000000000ull
#define MS     1000000ull
#define NEVER  1000000u
#define AWAY_S 1000u
#define USR1   10u
#define QUEUED 34u

enum {
    OPEN = 5,
    LSEEK = 19,
    DUP2 = 63,
    READLINK = 85,
    READV = 145,
    SELECT = 142,
    PROCMASK = 175,
    QUEUE = 178,
    FSTAT64 = 197,
    SIGNALFD4 = 327,
    SIGNALFD = 321,
    TIMERFD_CREATE = 322,
    EVENTFD = 323,
    EVENTFD2 = 328,
    SET64 = 411,
    GET64 = 410,
    SET32 = 325,
    GETTIME64 = 403,
    MAKE_TIMER = 259,
    SET_TIMER64 = 409,
};
enum { ADD_LATER, TAKE_LATER, GO_ON, SIGNAL_LATER, SET_LATER, END_WITH_7 };

static void sleep_ms(uint32_t ms)
{
    WORDS(AT, ms / 1000, ms % 1000 * 1000000);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
}

static uint64_t wide(uint32_t address)
{
    return case_word(address) | (uint64_t)case_word(address + 4) << 32;
}

static uint64_t now(uint32_t clock)
{
    EXPECT(0, GETTIME64, clock, BUFFER + 0x100);
    return (uint64_t)case_word(BUFFER + 0x100) * SECOND + case_word(BUFFER + 0x108);
}

static void expect_within(uint64_t least, uint64_t most, uint64_t value)
{
    if (value < least || value > most) {
        host_wrong("%llu is not within %llu and %llu", (unsigned long long)value, (unsigned long long)least,
                   (unsigned long long)most);
    }
}

static uint32_t polled(uint32_t descriptor, uint32_t events, uint32_t limit_ms)
{
    WORDS(POLLED, descriptor, events);
    int32_t ready = CALL(CALL_POLL, POLLED, 1, limit_ms);
    uint32_t found = case_word(POLLED + 4) >> 16;

    EXPECT_IS(found != 0, ready);
    return found;
}

static void add(uint32_t descriptor, uint64_t value)
{
    WORDS(BUFFER, (uint32_t)value, (uint32_t)(value >> 32));
    EXPECT(8, CALL_WRITE, descriptor, BUFFER, 8);
}

static uint64_t take(uint32_t descriptor)
{
    EXPECT(8, CALL_READ, descriptor, BUFFER, 8);
    return wide(BUFFER);
}

/* Events ----------------------------------------------------------------------------------------------------------- */

static void add_later(void)
{
    sleep_ms(500);
    add(case_word(KEPT), 5);
}

static void take_later(void)
{
    sleep_ms(500);
    EXPECT_IS(UINT64_MAX - 1, take(case_word(KEPT)));
}

static void events_are_added(uint32_t event)
{
    EXPECT_IS(0, polled(event, POLLIN, 0));
    EXPECT_IS(POLLOUT, polled(event, POLLIN | POLLOUT, 0));
    EXPECT(-EAGAIN, CALL_READ, event, BUFFER, 8);
    add(event, 3);
    add(event, 4);
    EXPECT_IS(POLLIN, polled(event, POLLIN, 0));
    EXPECT_IS(7, take(event));
    EXPECT(-EAGAIN, CALL_READ, event, BUFFER, 8);
    add(event, UINT64_MAX - 1);
    EXPECT_IS(POLLIN, polled(event, POLLIN | POLLOUT, 0));
    WORDS(BUFFER, 1, 0);
    EXPECT(-EAGAIN, CALL_WRITE, event, BUFFER, 8);
    WORDS(BUFFER, 0, 0);
    EXPECT(8, CALL_WRITE, event, BUFFER, 8);
    WORDS(BUFFER, UINT32_MAX, UINT32_MAX);
    EXPECT(-EINVAL, CALL_WRITE, event, BUFFER, 8);
    EXPECT(-EINVAL, CALL_WRITE, event, BUFFER, 7);
    EXPECT(-EINVAL, CALL_READ, event, BUFFER, 7);
    EXPECT(-EFAULT, CALL_READ, event, BAD, 8);
    EXPECT(-EFAULT, CALL_WRITE, event, BAD, 8);
    EXPECT_IS(UINT64_MAX - 1, take(event));
    EXPECT(-ESPIPE, LSEEK, event, 0, 0);
}

/* Children have the same events, and wake who waits. */
static void events_wake(void)
{
    uint32_t event = (uint32_t)CALL(EVENTFD, 0);

    WORDS(KEPT, event);
    int32_t child = case_fork(ADD_LATER);
    EXPECT_IS(5, take(event));
    case_reap(child, 0);
    child = case_fork(ADD_LATER);
    EXPECT_IS(POLLIN, polled(event, POLLIN, UINT32_MAX));
    EXPECT_IS(5, take(event));
    case_reap(child, 0);
    add(event, UINT64_MAX - 1);
    child = case_fork(TAKE_LATER);
    add(event, 9);
    EXPECT_IS(9, take(event));
    case_reap(child, 0);
    EXPECT(0, CALL_CLOSE, event);
}

static void main_of_events(void)
{
    char link[32] = "";
    uint32_t event = (uint32_t)CALL(EVENTFD2, 0, O_NONBLOCK | O_CLOEXEC);

    EXPECT_IS(3, event);
    EXPECT(FD_CLOEXEC, CALL_FCNTL64, event, F_GETFD);
    EXPECT(O_RDWR | O_NONBLOCK, CALL_FCNTL64, event, F_GETFL);
    case_string(AT, "/proc/self/fd/3");
    EXPECT(20, READLINK, AT, BUFFER, 32);
    case_get(BUFFER, link, 20);
    EXPECT_IS(0, strcmp(link, "anon_inode:[eventfd]"));
    EXPECT(0, FSTAT64, event, BUFFER);
    EXPECT_IS(0600, case_word(BUFFER + 16));
    events_are_added(event);
    events_wake();
    uint32_t semaphore = (uint32_t)CALL(EVENTFD2, 2, EFD_SEMAPHORE | O_NONBLOCK);
    EXPECT_IS(1, take(semaphore));
    EXPECT_IS(1, take(semaphore));
    EXPECT(-EAGAIN, CALL_READ, semaphore, BUFFER, 8);
    EXPECT(-EINVAL, EVENTFD2, 0, 4);
    for (uint32_t i = 5; i < PROGRAM_FILES_MAX; i++) {
        EXPECT((int32_t)i, EVENTFD, i);
    }
    EXPECT(-EMFILE, EVENTFD, 0);
    EXPECT_IS(63, take(63));
}

static void event_counts_and_wakes(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_events, .functions = {add_later, take_later}});
}

/* Timers ----------------------------------------------------------------------------------------------------------- */

static void put_time(uint32_t address, uint64_t ns)
{
    WORDS(address, (uint32_t)(ns / SECOND), 0, (uint32_t)(ns % SECOND), 0);
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
    return (uint64_t)case_word(BUFFER + 16) * SECOND + case_word(BUFFER + 24);
}

static void set_later(void)
{
    sleep_ms(500);
    set(case_word(KEPT), 0, 1, 0);
}

static void main_of_timers(void)
{
    uint32_t timer = (uint32_t)CALL(TIMERFD_CREATE, CLOCK_MONOTONIC, O_NONBLOCK);

    EXPECT_IS(0, left(timer));
    EXPECT(-EAGAIN, CALL_READ, timer, BUFFER, 8);
    set(timer, 0, 300 * MS, 200 * MS);
    expect_within(299 * MS, 300 * MS, left(timer));
    EXPECT_IS(0, polled(timer, POLLIN, 200));
    EXPECT_IS(POLLIN, polled(timer, POLLIN, 200));
    EXPECT_IS(1, take(timer));
    EXPECT_IS(POLLIN, polled(timer, POLLIN, UINT32_MAX)); /* wakes for the next one, whatever else is there */
    EXPECT_IS(1, take(timer));
    sleep_ms(1000);
    EXPECT_IS(5, take(timer));
    expect_within(1, 200 * MS, left(timer));
    EXPECT(-EAGAIN, CALL_READ, timer, BUFFER, 8);
    EXPECT(0, CALL_FCNTL64, timer, F_SETFL, 0);
    uint64_t begun = now(CLOCK_MONOTONIC);
    EXPECT_IS(1, take(timer));
    EXPECT_IS(1, take(timer));
    expect_within(200 * MS, 400 * MS, now(CLOCK_MONOTONIC) - begun);
    set(timer, TFD_TIMER_ABSTIME, 1, 0);
    EXPECT_IS(0, polled(timer, POLLOUT, 300)); /* that it is readable is not what is waited for */
    EXPECT_IS(1, take(timer));
    EXPECT_IS(0, left(timer));
    WORDS(KEPT, timer);
    set(timer, 0, 100 * SECOND, 0);
    int32_t child = case_fork(SET_LATER);
    begun = now(CLOCK_MONOTONIC);
    EXPECT_IS(1, take(timer)); /* that another program has set anew */
    expect_within(500 * MS, 510 * MS, now(CLOCK_MONOTONIC) - begun);
    case_reap(child, 0);
    WORDS(AT, 0, 0, 5, 0);
    EXPECT(-EFAULT, SET32, timer, 0, AT, BAD);
    expect_within(4 * SECOND, 5 * SECOND, left(timer));
    WORDS(AT, 0, 0, 7, 0);
    EXPECT(0, SET32, timer, 0, AT, BUFFER);
    EXPECT_IS(4, case_word(BUFFER + 8));
    WORDS(AT, 0, 0, 0, 1000000000);
    EXPECT(-EINVAL, SET32, timer, 0, AT, 0);
    EXPECT(-EFAULT, SET32, timer, 0, BAD, 0);
    WORDS(AT, 0, 0, 0, 0);
    EXPECT(-EINVAL, SET32, timer, 4, AT, 0);
    EXPECT(-EINVAL, SET32, 0, 0, AT, 0);
    EXPECT(-EBADF, SET32, 60, 0, AT, 0);
    EXPECT(-EINVAL, GET64, 0, BUFFER);
    EXPECT(-EFAULT, GET64, timer, BAD);
    EXPECT(-EINVAL, CALL_READ, timer, BUFFER, 7);
    EXPECT(-EINVAL, CALL_WRITE, timer, BUFFER, 8);
    EXPECT(-EINVAL, TIMERFD_CREATE, CLOCK_PROCESS_CPUTIME_ID, 0);
    EXPECT(-EINVAL, TIMERFD_CREATE, CLOCK_MONOTONIC, 1);
    expect_within(6 * SECOND, 7 * SECOND, left(timer)); /* none of it has changed anything */
}

static void timer_is_read_when_it_is_due(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_timers, .functions = {NULL, NULL, NULL, NULL, set_later}});
}

/* Signals ---------------------------------------------------------------------------------------------------------- */

static void signal_later(void)
{
    sleep_ms(500);
    EXPECT(0, CALL_KILL, 1, USR1);
}

static void end_with_7(void)
{
    CALL(CALL_EXIT, 7);
}

static uint32_t of(uint32_t field)
{
    return case_word(BUFFER + field);
}

static void main_of_signals(void)
{
    WORDS(AT, 1u << (USR1 - 1) | 1u << (SIGCHLD - 1) | 1u << (SIGALRM - 1), 1u << (QUEUED - 33));
    EXPECT(0, PROCMASK, SIG_SETMASK, AT, 0, 8);
    uint32_t signals = (uint32_t)CALL(SIGNALFD4, UINT32_MAX, AT, 8, O_NONBLOCK);
    EXPECT(-EAGAIN, CALL_READ, signals, BUFFER, 128);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(POLLIN, polled(signals, POLLIN, 0));
    WORDS(BUFFER, QUEUED, 0, (uint32_t)SI_QUEUE, 1, 0, 77);
    EXPECT(0, QUEUE, 1, QUEUED, BUFFER);
    WORDS(BUFFER, QUEUED, 0, (uint32_t)SI_QUEUE, 1, 0, 78);
    EXPECT(0, QUEUE, 1, QUEUED, BUFFER);
    EXPECT(2 * 128, CALL_READ, signals, BUFFER, 3 * 128 - 1);
    EXPECT_IS(USR1, of(0));
    EXPECT_IS(SI_USER, of(8));
    EXPECT_IS(1, of(12));
    EXPECT_IS(QUEUED, of(128));
    EXPECT_IS(77, of(128 + 44));
    EXPECT_IS(77, of(128 + 48));
    EXPECT(128, CALL_READ, signals, BUFFER, 3 * 128);
    EXPECT_IS(78, of(44));
    EXPECT(-EAGAIN, CALL_READ, signals, BUFFER, 3 * 128);
    EXPECT(-EINVAL, CALL_READ, signals, BUFFER, 127);
    EXPECT(0, CALL_FCNTL64, signals, F_SETFL, 0);
    int32_t child = case_fork(SIGNAL_LATER);
    EXPECT(128, CALL_READ, signals, BUFFER, 128); /* waits for one that is blocked */
    EXPECT_IS(USR1, of(0));
    EXPECT(128, CALL_READ, signals, BUFFER, 128); /* and for one that is ignored as well */
    EXPECT_IS(SIGCHLD, of(0));
    EXPECT_IS(child, of(12));
    case_reap(child, 0);
    child = case_fork(SIGNAL_LATER);
    EXPECT_IS(POLLIN, polled(signals, POLLIN, UINT32_MAX));
    sleep_ms(1000);
    EXPECT(256, CALL_READ, signals, BUFFER, 256);
    case_reap(child, 0);
    child = case_fork(END_WITH_7);
    EXPECT(128, CALL_READ, signals, BUFFER, 128);
    EXPECT_IS(CLD_EXITED, of(8));
    EXPECT_IS(7, of(40));
    case_reap(child, 7 << 8);
    WORDS(EVENT, 99, SIGALRM, SIGEV_SIGNAL, 0);
    EXPECT(0, MAKE_TIMER, CLOCK_MONOTONIC, EVENT, BUFFER);
    put_time(AT, 100 * MS);
    put_time(AT + 16, 100 * MS);
    EXPECT(0, SET_TIMER64, 0, 0, AT, 0);
    sleep_ms(350);
    EXPECT(128, CALL_READ, signals, BUFFER, 128);
    EXPECT_IS(SIGALRM, of(0));
    EXPECT_IS(0, of(24));
    EXPECT_IS(2, of(32));
    EXPECT_IS(99, of(44));
    WORDS(AT, 1u << (USR1 - 1), 0);
    EXPECT((int32_t)signals, SIGNALFD, signals, AT, 8); /* another set: alarms are not read any more */
    EXPECT_IS(0, polled(signals, POLLIN, 500));
    EXPECT(-EBADF, SIGNALFD4, 60, AT, 8, 0);
    EXPECT(-EINVAL, SIGNALFD4, 0, AT, 8, 0);
    EXPECT(-EINVAL, SIGNALFD4, UINT32_MAX, AT, 4, 0);
    EXPECT(-EINVAL, SIGNALFD4, UINT32_MAX, AT, 8, 1);
    EXPECT(-EFAULT, SIGNALFD4, UINT32_MAX, BAD, 8, 0);
}

static void signals_are_read(void **state)
{
    (void)state;
    case_run(
        &(struct proc_case){.main = main_of_signals, .functions = {NULL, NULL, NULL, signal_later, NULL, end_with_7}});
}

/* Cuts ------------------------------------------------------------------------------------------------------------- */

enum { OF_EVENT = 3, OF_MONOTONIC, OF_WHOLE, OF_WALL, OF_SIGNALS, OF_REBORN };

static void cut_with_events(void)
{
    case_string(AT, EIDOLON_REBORN);
    EXPECT(OF_EVENT, EVENTFD2, 41, O_NONBLOCK);
    EXPECT(OF_MONOTONIC, TIMERFD_CREATE, CLOCK_MONOTONIC, O_NONBLOCK);
    EXPECT(OF_WHOLE, TIMERFD_CREATE, CLOCK_BOOTTIME, O_NONBLOCK);
    EXPECT(OF_WALL, TIMERFD_CREATE, CLOCK_REALTIME, O_NONBLOCK);
    WORDS(BUFFER, 1u << (USR1 - 1), 0);
    EXPECT(OF_SIGNALS, SIGNALFD4, UINT32_MAX, BUFFER, 8, O_NONBLOCK);
    EXPECT(0, PROCMASK, SIG_SETMASK, BUFFER, 0, 8);
    EXPECT(OF_REBORN, OPEN, AT, O_RDONLY | O_NONBLOCK, 0);
    EXPECT(-EAGAIN, CALL_READ, OF_REBORN, BUFFER, 32);
    EXPECT_IS(0, polled(OF_REBORN, POLLIN, 100));
    EXPECT(-EINVAL, CALL_READ, OF_REBORN, BUFFER, 31);
    EXPECT(-EBADF, CALL_WRITE, OF_REBORN, BUFFER, 32);
    EXPECT(0, CALL_KILL, 1, USR1);
    set(OF_MONOTONIC, 0, 500 * SECOND, 0);
    set(OF_WHOLE, 0, 100 * SECOND, 200 * SECOND);
    set(OF_WALL, TFD_TIMER_ABSTIME, now(CLOCK_REALTIME) + 500 * SECOND, 0);
    case_registers()->ebp = GO_ON;
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void go_on(void)
{
    EXPECT_IS(POLLIN, polled(OF_REBORN, POLLIN, 0));
    EXPECT(32, CALL_READ, OF_REBORN, BUFFER, 100);
    EXPECT_IS(2, wide(BUFFER));
    EXPECT_IS(1, wide(BUFFER + 8));
    EXPECT_IS(true, wide(BUFFER + 16) > 0);
    expect_within((AWAY_S - 2) * SECOND, (AWAY_S + 2) * SECOND, wide(BUFFER + 24));
    EXPECT(-EAGAIN, CALL_READ, OF_REBORN, BUFFER, 32);
    EXPECT_IS(0, polled(OF_REBORN, POLLIN, 100));
    EXPECT_IS(41, take(OF_EVENT));
    expect_within(498 * SECOND, 500 * SECOND, left(OF_MONOTONIC));
    EXPECT_IS(0, polled(OF_MONOTONIC, POLLIN, 0));
    EXPECT_IS(5, take(OF_WHOLE)); /* at 100, 300, ... 900 s */
    EXPECT_IS(1, take(OF_WALL));
    EXPECT(128, CALL_READ, OF_SIGNALS, BUFFER, 128);
    EXPECT_IS(USR1, of(0));
}

static void events_go_on_after_a_cut(void **state)
{
    struct proc_case scene = {
        .main = cut_with_events, .functions = {NULL, NULL, go_on}, .options = "interval=0", .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    fake_wall_ahead_ns += AWAY_S * SECOND;
    case_run(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_counts_and_wakes),
        cmocka_unit_test(timer_is_read_when_it_is_due),
        cmocka_unit_test(signals_are_read),
        cmocka_unit_test(events_go_on_after_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
