/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of threads.
 */
#include "thread_internal.h"
#include "arch/clock.h"
#include "arch/interrupt.h"
#include "arch/pmap.h"
#include "log.h"
#include "pool.h"

static struct pool threads;
static struct thread boot_thread;
static struct thread idle_thread;

static void begin(void)
{
    struct thread *thread = thread_current();
    scheduler_arrive();
    interrupt_restore(true);
    thread->entry(thread->argument);
    thread_exit();
}

static enum error give_stack(struct thread *thread)
{
    enum error error = cpu_stack_create(&thread->stack);
    if (error == OK) {
        thread->stack_pointer = cpu_stack_prepare(&thread->stack, begin);
    }
    return error;
}

enum error thread_create(const char *name, void (*entry)(void *), void *argument, struct thread **out)
{
    void *memory;
    enum error error = pool_allocate(&threads, &memory);
    if (error != OK) {
        return error;
    }
    struct thread *thread = memory;
    error = give_stack(thread);
    if (error != OK) {
        pool_free(&threads, thread);
        return error;
    }
    thread->name = name;
    thread->entry = entry;
    thread->argument = argument;
    bool enabled = interrupt_disable();
    stack_use_begin(thread);
    scheduler_make_ready(thread);
    interrupt_restore(enabled);
    *out = thread;
    return OK;
}

void thread_exit(void)
{
    struct thread *thread = thread_current();
    ASSERT(thread != &boot_thread);
    thread_set_user_context(thread, NULL);
    (void)interrupt_disable();
    thread->state = THREAD_ENDED;
    scheduler_switch();
    panic("thread", "expected an ended thread not to run, saw %s", thread->name);
}

void thread_dispose(struct thread *thread)
{
    ASSERT(thread->state == THREAD_ENDED);
    stack_use_end(thread);
    cpu_stack_delete(&thread->stack);
    pool_free(&threads, thread);
}

static void idle(void *argument)
{
    (void)argument;
    for (;;) {
        (void)interrupt_disable();
        if (thread_should_yield()) {
            clock_busy();
        }
        thread_yield();
        /* Nobody could run, and interrupts have been disabled since that was found. */
        clock_idle(sleepers_next_ns());
        interrupt_wait();
    }
}

void thread_start(void)
{
    pool_init(&threads, (sizeof(struct thread) + 7) & ~7u, FRAME_KERNEL);
    boot_thread = (struct thread){.name = "boot", .stack = cpu_stack_boot()};
    idle_thread = (struct thread){.name = "idle", .entry = idle};
    if (give_stack(&idle_thread) != OK) {
        log_refuse("eidolon: not enough memory for the first threads: run with more --memory");
    }
    stack_use_begin(&boot_thread);
    stack_use_begin(&idle_thread);
    scheduler_start(&boot_thread, &idle_thread);
    clock_start(thread_tick);
    interrupt_restore(true);
}

void thread_set_user_context(struct thread *thread, struct cpu_user_context *context)
{
    bool enabled = interrupt_disable();
    bool had_context = thread->context != NULL;
    thread->context = context;
    thread->of_program = thread->of_program || context != NULL;
    if (thread == thread_current()) {
        if (context != NULL) {
            cpu_user_load(context);
        } else if (had_context) {
            pmap_activate(SPACE_SYSTEM);
        }
    }
    interrupt_restore(enabled);
}

struct cpu_user_context *thread_user_context(const struct thread *thread)
{
    return thread->context;
}

const char *thread_name(const struct thread *thread)
{
    return thread->name;
}
