/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads of a machine with one processor.
 *
 * One of them has the processor; a thread has it while it runs kernel code and gives it up where the kernel switches
 * threads: when it sleeps, yields or ends. So kernel code between two such points is atomic, as on the machine.
 *
 * They are fibers of one host thread (fiber.h), or, when a test asks for it, host threads of their own: these may leave
 * the kernel, and what a test does there runs in parallel, so that ThreadSanitizer sees whether a page's mutex really
 * orders the accesses to it.
 *
 * The others that could run are in a line, from the moment they are woken. The first in it is next, or one that a seed
 * chooses. Neither depends on the host's scheduler as long as all threads stay in the kernel: such a test runs the same
 * way each time, with fibers and with host threads.
 *
 * The thread that starts the machine is the first one and is in the kernel.
 *
 * A machine can also be run to its end (fake_threads_run): then there is an idle thread, which moves the clock on when
 * nobody else could run, and the power can go at any moment, wherever threads are; none of them comes back.
 */
#include "thread.h"
#include "arch/clock.h"
#include "arch/context.h"
#include "arch/pmap.h"
#include "fiber.h"
#include "internal.h"
#include "log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>

struct thread {
    const char *name;
    void (*entry)(void *);
    void *argument;
    struct fiber fiber;
    pthread_t handle; /* if it is a host thread */
    pthread_cond_t wake;
    struct wait_queue *queue; /* it sleeps in, or NULL */
    struct thread *wait_next; /* in that queue */
    struct thread *next;      /* of all threads */
    struct thread *line_next; /* of those that could run */
    uint64_t deadline_ns;
    bool asleep;
    bool has_ended;
    bool interruptible;
    bool interrupted;  /* and not yet told */
    enum error result; /* of the sleep */
    struct cpu_user_context *context;
    uint64_t lap_since;
    struct lock_account locks; /* it holds */
    jmp_buf end;               /* where it leaves from */
};

static bool on_fibers = FIBERS_WORK;                      /* and not on host threads */
static bool wants_fibers = FIBERS_WORK;                   /* from the next machine on */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; /* of all that follows, and of struct thread */
static struct thread *running;                            /* has the processor, or NULL */
static struct thread *line;                               /* those that could run, in order of arrival */
static uint32_t line_length;
static uint64_t schedule; /* the generator that chooses; 0: the first in the line is next */
static struct thread *threads;
static struct thread first = {.name = "first", .wake = PTHREAD_COND_INITIALIZER};
static struct thread *last; /* that had the processor: what it shows is this one's */
static struct thread *idle; /* runs when nobody else could, or NULL */
static bool is_off;         /* the power is gone: nobody runs any more */
static bool is_joining;     /* the first thread waits for the others' end */
static __thread struct thread *current;

static void guard_lock(void)
{
    if (!on_fibers) {
        pthread_mutex_lock(&guard);
    }
}

static void guard_unlock(void)
{
    if (!on_fibers) {
        pthread_mutex_unlock(&guard);
    }
}

/* Processor -------------------------------------------------------------------------------------------------------- */

static uint32_t schedule_below(uint32_t limit)
{
    schedule ^= schedule >> 12;
    schedule ^= schedule << 25;
    schedule ^= schedule >> 27;
    return (uint32_t)((schedule * 0x2545F4914F6CDD1Du >> 32) * limit >> 32);
}

void fake_schedule(uint64_t seed)
{
    guard_lock();
    schedule = seed;
    guard_unlock();
}

static void wake_host(struct thread *thread)
{
    if (!on_fibers) {
        pthread_cond_signal(&thread->wake);
    }
}

/* Let somebody run if nobody does. */
static void dispatch(void)
{
    struct thread **link = &line;

    if (running != NULL || is_off) {
        return;
    }
    if (line == NULL) {
        running = idle;
        if (idle != NULL) {
            wake_host(idle);
        }
        return;
    }
    for (uint32_t skip = schedule == 0 ? 0 : schedule_below(line_length); skip > 0; skip--) {
        link = &(*link)->line_next;
    }
    running = *link;
    *link = running->line_next;
    line_length--;
    wake_host(running);
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

/* To the fiber that has the processor now; comes back with it. */
static void fiber_hand_over(bool is_last)
{
    struct thread *from = current;
    struct thread *to = running != NULL ? running : &first;

    if (running == NULL && !is_off && !is_joining) {
        panic("fake thread", "expected somebody to run, or to wake the others");
    }
    current = to;
    fiber_switch(&from->fiber, &to->fiber, is_last);
}

static _Noreturn void quit(void)
{
    guard_unlock();
    longjmp(current->end, 1);
}

/* What the thread has in the processor comes back with it. */
static void processor_await(void)
{
    while (running != current) {
        if (on_fibers) {
            fiber_hand_over(false);
            continue;
        }
        if (is_off && current != &first) {
            quit();
        }
        pthread_cond_wait(&current->wake, &guard);
    }
    if (last != current && current->context != NULL) {
        cpu_user_load(current->context);
    }
    last = current;
}

static void processor_leave(void)
{
    if (current->context != NULL) {
        cpu_user_save(current->context);
    }
    running = NULL;
}

static void processor_take(void)
{
    line_up(current);
    processor_await();
}

static void processor_give(void)
{
    processor_leave();
    dispatch();
}

void fake_kernel_enter(void)
{
    guard_lock();
    processor_take();
    guard_unlock();
}

void fake_kernel_leave(void)
{
    ASSERT(!on_fibers);
    thread_may_sleep();
    guard_lock();
    processor_give();
    guard_unlock();
}

void thread_yield(void)
{
    thread_may_sleep();
    guard_lock();
    processor_leave();
    processor_take();
    guard_unlock();
}

bool thread_should_yield(void)
{
    return schedule != 0 && schedule_below(4) == 0;
}

/* Life ------------------------------------------------------------------------------------------------------------- */

void fake_threads_parallel(bool parallel)
{
    wants_fibers = FIBERS_WORK && !parallel;
}

void fake_threads_start(void)
{
    on_fibers = wants_fibers;
    first.context = NULL;
    first.locks = (struct lock_account){0};
    atomic_reset();
    current = &first;
    threads = NULL;
    last = NULL;
    schedule = 0;
    fake_kernel_enter();
}

static void join_all(void)
{
    while (threads != NULL) {
        struct thread *thread = threads;

        if (on_fibers) {
            fiber_stop(&thread->fiber);
        } else {
            pthread_join(thread->handle, NULL);
        }
        threads = thread->next;
        pthread_cond_destroy(&thread->wake);
        free(thread);
    }
}

/* Fibers, until all have ended. */
static void run_all(void)
{
    thread_may_sleep();
    processor_give();
    if (running != NULL) {
        is_joining = true;
        fiber_hand_over(false);
        is_joining = false;
    }
    for (const struct thread *thread = threads; thread != NULL; thread = thread->next) {
        if (!thread->has_ended) {
            panic("fake thread", "expected %s to end, and nobody wakes it", thread->name);
        }
    }
    processor_take();
}

void fake_threads_join(void)
{
    if (on_fibers) {
        run_all();
        join_all();
        return;
    }
    fake_kernel_leave();
    join_all();
    fake_kernel_enter();
}

void fake_threads_stop(void)
{
    ASSERT(threads == NULL);
    thread_may_sleep();
    guard_lock();
    processor_give();
    guard_unlock();
}

static void run_fiber(void *argument)
{
    struct thread *thread = argument;

    processor_await();
    thread->entry(thread->argument);
    thread_exit();
}

static void *run(void *argument)
{
    current = argument;
    if (setjmp(current->end) == 0) {
        guard_lock();
        processor_await();
        guard_unlock();
        current->entry(current->argument);
        thread_exit();
    }
    return NULL;
}

static struct thread *new_thread(const char *name, void (*entry)(void *), void *argument)
{
    struct thread *thread = calloc(1, sizeof(*thread));

    ASSERT(thread != NULL);
    *thread = (struct thread){.name = name, .entry = entry, .argument = argument, .next = threads};
    pthread_cond_init(&thread->wake, NULL);
    threads = thread;
    return thread;
}

static void begin(struct thread *thread)
{
    if (on_fibers) {
        fiber_start(&thread->fiber, run_fiber, thread);
    } else {
        ASSERT(pthread_create(&thread->handle, NULL, run, thread) == 0);
    }
}

enum error thread_create(const char *name, void (*entry)(void *), void *argument, struct thread **out)
{
    if (fake_allocation_fails()) {
        return ERROR_NO_MEMORY;
    }
    struct thread *thread = new_thread(name, entry, argument);
    *out = thread;
    if (on_fibers) {
        begin(thread);
        line_up(thread);
        return OK;
    }
    guard_lock();
    line_up(thread);
    guard_unlock();
    begin(thread);
    return OK;
}

_Noreturn void thread_exit(void)
{
    ASSERT(current != &first);
    current->context = NULL;
    current->has_ended = true;
    if (on_fibers) {
        thread_may_sleep();
        processor_give();
        fiber_stop(&current->fiber); /* the next stack that is needed is needed by another fiber */
        fiber_hand_over(true);
    }
    fake_kernel_leave();
    longjmp(current->end, 1);
}

/* The boot code is a thread from the beginning. */
void thread_start(void)
{
}

struct thread *thread_current(void)
{
    return current;
}

/* The fake machine does not count: all time is everybody's. */
uint64_t thread_lap_so_far(const struct thread *thread)
{
    return clock_cycles() - thread->lap_since;
}

uint64_t thread_lap(void)
{
    uint64_t lap = thread_lap_so_far(current);

    current->lap_since += lap;
    return lap;
}

struct cpu_user_context *thread_current_context(void)
{
    return current->context;
}

const char *thread_name(const struct thread *thread)
{
    return thread->name;
}

/* They are the host's, and nobody measures them. */
void thread_log_stacks(void)
{
}

void thread_set_user_context(struct thread *thread, struct cpu_user_context *context)
{
    bool had_context = thread->context != NULL;

    thread->context = context;
    if (thread != current) {
        return;
    }
    if (context != NULL) {
        cpu_user_load(context);
    } else if (had_context) {
        pmap_activate(SPACE_SYSTEM);
    }
}

struct cpu_user_context *thread_user_context(const struct thread *thread)
{
    return thread->context;
}

/* A machine until its power goes ----------------------------------------------------------------------------------- */

/* The deadline that comes first, or DEADLINE_NEVER. */
static uint64_t next_deadline(void)
{
    uint64_t next = DEADLINE_NEVER;

    guard_lock();
    for (const struct thread *thread = threads; thread != NULL; thread = thread->next) {
        if (thread->asleep && thread->deadline_ns < next) {
            next = thread->deadline_ns;
        }
    }
    guard_unlock();
    return next;
}

static void (*nothing_to_do)(void);
void (*fake_idle_hook)(void);

static void idle_main(void *unused)
{
    (void)unused;
    for (;;) {
        if (fake_idle_hook != NULL) {
            fake_idle_hook();
        }
        uint64_t next = next_deadline();
        if (next == DEADLINE_NEVER) {
            nothing_to_do();
        } else {
            fake_clock_advance(next > clock_boot_ns() ? next - clock_boot_ns() : 0);
        }
        guard_lock();
        processor_leave();
        dispatch();
        processor_await();
        guard_unlock();
    }
}

static void await_power_off(void)
{
    guard_lock();
    processor_give();
    if (on_fibers) {
        fiber_hand_over(false);
        join_all();
        return;
    }
    while (!is_off) {
        pthread_cond_wait(&first.wake, &guard);
    }
    for (struct thread *thread = threads; thread != NULL; thread = thread->next) {
        pthread_cond_signal(&thread->wake);
    }
    guard_unlock();
    join_all();
}

void fake_threads_run(void (*entry)(void), void (*stuck)(void))
{
    struct thread *boot;

    nothing_to_do = stuck;
    idle = new_thread("idle", idle_main, NULL);
    begin(idle);
    ASSERT(thread_create("boot", (void (*)(void *))(void (*)(void))entry, NULL, &boot) == OK);
    await_power_off();
    line = NULL;
    line_length = 0;
    last = idle = running = NULL;
    is_off = false;
    first.locks = (struct lock_account){0};
    atomic_reset();
    fake_kernel_enter();
}

_Noreturn void fake_threads_cut(void)
{
    guard_lock();
    is_off = true;
    running = NULL;
    if (on_fibers) {
        fiber_hand_over(true);
    }
    pthread_cond_signal(&first.wake);
    quit();
}

/* Sleep ------------------------------------------------------------------------------------------------------------ */

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
    for (struct thread *thread = threads; thread != NULL; thread = thread->next) {
        if (thread->asleep && thread->deadline_ns <= now_ns) {
            wake(thread, ERROR_TIMED_OUT);
        }
    }
    guard_unlock();
}

/* Mutexes ---------------------------------------------------------------------------------------------------------- */

bool mutex_try_lock(struct mutex *mutex, enum lock_rank rank)
{
    ASSERT(mutex->owner != current);
    if (mutex->owner != NULL) {
        return false;
    }
    mutex->owner = current;
    lock_order_note(&current->locks, rank);
    return true;
}

void mutex_lock(struct mutex *mutex, enum lock_rank rank)
{
    thread_may_sleep();
    ASSERT(mutex->owner != current);
    lock_order_take(&current->locks, rank);
    if (mutex->owner == NULL) {
        mutex->owner = current;
        return;
    }
    /* The one who unlocks it hands it over. */
    ASSERT(wait_queue_sleep(&mutex->waiters, DEADLINE_NEVER, false) == OK);
    ASSERT(mutex->owner == current);
}

void mutex_unlock(struct mutex *mutex, enum lock_rank rank)
{
    ASSERT(mutex->owner == current);
    lock_order_drop(&current->locks, rank);
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
