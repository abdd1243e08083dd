/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When programs are looked at for their timers. See timer_schedule.h.
 *
 * The monotonic clock is committed with each generation, but an idle system commits none. So that cuts do not set a
 * long wait back forever, it leaves marks in the program's record at doubling distances, each of which makes a snapshot
 * due (as call_pace_next() does for calls).
 */
#include "timer_schedule.h"
#include "arch/clock.h"
#include "atomic.h"
#include "log.h"
#include "program_time.h"
#include "record.h"
#include "timer_queue.h"
#include "timer_table.h"

#define MARK_FIRST_NS  50000000ull
#define STEP_NS        1000000u /* the thread does not wake more often */
#define UNTAKEN_MAX_NS 100000000u
#define GAPS_MAX       32u

/* Volatile. */
static struct wait_queue changed;        /* the thread, while it waits for the first to be due */
static uint8_t gaps[PROGRAMS_MAX + 1];   /* how often a wait has been cut in two by marks, or a signal was not taken */
static uint64_t marks[PROGRAMS_MAX + 1]; /* when the next mark is due */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t interval_timer_moment(struct program_id program)
{
    uint64_t deadline_ns = program_at(program)->timers[TIMER_REAL].deadline_ns;

    return deadline_ns != 0 ? deadline_ns : TIMER_MOMENT_NEVER;
}

static void put(struct program_id program, uint64_t moment_ns)
{
    if (moment_ns == TIMER_MOMENT_NEVER) {
        timer_queue_remove(program);
    } else {
        timer_queue_put(program, moment_ns);
    }
}

static void count_gap(struct program_id program)
{
    if (gaps[program.number] < GAPS_MAX) {
        gaps[program.number]++;
    }
}

void timer_schedule(struct program_id program)
{
    DOES_NOT_SLEEP();
    uint64_t moment_ns = least(interval_timer_moment(program), timer_table_moment(program));

    put(program, moment_ns == TIMER_MOMENT_NEVER ? moment_ns : least(moment_ns, marks[program.number]));
}

void timer_schedule_afresh(struct program_id program, uint64_t now_ns)
{
    DOES_NOT_SLEEP();
    gaps[program.number] = 0;
    marks[program.number] = now_ns + MARK_FIRST_NS;
    timer_schedule(program);
}

void timer_schedule_untaken(struct program_id program, uint64_t now_ns)
{
    DOES_NOT_SLEEP();
    uint64_t pause_ns = now_ns + least((uint64_t)STEP_NS << gaps[program.number], UNTAKEN_MAX_NS);
    uint64_t deadline_ns = interval_timer_moment(program);

    put(program, least(deadline_ns > pause_ns ? deadline_ns : pause_ns, timer_table_moment(program)));
    count_gap(program);
}

bool timer_schedule_mark(struct program_id program, uint64_t now_ns)
{
    DOES_NOT_SLEEP();
    if (now_ns < marks[program.number]) {
        return false;
    }
    count_gap(program);
    marks[program.number] = now_ns + (MARK_FIRST_NS << gaps[program.number]);
    return true;
}

void timer_schedule_anew(struct program_id program)
{
    DOES_NOT_SLEEP();
    struct program_id first;
    uint64_t moment_ns;

    timer_schedule_afresh(program, time_monotonic_ns());
    if (timer_queue_first(&first, &moment_ns) && first.number == program.number) {
        wait_queue_wake(&changed, UINT32_MAX);
    }
}

/* Until when the thread sleeps, of this boot. */
static uint64_t next_look(void)
{
    struct program_id program;
    uint64_t moment_ns, soonest = clock_boot_ns() + STEP_NS;

    if (!timer_queue_first(&program, &moment_ns)) {
        return DEADLINE_NEVER;
    }
    uint64_t deadline_ns = time_boot_deadline_ns(moment_ns);
    return deadline_ns > soonest ? deadline_ns : soonest;
}

void timer_schedule_wait(void)
{
    thread_may_sleep();
    enum error error = wait_queue_sleep(&changed, next_look(), false);

    ASSERT(error == OK || error == ERROR_TIMED_OUT);
}
