/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping and waking: wait queues, and deadlines.
 *
 * Sleepers with a deadline hang in a wheel of buckets, one for each millisecond or so of the near future; those of
 * later rounds hang there as well and are passed over. A bucket is in order of deadline, so all wake in that order, and
 * both going to sleep and the tick cost little however many sleep.
 */
#include "arch/clock.h"
#include "arch/interrupt.h"
#include "log.h"
#include "thread_internal.h"

#define BUCKETS      256u
#define BUCKET_SHIFT 20u /* nanoseconds to buckets */

static struct thread *buckets[BUCKETS];
static uint64_t looked_at; /* number of the last bucket that was, counted from boot */

static struct thread **bucket_of(uint64_t deadline_ns)
{
    return &buckets[(deadline_ns >> BUCKET_SHIFT) % BUCKETS];
}

static void sleepers_add(struct thread *thread)
{
    struct thread **bucket = bucket_of(thread->deadline_ns);
    struct thread *earlier = NULL;
    struct thread *later = *bucket;
    while (later != NULL && later->deadline_ns <= thread->deadline_ns) {
        earlier = later;
        later = later->later;
    }
    thread->earlier = earlier;
    thread->later = later;
    if (later != NULL) {
        later->earlier = thread;
    }
    if (earlier != NULL) {
        earlier->later = thread;
    } else {
        *bucket = thread;
    }
}

static void sleepers_remove(struct thread *thread)
{
    if (thread->later != NULL) {
        thread->later->earlier = thread->earlier;
    }
    if (thread->earlier != NULL) {
        thread->earlier->later = thread->later;
    } else {
        *bucket_of(thread->deadline_ns) = thread->later;
    }
    thread->earlier = thread->later = NULL;
}

static void wake(struct thread *thread, enum error result)
{
    ASSERT(thread->state == THREAD_ASLEEP);
    thread_queue_remove(&thread->queue->last, thread);
    thread->queue = NULL;
    if (thread->has_deadline) {
        sleepers_remove(thread);
        thread->has_deadline = false;
    }
    thread->wake_result = result;
    scheduler_make_ready(thread);
}

void sleepers_wake_until(uint64_t now_ns)
{
    uint64_t now = now_ns >> BUCKET_SHIFT;
    uint64_t from = now - looked_at < BUCKETS ? looked_at : now - BUCKETS + 1;
    for (uint64_t number = from; number <= now; number++) {
        struct thread **bucket = &buckets[number % BUCKETS];
        while (*bucket != NULL && (*bucket)->deadline_ns <= now_ns) {
            wake(*bucket, ERROR_TIMED_OUT);
        }
    }
    looked_at = now;
}

/* Only what no round of the wheel hides is looked at: the buckets from the present one on. */
uint64_t sleepers_next_ns(void)
{
    for (uint64_t number = looked_at; number < looked_at + BUCKETS; number++) {
        const struct thread *first = buckets[number % BUCKETS];
        if (first != NULL && first->deadline_ns >> BUCKET_SHIFT <= number) {
            return first->deadline_ns;
        }
    }
    return (looked_at + BUCKETS) << BUCKET_SHIFT;
}

/* Whether there is nothing to wait for, and why. */
static bool is_over_already(struct thread *thread, uint64_t deadline_ns, bool interruptible, enum error *reason)
{
    if (interruptible && thread->interrupted) {
        thread->interrupted = false;
        *reason = ERROR_INTERRUPTED;
        return true;
    }
    *reason = ERROR_TIMED_OUT;
    return deadline_ns != DEADLINE_NEVER && deadline_ns <= clock_boot_ns();
}

enum error wait_queue_sleep(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible)
{
    struct thread *thread = thread_current();
    thread_may_sleep();
    ASSERT(thread != NULL && thread->state == THREAD_RUNNING);
    bool enabled = interrupt_disable();
    enum error result;
    if (!is_over_already(thread, deadline_ns, interruptible, &result)) {
        thread->state = THREAD_ASLEEP;
        thread->queue = queue;
        thread->interruptible = interruptible;
        thread->deadline_ns = deadline_ns;
        thread->has_deadline = deadline_ns != DEADLINE_NEVER;
        thread_queue_add_last(&queue->last, thread);
        if (thread->has_deadline) { /* THREAD-2 */
            sleepers_add(thread);
        }
        scheduler_switch();
        result = thread->wake_result;
    }
    interrupt_restore(enabled);
    return result;
}

uint32_t wait_queue_wake(struct wait_queue *queue, uint32_t count_max)
{
    bool enabled = interrupt_disable();
    uint32_t count = 0;
    while (count < count_max && queue->last != NULL) {
        wake(queue->last->next, OK);
        count++;
    }
    interrupt_restore(enabled);
    return count;
}

enum error thread_sleep_until(uint64_t deadline_ns)
{
    struct wait_queue nobody = {0};
    enum error error = wait_queue_sleep(&nobody, deadline_ns, true);
    return error == ERROR_TIMED_OUT ? OK : error;
}

void thread_interrupt(struct thread *thread)
{
    bool enabled = interrupt_disable();
    if (thread->state == THREAD_ASLEEP && thread->interruptible) {
        wake(thread, ERROR_INTERRUPTED);
    } else {
        thread->interrupted = true;
    }
    interrupt_restore(enabled);
}
