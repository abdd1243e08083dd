/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the interval timers of programs (setitimer, alarm).
 *
 * A timer is in its program's record, with the moment of its next signal, so it goes on after a cut: the one of real
 * time by the monotonic clock of the object space, which stands still while no kernel runs, the others by what the
 * program has used of the processor. A clone has none; another image keeps them; the end of a program ends them.
 */
#ifndef TIMER_H
#define TIMER_H

#include "error.h"
#include "record.h"

struct task;

/* A timer as setitimer() takes it: the time until the next signal, 0: none; and from each to the one after it. */
struct timer_setting {
    uint64_t value_ns, interval_ns; /* at most TIMER_NS_MAX */
};

/* Begin to watch over timers: once a boot. ERROR_NO_MEMORY. */
MUST_CHECK enum error timer_start(void);

/* Those of a program that the records hold run from now on; and those of one that ends do not any more. */
void timer_resume(struct program_id program);
void timer_forget(struct program_id program);

/* What a timer has left, at least a microsecond if it is set. Does not sleep. */
struct timer_setting timer_left(struct program_id program, enum interval_timer_kind kind);

/* Set a timer anew. Does not sleep. */
void timer_set(struct program_id program, enum interval_timer_kind kind, const struct timer_setting *setting);

/* On the current task's way to user mode: its program has perhaps used so much of the processor that it is due. */
void timer_check_processor(struct task *task);

#endif
