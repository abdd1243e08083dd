/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals: sending, masks and actions. (What is pending: task/pending.c; what is done about it: program/deliver.c.)
 *
 * What siginfo says of a pending signal is in the program's record, once for all its tasks. SIGCONT lets a stopped
 * program go on when it is sent; what stops one is in program/job.c.
 */
#include "signal.h"
#include "atomic.h"
#include "linux/linux_abi.h"
#include "program_hold.h"
#include "share.h"
#include "task/pending.h"
#include "timer_signal.h"
#include <string.h>

#define UNBLOCKABLE (1u << (SIGKILL - 1) | 1u << (SIGSTOP - 1))

void signal_take_ignored(struct task *task, uint32_t signal)
{
    DOES_NOT_SLEEP();
    while (signal_in(task->record->signal_pending, signal)) {
        (void)signal_look(task, signal);
        signal_take(task, signal);
    }
}

void signal_set_mask(struct task *task, uint32_t low, uint32_t high)
{
    struct task_record *record = task->record;

    record->signal_mask[0] = low & ~UNBLOCKABLE;
    record->signal_mask[1] = high;
    for (uint32_t signal = task_next_signal(record); signal != 0 && signal <= SIGNAL_MAX; signal++) {
        if (signal_in(record->signal_pending, signal) && !signal_in(record->signal_mask, signal) &&
            task_ignores(task->program, signal)) {
            signal_take_ignored(task, signal);
        }
    }
    signal_pass_on(task);
    signal_claim(task);
}

static void take_from_all(struct program_id program, uint32_t signal)
{
    signal_drop_queued(program_at(program), signal);
    for (struct task *task = task_first_of(program); task != NULL; task = task->next_of_program) {
        signal_take_out(task->record->signal_pending, signal);
    }
    timer_signal_dropped(program, signal);
}

void signal_set_action(struct program_record *program, uint32_t signal, const struct signal_action *action)
{
    program->actions[signal] = *action;
    program->actions[signal].mask[0] &= ~UNBLOCKABLE;
    if (!task_ignores(program, signal)) {
        return;
    }
    take_from_all((struct program_id){record_index(RECORD_PROGRAM, program)}, signal);
}

void signal_mask_exchange(struct task *task, uint32_t low, uint32_t high)
{
    struct task_record *record = task->record;

    if (record->signal_mask_saved == 0) {
        memcpy(record->signal_saved_mask, record->signal_mask, sizeof(record->signal_mask));
        record->signal_mask_saved = 1;
    }
    signal_set_mask(task, low, high);
}

void signal_mask_restore(struct task *task)
{
    if (task->record->signal_mask_saved != 0) {
        signal_set_mask(task, task->record->signal_saved_mask[0], task->record->signal_saved_mask[1]);
        task->record->signal_mask_saved = 0;
    }
}

/* Sending ---------------------------------------------------------------------------------------------------------- */

/* Whatever becomes of SIGCONT itself, it lets a program go on, which tells its parent then. */
static void let_continue(struct program_id program)
{
    struct program_record *record = program_at(program);

    for (uint32_t signal = SIGSTOP; signal <= SIGTTOU; signal++) {
        take_from_all(program, signal);
    }
    if ((record->held & PROGRAM_IS_STOPPED) != 0) {
        record->stop_status = PROGRAM_CONTINUING;
    }
    program_let_go(program, PROGRAM_HELD_AT_BOOT | PROGRAM_IS_STOPPED);
}

enum sent { SENT_TO_NOBODY, SENT, SENT_WITHOUT_ROOM };

/* A signal that is pending already has room for another one only if it is queued. */
static enum sent add(struct task *task, uint32_t signal, const struct signal_origin *origin)
{
    if (signal_in(task->record->signal_pending, signal)) {
        return signal >= SIGNAL_REAL_TIME && signal_enqueue(task->program, signal, origin) ? SENT : SENT_WITHOUT_ROOM;
    }
    signal_add(task->record->signal_pending, signal);
    signal_take_out(task->record->signal_of_program, signal);
    task->program->origins[signal] = *origin;
    return SENT;
}

static enum sent send(struct task *task, uint32_t signal, const struct signal_origin *origin)
{
    struct task_record *record = task->record;
    bool is_awaited = signal_in(task->awaited, signal);
    bool is_blocked = signal_in(record->signal_mask, signal) && !is_awaited;

    if (signal == SIGCONT) {
        let_continue(task->program_id);
    } else if (signal_is_stop(signal)) {
        take_from_all(task->program_id, SIGCONT);
    }
    if (task_ignores(task->program, signal) && !is_blocked && !is_awaited) {
        return SENT_TO_NOBODY;
    }
    enum sent sent = add(task, signal, origin);
    if (!is_blocked) {
        thread_interrupt(task->thread);
    }
    return sent;
}

void signal_send_task_from(struct task *task, uint32_t signal, const struct signal_origin *origin)
{
    (void)send(task, signal, origin); /* who minds whether there is room has asked before */
}

/* The task of a program that gets a signal: the first that does not block it, if there is any. */
static struct task *receiver_of(struct program_id program, uint32_t signal)
{
    struct task *receiver = NULL;

    for (struct task *task = task_first_of(program); task != NULL; task = task->next_of_program) {
        if (receiver == NULL || (signal != 0 && !signal_is_taken(receiver, signal) && signal_is_taken(task, signal))) {
            receiver = task;
        }
    }
    return receiver;
}

/* To a program, by way of that task: as long as it blocks the signal, others may have it (share.h). */
static enum sent send_shared(struct task *task, uint32_t signal, const struct signal_origin *origin)
{
    bool was_pending = signal_in(task->record->signal_pending, signal);
    enum sent sent = send(task, signal, origin);

    if (!was_pending && signal_in(task->record->signal_pending, signal)) {
        signal_add(task->record->signal_of_program, signal);
    }
    return sent;
}

static bool has_ended(struct program_id program)
{
    return program.number > 0 && program_is_in_table(program) && program_at(program)->state >= PROGRAM_EXITING;
}

enum error signal_send_from(struct program_id program, uint32_t signal, const struct signal_origin *origin)
{
    if (signal > SIGNAL_MAX) {
        return ERROR_INVALID;
    }
    struct task *receiver = receiver_of(program, signal);
    if (receiver == NULL) {
        return has_ended(program) ? OK : ERROR_NOT_FOUND;
    }
    if (signal != 0) {
        (void)send_shared(receiver, signal, origin); /* who minds whether there is room has asked before */
    }
    return OK;
}

enum error signal_send_group_from(struct group_id process_group, uint32_t signal, const struct signal_origin *origin)
{
    enum error result = ERROR_NOT_FOUND;

    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        const struct program_record *program = program_at(id);
        if (program->state == PROGRAM_RUNNING && program->process_group.number == process_group.number) {
            enum error error = signal_send_from(id, signal, origin);
            result = result == ERROR_NOT_FOUND ? error : result;
        }
    }
    return result;
}

enum timer_signal signal_send_of_timer(const struct timer_record *timer, const struct signal_origin *origin)
{
    DOES_NOT_SLEEP();
    struct task *receiver =
        timer->task.number != 0 ? task_find(timer->task) : receiver_of(timer->program, timer->signal);

    if (receiver != NULL && receiver->program_id.number != timer->program.number) {
        receiver = NULL;
    }
    enum sent sent = receiver == NULL          ? SENT_TO_NOBODY
                     : timer->task.number != 0 ? send(receiver, timer->signal, origin)
                                               : send_shared(receiver, timer->signal, origin);
    switch (sent) {
    case SENT:
        return TIMER_SIGNAL_SENT;
    case SENT_WITHOUT_ROOM:
        return TIMER_SIGNAL_WAITS;
    default:
        return TIMER_SIGNAL_NONE;
    }
}

/* Taking ----------------------------------------------------------------------------------------------------------- */

struct signal_taken signal_look(const struct task *task, uint32_t signal)
{
    DOES_NOT_SLEEP();
    const struct signal_origin *origin = &task->program->origins[signal];

    return (struct signal_taken){.origin = *origin, .overrun = timer_signal_note(task->program_id, origin)};
}

void signal_take(struct task *task, uint32_t signal)
{
    DOES_NOT_SLEEP();
    const struct signal_origin taken = task->program->origins[signal];

    signal_dequeue(task, signal);
    timer_signal_taken(task->program_id, &taken);
    if (!signal_in(task->record->signal_pending, signal) &&
        timer_signal_next(task->program_id, signal, &task->program->origins[signal])) {
        signal_add(task->record->signal_pending, signal);
    }
}

void signal_drop_timers(struct task *task)
{
    DOES_NOT_SLEEP();
    for (uint32_t signal = 1; signal <= SIGNAL_MAX; signal++) {
        while (signal_in(task->record->signal_pending, signal) && task->program->origins[signal].code == SI_TIMER) {
            signal_take(task, signal);
        }
    }
}

static const struct signal_origin from_kernel = {.code = SI_KERNEL};

void signal_send_task(struct task *task, uint32_t signal)
{
    DOES_NOT_SLEEP();
    signal_send_task_from(task, signal, &from_kernel);
}

enum error signal_send(struct program_id program, uint32_t signal)
{
    DOES_NOT_SLEEP();
    return signal_send_from(program, signal, &from_kernel);
}

enum error signal_send_group(struct group_id process_group, uint32_t signal)
{
    return signal_send_group_from(process_group, signal, &from_kernel);
}
