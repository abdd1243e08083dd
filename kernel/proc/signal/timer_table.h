/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the timers that programs make (timer_create()).
 *
 * Each is a record with the moment of its next signal, of the clock that the program has chosen. When it is due its
 * signal is sent (timer.c), and it stands still until that is taken: then it is found out how many moments have passed
 * meanwhile, which is what overruns are, and when the next one is. So a timer has one signal at a time, for which its
 * record is the place, however many others are queued.
 *
 *     TIMER-1  A timer's program is alive, has at most TIMERS_OF_PROGRAM_MAX, and no two of the same number.
 *     TIMER-2  One that is to be looked at is set, and its signal is not on its way.
 *
 * A clone has none; they go when their program becomes another one or ends. None of the functions sleeps unless it says
 * so.
 */
#ifndef TIMER_TABLE_H
#define TIMER_TABLE_H

#include "error.h"
#include "record.h"

#define TIMER_MOMENT_NEVER UINT64_MAX

/* Room for one timer more of a program. May sleep. ERROR_NO_SPACE: it has too many. ERROR_NO_MEMORY. */
MUST_CHECK enum error timer_table_reserve(struct program_id program);

/* Whether there is room, as it was reserved. */
bool timer_table_has_room(struct program_id program);

/* Make one, not set; `made` says whose it is and what it does. Its number is the lowest that the program has not. */
uint32_t timer_table_add(const struct timer_record *made);

/* By the number; NULL: the program has no such timer. */
struct timer_record *timer_table_find(struct program_id program, uint32_t number);
struct timer_record *timer_table_first(struct program_id program);
struct timer_record *timer_table_next(const struct timer_record *timer);

/* It follows another clock. */
void timer_table_set_base(struct timer_record *timer, enum time_base base);

/* One goes, or all of a program. The caller has them scheduled (timer_schedule_anew()). */
void timer_table_remove(struct timer_record *timer);
void timer_table_forget(struct program_id program);

/* After a boot: the timers that the records hold are their programs'. */
void timer_table_resume(void);

/* What the timer's clock shows. */
uint64_t timer_table_clock_ns(const struct timer_record *timer);

/* Whether a timer is due. */
bool timer_table_is_due(const struct timer_record *timer);

/*
 * When to look at a program's timers, by the monotonic clock: at those that do not follow what it uses of the
 * processor; whether one does, and whether the program has such.
 */
uint64_t timer_table_moment(struct program_id program);
bool timer_table_follows_processor(const struct timer_record *timer);
extern uint8_t timers_of_processor[PROGRAMS_MAX + 1];
static inline bool timer_table_uses_processor(struct program_id program)
{
    return timers_of_processor[program.number] > 0;
}

/* How many of its moments have passed since the one at which it was due. */
uint64_t timer_table_passed(const struct timer_record *timer);

#endif
