/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs: round robin with slices of 10 ms, and threads that slept before those that did not.
 *
 * There are two ready queues. A thread that wakes with part of its slice left goes to `woken`, is taken before any in
 * `waiting` and makes the running thread leave at its next chance; so whoever waits for a disk or a key runs at once,
 * but for no more than its slice before it stands in line with the others. A thread that had to leave for it keeps the
 * first place in `waiting`. Kernel threads and programs are treated alike.
 */
#include "arch/clock.h"
#include "arch/interrupt.h"
#include "log.h"
#include "pool.h"
#include "thread_internal.h"

static struct thread *current;
static struct thread *idle_thread;
static struct thread *woken;
static struct thread *waiting;
static struct thread *ended; /* its stack is given back by the thread that runs next */

static bool should_switch;     /* somebody woke, or the slice is over */
static uint64_t running_since; /* of clock_cycles() */
static uint64_t lap_since;

static struct thread *take_from(struct thread **last)
{
    if (*last == NULL) {
        return NULL;
    }
    struct thread *thread = (*last)->next;
    thread_queue_remove(last, thread);
    return thread;
}

static struct thread *take_next(void)
{
    struct thread *thread = take_from(&woken);
    if (thread == NULL) {
        thread = take_from(&waiting);
    }
    return thread != NULL ? thread : idle_thread;
}

static void charge_slice(void)
{
    uint64_t now = clock_cycles();
    current->slice_left_ns -= (int64_t)clock_cycles_ns(now - running_since);
    current->lap_cycles += now - lap_since;
    running_since = lap_since = now;
}

void scheduler_start(struct thread *first, struct thread *idle)
{
    current = first;
    current->state = THREAD_RUNNING;
    current->slice_left_ns = SLICE_NS;
    idle_thread = idle;
    running_since = lap_since = clock_cycles();
}

/* THREAD-1: the thread is in no queue. */
void scheduler_make_ready(struct thread *thread)
{
    ASSERT(!interrupt_is_enabled());
    thread->state = THREAD_READY;
    if (thread->slice_left_ns > 0) {
        thread_queue_add_last(&woken, thread);
        should_switch = true;
    } else {
        thread->slice_left_ns = SLICE_NS;
        thread_queue_add_last(&waiting, thread);
        should_switch = should_switch || current == idle_thread;
    }
}

void scheduler_arrive(void)
{
    if (ended != NULL) {
        struct thread *thread = ended;
        ended = NULL;
        thread_dispose(thread);
    }
}

/* Its slice is charged. */
static void switch_to_next(void)
{
    thread_may_sleep();
    ASSERT(!interrupt_is_enabled());
    ASSERT(cpu_stack_is_intact(&current->stack));
    should_switch = false;
    struct thread *from = current;
    struct thread *to = take_next();
    to->state = THREAD_RUNNING;
    if (to == from) {
        return;
    }
    if (from->context != NULL) {
        cpu_user_save(from->context);
    }
    if (from->state == THREAD_ENDED) {
        ended = from;
    }
    current = to;
    if (to->context != NULL) {
        cpu_user_load(to->context);
    }
    cpu_stack_switch(&from->stack_pointer, to->stack_pointer, &to->stack);
    scheduler_arrive();
}

void scheduler_switch(void)
{
    charge_slice();
    switch_to_next();
}

void thread_yield(void)
{
    bool enabled = interrupt_disable();
    charge_slice();
    if (current == idle_thread) {
        current->state = THREAD_READY; /* it is in no queue */
    } else if (should_switch && current->slice_left_ns > 0) {
        current->state = THREAD_READY;
        thread_queue_add_first(&waiting, current);
    } else {
        current->state = THREAD_READY;
        current->slice_left_ns = SLICE_NS;
        thread_queue_add_last(&waiting, current);
    }
    switch_to_next();
    interrupt_restore(enabled);
}

void thread_tick(void)
{
    sleepers_wake_until(clock_boot_ns());
    if ((int64_t)clock_cycles_ns(clock_cycles() - running_since) >= current->slice_left_ns &&
        (waiting != NULL || woken != NULL)) {
        should_switch = true;
    }
}

bool thread_should_yield(void)
{
    return should_switch;
}

uint64_t thread_lap_so_far(const struct thread *thread)
{
    return thread->lap_cycles + (thread == current ? clock_cycles() - lap_since : 0);
}

uint64_t thread_lap(void)
{
    uint64_t now = clock_cycles();
    uint64_t lap = current->lap_cycles + (now - lap_since);

    current->lap_cycles = 0;
    lap_since = now;
    return lap;
}

struct cpu_user_context *thread_current_context(void)
{
    return current->context;
}

struct thread *thread_current(void)
{
    return current;
}
