/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks, as programs name them, and what sleeps, timers and timer files on them follow: a base (record.h), and moments
 * of it.
 */
#include "calls.h"
#include "program_time.h"
#include "signal/timer.h"

#define NS_PER_SECOND 1000000000u

/*
 * Of a clock of a certain program or task, by a negative number: that it shows all time, and the complement of whose.
 */
#define CLOCK_SHOWS     3u
#define CLOCK_SHOWS_RUN 2u
#define CLOCK_OF_TASK   4u
#define CLOCK_WHOSE_BIT 3u

/* Only the program's own, and the time that sched_getcpuclockid() and its kin lead to. */
static int32_t base_of_processor_clock(const struct system_call *call, uint32_t clock)
{
    uint32_t whose = ~(uint32_t)((int32_t)clock >> CLOCK_WHOSE_BIT);
    bool is_of_task = (clock & CLOCK_OF_TASK) != 0;
    uint64_t ignored;
    int32_t result = call_processor_clock(call, clock, &ignored);

    if (result != 0) {
        return result;
    }
    if ((clock & CLOCK_SHOWS) != CLOCK_SHOWS_RUN ||
        (!is_of_task && whose != 0 && whose != call->task->program_id.number) ||
        (is_of_task && whose != 0 && whose != call->record->tid.number)) {
        return -EOPNOTSUPP;
    }
    return is_of_task ? TIME_TASK : TIME_PROGRAM;
}

int32_t call_clock_base(const struct system_call *call, uint32_t clock)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_TAI:
        return TIME_WALL;
    case CLOCK_MONOTONIC:
        return TIME_MONOTONIC;
    case CLOCK_BOOTTIME:
        return TIME_WHOLE;
    case CLOCK_PROCESS_CPUTIME_ID:
        return TIME_PROGRAM;
    case CLOCK_THREAD_CPUTIME_ID:
        return TIME_TASK;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
        return -EOPNOTSUPP;
    default:
        return (int32_t)clock < 0 ? base_of_processor_clock(call, clock) : -EINVAL;
    }
}

static uint64_t now_of(const struct system_call *call, enum time_base base)
{
    uint64_t now_ns = 0;

    if (base != TIME_PROGRAM && base != TIME_TASK) {
        return time_of_base_ns(base);
    }
    int32_t result =
        call_processor_clock(call, base == TIME_TASK ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID, &now_ns);
    return result == 0 ? now_ns : 0;
}

/* What is relative to the wall clock does not follow when that is set: it is of the monotonic one, as on Linux. */
uint64_t call_clock_moment(const struct system_call *call, uint32_t flags, enum time_base *base, uint64_t value_ns)
{
    if ((flags & TIMER_ABSTIME) != 0) {
        return value_ns;
    }
    *base = *base == TIME_WALL ? TIME_MONOTONIC : *base;
    uint64_t now_ns = now_of(call, *base);
    return value_ns < TIMER_NS_MAX - now_ns ? now_ns + value_ns : TIMER_NS_MAX;
}
