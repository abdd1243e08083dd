/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on signals. What they do to a program is in signal.c.
 */
#include "arch/cpu.h"
#include "calls.h"
#include "program/programs.h"
#include "signal/share.h"
#include "signal/signal.h"
#include "signal/signal_frame.h"
#include <string.h>

#define SET_BYTES 8u

static bool is_signal(uint32_t number)
{
    return number >= 1 && number <= SIGNAL_MAX;
}

int32_t call_rt_sigaction(const struct system_call *call)
{
    uint32_t signal = call->arguments[0];
    struct signal_action action, before;
    int32_t result = 0;

    if (call->arguments[3] != SET_BYTES || !is_signal(signal)) {
        return -EINVAL;
    }
    if (call->arguments[1] != 0) {
        if (signal == SIGKILL || signal == SIGSTOP) {
            return -EINVAL;
        }
        result = copy_in(&action, call->arguments[1], sizeof(action));
    }
    before = call->program->actions[signal];
    if (result == 0 && call->arguments[2] != 0) {
        result = copy_out(call->arguments[2], &before, sizeof(before));
    }
    if (result == 0 && call->arguments[1] != 0) {
        signal_set_action(call_change_program(call), signal, &action);
    }
    return result;
}

int32_t call_rt_sigprocmask(const struct system_call *call)
{
    uint32_t before[2], set[2] = {0, 0};
    int32_t result = 0;

    if (call->arguments[3] != SET_BYTES) {
        return -EINVAL;
    }
    memcpy(before, call->record->signal_mask, sizeof(before));
    if (call->arguments[1] != 0) {
        if (call->arguments[0] > SIG_SETMASK) {
            return -EINVAL;
        }
        result = copy_in(set, call->arguments[1], sizeof(set));
    }
    if (result == 0 && call->arguments[2] != 0) {
        result = copy_out(call->arguments[2], before, sizeof(before));
    }
    if (result != 0 || call->arguments[1] == 0) {
        return result;
    }
    switch (call->arguments[0]) {
    case SIG_BLOCK:
        signal_set_mask(call_change_task(call), before[0] | set[0], before[1] | set[1]);
        break;
    case SIG_UNBLOCK:
        signal_set_mask(call_change_task(call), before[0] & ~set[0], before[1] & ~set[1]);
        break;
    default:
        signal_set_mask(call_change_task(call), set[0], set[1]);
        break;
    }
    return 0;
}

int32_t call_rt_sigpending(const struct system_call *call)
{
    uint32_t pending[2];

    if (call->arguments[1] > SET_BYTES) {
        return -EINVAL;
    }
    signal_pending_for(call->task, pending);
    pending[0] &= call->record->signal_mask[0];
    pending[1] &= call->record->signal_mask[1];
    return copy_out(call->arguments[0], pending, call->arguments[1]);
}

/* The mask of before comes back when the handler returns. */
int32_t call_rt_sigsuspend(const struct system_call *call)
{
    uint32_t set[2];

    if (call->arguments[1] != SET_BYTES) {
        return -EINVAL;
    }
    int32_t result = copy_in(set, call->arguments[0], sizeof(set));
    if (result != 0) {
        return result;
    }
    call_exchange_mask(call, set[0], set[1]);
    return call_sleep_until(call, UINT64_MAX);
}

int32_t call_sigaltstack(const struct system_call *call)
{
    uint32_t stack[3], before[3];
    int32_t result = 0;

    memcpy(before, call->record->signal_stack, sizeof(before));
    if (before[2] == 0) {
        before[1] = SS_DISABLE;
    } else if (call->task->registers->esp - before[0] < before[2]) {
        before[1] |= SS_ONSTACK;
    }
    if (call->arguments[0] != 0) {
        result = copy_in(stack, call->arguments[0], sizeof(stack));
        if (result == 0 && (before[1] & SS_ONSTACK) != 0) {
            result = -EPERM;
        }
        if (result == 0 && stack[1] != 0 && stack[1] != SS_DISABLE && stack[1] != SS_ONSTACK) {
            result = -EINVAL;
        }
        if (result == 0 && (stack[1] & SS_DISABLE) == 0 && stack[2] < SIGNAL_STACK_MIN) {
            result = -ENOMEM;
        }
    }
    if (result == 0 && call->arguments[1] != 0) {
        result = copy_out(call->arguments[1], before, sizeof(before));
    }
    if (result == 0 && call->arguments[0] != 0) {
        struct task_record *record = call_change_task(call)->record;
        memset(record->signal_stack, 0, sizeof(record->signal_stack));
        if ((stack[1] & SS_DISABLE) == 0) {
            record->signal_stack[0] = stack[0];
            record->signal_stack[2] = stack[2];
        }
    }
    return result;
}

/* Sending ---------------------------------------------------------------------------------------------------------- */

static int32_t sent(enum error error)
{
    return error == ERROR_NOT_FOUND ? -ESRCH : system_call_errno(error);
}

static struct signal_origin from_caller(const struct system_call *call, int32_t code)
{
    return (struct signal_origin){.code = code, .program = call->task->program_id};
}

/* To every program but the first one and the caller. */
static enum error send_to_others(const struct system_call *call, uint32_t signal, const struct signal_origin *origin)
{
    enum error result = ERROR_NOT_FOUND;

    for (struct program_id id = {2}; program_is_in_table(id); id.number++) {
        if (id.number != call->task->program_id.number && program_at(id)->state == PROGRAM_RUNNING &&
            signal_send_from(id, signal, origin) == OK) {
            result = OK;
        }
    }
    return result;
}

int32_t call_kill(const struct system_call *call)
{
    int32_t target = (int32_t)call->arguments[0];
    uint32_t signal = call->arguments[1];
    struct signal_origin origin = from_caller(call, SI_USER);

    if (signal > SIGNAL_MAX) {
        return -EINVAL;
    }
    program_call_commit();
    if (target > 0) {
        return sent(signal_send_from((struct program_id){(uint32_t)target}, signal, &origin));
    }
    if (target == -1) {
        return sent(send_to_others(call, signal, &origin));
    }
    struct group_id group = target == 0 ? call->program->process_group : (struct group_id){0u - (uint32_t)target};
    return sent(signal_send_group_from(group, signal, &origin));
}

static int32_t send_to_task(const struct system_call *call, struct program_id program, struct task_id tid,
                            uint32_t signal)
{
    struct signal_origin origin = from_caller(call, SI_TKILL);

    if (signal > SIGNAL_MAX || (int32_t)tid.number <= 0) {
        return -EINVAL;
    }
    struct task *task = task_find(tid);
    if (task == NULL || (program.number != 0 && task->program_id.number != program.number)) {
        return -ESRCH;
    }
    if (signal != 0) {
        program_call_commit();
        signal_send_task_from(task, signal, &origin);
    }
    return 0;
}

int32_t call_tkill(const struct system_call *call)
{
    return send_to_task(call, PROGRAM_NONE, (struct task_id){call->arguments[0]}, call->arguments[1]);
}

int32_t call_tgkill(const struct system_call *call)
{
    if ((int32_t)call->arguments[0] <= 0) {
        return -EINVAL;
    }
    return send_to_task(call, (struct program_id){call->arguments[0]}, (struct task_id){call->arguments[1]},
                        call->arguments[2]);
}

/* Returning from a handler: the result is whatever EAX was when the signal came. ----------------------------------- */

static int32_t leave_handler(const struct system_call *call, bool with_information)
{
    struct registers *registers = call->task->registers;
    enum error error = signal_frame_leave(registers, with_information);

    if (error != OK && error != ERROR_INTERRUPTED) {
        struct signal_fault fault = {.signal = SIGSEGV, .code = SI_KERNEL, .detail = "damaged signal frame"};
        program_force_signal(registers, &fault);
    }
    return (int32_t)registers->eax;
}

int32_t call_sigreturn(const struct system_call *call)
{
    return leave_handler(call, false);
}

int32_t call_rt_sigreturn(const struct system_call *call)
{
    return leave_handler(call, true);
}
