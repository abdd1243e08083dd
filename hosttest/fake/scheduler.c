/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake machine's processor: which thread has it, and which is next.
 *
 * Those that could run are in a line, from the moment they are woken. The first in it is next, or one that a seed
 * chooses. Neither depends on the host's scheduler as long as all threads stay in the kernel: such a test runs the same
 * way each time, with fibers and with host threads.
 */
#include "internal.h"
#include "log.h"
#include "thread_state.h"

struct fake_threads fake_threads = {.on_fibers = FIBERS_WORK,
                                    .guard = PTHREAD_MUTEX_INITIALIZER,
                                    .first = {.name = "first", .wake = PTHREAD_COND_INITIALIZER}};
__thread struct thread *fake_current;

void guard_lock(void)
{
    if (!fake_threads.on_fibers) {
        pthread_mutex_lock(&fake_threads.guard);
    }
}

void guard_unlock(void)
{
    if (!fake_threads.on_fibers) {
        pthread_mutex_unlock(&fake_threads.guard);
    }
}

static struct thread *line; /* those that could run, in order of arrival */
static uint32_t line_length;
static uint64_t schedule; /* the generator that chooses; 0: the first in the line is next */

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
    if (!fake_threads.on_fibers) {
        pthread_cond_signal(&thread->wake);
    }
}

void dispatch(void)
{
    struct thread **link = &line;

    if (fake_threads.running != NULL || fake_threads.is_off) {
        return;
    }
    if (line == NULL) {
        fake_threads.running = fake_threads.idle;
        if (fake_threads.idle != NULL) {
            wake_host(fake_threads.idle);
        }
        return;
    }
    for (uint32_t skip = schedule == 0 ? 0 : schedule_below(line_length); skip > 0; skip--) {
        link = &(*link)->line_next;
    }
    fake_threads.running = *link;
    *link = fake_threads.running->line_next;
    line_length--;
    wake_host(fake_threads.running);
}

void line_up(struct thread *thread)
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

void line_clear(void)
{
    line = NULL;
    line_length = 0;
}

void fiber_hand_over(bool is_last)
{
    struct thread *from = fake_current;
    struct thread *to = fake_threads.running != NULL ? fake_threads.running : &fake_threads.first;

    if (fake_threads.running == NULL && !fake_threads.is_off && !fake_threads.is_joining) {
        panic("fake thread", "expected somebody to run, or to wake the others");
    }
    fake_current = to;
    fiber_switch(&from->fiber, &to->fiber, is_last);
}

_Noreturn void quit(void)
{
    guard_unlock();
    longjmp(fake_current->end, 1);
}

/* What the thread has in the processor comes back with it. */
void processor_await(void)
{
    while (fake_threads.running != fake_current) {
        if (fake_threads.on_fibers) {
            fiber_hand_over(false);
            continue;
        }
        if (fake_threads.is_off && fake_current != &fake_threads.first) {
            quit();
        }
        pthread_cond_wait(&fake_current->wake, &fake_threads.guard);
    }
    if (fake_threads.last != fake_current && fake_current->context != NULL) {
        cpu_user_load(fake_current->context);
    }
    fake_threads.last = fake_current;
}

void processor_leave(void)
{
    if (fake_current->context != NULL) {
        cpu_user_save(fake_current->context);
    }
    fake_threads.running = NULL;
}

void processor_take(void)
{
    line_up(fake_current);
    processor_await();
}

void processor_give(void)
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
    ASSERT(!fake_threads.on_fibers);
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
