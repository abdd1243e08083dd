/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is one instant to every other thread, said and checked.
 *
 * On one processor nobody else runs between two points where a thread can sleep. Code that relies on it stands in a
 * bracket; every point where a thread could sleep, whether it would this time or not, panics in one. So a call that
 * sleeps once in a million runs is found by the first one that comes that way. With a second processor the brackets
 * will be the scopes of a lock. They are always compiled in: two instructions each way.
 */
#ifndef ATOMIC_H
#define ATOMIC_H

#include "types.h"

/* How many brackets are open, of whoever has the processor. Only for what stands below, and for fake machines. */
extern uint32_t atomic_depth;

/* Panics: a bracket ends that has not begun; a point where a thread could sleep lies in one. */
void atomic_unbalanced(void);
void atomic_broken(void);

/*
 * What happens between these two is one instant to every other thread: the caller does not sleep, yield or end, and
 * nothing that it calls does. They nest. A violation panics where it is about to happen.
 */
static inline void atomic_begin(void)
{
    atomic_depth++;
}

static inline void atomic_end(void)
{
    if (atomic_depth == 0) {
        atomic_unbalanced();
    }
    atomic_depth--;
}

/* For DOES_NOT_SLEEP(). */
static inline bool atomic_scope_begin(void)
{
    atomic_begin();
    return true;
}

static inline void atomic_scope_end(const bool *scope)
{
    (void)scope;
    atomic_depth--;
}

/* The first line of a function that does not sleep: a bracket to its end, by whatever way it returns. */
#define DOES_NOT_SLEEP()                                                                                               \
    const bool atomic_scope __attribute__((cleanup(atomic_scope_end), unused)) = atomic_scope_begin()

/* Every function that may sleep calls this first, also when it will not sleep this time. Panics in what is atomic. */
static inline void thread_may_sleep(void)
{
    if (atomic_depth != 0) {
        atomic_broken();
    }
}

/* A machine starts: nothing is atomic. For fake machines, whose power goes at any point. */
void atomic_reset(void);

#endif
