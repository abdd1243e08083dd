/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that queue a signal with a value, and that wait for one without a handler.
 */
#include "arch/pmap.h"
#include "calls.h"
#include "program/programs.h"
#include "program_time.h"
#include "signal/share.h"
#include "signal/signal.h"
#include "task/pending.h"
#include <string.h>

#define SET_BYTES   8u
#define UNAWAITABLE (1u << (SIGKILL - 1) | 1u << (SIGSTOP - 1))

/* Queueing --------------------------------------------------------------------------------------------------------- */

/* rt_sigqueueinfo(program, signal, information) */
int32_t call_rt_sigqueueinfo(const struct system_call *call)
{
    struct program_id id = {call->arguments[0]};
    uint32_t signal = call->arguments[1];
    struct linux_siginfo information;
    int32_t result = copy_in(&information, call->arguments[2], sizeof(information));

    if (result != 0) {
        return result;
    }
    /* Only the kernel says of a signal to somebody else that it comes from it, or from kill(). */
    if ((information.code >= 0 || information.code == SI_TKILL) && id.number != call->task->program_id.number) {
        return -EPERM;
    }
    const struct task *receiver = (int32_t)id.number > 0 ? task_first_of(id) : NULL;
    if (signal > SIGNAL_MAX) {
        return receiver != NULL ? -EINVAL : -ESRCH;
    }
    if (signal >= SIGNAL_REAL_TIME && receiver != NULL && signal_in(receiver->record->signal_pending, signal) &&
        signal_queue_is_full(receiver->program)) {
        return -EAGAIN;
    }
    struct signal_origin origin = {information.code, {information.program}, information.value};
    program_call_commit();
    enum error error = signal_send_from(id, signal, &origin);
    return error == ERROR_NOT_FOUND ? -ESRCH : system_call_errno(error);
}

/* Waiting ---------------------------------------------------------------------------------------------------------- */

/* Take a signal when there is a place for what it says, in one step. 0: there is none any more. */
static int32_t take(const struct system_call *call, const uint32_t set[2])
{
    struct user_range range = {0};
    uint32_t address = call->arguments[1];

    if (address != 0) {
        enum error error = user_begin(&range, (struct vaddr){address}, sizeof(struct linux_siginfo), PMAP_WRITE);
        if (error != OK) {
            return system_call_errno(error);
        }
    }
    uint32_t signal = task_pending_of(call->task, set);
    if (signal != 0) {
        struct task *task = call_change_task(call);
        struct signal_taken taken = signal_look(task, signal);
        struct linux_siginfo information = {.signal = (int32_t)signal,
                                            .code = taken.origin.code,
                                            .program = taken.origin.program.number,
                                            .user = taken.overrun,
                                            .value = taken.origin.value};
        if (address != 0) {
            memcpy(range.address, &information, sizeof(information));
        }
        signal_take(task, signal);
    }
    if (address != 0) {
        user_end(&range);
    }
    return (int32_t)signal;
}

static int32_t wait_for(const struct system_call *call, const uint32_t set[2], uint64_t deadline_ns)
{
    struct call_pace pace = {0};

    for (;;) {
        int32_t result = task_pending_of(call->task, set) != 0 ? take(call, set) : 0;
        if (result != 0) {
            return result;
        }
        if (task_has_signal(call->task)) {
            return -EINTR;
        }
        if (time_monotonic_ns() >= deadline_ns) {
            return -EAGAIN;
        }
        uint64_t until = call_pace_next(call, &pace, deadline_ns);
        enum error error = thread_sleep_until(until == UINT64_MAX ? DEADLINE_NEVER : time_boot_deadline_ns(until));
        if (error != OK && error != ERROR_INTERRUPTED) {
            return system_call_errno(error);
        }
    }
}

/* rt_sigtimedwait(set, information, time, set_bytes) */
static int32_t wait_for_signal(const struct system_call *call, bool wide)
{
    uint32_t set[2];
    uint64_t length_ns, deadline_ns = UINT64_MAX;

    if (call->arguments[3] != SET_BYTES) {
        return -EINVAL;
    }
    int32_t result = copy_in(set, call->arguments[0], sizeof(set));
    if (result == 0 && call->arguments[2] != 0) {
        result = call_timespec_in(call->arguments[2], wide, &length_ns);
        if (result == 0 && call->record->call.deadline_ns == 0) {
            call_progress(call)->deadline_ns = time_monotonic_ns() + length_ns;
        }
        deadline_ns = call->record->call.deadline_ns;
    }
    if (result != 0) {
        return result;
    }
    set[0] &= ~UNAWAITABLE;
    struct task *task = task_current();
    memcpy(task->awaited, set, sizeof(set));
    signal_claim(task);
    result = wait_for(call, set, deadline_ns);
    memset(task->awaited, 0, sizeof(task->awaited));
    return result;
}

int32_t call_rt_sigtimedwait(const struct system_call *call)
{
    return wait_for_signal(call, false);
}

int32_t call_rt_sigtimedwait_time64(const struct system_call *call)
{
    return wait_for_signal(call, true);
}
