/*
 * Threads of a machine with one processor.
 *
 * Each is a host thread. One of them has the processor; a thread has it while it runs kernel code and gives it up where
 * the kernel switches threads: when it sleeps, yields or ends, and when a test lets it leave the kernel. So kernel code
 * between two such points is atomic, as on the machine, while what a test does outside the kernel runs in parallel:
 * ThreadSanitizer then sees whether a page's mutex really orders the accesses to it.
 *
 * The others that could run are in a line, from the moment they are woken. The first in it is next, or one that a seed
 * chooses. Neither depends on the host's scheduler as long as all threads stay in the kernel: such a test runs the same
 * way each time.
 *
 * The thread that starts the machine is the first one and is in the kernel.
 */
#include "thread.h"
#include "arch/clock.h"
#include "internal.h"
#include "log.h"

#include <pthread.h>
#include <stdlib.h>

struct thread {
    const char *name;
    void (*entry)(void *);
    void *argument;
    pthread_t handle;
    pthread_cond_t wake;
    struct wait_queue *queue; /* it sleeps in, or NULL */
    struct thread *wait_next; /* in that queue */
    struct thread *next;      /* of all threads */
    struct thread *line_next; /* of those that could run */
    uint64_t deadline_ns;
    bool asleep;
    bool interruptible;
    bool interrupted;  /* and not yet told */
    enum error result; /* of the sleep */
    struct cpu_user_context *context;
};

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; /* of all that follows, and of struct thread */
static struct thread *running;                            /* has the processor, or NULL */
static struct thread *line;                               /* those that could run, in order of arrival */
static uint32_t line_length;
static uint64_t schedule; /* the generator that chooses; 0: the first in the line is next */
static struct thread *threads;
static struct thread first = {.name = "first", .wake = PTHREAD_COND_INITIALIZER};
static __thread struct thread *current;

/* Processor ------------------------------------------------------------------------------------------------------- */

static uint32_t schedule_below(uint32_t limit)
{
    schedule ^= schedule >> 12;
    schedule ^= schedule << 25;
    schedule ^= schedule >> 27;
    return (uint32_t)((schedule * 0x2545F4914F6CDD1Du >> 32) * limit >> 32);
}

void fake_schedule(uint64_t seed)
{
    pthread_mutex_lock(&guard);
    schedule = seed;
    pthread_mutex_unlock(&guard);
}

/* Let somebody run if nobody does. */
static void dispatch(void)
{
    struct thread **link = &line;

    if (running != NULL || line == NULL) {
        return;
    }
    for (uint32_t skip = schedule == 0 ? 0 : schedule_below(line_length); skip > 0; skip--) {
        link = &(*link)->line_next;
    }
    running = *link;
    *link = running->line_next;
    line_length--;
    pthread_cond_signal(&running->wake);
}

static void line_up(struct thread *thread)
{
    struct thread **link = &line;

    while (*link != NULL) {
        link = &(*link)->line_next;
    }
    thread->line_next = NULL;
    *link = thread;
    line_length++;
    dispatch();
}

static void processor_await(void)
{
    while (running != current) {
        pthread_cond_wait(&current->wake, &guard);
    }
}

static void processor_take(void)
{
    line_up(current);
    processor_await();
}

static void processor_give(void)
{
    running = NULL;
    dispatch();
}

void fake_kernel_enter(void)
{
    pthread_mutex_lock(&guard);
    processor_take();
    pthread_mutex_unlock(&guard);
}

void fake_kernel_leave(void)
{
    pthread_mutex_lock(&guard);
    processor_give();
    pthread_mutex_unlock(&guard);
}

void thread_yield(void)
{
    pthread_mutex_lock(&guard);
    running = NULL;
    processor_take();
    pthread_mutex_unlock(&guard);
}

bool thread_should_yield(void)
{
    return schedule != 0 && schedule_below(4) == 0;
}

/* Life ------------------------------------------------------------------------------------------------------------ */

void fake_threads_start(void)
{
    first.context = NULL;
    current = &first;
    threads = NULL;
    schedule = 0;
    fake_kernel_enter();
}

void fake_threads_join(void)
{
    fake_kernel_leave();
    while (threads != NULL) {
        struct thread *thread = threads;

        pthread_join(thread->handle, NULL);
        threads = thread->next;
        pthread_cond_destroy(&thread->wake);
        free(thread);
    }
    fake_kernel_enter();
}

void fake_threads_stop(void)
{
    ASSERT(threads == NULL);
    fake_kernel_leave();
}

static void *run(void *argument)
{
    current = argument;
    pthread_mutex_lock(&guard);
    processor_await();
    pthread_mutex_unlock(&guard);
    current->entry(current->argument);
    fake_kernel_leave();
    return NULL;
}

enum error thread_create(const char *name, void (*entry)(void *), void *argument, struct thread **out)
{
    struct thread *thread = fake_allocation_fails() ? NULL : calloc(1, sizeof(*thread));

    if (thread == NULL) {
        return ERROR_NO_MEMORY;
    }
    *thread = (struct thread){.name = name, .entry = entry, .argument = argument, .next = threads};
    pthread_cond_init(&thread->wake, NULL);
    threads = thread;
    *out = thread;
    pthread_mutex_lock(&guard);
    line_up(thread);
    pthread_mutex_unlock(&guard);
    ASSERT(pthread_create(&thread->handle, NULL, run, thread) == 0);
    return OK;
}

_Noreturn void thread_exit(void)
{
    ASSERT(current != &first);
    fake_kernel_leave();
    pthread_exit(NULL);
}

struct thread *thread_current(void)
{
    return current;
}

const char *thread_name(const struct thread *thread)
{
    return thread->name;
}

void thread_set_user_context(struct thread *thread, struct cpu_user_context *context)
{
    thread->context = context;
}

struct cpu_user_context *thread_user_context(const struct thread *thread)
{
    return thread->context;
}

/* Sleep ----------------------------------------------------------------------------------------------------------- */

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
    struct thread *thread = current;
    enum error result;

    pthread_mutex_lock(&guard);
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
    pthread_mutex_unlock(&guard);
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

    pthread_mutex_lock(&guard);
    for (; woken < count_max && queue->last != NULL; woken++) {
        wake(queue->last->wait_next, OK);
    }
    pthread_mutex_unlock(&guard);
    return woken;
}

void thread_interrupt(struct thread *thread)
{
    pthread_mutex_lock(&guard);
    if (thread->asleep && thread->interruptible) {
        wake(thread, ERROR_INTERRUPTED);
    } else {
        thread->interrupted = true;
    }
    pthread_mutex_unlock(&guard);
}

void fake_threads_expire(uint64_t now_ns)
{
    pthread_mutex_lock(&guard);
    for (struct thread *thread = threads; thread != NULL; thread = thread->next) {
        if (thread->asleep && thread->deadline_ns <= now_ns) {
            wake(thread, ERROR_TIMED_OUT);
        }
    }
    pthread_mutex_unlock(&guard);
}

/* Mutexes --------------------------------------------------------------------------------------------------------- */

bool mutex_try_lock(struct mutex *mutex)
{
    ASSERT(mutex->owner != current);
    if (mutex->owner != NULL) {
        return false;
    }
    mutex->owner = current;
    return true;
}

void mutex_lock(struct mutex *mutex)
{
    if (!mutex_try_lock(mutex)) {
        /* The one who unlocks it hands it over. */
        ASSERT(wait_queue_sleep(&mutex->waiters, DEADLINE_NEVER, false) == OK);
        ASSERT(mutex->owner == current);
    }
}

void mutex_unlock(struct mutex *mutex)
{
    ASSERT(mutex->owner == current);
    mutex->owner = mutex->waiters.last != NULL ? mutex->waiters.last->wait_next : NULL;
    (void)wait_queue_wake(&mutex->waiters, 1);
}

bool mutex_is_mine(const struct mutex *mutex)
{
    return mutex->owner == current;
}

bool mutex_is_free(const struct mutex *mutex)
{
    return mutex->owner == NULL;
}
