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
 * The thread that starts the machine is the first one and is in the kernel.
 *
 * A machine can also be run to its end (fake_threads_run): then there is an idle thread, which moves the clock on when
 * nobody else could run, and the power can go at any moment, wherever threads are; none of them comes back.
 */
#include "thread.h"
#include "arch/clock.h"
#include "arch/pmap.h"
#include "internal.h"
#include "log.h"
#include "thread_state.h"

#include <stdlib.h>

static bool wants_fibers = FIBERS_WORK; /* from the next machine on */

void fake_threads_parallel(bool parallel)
{
    wants_fibers = FIBERS_WORK && !parallel;
}

void fake_threads_start(void)
{
    fake_threads.on_fibers = wants_fibers;
    fake_threads.first.context = NULL;
    fake_threads.first.locks = (struct lock_account){0};
    atomic_reset();
    fake_current = &fake_threads.first;
    fake_threads.threads = NULL;
    fake_threads.last = NULL;
    fake_schedule(0);
    fake_kernel_enter();
}

static void join_all(void)
{
    while (fake_threads.threads != NULL) {
        struct thread *thread = fake_threads.threads;

        if (fake_threads.on_fibers) {
            fiber_stop(&thread->fiber);
        } else {
            pthread_join(thread->handle, NULL);
        }
        fake_threads.threads = thread->next;
        pthread_cond_destroy(&thread->wake);
        free(thread);
    }
}

/* Fibers, until all have ended. */
static void run_all(void)
{
    thread_may_sleep();
    processor_give();
    if (fake_threads.running != NULL) {
        fake_threads.is_joining = true;
        fiber_hand_over(false);
        fake_threads.is_joining = false;
    }
    for (const struct thread *thread = fake_threads.threads; thread != NULL; thread = thread->next) {
        if (!thread->has_ended) {
            panic("fake thread", "expected %s to end, and nobody wakes it", thread->name);
        }
    }
    processor_take();
}

void fake_threads_join(void)
{
    if (fake_threads.on_fibers) {
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
    ASSERT(fake_threads.threads == NULL);
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
    fake_current = argument;
    if (setjmp(fake_current->end) == 0) {
        guard_lock();
        processor_await();
        guard_unlock();
        fake_current->entry(fake_current->argument);
        thread_exit();
    }
    return NULL;
}

static struct thread *new_thread(const char *name, void (*entry)(void *), void *argument)
{
    struct thread *thread = calloc(1, sizeof(*thread));

    ASSERT(thread != NULL);
    *thread = (struct thread){.name = name, .entry = entry, .argument = argument, .next = fake_threads.threads};
    pthread_cond_init(&thread->wake, NULL);
    fake_threads.threads = thread;
    return thread;
}

static void begin(struct thread *thread)
{
    if (fake_threads.on_fibers) {
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
    if (fake_threads.on_fibers) {
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
    ASSERT(fake_current != &fake_threads.first);
    fake_current->context = NULL;
    fake_current->has_ended = true;
    if (fake_threads.on_fibers) {
        thread_may_sleep();
        processor_give();
        fiber_stop(&fake_current->fiber); /* the next stack that is needed is needed by another fiber */
        fiber_hand_over(true);
    }
    fake_kernel_leave();
    longjmp(fake_current->end, 1);
}

/* The boot code is a thread from the beginning. */
void thread_start(void)
{
}

struct thread *thread_current(void)
{
    return fake_current;
}

/* The fake machine does not count: all time is everybody's. */
uint64_t thread_lap_so_far(const struct thread *thread)
{
    return clock_cycles() - thread->lap_since;
}

uint64_t thread_lap(void)
{
    uint64_t lap = thread_lap_so_far(fake_current);

    fake_current->lap_since += lap;
    return lap;
}

struct cpu_user_context *thread_current_context(void)
{
    return fake_current->context;
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
    if (thread != fake_current) {
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
    for (const struct thread *thread = fake_threads.threads; thread != NULL; thread = thread->next) {
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
    if (fake_threads.on_fibers) {
        fiber_hand_over(false);
        join_all();
        return;
    }
    while (!fake_threads.is_off) {
        pthread_cond_wait(&fake_threads.first.wake, &fake_threads.guard);
    }
    for (struct thread *thread = fake_threads.threads; thread != NULL; thread = thread->next) {
        pthread_cond_signal(&thread->wake);
    }
    guard_unlock();
    join_all();
}

void fake_threads_run(void (*entry)(void), void (*stuck)(void))
{
    struct thread *boot;

    nothing_to_do = stuck;
    fake_threads.idle = new_thread("idle", idle_main, NULL);
    begin(fake_threads.idle);
    ASSERT(thread_create("boot", (void (*)(void *))(void (*)(void))entry, NULL, &boot) == OK);
    await_power_off();
    line_clear();
    fake_threads.last = fake_threads.idle = fake_threads.running = NULL;
    fake_threads.is_off = false;
    fake_threads.first.locks = (struct lock_account){0};
    atomic_reset();
    fake_kernel_enter();
}

_Noreturn void fake_threads_cut(void)
{
    guard_lock();
    fake_threads.is_off = true;
    fake_threads.running = NULL;
    if (fake_threads.on_fibers) {
        fiber_hand_over(true);
    }
    pthread_cond_signal(&fake_threads.first.wake);
    quit();
}
