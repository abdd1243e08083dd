/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping on the fake machine: wait queues, deadlines, interruptions, mutexes.
 */
#include "arch/clock.h"
#include "internal.h"
#include "log.h"
#include "thread_state.h"

static void queue_add(struct wait_queue *queue, struct thread *thread)
{
    thread->queue = queue;
    if (queue->last == NULL) {
        thread->wait_next = thread;
    } else {
        thread->wait_next = queue->last->wait_next;
        queue->last->wait_next = thread;
    }
    queue->last = thread;
}

static void queue_remove(struct thread *thread)
{
    struct wait_queue *queue = thread->queue;
    struct thread *previous = queue->last;

    while (previous->wait_next != thread) {
        previous = previous->wait_next;
    }
    previous->wait_next = thread->wait_next;
    if (queue->last == thread) {
        queue->last = previous == thread ? NULL : previous;
    }
    thread->queue = NULL;
    thread->wait_next = NULL;
}

/* `guard` is held. */
static void wake(struct thread *thread, enum error result)
{
    if (thread->queue != NULL) {
        queue_remove(thread);
    }
    thread->asleep = false;
    thread->result = result;
    line_up(thread);
}

static enum error sleep_in(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible)
{
    struct thread *thread = fake_current;
    enum error result;

    thread_may_sleep();
    guard_lock();
    if (interruptible && thread->interrupted) {
        thread->interrupted = false;
        result = ERROR_INTERRUPTED;
    } else if (deadline_ns <= clock_boot_ns()) {
        result = ERROR_TIMED_OUT;
    } else {
        thread->deadline_ns = deadline_ns;
        thread->interruptible = interruptible;
        thread->asleep = true;
        if (queue != NULL) {
            queue_add(queue, thread);
        }
        processor_give();
        processor_await();
        result = thread->result;
    }
    guard_unlock();
    return result;
}

enum error wait_queue_sleep(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible)
{
    return sleep_in(queue, deadline_ns, interruptible);
}

enum error thread_sleep_until(uint64_t deadline_ns)
{
    enum error error = sleep_in(NULL, deadline_ns, true);

    return error == ERROR_TIMED_OUT ? OK : error;
}

uint32_t wait_queue_wake(struct wait_queue *queue, uint32_t count_max)
{
    uint32_t woken = 0;

    guard_lock();
    for (; woken < count_max && queue->last != NULL; woken++) {
        wake(queue->last->wait_next, OK);
    }
    guard_unlock();
    return woken;
}

void thread_interrupt(struct thread *thread)
{
    guard_lock();
    if (thread->asleep && thread->interruptible) {
        wake(thread, ERROR_INTERRUPTED);
    } else {
        thread->interrupted = true;
    }
    guard_unlock();
}

void fake_threads_expire(uint64_t now_ns)
{
    guard_lock();
    for (struct thread *thread = fake_threads.threads; thread != NULL; thread = thread->next) {
        if (thread->asleep && thread->deadline_ns <= now_ns) {
            wake(thread, ERROR_TIMED_OUT);
        }
    }
    guard_unlock();
}

/* Mutexes ---------------------------------------------------------------------------------------------------------- */

bool mutex_try_lock(struct mutex *mutex, enum lock_rank rank)
{
    ASSERT(mutex->owner != fake_current);
    if (mutex->owner != NULL) {
        return false;
    }
    mutex->owner = fake_current;
    lock_order_note(&fake_current->locks, rank);
    return true;
}

void mutex_lock(struct mutex *mutex, enum lock_rank rank)
{
    thread_may_sleep();
    ASSERT(mutex->owner != fake_current);
    lock_order_take(&fake_current->locks, rank);
    if (mutex->owner == NULL) {
        mutex->owner = fake_current;
        return;
    }
    /* The one who unlocks it hands it over. */
    ASSERT(wait_queue_sleep(&mutex->waiters, DEADLINE_NEVER, false) == OK);
    ASSERT(mutex->owner == fake_current);
}

void mutex_unlock(struct mutex *mutex, enum lock_rank rank)
{
    ASSERT(mutex->owner == fake_current);
    lock_order_drop(&fake_current->locks, rank);
    mutex->owner = mutex->waiters.last != NULL ? mutex->waiters.last->wait_next : NULL;
    (void)wait_queue_wake(&mutex->waiters, 1);
}

bool mutex_is_mine(const struct mutex *mutex)
{
    return mutex->owner == fake_current;
}

bool mutex_is_free(const struct mutex *mutex)
{
    return mutex->owner == NULL;
}
