/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on time: clocks and sleeps.
 *
 * A sleep keeps its absolute deadline in record->call, so that it ends when it should however often the power fails in
 * between. The clocks of the processor are in call_usage.c.
 */
#include "arch/clock.h"
#include "calls.h"
#include "log.h"
#include "program_time.h"

#define NS_PER_SECOND      1000000000u
#define NS_PER_MICROSECOND 1000u

/* The time of a clock: 0, or -EINVAL if there is no such clock. */
static int32_t clock_read(const struct system_call *call, uint32_t clock, uint64_t *out_ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *out_ns = clock_wall_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        *out_ns = time_monotonic_ns();
        return 0;
    default:
        return call_processor_clock(call, clock, out_ns);
    }
}

/* Times in both widths --------------------------------------------------------------------------------------------- */

static int32_t timespec_out(uint32_t address, uint64_t ns, bool wide)
{
    if (wide) {
        struct linux_timespec64 time = {(int64_t)(ns / NS_PER_SECOND), (int32_t)(ns % NS_PER_SECOND), 0};
        return copy_out(address, &time, sizeof(time));
    }
    struct linux_timespec32 time = {(int32_t)(ns / NS_PER_SECOND), (int32_t)(ns % NS_PER_SECOND)};
    return copy_out(address, &time, sizeof(time));
}

int32_t call_timespec_in(uint32_t address, bool wide, uint64_t *out_ns)
{
    struct linux_timespec64 time = {0};
    struct linux_timespec32 narrow;
    int32_t result;

    if (wide) {
        result = copy_in(&time, address, sizeof(time));
    } else {
        result = copy_in(&narrow, address, sizeof(narrow));
        time.seconds = narrow.seconds;
        time.nanoseconds = narrow.nanoseconds;
    }
    if (result != 0) {
        return result;
    }
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= (int32_t)NS_PER_SECOND) {
        return -EINVAL;
    }
    *out_ns = (uint64_t)time.seconds > UINT64_MAX / 2 / NS_PER_SECOND
                  ? UINT64_MAX / 2
                  : (uint64_t)time.seconds * NS_PER_SECOND + (uint32_t)time.nanoseconds;
    return 0;
}

/* Clocks ----------------------------------------------------------------------------------------------------------- */

static int32_t get_time(const struct system_call *call, bool wide)
{
    uint64_t ns;
    int32_t result = clock_read(call, call->arguments[0], &ns);

    return result != 0 ? result : timespec_out(call->arguments[1], ns, wide);
}

int32_t call_clock_gettime(const struct system_call *call)
{
    return get_time(call, false);
}

int32_t call_clock_gettime64(const struct system_call *call)
{
    return get_time(call, true);
}

static int32_t get_resolution(const struct system_call *call, bool wide)
{
    uint64_t ns;
    int32_t result = clock_read(call, call->arguments[0], &ns);

    if (result != 0 || call->arguments[1] == 0) {
        return result;
    }
    return timespec_out(call->arguments[1], 1, wide);
}

int32_t call_clock_getres(const struct system_call *call)
{
    return get_resolution(call, false);
}

int32_t call_clock_getres_time64(const struct system_call *call)
{
    return get_resolution(call, true);
}

int32_t call_time(const struct system_call *call)
{
    int32_t seconds = (int32_t)(clock_wall_ns() / NS_PER_SECOND);
    int32_t result = call->arguments[0] != 0 ? copy_out(call->arguments[0], &seconds, sizeof(seconds)) : 0;

    return result != 0 ? result : seconds;
}

int32_t call_gettimeofday(const struct system_call *call)
{
    uint64_t ns = clock_wall_ns();
    struct linux_timeval time = {(int32_t)(ns / NS_PER_SECOND), (int32_t)(ns % NS_PER_SECOND / NS_PER_MICROSECOND)};
    const uint32_t zone[2] = {0, 0};
    int32_t result = call->arguments[0] != 0 ? copy_out(call->arguments[0], &time, sizeof(time)) : 0;

    if (result == 0 && call->arguments[1] != 0) {
        result = copy_out(call->arguments[1], zone, sizeof(zone));
    }
    return result;
}

/* Sleeping --------------------------------------------------------------------------------------------------------- */

/* A sleep of a known length; `remaining` receives what was left when a signal ended it. */
static int32_t sleep_for(const struct system_call *call, uint32_t request, uint32_t remaining, bool wide)
{
    const struct task_record *record = call->record;
    uint64_t length_ns;
    int32_t result = call_timespec_in(request, wide, &length_ns);

    if (result != 0) {
        return result;
    }
    if (record->call.deadline_ns == 0) {
        call_progress(call)->deadline_ns = time_monotonic_ns() + length_ns;
    }
    result = call_sleep_until(call, record->call.deadline_ns);
    if (result != -EINTR || remaining == 0) {
        return result;
    }
    uint64_t now = time_monotonic_ns();
    uint64_t left_ns = record->call.deadline_ns > now ? record->call.deadline_ns - now : 0;
    int32_t copied = timespec_out(remaining, left_ns, wide);
    return copied != 0 ? copied : result;
}

/* Until a moment of the wall clock, which may be set or jump: look at it again at least once a second. */
static int32_t sleep_until_wall(const struct system_call *call, uint64_t moment_ns)
{
    uint64_t now;

    while ((now = clock_wall_ns()) < moment_ns) {
        uint64_t nap_ns = moment_ns - now < NS_PER_SECOND ? moment_ns - now : NS_PER_SECOND;
        int32_t result = call_sleep_until(call, time_monotonic_ns() + nap_ns);
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

/* A program's time does not pass while its task sleeps: only a signal ends that. */
static int32_t sleep_on_processor_clock(const struct system_call *call, bool wide, uint64_t now_ns)
{
    uint64_t moment_ns;
    int32_t result = call_timespec_in(call->arguments[2], wide, &moment_ns);

    if (result != 0) {
        return result;
    }
    bool is_over = (call->arguments[1] & TIMER_ABSTIME) != 0 ? moment_ns <= now_ns : moment_ns == 0;
    return is_over ? 0 : call_sleep_until(call, UINT64_MAX);
}

static bool is_processor_clock(uint32_t clock)
{
    return clock == CLOCK_PROCESS_CPUTIME_ID || (int32_t)clock < 0;
}

static int32_t sleep_on_clock(const struct system_call *call, bool wide)
{
    uint64_t moment_ns;
    int32_t result = clock_read(call, call->arguments[0], &moment_ns);

    if (result != 0) {
        return result;
    }
    if (call->arguments[0] == CLOCK_THREAD_CPUTIME_ID) {
        return -EOPNOTSUPP;
    }
    if (is_processor_clock(call->arguments[0])) {
        return sleep_on_processor_clock(call, wide, moment_ns);
    }
    if ((call->arguments[1] & TIMER_ABSTIME) == 0) {
        return sleep_for(call, call->arguments[2], call->arguments[3], wide);
    }
    result = call_timespec_in(call->arguments[2], wide, &moment_ns);
    if (result != 0) {
        return result;
    }
    return call->arguments[0] == CLOCK_REALTIME ? sleep_until_wall(call, moment_ns) : call_sleep_until(call, moment_ns);
}

int32_t call_nanosleep(const struct system_call *call)
{
    return sleep_for(call, call->arguments[0], call->arguments[1], false);
}

int32_t call_clock_nanosleep(const struct system_call *call)
{
    return sleep_on_clock(call, false);
}

int32_t call_clock_nanosleep_time64(const struct system_call *call)
{
    return sleep_on_clock(call, true);
}

int32_t call_pause(const struct system_call *call)
{
    return call_sleep_until(call, UINT64_MAX);
}
