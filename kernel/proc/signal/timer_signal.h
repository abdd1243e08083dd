/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what becomes of the signals of timers (timer_table.h), for those who send and take signals. None
 * of the functions sleeps.
 */
#ifndef TIMER_SIGNAL_H
#define TIMER_SIGNAL_H

#include "record.h"

/*
 * The signal of a timer, which `origin` tells of, is about to be taken, and is taken: timer_signal_note() counts and
 * returns the overruns, timer_signal_taken() sets the timer to its next moment. Other signals mean nothing to them.
 */
uint32_t timer_signal_note(struct program_id program, const struct signal_origin *origin);
void timer_signal_taken(struct program_id program, const struct signal_origin *origin);

/* The signal of a timer, or all of a number, are nobody's any more: the timers go on. */
void timer_signal_lost(struct timer_record *timer);
void timer_signal_dropped(struct program_id program, uint32_t signal);

/* The oldest signal of a number that has no place but its timer's record: it has one now. False: there is none. */
bool timer_signal_next(struct program_id program, uint32_t signal, struct signal_origin *out);

/* What siginfo says of the signal of a timer. */
struct signal_origin timer_signal_origin(const struct timer_record *timer);

/* A turn behind those of all signals of the program that wait. */
uint32_t timer_signal_turn(struct program_id program);

#endif
