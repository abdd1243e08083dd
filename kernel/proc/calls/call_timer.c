/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on interval timers: alarm() and setitimer(). What they set is in signal/timer.c.
 */
#include "arch/pmap.h"
#include "calls.h"
#include "signal/timer.h"
#include <string.h>

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

static struct linux_itimerval setting_of(const struct timer_setting *left)
{
    return (struct linux_itimerval){timeval_of(left->interval_ns), timeval_of(left->value_ns)};
}

int32_t call_getitimer(const struct system_call *call)
{
    if (call->arguments[0] >= INTERVAL_TIMERS) {
        return -EINVAL;
    }
    struct timer_setting left = timer_left(call->task->program_id, (enum interval_timer_kind)call->arguments[0]);
    struct linux_itimerval setting = setting_of(&left);
    return copy_out(call->arguments[1], &setting, sizeof(setting));
}

/*
 * setitimer(kind, new, before). What the timer was goes out in the step in which it is set; if that cannot be written
 * it is set all the same, as on Linux.
 */
int32_t call_setitimer(const struct system_call *call)
{
    enum interval_timer_kind kind = (enum interval_timer_kind)call->arguments[0];
    uint32_t before = call->arguments[2];
    struct timer_setting setting;
    struct user_range range = {0};
    int32_t result = setting_in(call->arguments[1], &setting);

    if (result != 0 || call->arguments[0] >= INTERVAL_TIMERS) {
        return result != 0 ? result : -EINVAL;
    }
    enum error error =
        before != 0 ? user_begin(&range, (struct vaddr){before}, sizeof(struct linux_itimerval), PMAP_WRITE) : OK;
    if (error != OK && error != ERROR_DENIED) {
        return system_call_errno(error);
    }
    struct timer_setting left = timer_left(call->task->program_id, kind);
    program_call_commit();
    timer_set(call->task->program_id, kind, &setting);
    if (before != 0 && error == OK) {
        struct linux_itimerval was = setting_of(&left);
        memcpy(range.address, &was, sizeof(was));
        user_end(&range);
    }
    return system_call_errno(error);
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
