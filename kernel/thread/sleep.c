/*
 * Sleeping and waking: wait queues, and deadlines.
 *
 * The sleepers with a deadline are one list in order of time, so a tick looks at the first only.
 */
#include "arch/clock.h"
#include "arch/interrupt.h"
#include "log.h"
#include "thread_internal.h"

static struct thread *first_sleeper;

static void sleepers_add(struct thread *thread)
{
    struct thread *earlier = NULL;
    struct thread *later = first_sleeper;
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
        first_sleeper = thread;
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
        first_sleeper = thread->later;
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
    while (first_sleeper != NULL && first_sleeper->deadline_ns <= now_ns) {
        wake(first_sleeper, ERROR_TIMED_OUT);
    }
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
        if (thread->has_deadline) {
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
