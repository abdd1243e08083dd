/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the signals that are pending in a task.
 */
#ifndef PENDING_H
#define PENDING_H

#include "linux/linux_abi.h"
#include "task.h"

/* Sets of signals: signal n is bit n - 1 of two words. */
static inline bool signal_in(const uint32_t set[2], uint32_t signal)
{
    return (set[(signal - 1) / 32] >> ((signal - 1) % 32) & 1u) != 0;
}

static inline void signal_add(uint32_t set[2], uint32_t signal)
{
    set[(signal - 1) / 32] |= 1u << ((signal - 1) % 32);
}

static inline void signal_take_out(uint32_t set[2], uint32_t signal)
{
    set[(signal - 1) / 32] &= ~(1u << ((signal - 1) % 32));
}

/* Whether a program does nothing about a signal. SIGKILL it cannot ignore. */
bool task_ignores(const struct program_record *program, uint32_t signal);

/* Whether a signal is one that stops by default: SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU; and whether a program does. */
static inline bool signal_is_stop(uint32_t signal)
{
    return signal >= SIGSTOP && signal <= SIGTTOU;
}
bool task_stops_by(const struct program_record *program, uint32_t signal);

/*
 * Real-time signals are queued in the program's record, each with its own origin, behind the one that is pending.
 * - signal_enqueue(): one more; false: there is no room (QUEUED_MAX, RLIMIT_SIGPENDING).
 * - signal_dequeue(): one is taken; if another one was queued it is what is pending now.
 * - signal_drop_queued(): none is queued any more. None of them sleeps.
 */
bool signal_enqueue(struct program_record *program, uint32_t signal, const struct signal_origin *origin);
void signal_dequeue(struct task *task, uint32_t signal);
void signal_drop_queued(struct program_record *program, uint32_t signal);
bool signal_queue_is_full(const struct program_record *program);

/* The lowest signal of a set that is pending for a task, blocked or not; 0: none. */
uint32_t task_pending_of(const struct task *task, const uint32_t set[2]);

/* The lowest signal that is pending and not blocked; 0: none. */
uint32_t task_next_signal(const struct task_record *record);

/*
 * The one to be delivered next: what ends the program comes first, as nothing is gained by handlers that will not run.
 */
uint32_t task_next_to_deliver(const struct task *task);

/* Whether the task has a signal that it does not block: a wait must then end with EINTR or be restarted. */
static inline bool task_has_signal(const struct task *task)
{
    const uint32_t *pending = task->record->signal_pending, *mask = task->record->signal_mask;

    return task->dying || ((pending[0] & ~mask[0]) | (pending[1] & ~mask[1])) != 0;
}

/*
 * Whether a wait for memory that came to `error` is to be taken up again: it was interrupted, and the current task has
 * no signal that ends its program. Nothing less may call it off, since no handler expects that its own stack, or a call
 * that does not wait for anybody, fails with EINTR.
 */
bool task_wait_goes_on(enum error error);

/* Whether what a task does next about its signals is to stop. */
bool task_is_to_stop(const struct task *task);

/* Whether a call that was ended by the pending signal is to be issued again once the signal has been dealt with. */
bool task_restarts_call(const struct task *task);

#endif
