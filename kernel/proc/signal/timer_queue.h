/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: programs in the order of the moments at which something is due for them. One moment a program.
 *
 * A heap with the place of each program in it, so that what one of them does costs no more than the logarithm of how
 * many others wait. Volatile.
 */
#ifndef TIMER_QUEUE_H
#define TIMER_QUEUE_H

#include "types.h"

/* A program is due at a moment, whatever it was before. Does not sleep. */
void timer_queue_put(struct program_id program, uint64_t moment_ns);

/* It is not any more, if it was. Does not sleep. */
void timer_queue_remove(struct program_id program);

/* The first that is due, and when; false: there is none. Does not sleep. */
bool timer_queue_first(struct program_id *program, uint64_t *moment_ns);

#endif
