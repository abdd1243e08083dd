/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of include/thread.h that vm_map and snap call: contexts that take turns. Nobody but them runs, and none is
 * interrupted in the kernel.
 */
#define _GNU_SOURCE
#include "thread.h"

#include <sys/mman.h>
#include <ucontext.h>

#include "arch/clock.h"
#include "log.h"

#define THREADS_MAX 4u
#define STACK_BYTES (256u << 10)
#define TURN_NS     1000000u

struct thread {
    ucontext_t context;
    void (*entry)(void *);
    void *argument;
};

static struct thread threads[THREADS_MAX]; /* the first is the one that boots, and later the program's */
static uint32_t thread_count = 1, running;
static uint64_t turn_ns; /* when this turn began */
uint32_t atomic_depth;

static void begin_thread(void)
{
    threads[running].entry(threads[running].argument);
    for (;;) {
        thread_yield();
    }
}

enum error thread_create(const char *name, void (*entry)(void *), void *argument, struct thread **out)
{
    struct thread *thread = &threads[thread_count];
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)name;
    if (thread_count == THREADS_MAX || stack == MAP_FAILED || getcontext(&thread->context) != 0) {
        return ERROR_NO_MEMORY;
    }
    thread->entry = entry;
    thread->argument = argument;
    thread->context.uc_stack = (stack_t){.ss_sp = stack, .ss_size = STACK_BYTES};
    thread->context.uc_link = NULL;
    makecontext(&thread->context, begin_thread, 0);
    thread_count++;
    *out = thread;
    return OK;
}

void thread_yield(void)
{
    uint32_t before = running;

    thread_may_sleep();
    running = (running + 1) % thread_count;
    if (running != before) {
        turn_ns = clock_boot_ns();
        ASSERT(swapcontext(&threads[before].context, &threads[running].context) == 0);
    }
}

bool thread_should_yield(void)
{
    return clock_boot_ns() - turn_ns >= TURN_NS;
}

void atomic_unbalanced(void)
{
    panic("thread", "what is atomic ends without having begun");
}

void atomic_broken(void)
{
    panic("thread", "a function that may sleep was called in what is atomic");
}

/* Whoever waits looks again whenever it is its turn: so nobody has to be woken. */
enum error wait_queue_sleep(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible)
{
    (void)queue;
    (void)interruptible;
    thread_yield();
    return clock_boot_ns() >= deadline_ns ? ERROR_TIMED_OUT : OK;
}

uint32_t wait_queue_wake(struct wait_queue *queue, uint32_t count_max)
{
    (void)queue;
    (void)count_max;
    return 0;
}

enum error thread_sleep_until(uint64_t deadline_ns)
{
    while (clock_boot_ns() < deadline_ns) {
        thread_yield();
    }
    return OK;
}

void mutex_lock(struct mutex *mutex, enum lock_rank rank)
{
    thread_may_sleep();
    while (!mutex_try_lock(mutex, rank)) {
        thread_yield();
    }
}

bool mutex_try_lock(struct mutex *mutex, enum lock_rank rank)
{
    (void)rank;
    if (mutex->owner != NULL) {
        return false;
    }
    mutex->owner = &threads[running];
    return true;
}

void mutex_unlock(struct mutex *mutex, enum lock_rank rank)
{
    (void)rank;
    ASSERT(mutex_is_mine(mutex));
    mutex->owner = NULL;
}

bool mutex_is_mine(const struct mutex *mutex)
{
    return mutex->owner == &threads[running];
}

bool mutex_is_free(const struct mutex *mutex)
{
    return mutex->owner == NULL;
}
