/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes on the booted kernel, at the edges of their ring: what fits, who is let go on, what poll says, and what is
 * left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/frame.h"
#include "file/pipe.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "record.h"
#include "vm_fault.h"

#include <string.h>

#define AT       SPACE_AT
#define BUFFER   0x40000000u
#define CAPACITY 65536u
#define ATOMIC   4096u
#define READER   3u
#define WRITER   4u

enum { POLL = 168, NEWSELECT = 142, PPOLL = 309, PROCMASK = 175, SETSIZE = 1031, GETSIZE = 1032, SETFL = 4 };

static void open_pipe(uint32_t flags)
{
    EXPECT(0, CALL_PIPE2, AT, flags);
    EXPECT_IS(READER, case_word(AT));
    EXPECT_IS(WRITER, case_word(AT + 4));
}

static void close_pipe(void)
{
    EXPECT(0, CALL_CLOSE, READER);
    EXPECT(0, CALL_CLOSE, WRITER);
}

/* Bytes by their position in the stream. */
static uint32_t sent, taken;

static void put(uint32_t count)
{
    uint8_t bytes[8192];

    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)((sent + i) * 7 + ((sent + i) >> 8));
    }
    case_put(BUFFER, bytes, count);
    EXPECT((int32_t)count, CALL_WRITE, WRITER, BUFFER, count);
    sent += count;
}

static void take(uint32_t count)
{
    uint8_t bytes[8192];

    EXPECT((int32_t)count, CALL_READ, READER, BUFFER, count);
    case_get(BUFFER, bytes, count);
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_IS((uint8_t)((taken + i) * 7 + ((taken + i) >> 8)), bytes[i]);
    }
    taken += count;
}

static uint32_t polled(uint32_t descriptor, uint32_t events)
{
    WORDS(AT, descriptor, events);
    (void)CALL(POLL, AT, 1, 0);
    return case_word(AT + 4) >> 16;
}

static void begin(void)
{
    sent = taken = 0;
    EXPECT((int32_t)BUFFER, CALL_MMAP2, BUFFER, 64 * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
}

static void sleep_ms(uint32_t ms)
{
    WORDS(AT + 0x80, 0, ms * 1000000);
    EXPECT(0, CALL_NANOSLEEP, AT + 0x80, 0);
}

/* Short writes are whole. */
static void atomic_writes(void)
{
    begin();
    open_pipe(O_NONBLOCK);
    for (uint32_t i = 0; i < CAPACITY / 8192; i++) {
        put(8192);
    }
    EXPECT(-EAGAIN, CALL_WRITE, WRITER, BUFFER, 1);
    EXPECT_IS(0, polled(WRITER, POLLOUT));
    take(100);
    EXPECT(-EAGAIN, CALL_WRITE, WRITER, BUFFER, 101);
    EXPECT_IS(0, polled(WRITER, POLLOUT));
    put(100);
    take(ATOMIC);
    EXPECT_IS(POLLOUT, polled(WRITER, POLLOUT));
    put(ATOMIC);
    take(100);
    EXPECT(100, CALL_WRITE, WRITER, BUFFER, 8192); /* a long one may be cut */
    close_pipe();
}

static void short_write_is_whole_or_waits(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = atomic_writes});
}

/* Ends ------------------------------------------------------------------------------------------------------------- */

static void write_to_nobody(void)
{
    EXPECT(0, CALL_CLOSE, READER);
    (void)CALL(CALL_WRITE, WRITER, BUFFER, 1);
    host_wrong("a program writes on without readers");
}

static void ends(void)
{
    begin();
    open_pipe(0);
    EXPECT(0, CALL_CLOSE, READER);
    EXPECT_IS(POLLERR | POLLOUT, polled(WRITER, POLLOUT));
    EXPECT_IS(POLLERR, polled(WRITER, 0)); /* unasked */
    int32_t child = case_fork(1);
    case_reap(child, 0);
    EXPECT(0, CALL_CLOSE, WRITER);
    open_pipe(0);
    EXPECT(0, CALL_CLOSE, WRITER);
    EXPECT_IS(POLLHUP, polled(READER, 0));
    EXPECT(0, CALL_READ, READER, BUFFER, 1);
    EXPECT(0, CALL_CLOSE, READER);
    open_pipe(0);
    put(100);
    close_pipe();
    open_pipe(O_NONBLOCK);
    EXPECT(-EAGAIN, CALL_READ, READER, BUFFER, 1); /* nothing of the one before */
    close_pipe();
}

/* SIGPIPE ends it: a clone of its own with no reader anywhere. */
static void end_by_signal(void)
{
    open_pipe(0);
    write_to_nobody();
}

static void nothing(void)
{
}

static void main_of_ends(void)
{
    case_reap(case_fork(0), 13);
    ends();
}

static void ends_of_a_pipe_are_told(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_ends, .functions = {end_by_signal, nothing}});
}

/* Capacity --------------------------------------------------------------------------------------------------------- */

static void capacities(void)
{
    begin();
    open_pipe(O_NONBLOCK);
    EXPECT((int32_t)CAPACITY, CALL_FCNTL64, READER, GETSIZE, 0);
    EXPECT(8192, CALL_FCNTL64, READER, SETSIZE, 8192);
    put(6000);
    take(5000);
    put(6500); /* over the end of the ring */
    EXPECT(-EBUSY, CALL_FCNTL64, READER, SETSIZE, 4096);
    EXPECT(16384, CALL_FCNTL64, READER, SETSIZE, 16384);
    put(3000);
    take(7000);
    EXPECT(4096, CALL_FCNTL64, READER, SETSIZE, 4096);
    /* what comes next lay beyond it: no boot would take the record otherwise */
    EXPECT_IS(true, pipe_record((struct pipe_id){0})->start < pipe_record((struct pipe_id){0})->capacity);
    take(1000);
    put(1500);
    EXPECT(65536 * 2, CALL_FCNTL64, READER, SETSIZE, 65536 * 2);
    EXPECT(8192, CALL_FCNTL64, READER, SETSIZE, 5000);
    take(sent - taken);
    put(10);
    take(10);
    close_pipe();
}

static void bytes_stay_when_the_capacity_changes(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = capacities});
}

/* What is left ----------------------------------------------------------------------------------------------------- */

static uint32_t pages_of(uint32_t pipe)
{
    return ((const struct pipe_record *)record_at(RECORD_PIPE, pipe))->pages;
}

static void leave_nothing(void)
{
    begin();
    open_pipe(0);
    for (uint32_t i = 0; i < CAPACITY / 8192; i++) {
        put(8192);
    }
    uint32_t frames = frame_count(FRAME_PAGE);
    EXPECT_IS(CAPACITY / PAGE_SIZE, pages_of(0));
    for (uint32_t i = 0; i < CAPACITY / 8192; i++) {
        take(8192);
    }
    sleep_ms(300);
    EXPECT_IS(0, pages_of(0));
    EXPECT_IS(true, frame_count(FRAME_PAGE) <= frames - CAPACITY / PAGE_SIZE);
    close_pipe();
}

static void pipe_that_is_empty_gives_its_pages_up(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = leave_nothing});
}

/* Long writes, and waiting for several things ---------------------------------------------------------------------- */

static void read_all(void)
{
    uint32_t total = 0;

    EXPECT(0, CALL_CLOSE, WRITER);
    for (int32_t got; (got = CALL(CALL_READ, READER, BUFFER, 3 * PAGE_SIZE)) > 0;) {
        total += (uint32_t)got;
    }
    EXPECT_IS(32 * PAGE_SIZE, total);
}

static void read_to_the_end(void)
{
    EXPECT(0, CALL_CLOSE, WRITER);
    EXPECT(0, CALL_READ, READER, BUFFER, 100);
}

static void count_handler(void)
{
    WORDS(SPACE_AT + 0x200, case_word(SPACE_AT + 0x200) + 1);
}

static void wake_parent(void)
{
    sleep_ms(5);
    EXPECT(0, CALL_KILL, 1, 10);
}

static void waits(void)
{
    begin();
    open_pipe(0);
    int32_t child = case_fork(0);
    EXPECT(32 * (int32_t)PAGE_SIZE, CALL_WRITE, WRITER, BUFFER, 32 * PAGE_SIZE);
    EXPECT(0, CALL_CLOSE, WRITER);
    case_reap(child, 0);
    EXPECT(0, CALL_CLOSE, READER);
    open_pipe(0);
    child = case_fork(3);
    sleep_ms(5); /* it sleeps by then */
    close_pipe();
    case_reap(child, 0);
    open_pipe(0);
    put(5);
    WORDS(AT, READER, POLLIN, 0, 1000000, UINT32_MAX, UINT32_MAX);
    EXPECT(1, PPOLL, AT, 1, AT + 8, AT + 16, 8);
    EXPECT(0, PROCMASK, SIG_BLOCK, 0, AT, 8);
    EXPECT_IS(0, case_word(AT));
    take(5);
    WORDS(AT, case_code(1), SA_RESTORER, case_code(CASE_FUNCTIONS), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, 10, AT, 0, 8);
    child = case_fork(2);
    WORDS(AT, READER, POLLIN);
    EXPECT(-EINTR, POLL, AT, 1, UINT32_MAX);
    EXPECT_IS(1, case_word(SPACE_AT + 0x200));
    case_reap(child, 0);
    child = case_fork(2);
    WORDS(AT, 1u << READER, 0, 0, 9, 500000);
    EXPECT(-EINTR, NEWSELECT, 5, AT, 0, 0, AT + 12);
    EXPECT_IS(9, case_word(AT + 12)); /* what was left */
    EXPECT_IS(true, case_word(AT + 16) < 497000);
    case_reap(child, 0);
    close_pipe();
}

static void long_writes_and_waits_say_what_came_of_them(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = waits, .functions = {read_all, count_handler, wake_parent, read_to_the_end}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_write_is_whole_or_waits),
        cmocka_unit_test(ends_of_a_pipe_are_told),
        cmocka_unit_test(bytes_stay_when_the_capacity_changes),
        cmocka_unit_test(pipe_that_is_empty_gives_its_pages_up),
        cmocka_unit_test(long_writes_and_waits_say_what_came_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
