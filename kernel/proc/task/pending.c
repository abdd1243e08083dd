/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signals that are pending in a task: which is next, and whether a wait goes on in spite of them. (Sending is in
 * signal/signal.c, delivery in program/deliver.c.)
 *
 * A signal that would be ignored is dropped when it is sent or, if it is blocked then, when it is not any more; so one
 * that is pending and not blocked always means something.
 */
#include "pending.h"
#include "atomic.h"
#include "linux/linux_abi.h"

static bool is_ignored_by_default(uint32_t signal)
{
    return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;
}

bool task_stops_by(const struct program_record *program, uint32_t signal)
{
    return signal_is_stop(signal) && program->actions[signal].handler == SIG_DFL;
}

bool task_ignores(const struct program_record *program, uint32_t signal)
{
    uint32_t handler = program->actions[signal].handler;

    if (signal == SIGKILL) {
        return false;
    }
    return handler == SIG_IGN || (handler == SIG_DFL && is_ignored_by_default(signal));
}

bool signal_queue_is_full(const struct program_record *program)
{
    uint32_t count = program->queued_count;

    return count >= QUEUED_MAX || count >= program->limits[RLIMIT_SIGPENDING].soft;
}

bool signal_enqueue(struct program_record *program, uint32_t signal, const struct signal_origin *origin)
{
    DOES_NOT_SLEEP();
    if (signal_queue_is_full(program)) {
        return false;
    }
    program->queued[program->queued_count++] = (struct queued_signal){signal, *origin};
    return true;
}

static void remove_queued(struct program_record *program, uint32_t index)
{
    program->queued_count--;
    for (uint32_t i = index; i < program->queued_count; i++) {
        program->queued[i] = program->queued[i + 1];
    }
}

void signal_dequeue(struct task *task, uint32_t signal)
{
    DOES_NOT_SLEEP();
    struct program_record *program = task->program;

    for (uint32_t i = 0; i < program->queued_count; i++) {
        if (program->queued[i].signal == signal) {
            program->origins[signal] = program->queued[i].origin;
            remove_queued(program, i);
            return;
        }
    }
    signal_take_out(task->record->signal_pending, signal);
}

void signal_drop_queued(struct program_record *program, uint32_t signal)
{
    DOES_NOT_SLEEP();
    for (uint32_t i = program->queued_count; i > 0; i--) {
        if (program->queued[i - 1].signal == signal) {
            remove_queued(program, i - 1);
        }
    }
}

uint32_t task_pending_of(const struct task *task, const uint32_t set[2])
{
    for (uint32_t word = 0; word < 2; word++) {
        uint32_t ready = task->record->signal_pending[word] & set[word];
        if (ready != 0) {
            return word * 32 + (uint32_t)__builtin_ctz(ready) + 1;
        }
    }
    return 0;
}

/* The lowest signal that is pending and not blocked; 0: none. */
uint32_t task_next_signal(const struct task_record *record)
{
    for (uint32_t word = 0; word < 2; word++) {
        uint32_t ready = record->signal_pending[word] & ~record->signal_mask[word];
        if (ready != 0) {
            return word * 32 + (uint32_t)__builtin_ctz(ready) + 1;
        }
    }
    return 0;
}

/* One that will end the program; 0: none. */
static uint32_t next_fatal_signal(const struct task *task)
{
    const struct task_record *record = task->record;

    for (uint32_t word = 0; word < 2; word++) {
        uint32_t ready = record->signal_pending[word] & ~record->signal_mask[word];
        for (; ready != 0; ready &= ready - 1) {
            uint32_t signal = word * 32 + (uint32_t)__builtin_ctz(ready) + 1;
            bool has_handler = signal != SIGKILL && task->program->actions[signal].handler != SIG_DFL;
            if (!has_handler && !task_ignores(task->program, signal) && !task_stops_by(task->program, signal)) {
                return signal;
            }
        }
    }
    return 0;
}

/* What ends the program comes first: nothing is gained by handlers that will not run. */
uint32_t task_next_to_deliver(const struct task *task)
{
    uint32_t next = task_next_signal(task->record);
    uint32_t fatal = next != 0 ? next_fatal_signal(task) : 0;

    return fatal != 0 ? fatal : next;
}

bool task_wait_goes_on(enum error error)
{
    const struct task *task = task_current();

    return error == ERROR_INTERRUPTED && task != NULL && !task->dying && next_fatal_signal(task) == 0;
}

bool task_is_to_stop(const struct task *task)
{
    uint32_t signal = task_next_to_deliver(task);

    return signal != 0 && task_stops_by(task->program, signal);
}

bool task_restarts_call(const struct task *task)
{
    uint32_t signal = task_next_signal(task->record);

    return signal != 0 && (task->program->actions[signal].flags & SA_RESTART) != 0;
}
