/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads on the real machine: order, sleep, mutexes, held programs, FPU state.
 */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "log.h"
#include "selftest.h"
#include "thread.h"
#include "thread_internal.h"

#define MS      1000000ull
#define STEPS   8u
#define THREADS 3u

static char trace[64];
static uint32_t trace_length;
static uint32_t running;
static struct mutex mutex;
static struct wait_queue queue;
static uint32_t arrived;
static uint64_t base_ns;

static void note(char character)
{
    if (trace_length + 1 < sizeof(trace)) {
        trace[trace_length++] = character;
        trace[trace_length] = '\0';
    }
}

static void begin(void)
{
    trace_length = 0;
    trace[0] = '\0';
    running = 0;
    arrived = 0;
}

/* The machine may stand still at any moment under an emulator, so tests wait for what others do and not for a time. */
static void wait_until_reached(const uint32_t *count, uint32_t wanted)
{
    uint64_t deadline_ns = clock_boot_ns() + 20000 * MS;
    while (*count < wanted && clock_boot_ns() < deadline_ns) {
        SELFTEST_EXPECT(thread_sleep_until(clock_boot_ns() + MS) == OK);
    }
    SELFTEST_EXPECT(*count >= wanted);
}

static bool trace_is(const char *expected)
{
    for (uint32_t i = 0; i <= trace_length; i++) {
        if (trace[i] != expected[i]) {
            log_line("selftest: saw %s, expected %s", trace, expected);
            return false;
        }
    }
    return true;
}

static struct thread *start(void (*entry)(void *), uint32_t argument)
{
    struct thread *thread = NULL;
    running++;
    SELFTEST_EXPECT(thread_create("selftest", entry, (void *)argument, &thread) == OK);
    return thread;
}

static void join(void)
{
    while (running > 0) {
        SELFTEST_EXPECT(thread_sleep_until(clock_boot_ns() + MS) == OK);
    }
    SELFTEST_EXPECT(thread_sleep_until(clock_boot_ns() + MS) == OK); /* the last one's stack goes */
}

static void count_steps(void *argument)
{
    for (uint32_t i = 0; i < STEPS; i++) {
        note((char)('a' + (uint32_t)argument));
        thread_yield();
    }
    running--;
}

SELFTEST(thread_yields_go_round)
{
    begin();
    for (uint32_t i = 0; i < THREADS; i++) {
        start(count_steps, i);
    }
    join();
    uint32_t counts[THREADS] = {0};
    for (uint32_t i = 0; i < trace_length; i++) {
        counts[trace[i] - 'a']++;
    }
    SELFTEST_EXPECT(counts[0] == STEPS && counts[1] == STEPS && counts[2] == STEPS);
    SELFTEST_EXPECT(trace[0] == 'a' && trace[1] == 'b' && trace[2] == 'c');
}

static void sleep_and_note(void *argument)
{
    uint32_t ms = (uint32_t)argument;
    uint64_t deadline = base_ns + ms * MS;
    SELFTEST_EXPECT(thread_sleep_until(deadline) == OK);
    SELFTEST_EXPECT(clock_boot_ns() >= deadline);
    note((char)('a' + ms / 10));
    running--;
}

SELFTEST(thread_sleepers_wake_in_order_of_time)
{
    begin();
    base_ns = clock_boot_ns() + 300 * MS;
    start(sleep_and_note, 30);
    start(sleep_and_note, 10);
    start(sleep_and_note, 20);
    join();
    SELFTEST_EXPECT(trace_is("bcd"));
}

SELFTEST(thread_many_sleepers_all_wake_in_time)
{
    begin();
    base_ns = clock_boot_ns() + 300 * MS;
    for (uint32_t i = 0; i < 60; i++) {
        start(sleep_and_note, i * 37 % 60 * 10);
    }
    join();
    for (uint32_t i = 0; i < 60; i++) {
        SELFTEST_EXPECT(trace[i] == (char)('a' + i));
    }
}

static void end_at_once(void *argument)
{
    (void)argument;
    running--;
}

SELFTEST(thread_thousands_come_and_go)
{
    begin();
    for (uint32_t i = 0; i < 3000; i++) {
        start(end_at_once, i);
        if (running > 100) {
            thread_yield();
        }
    }
    join();
}

/* With `spare` frames left, creating a thread either works or takes nothing. */
static void create_with_frames_left(uint32_t spare)
{
    struct frame last = FRAME_NONE;
    struct frame frame;
    while (frame_count(FRAME_FREE) > spare && frame_allocate(FRAME_COPY, &frame) == OK) {
        *(struct frame *)frame_address(frame) = last;
        last = frame;
    }
    struct thread *thread;
    if (thread_create("selftest", end_at_once, NULL, &thread) == OK) {
        running++;
    } else {
        SELFTEST_EXPECT(frame_count(FRAME_FREE) == spare);
    }
    while (!frame_is_none(last)) {
        frame = last;
        last = *(struct frame *)frame_address(frame);
        frame_free(frame);
    }
}

SELFTEST(thread_creation_without_memory_takes_nothing)
{
    begin();
    for (uint32_t spare = 0; spare < 6; spare++) {
        create_with_frames_left(spare);
    }
    SELFTEST_EXPECT(running >= 1 && running <= 3);
    join();
}

static uint32_t shared_value;

static void add_under_mutex(void *argument)
{
    uint32_t seed = (uint32_t)argument * 2654435761u;
    for (uint32_t i = 0; i < 50; i++) {
        mutex_lock(&mutex, LOCK_COMMIT);
        uint32_t value = shared_value;
        seed = seed * 1664525 + 1013904223;
        if (seed >> 30 == 0) {
            SELFTEST_EXPECT(thread_sleep_until(clock_boot_ns() + MS / 10) == OK);
        } else if (seed >> 30 == 1) {
            thread_yield();
        }
        shared_value = value + 1;
        mutex_unlock(&mutex, LOCK_COMMIT);
        if (seed >> 31 != 0) {
            thread_yield();
        }
    }
    running--;
}

SELFTEST(mutex_keeps_threads_apart)
{
    begin();
    shared_value = 0;
    for (uint32_t i = 0; i < 20; i++) {
        start(add_under_mutex, i);
    }
    join();
    SELFTEST_EXPECT(shared_value == 20 * 50);
}

static void lock_and_note(void *argument)
{
    arrived++;
    mutex_lock(&mutex, LOCK_COMMIT);
    SELFTEST_EXPECT(mutex_is_mine(&mutex));
    note((char)('a' + (uint32_t)argument));
    thread_yield();
    note((char)('a' + (uint32_t)argument));
    mutex_unlock(&mutex, LOCK_COMMIT);
    running--;
}

SELFTEST(mutex_waiters_are_served_in_order)
{
    begin();
    mutex_lock(&mutex, LOCK_COMMIT);
    for (uint32_t i = 0; i < THREADS; i++) {
        start(lock_and_note, i);
    }
    wait_until_reached(&arrived, THREADS);
    SELFTEST_EXPECT(trace_is("") && mutex_is_mine(&mutex) && !mutex_try_lock(&mutex, LOCK_COMMIT));
    mutex_unlock(&mutex, LOCK_COMMIT);
    SELFTEST_EXPECT(!mutex_is_mine(&mutex) && !mutex_is_free(&mutex)); /* handed over already */
    join();
    SELFTEST_EXPECT(trace_is("aabbcc") && mutex_is_free(&mutex));
}

static void wait_and_note(void *argument)
{
    uint32_t ms = (uint32_t)argument;
    enum error error = wait_queue_sleep(&queue, ms == 0 ? DEADLINE_NEVER : clock_boot_ns() + ms * MS, true);
    note(error == OK ? 'w' : error == ERROR_TIMED_OUT ? 't' : error == ERROR_INTERRUPTED ? 'i' : '?');
    running--;
}

SELFTEST(wait_queue_sleep_ends_by_waking_time_or_interruption)
{
    begin();
    start(wait_and_note, 0);
    struct thread *second = start(wait_and_note, 0);
    start(wait_and_note, 5);
    wait_until_reached(&trace_length, 1);
    SELFTEST_EXPECT(trace_is("t"));
    thread_interrupt(second);
    wait_until_reached(&trace_length, 2);
    SELFTEST_EXPECT(trace_is("ti"));
    SELFTEST_EXPECT(wait_queue_wake(&queue, UINT32_MAX) == 1);
    join();
    SELFTEST_EXPECT(trace_is("tiw") && wait_queue_wake(&queue, 1) == 0);
}

SELFTEST(thread_interrupt_of_an_awake_thread_ends_its_next_sleep)
{
    thread_interrupt(thread_current());
    SELFTEST_EXPECT(thread_sleep_until(clock_boot_ns() + 10000 * MS) == ERROR_INTERRUPTED);
    SELFTEST_EXPECT(thread_sleep_until(clock_boot_ns() + MS) == OK);
}

static struct cpu_user_context contexts[2];

static void spin_as_program(void *argument)
{
    uint32_t index = (uint32_t)argument;
    cpu_fpu_initialise(&contexts[index].fpu);
    contexts[index].space = SPACE_SYSTEM;
    thread_set_user_context(thread_current(), &contexts[index]);
    uint32_t value = 0xA5A50000u + index;
    __asm__ volatile("movd %0, %%xmm3" : : "r"(value));
    for (uint32_t i = 0; i < STEPS; i++) {
        thread_yield();
        uint32_t seen;
        __asm__ volatile("movd %%xmm3, %0" : "=r"(seen));
        SELFTEST_EXPECT(seen == value);
        note((char)('a' + index));
    }
    running--;
}

SELFTEST(thread_switch_keeps_fpu_state)
{
    begin();
    start(spin_as_program, 0);
    start(spin_as_program, 1);
    join();
    SELFTEST_EXPECT(trace_length == 2 * STEPS);
}

SELFTEST(thread_garbage_in_fpu_state_is_harmless)
{
    struct cpu_user_context *context = &contexts[0];
    for (uint32_t i = 0; i < sizeof(context->fpu.bytes); i++) {
        context->fpu.bytes[i] = 0xFF;
    }
    context->space = SPACE_SYSTEM;
    thread_set_user_context(thread_current(), context);
    thread_yield();
    thread_set_user_context(thread_current(), NULL);
}

/* Stacks ---------------------------------------------------------------------------------------------------------- */

#define TEST_BYTES 4096u

static bool test_thread_runs;

static void use_stack(void *argument)
{
    volatile char bytes[TEST_BYTES];

    (void)argument;
    bytes[0] = 1;
    test_thread_runs = bytes[0] == 0;
}

SELFTEST(stack_use_is_kept_when_the_thread_has_ended)
{
    struct thread *thread;

    SELFTEST_EXPECT(stack_use_of("stack selftest") == 0);
    test_thread_runs = true;
    SELFTEST_EXPECT(thread_create("stack selftest", use_stack, NULL, &thread) == OK);
    while (test_thread_runs) {
        thread_yield();
    }
    thread_yield();
    uint32_t used = stack_use_of("stack selftest");
    SELFTEST_EXPECT(used > TEST_BYTES && used < TEST_BYTES + 2048);
}
