/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the threads of the fake machine share: who they are (thread.c), which of them has the processor (scheduler.c),
 * and what they sleep in (sleep.c).
 */
#ifndef FAKE_THREAD_STATE_H
#define FAKE_THREAD_STATE_H

#include "arch/context.h"
#include "fiber.h"
#include "thread.h"

#include <pthread.h>
#include <setjmp.h>

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

struct fake_threads {
    bool on_fibers;         /* and not on host threads */
    pthread_mutex_t guard;  /* of all that follows, of struct thread, and of the line of those that could run */
    struct thread *running; /* has the processor, or NULL */
    struct thread *threads;
    struct thread first;
    struct thread *last; /* that had the processor: what it shows is this one's */
    struct thread *idle; /* runs when nobody else could, or NULL */
    bool is_off;         /* the power is gone: nobody runs any more */
    bool is_joining;     /* the first thread waits for the others' end */
};

extern struct fake_threads fake_threads;
extern __thread struct thread *fake_current;

/* Nothing on fibers. */
void guard_lock(void);
void guard_unlock(void);

/* All below: `guard` is held. */

/* Let somebody run if nobody does. */
void dispatch(void);

/* A thread could run: it is the last in the line. */
void line_up(struct thread *thread);

/* Nobody is in the line any more. */
void line_clear(void);

/* On fibers: to the one that has the processor now. Comes back with it; not at all if this is its last. */
void fiber_hand_over(bool is_last);

/* Not on fibers: the thread leaves the machine, whose power is gone. */
_Noreturn void quit(void);

void processor_await(void);
void processor_leave(void);
void processor_take(void);
void processor_give(void);

#endif
