/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/thread.
 *
 *     THREAD-1  A thread is in exactly one of: running (thread_current()), a ready queue, one wait queue, ended.
 *     THREAD-2  A thread with a deadline is in a bucket of sleepers exactly while it is in a wait queue.
 *     THREAD-3  A mutex with waiters has an owner: unlocking hands it to the first waiter.
 *
 * Interrupt handlers wake threads, so all queues are changed with interrupts disabled.
 */
#ifndef THREAD_INTERNAL_H
#define THREAD_INTERNAL_H

#include "arch/context.h"
#include "thread.h"

#define SLICE_NS 10000000

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_ASLEEP, THREAD_ENDED };

struct thread {
    const char *name;
    enum thread_state state;
    struct cpu_stack stack;
    void *stack_pointer;            /* while it is not running */
    bool of_program;                /* it has had a user context */
    struct thread *older, *younger; /* in the list of all threads */
    struct cpu_user_context *context;
    void (*entry)(void *);
    void *argument;

    struct thread *next, *previous; /* in the ready queue or the wait queue it is in */
    int64_t slice_left_ns;
    struct lock_account locks; /* it holds */
    uint64_t lap_cycles;       /* that it has run of its lap, up to the last charge */

    struct wait_queue *queue; /* asleep in */
    enum error wake_result;
    bool interruptible;
    bool interrupted; /* thread_interrupt() came while it was awake */
    bool has_deadline;
    uint64_t deadline_ns;
    struct thread *later, *earlier; /* in its bucket of sleepers */
};

/* A queue is a pointer to its last thread, whose `next` is the first. */
void thread_queue_add_last(struct thread **last, struct thread *thread);
void thread_queue_add_first(struct thread **last, struct thread *thread);
void thread_queue_remove(struct thread **last, struct thread *thread);

/* Ready queues and the switch (scheduler.c). Interrupts disabled. */
void scheduler_start(struct thread *first, struct thread *idle);
void scheduler_make_ready(struct thread *thread);
/* Run another thread; the current one is in a queue, or ended. Returns when it runs again. */
void scheduler_switch(void);
/* The first thing a new thread does on its own stack. */
void scheduler_arrive(void);

/* Every thread that has a stack is known to the account of stacks (stack_use.c). Called with interrupts disabled. */
void stack_use_begin(struct thread *thread);
void stack_use_end(struct thread *thread);

/* Bytes that a kind of thread has used; 0: there was none. Looks at every stack there is. Does not sleep. */
uint32_t stack_use_of(const char *kind);

/* Give an ended thread's memory back (thread.c). */
void thread_dispose(struct thread *thread);

/* Called at each tick (sleep.c). Interrupts disabled. */
void sleepers_wake_until(uint64_t now_ns);

/* When the next sleep ends, if that is soon; else some time that is not later. Interrupts disabled. */
uint64_t sleepers_next_ns(void);

#endif
