/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signals of timers. See timer_signal.h.
 */
#include "timer_signal.h"
#include "atomic.h"
#include "linux/linux_abi.h"
#include "timer_schedule.h"
#include "timer_table.h"

#define OVERRUNS_MAX ((uint32_t)INT32_MAX)

/* Its signal is not on its way any more: the next moment is behind those that have passed. */
static void go_on(struct timer_record *timer, uint64_t passed)
{
    timer->sent = TIMER_SIGNAL_NONE;
    if (timer->interval_ns == 0) {
        timer->deadline_ns = 0;
    }
    if (timer->deadline_ns == 0) {
        return;
    }
    uint64_t ahead_ns = passed < TIMER_NS_MAX / timer->interval_ns ? (passed + 1) * timer->interval_ns : TIMER_NS_MAX;
    timer->deadline_ns = timer->deadline_ns < TIMER_NS_MAX - ahead_ns ? timer->deadline_ns + ahead_ns : 0;
    timer_schedule_anew(timer->program);
}

struct signal_origin timer_signal_origin(const struct timer_record *timer)
{
    return (struct signal_origin){.code = SI_TIMER, .program = {timer->number}, .value = timer->value};
}

/* The timer whose signal is pending by that; NULL: it comes from something else, or the timer has been set anew. */
static struct timer_record *timer_of(struct program_id program, const struct signal_origin *origin)
{
    struct timer_record *timer = origin->code == SI_TIMER ? timer_table_find(program, origin->program.number) : NULL;

    return timer != NULL && timer->sent == TIMER_SIGNAL_SENT ? timer : NULL;
}

uint32_t timer_signal_note(struct program_id program, const struct signal_origin *origin)
{
    DOES_NOT_SLEEP();
    struct timer_record *timer = timer_of(program, origin);

    if (timer == NULL) {
        return 0;
    }
    uint64_t passed = timer_table_passed(timer);
    timer->overrun = passed < OVERRUNS_MAX ? (uint32_t)passed : OVERRUNS_MAX;
    return timer->overrun;
}

void timer_signal_taken(struct program_id program, const struct signal_origin *origin)
{
    DOES_NOT_SLEEP();
    struct timer_record *timer = timer_of(program, origin);

    if (timer != NULL) {
        go_on(timer, timer->overrun < OVERRUNS_MAX ? timer->overrun : timer_table_passed(timer));
    }
}

void timer_signal_lost(struct timer_record *timer)
{
    DOES_NOT_SLEEP();
    go_on(timer, timer_table_passed(timer));
}

void timer_signal_dropped(struct program_id program, uint32_t signal)
{
    DOES_NOT_SLEEP();
    for (struct timer_record *timer = timer_table_first(program); timer != NULL; timer = timer_table_next(timer)) {
        if (timer->signal == signal && timer->sent != TIMER_SIGNAL_NONE) {
            timer_signal_lost(timer);
        }
    }
}

bool timer_signal_next(struct program_id program, uint32_t signal, struct signal_origin *out)
{
    DOES_NOT_SLEEP();
    struct timer_record *oldest = NULL;

    for (struct timer_record *timer = timer_table_first(program); timer != NULL; timer = timer_table_next(timer)) {
        if (timer->signal == signal && timer->sent == TIMER_SIGNAL_WAITS &&
            (oldest == NULL || timer->turn < oldest->turn)) {
            oldest = timer;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    oldest->sent = TIMER_SIGNAL_SENT;
    *out = timer_signal_origin(oldest);
    return true;
}

uint32_t timer_signal_turn(struct program_id program)
{
    uint32_t turn = 0;

    for (const struct timer_record *timer = timer_table_first(program); timer != NULL;
         timer = timer_table_next(timer)) {
        turn = timer->sent == TIMER_SIGNAL_WAITS && timer->turn > turn ? timer->turn : turn;
    }
    return turn + 1;
}
