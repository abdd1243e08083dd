/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on time: clocks and sleeps.
 *
 * A sleep keeps its absolute deadline in record->call, of the clock that it is on, so that it ends when it should
 * however often the power fails in between. The clocks of the processor are in call_usage.c.
 */
#include "arch/clock.h"
#include "calls.h"
#include "log.h"
#include "program_time.h"
#include "signal/timer.h"
#include "task/pending.h"
#include <string.h>

#define NS_PER_SECOND      1000000000u
#define NS_PER_MICROSECOND 1000u
#define LOOK_LEAST_NS      1000000u

/* The time of a clock: 0, or -EINVAL if there is no such clock. */
static int32_t clock_read(const struct system_call *call, uint32_t clock, uint64_t *out_ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI: /* nobody has set how far that is ahead */
        *out_ns = clock_wall_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
        *out_ns = time_monotonic_ns();
        return 0;
    case CLOCK_BOOTTIME:
        *out_ns = time_whole_ns();
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

int32_t call_itimerspec_in(uint32_t address, bool wide, struct timer_setting *out)
{
    uint32_t half = wide ? sizeof(struct linux_timespec64) : sizeof(struct linux_timespec32);
    int32_t result = call_timespec_in(address, wide, &out->interval_ns);

    return result == 0 ? call_timespec_in(address + half, wide, &out->value_ns) : result;
}

static uint32_t put_timespec(uint8_t *out, bool wide, uint64_t ns)
{
    struct linux_timespec64 time = {(int64_t)(ns / NS_PER_SECOND), (int32_t)(ns % NS_PER_SECOND), 0};
    struct linux_timespec32 narrow = {(int32_t)time.seconds, time.nanoseconds};

    memcpy(out, wide ? (const void *)&time : (const void *)&narrow, wide ? sizeof(time) : sizeof(narrow));
    return wide ? sizeof(time) : sizeof(narrow);
}

uint32_t call_itimerspec_put(void *out, bool wide, const struct timer_setting *setting)
{
    uint32_t half = put_timespec(out, wide, setting->interval_ns);

    return half + put_timespec((uint8_t *)out + half, wide, setting->value_ns);
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

/* What programs sleep on. */
struct sleep {
    enum time_base base;
    uint32_t clock; /* of a base that is of the processor */
    uint64_t moment_ns;
};

static uint64_t left_of(const struct system_call *call, const struct sleep *sleep)
{
    uint64_t now_ns = 0;
    int32_t result = 0;

    if (sleep->base == TIME_PROGRAM) {
        result = call_processor_clock(call, sleep->clock, &now_ns);
    } else {
        now_ns = time_of_base_ns(sleep->base);
    }
    return result == 0 && now_ns < sleep->moment_ns ? sleep->moment_ns - now_ns : 0; /* its program may have ended */
}

/*
 * Until when to sleep at most, by the monotonic clock. A clock of the processor goes no faster than that one; the
 * others may step forward.
 */
static uint64_t look_at(const struct sleep *sleep, uint64_t left_ns)
{
    if (sleep->base == TIME_PROGRAM) {
        return time_monotonic_ns() + (left_ns > LOOK_LEAST_NS ? left_ns : LOOK_LEAST_NS);
    }
    return time_to_look_ns(sleep->base, sleep->moment_ns);
}

/* No marks are left of such a sleep: these clocks go on while no kernel runs, or stand still while nobody computes. */
static int32_t sleep_until(const struct system_call *call, const struct sleep *sleep)
{
    uint64_t left_ns;

    if (sleep->base == TIME_MONOTONIC) {
        return call_sleep_until(call, sleep->moment_ns);
    }
    while ((left_ns = left_of(call, sleep)) > 0) {
        if (task_has_signal(call->task)) { /* CALL-3 */
            return -EINTR;
        }
        enum error error = thread_sleep_until(time_boot_deadline_ns(look_at(sleep, left_ns)));
        if (error != OK && error != ERROR_INTERRUPTED) {
            return system_call_errno(error);
        }
    }
    return 0;
}

static uint64_t now_of(const struct system_call *call, const struct sleep *sleep)
{
    struct sleep forever = *sleep;

    forever.moment_ns = UINT64_MAX;
    return UINT64_MAX - left_of(call, &forever);
}

/* For so long; `remaining` receives what was left when a signal ended it. */
static int32_t sleep_for(const struct system_call *call, struct sleep *sleep, uint64_t length_ns, uint32_t remaining,
                         bool wide)
{
    if (call->record->call.deadline_ns == 0) {
        uint64_t now_ns = now_of(call, sleep);
        call_progress(call)->deadline_ns = length_ns < UINT64_MAX - now_ns ? now_ns + length_ns : UINT64_MAX;
    }
    sleep->moment_ns = call->record->call.deadline_ns;
    int32_t result = sleep_until(call, sleep);
    if (result != -EINTR || remaining == 0) {
        return result;
    }
    int32_t copied = timespec_out(remaining, left_of(call, sleep), wide);
    return copied != 0 ? copied : result;
}

/* A clock of the processor is that of a program; there is no sleep on a task's. */
static int32_t sleep_base(const struct system_call *call, uint32_t clock)
{
    uint64_t ignored;
    int32_t base = call_clock_base(call, clock);

    if ((int32_t)clock < 0 && (base == -EOPNOTSUPP || base == TIME_PROGRAM)) {
        return call_processor_clock(call, clock, &ignored) == 0 ? TIME_PROGRAM : -EINVAL;
    }
    return base == TIME_TASK ? -EOPNOTSUPP : base;
}

/* clock_nanosleep(clock, flags, time, remaining) */
static int32_t sleep_on_clock(const struct system_call *call, bool wide)
{
    uint64_t value_ns;
    int32_t base = sleep_base(call, call->arguments[0]);

    if (base < 0) {
        return base;
    }
    struct sleep sleep = {.base = (enum time_base)base, .clock = call->arguments[0]};
    int32_t result = call_timespec_in(call->arguments[2], wide, &value_ns);
    if (result != 0) {
        return result;
    }
    if ((call->arguments[1] & TIMER_ABSTIME) != 0) {
        sleep.moment_ns = value_ns;
        return sleep_until(call, &sleep);
    }
    sleep.base = sleep.base == TIME_WALL ? TIME_MONOTONIC : sleep.base; /* setting the clock changes no length */
    return sleep_for(call, &sleep, value_ns, call->arguments[3], wide);
}

int32_t call_nanosleep(const struct system_call *call)
{
    struct sleep sleep = {.base = TIME_MONOTONIC};
    uint64_t length_ns;
    int32_t result = call_timespec_in(call->arguments[0], false, &length_ns);

    return result == 0 ? sleep_for(call, &sleep, length_ns, call->arguments[1], false) : result;
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
