/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutexes. Unlocking hands the mutex to the thread that has waited longest, so nobody is overtaken.
 */
#include "arch/interrupt.h"
#include "log.h"
#include "thread_internal.h"

void mutex_lock(struct mutex *mutex, enum lock_rank rank)
{
    struct thread *thread = thread_current();
    thread_may_sleep();
    ASSERT(mutex->owner != thread);
    lock_order_take(&thread->locks, rank);
    if (mutex->owner == NULL) {
        mutex->owner = thread;
        return;
    }
    enum error error = wait_queue_sleep(&mutex->waiters, DEADLINE_NEVER, false);
    ASSERT(error == OK && mutex->owner == thread);
}

bool mutex_try_lock(struct mutex *mutex, enum lock_rank rank)
{
    if (mutex->owner != NULL) {
        return false;
    }
    mutex->owner = thread_current();
    lock_order_note(&mutex->owner->locks, rank);
    return true;
}

void mutex_unlock(struct mutex *mutex, enum lock_rank rank)
{
    ASSERT(mutex->owner == thread_current());
    lock_order_drop(&mutex->owner->locks, rank);
    mutex->owner = NULL;
    if (mutex->waiters.last != NULL) {
        mutex->owner = mutex->waiters.last->next; /* THREAD-3 */
        (void)wait_queue_wake(&mutex->waiters, 1);
    }
}

bool mutex_is_mine(const struct mutex *mutex)
{
    return mutex->owner == thread_current();
}

bool mutex_is_free(const struct mutex *mutex)
{
    return mutex->owner == NULL;
}
