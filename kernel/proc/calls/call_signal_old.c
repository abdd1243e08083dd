/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on signals as they were when there were 32 of them. Small C libraries (klibc, dietlibc) still make them.
 * What they set, the newer ones show, and the other way round; a call that sets a whole mask unblocks the signals above
 * 32, except sigprocmask, which leaves them alone.
 */
#include "calls.h"
#include "signal/share.h"
#include "signal/signal.h"

static bool is_settable(uint32_t signal)
{
    return signal >= 1 && signal <= SIGNAL_MAX && signal != SIGKILL && signal != SIGSTOP;
}

/* sigaction(signal, action, before) */
int32_t call_sigaction(const struct system_call *call)
{
    uint32_t signal = call->arguments[0];
    struct linux_old_sigaction new, old;
    int32_t result = 0;

    if (call->arguments[1] != 0) {
        result = copy_in(&new, call->arguments[1], sizeof(new));
    }
    if (result != 0) {
        return result;
    }
    if (signal < 1 || signal > SIGNAL_MAX || (call->arguments[1] != 0 && !is_settable(signal))) {
        return -EINVAL;
    }
    const struct signal_action *before = &call->program->actions[signal];
    old = (struct linux_old_sigaction){before->handler, before->mask[0], before->flags, before->restorer};
    if (call->arguments[2] != 0) {
        result = copy_out(call->arguments[2], &old, sizeof(old));
    }
    if (result == 0 && call->arguments[1] != 0) {
        struct signal_action action = {new.handler, new.flags, new.restorer, {new.mask, 0}};
        signal_set_action(call_change_program(call), signal, &action);
    }
    return result;
}

/* signal(signal, handler): once, and with nothing blocked. */
int32_t call_signal(const struct system_call *call)
{
    uint32_t signal = call->arguments[0];
    struct signal_action action = {.handler = call->arguments[1], .flags = SA_RESETHAND | SA_NODEFER};

    if (!is_settable(signal)) {
        return -EINVAL;
    }
    uint32_t before = call->program->actions[signal].handler;
    signal_set_action(call_change_program(call), signal, &action);
    return (int32_t)before;
}

int32_t call_sgetmask(const struct system_call *call)
{
    return (int32_t)call->record->signal_mask[0];
}

int32_t call_ssetmask(const struct system_call *call)
{
    uint32_t before = call->record->signal_mask[0];

    signal_set_mask(call_change_task(call), call->arguments[0], 0);
    return (int32_t)before;
}

/* sigsuspend(unused, unused, mask) */
int32_t call_sigsuspend(const struct system_call *call)
{
    call_exchange_mask(call, call->arguments[2], 0);
    return call_sleep_until(call, UINT64_MAX);
}

int32_t call_sigpending(const struct system_call *call)
{
    uint32_t pending[2];

    signal_pending_for(call->task, pending);
    pending[0] &= call->record->signal_mask[0];

    return copy_out(call->arguments[0], &pending[0], sizeof(pending[0]));
}

/* sigprocmask(how, set, before) */
int32_t call_sigprocmask(const struct system_call *call)
{
    uint32_t before = call->record->signal_mask[0], high = call->record->signal_mask[1];
    uint32_t set = 0;
    int32_t result = 0;

    if (call->arguments[1] != 0) {
        result = copy_in(&set, call->arguments[1], sizeof(set));
    }
    if (result == 0 && call->arguments[1] != 0 && call->arguments[0] > SIG_SETMASK) {
        result = -EINVAL;
    }
    if (result == 0 && call->arguments[2] != 0) {
        result = copy_out(call->arguments[2], &before, sizeof(before));
    }
    if (result != 0 || call->arguments[1] == 0) {
        return result;
    }
    switch (call->arguments[0]) {
    case SIG_BLOCK:
        signal_set_mask(call_change_task(call), before | set, high);
        break;
    case SIG_UNBLOCK:
        signal_set_mask(call_change_task(call), before & ~set, high);
        break;
    default:
        signal_set_mask(call_change_task(call), set, high);
        break;
    }
    return 0;
}
