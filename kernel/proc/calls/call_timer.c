/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on interval timers: alarm() and setitimer(). What they set is in signal/timer.c.
 */
#include "calls.h"
#include "signal/timer.h"

#define NS_PER_SECOND           1000000000u
#define NS_PER_MICROSECOND      1000u
#define MICROSECONDS_PER_SECOND 1000000

static int32_t time_of(const struct linux_timeval *time, uint64_t *out_ns)
{
    if (time->seconds < 0 || time->microseconds < 0 || time->microseconds >= MICROSECONDS_PER_SECOND) {
        return -EINVAL;
    }
    *out_ns = (uint64_t)time->seconds * NS_PER_SECOND + (uint64_t)time->microseconds * NS_PER_MICROSECOND;
    return 0;
}

static struct linux_timeval timeval_of(uint64_t ns)
{
    uint64_t seconds = ns / NS_PER_SECOND;

    return (struct linux_timeval){seconds > INT32_MAX ? INT32_MAX : (int32_t)seconds,
                                  (int32_t)(ns % NS_PER_SECOND / NS_PER_MICROSECOND)};
}

/* A setting in the program's memory; none there: a timer that is not set. */
static int32_t setting_in(uint32_t address, struct timer_setting *out)
{
    struct linux_itimerval setting;

    *out = (struct timer_setting){0};
    if (address == 0) {
        return 0;
    }
    int32_t result = copy_in(&setting, address, sizeof(setting));
    if (result == 0) {
        result = time_of(&setting.value, &out->value_ns);
    }
    return result == 0 ? time_of(&setting.interval, &out->interval_ns) : result;
}

static int32_t setting_out(const struct system_call *call, uint32_t kind, uint32_t address)
{
    struct timer_setting left = timer_left(call->task->program_id, (enum interval_timer_kind)kind);
    struct linux_itimerval setting = {timeval_of(left.interval_ns), timeval_of(left.value_ns)};

    return copy_out(address, &setting, sizeof(setting));
}

int32_t call_getitimer(const struct system_call *call)
{
    return call->arguments[0] < INTERVAL_TIMERS ? setting_out(call, call->arguments[0], call->arguments[1]) : -EINVAL;
}

/* setitimer(kind, new, before) */
int32_t call_setitimer(const struct system_call *call)
{
    uint32_t kind = call->arguments[0];
    struct timer_setting setting;
    int32_t result = setting_in(call->arguments[1], &setting);

    if (result == 0 && kind >= INTERVAL_TIMERS) {
        result = -EINVAL;
    }
    if (result == 0 && call->arguments[2] != 0) {
        result = setting_out(call, kind, call->arguments[2]);
    }
    if (result == 0) {
        program_call_commit();
        timer_set(call->task->program_id, (enum interval_timer_kind)kind, &setting);
    }
    return result;
}

/* Answers with the seconds that were left, to the nearest, and one at least. */
int32_t call_alarm(const struct system_call *call)
{
    uint32_t seconds = call->arguments[0] < INT32_MAX ? call->arguments[0] : INT32_MAX;
    struct timer_setting left = timer_left(call->task->program_id, TIMER_REAL);
    struct linux_timeval before = timeval_of(left.value_ns);

    program_call_commit();
    timer_set(call->task->program_id, TIMER_REAL,
              &(struct timer_setting){.value_ns = (uint64_t)seconds * NS_PER_SECOND});
    bool rounds_up =
        before.microseconds >= MICROSECONDS_PER_SECOND / 2 || (before.seconds == 0 && before.microseconds != 0);
    return before.seconds + rounds_up;
}
