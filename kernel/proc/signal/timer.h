/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the timers of programs: interval timers (setitimer, alarm), of which each has three, and those
 * that they make (timer_create), which are in timer_table.h.
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

/* A program becomes another one: the timers that it has made go. Does not sleep. */
void timer_forget_made(struct program_id program);

/*
 * What a timer that a program has made has left, and to set it: to a moment of a clock, 0: not to be due. The base may
 * change between TIME_MONOTONIC and TIME_WALL. Neither sleeps.
 */
struct timer_setting timer_left_of_made(const struct timer_record *timer);
void timer_set_made(struct timer_record *timer, enum time_base base, uint64_t deadline_ns, uint64_t interval_ns);

/* It goes. Does not sleep. */
void timer_unmake(struct timer_record *timer);

/* On the current task's way to user mode: its program has perhaps used so much of the processor that it is due. */
void timer_check_processor(struct task *task);

#endif
