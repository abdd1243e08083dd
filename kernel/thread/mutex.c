/*
 * Mutexes. Unlocking hands the mutex to the thread that has waited longest, so nobody is overtaken.
 */
#include "arch/interrupt.h"
#include "log.h"
#include "thread_internal.h"

void mutex_lock(struct mutex *mutex)
{
    struct thread *thread = thread_current();
    ASSERT(mutex->owner != thread);
    if (mutex->owner == NULL) {
        mutex->owner = thread;
        return;
    }
    enum error error = wait_queue_sleep(&mutex->waiters, DEADLINE_NEVER, false);
    ASSERT(error == OK && mutex->owner == thread);
}

bool mutex_try_lock(struct mutex *mutex)
{
    if (mutex->owner != NULL) {
        return false;
    }
    mutex->owner = thread_current();
    return true;
}

void mutex_unlock(struct mutex *mutex)
{
    ASSERT(mutex->owner == thread_current());
    mutex->owner = NULL;
    if (mutex->waiters.last != NULL) {
        mutex->owner = mutex->waiters.last->next;
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
