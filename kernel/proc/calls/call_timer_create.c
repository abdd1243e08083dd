/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on timers that programs make: timer_create() and its kin. The timers are in signal/timer_table.c.
 */
#include "arch/pmap.h"
#include "calls.h"
#include "signal/timer.h"
#include "signal/timer_table.h"
#include <string.h>

/* What a timer is to do, as far as it can be read from a sigevent; without one it sends SIGALRM and its number. */
static int32_t event_of(const struct system_call *call, uint32_t address, struct timer_record *out)
{
    struct linux_sigevent event = {.signal = SIGALRM, .notify = SIGEV_SIGNAL};
    int32_t result = address != 0 ? copy_in(&event, address, sizeof(event)) : 0;

    out->notify = (uint32_t)event.notify;
    out->signal = (uint32_t)event.signal;
    out->value = event.value;
    if (result != 0 || out->notify == SIGEV_NONE) {
        return result;
    }
    if (out->notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID)) {
        const struct task *task = event.tid > 0 ? task_find((struct task_id){(uint32_t)event.tid}) : NULL;
        if (task == NULL || task->program_id.number != call->task->program_id.number) {
            return -EINVAL;
        }
        out->task = (struct task_id){(uint32_t)event.tid};
    } else if (out->notify != SIGEV_SIGNAL && out->notify != SIGEV_THREAD) {
        return -EINVAL;
    }
    return out->signal >= 1 && out->signal <= SIGNAL_MAX ? 0 : -EINVAL;
}

/* Room for a timer, and the place for its number, both at once. */
static int32_t prepare(const struct system_call *call, struct user_range *range)
{
    for (;;) {
        enum error error = timer_table_reserve(call->task->program_id);
        if (error != OK) {
            return error == ERROR_NO_SPACE || error == ERROR_NO_MEMORY ? -EAGAIN : system_call_errno(error);
        }
        error = user_begin(range, (struct vaddr){call->arguments[2]}, sizeof(uint32_t), PMAP_WRITE);
        if (error != OK) {
            return system_call_errno(error);
        }
        if (timer_table_has_room(call->task->program_id)) {
            return 0;
        }
        user_end(range); /* others have taken it while the memory was waited for */
    }
}

/* The timer is there when its number is where the program wants it, in one step. */
static int32_t make(const struct system_call *call, const struct timer_record *made, bool tells_number)
{
    struct user_range range;
    int32_t result = prepare(call, &range);

    if (result != 0) {
        return result;
    }
    program_call_commit();
    uint32_t number = timer_table_add(made);
    if (tells_number) {
        timer_table_find(made->program, number)->value = number;
    }
    memcpy(range.address, &number, sizeof(number));
    user_end(&range);
    return 0;
}

/* timer_create(clock, event, number) */
int32_t call_timer_create(const struct system_call *call)
{
    struct timer_record made = {.program = call->task->program_id, .clock = call->arguments[0]};
    int32_t result = event_of(call, call->arguments[1], &made);
    int32_t base = result == 0 ? call_clock_base(call, call->arguments[0]) : result;

    if (base < 0) {
        return base;
    }
    made.base = (uint32_t)base;
    return make(call, &made, call->arguments[1] == 0);
}

static struct timer_record *timer_of(const struct system_call *call)
{
    return timer_table_find(call->task->program_id, call->arguments[0]);
}

/*
 * timer_settime(number, flags, new, before). The timer is set when what it was is where the program wants it, in one
 * step; if that cannot be written it is set all the same, as on Linux.
 */
static int32_t set(const struct system_call *call, bool wide)
{
    struct timer_setting wanted;
    struct user_range range = {0};
    uint32_t before = call->arguments[3];
    int32_t result = call->arguments[2] != 0 ? call_itimerspec_in(call->arguments[2], wide, &wanted) : -EINVAL;

    if (result == 0 && timer_of(call) == NULL) {
        result = -EINVAL;
    }
    if (result != 0) {
        return result;
    }
    uint8_t left[ITIMERSPEC_BYTES_MAX];
    enum error error =
        before != 0 ? user_begin(&range, (struct vaddr){before}, call_itimerspec_put(left, wide, &wanted), PMAP_WRITE)
                    : OK;
    if (error != OK && error != ERROR_DENIED) {
        return system_call_errno(error);
    }
    struct timer_record *timer = timer_of(call);
    if (timer != NULL) { /* it may be gone: others ran while the memory was waited for */
        struct timer_setting was = timer_left_of_made(timer);
        int32_t base = call_clock_base(call, timer->clock);
        enum time_base of = base >= 0 ? (enum time_base)base : (enum time_base)timer->base;
        uint64_t moment_ns =
            wanted.value_ns == 0 ? 0 : call_clock_moment(call, call->arguments[1], &of, wanted.value_ns);
        program_call_commit();
        timer_set_made(timer, of, moment_ns, wanted.interval_ns);
        if (before != 0 && error == OK) {
            memcpy(range.address, left, call_itimerspec_put(left, wide, &was));
        }
    }
    if (before != 0 && error == OK) {
        user_end(&range);
    }
    return timer == NULL ? -EINVAL : system_call_errno(error);
}

static int32_t get(const struct system_call *call, bool wide)
{
    const struct timer_record *timer = timer_of(call);
    uint8_t out[ITIMERSPEC_BYTES_MAX];

    if (timer == NULL) {
        return -EINVAL;
    }
    struct timer_setting left = timer_left_of_made(timer);
    return copy_out(call->arguments[1], out, call_itimerspec_put(out, wide, &left));
}

int32_t call_timer_settime(const struct system_call *call)
{
    return set(call, false);
}

int32_t call_timer_settime64(const struct system_call *call)
{
    return set(call, true);
}

int32_t call_timer_gettime(const struct system_call *call)
{
    return get(call, false);
}

int32_t call_timer_gettime64(const struct system_call *call)
{
    return get(call, true);
}

int32_t call_timer_getoverrun(const struct system_call *call)
{
    const struct timer_record *timer = timer_of(call);

    return timer != NULL ? (int32_t)timer->overrun : -EINVAL;
}

int32_t call_timer_delete(const struct system_call *call)
{
    struct timer_record *timer = timer_of(call);

    if (timer == NULL) {
        return -EINVAL;
    }
    program_call_commit();
    timer_unmake(timer);
    return 0;
}
