/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: when the thread of the timers looks at a program again (timer.c).
 */
#ifndef TIMER_SCHEDULE_H
#define TIMER_SCHEDULE_H

#include "thread.h"
#include "types.h"

/*
 * The moment of the first timer of a program that does not follow the processor's time, or an earlier one at which it
 * has to leave a mark. Without such a timer it is not looked at. `now_ns` is of the monotonic clock. None sleeps.
 * - timer_schedule_afresh(): and the distances of its marks begin anew.
 * - timer_schedule_anew(): and the thread hears of it: a timer has changed.
 */
void timer_schedule(struct program_id program);
void timer_schedule_afresh(struct program_id program, uint64_t now_ns);
void timer_schedule_anew(struct program_id program);

/*
 * The signal of a program's interval timer is still there: it is looked at ever more rarely, since nobody misses one
 * before it is taken. Does not sleep.
 */
void timer_schedule_untaken(struct program_id program, uint64_t now_ns);

/* Whether the program has to leave a mark now: the next one comes later. Does not sleep. */
bool timer_schedule_mark(struct program_id program, uint64_t now_ns);

/* Sleep until the first program is to be looked at, or that one is another. */
void timer_schedule_wait(void);

#endif
