/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: sending signals, and what a program does about them.
 *
 * A signal is pending in a task's record from the moment it is sent until it is delivered, so it survives a cut. It is
 * delivered on the way back to user mode, where a frame of the Linux layout is built on the program's stack.
 */
#ifndef SIGNAL_H
#define SIGNAL_H

#include "arch/cpu.h"
#include "error.h"
#include "record.h"
#include "types.h"

struct task;

/*
 * Send a signal to a program: to one of its tasks that does not block it, or to any. Wakes that task from an
 * interruptible sleep. Signal 0 only asks whether the program is there. One that has ended takes any, to no effect.
 * - ERROR_NOT_FOUND: no such program; ERROR_INVALID: no such signal. Does not sleep.
 */
MUST_CHECK enum error signal_send(struct program_id program, uint32_t signal);

/* As signal_send, to every program of a process group. ERROR_NOT_FOUND: there is none. */
MUST_CHECK enum error signal_send_group(struct group_id process_group, uint32_t signal);

/* To one task. Does not sleep. */
void signal_send_task(struct task *task, uint32_t signal);

/*
 * The same with what siginfo says; without, it says that the kernel sent the signal. A signal that is pending already
 * keeps what it had.
 */
MUST_CHECK enum error signal_send_from(struct program_id program, uint32_t signal, const struct signal_origin *origin);
MUST_CHECK enum error signal_send_group_from(struct group_id process_group, uint32_t signal,
                                             const struct signal_origin *origin);
void signal_send_task_from(struct task *task, uint32_t signal, const struct signal_origin *origin);

/*
 * The signal of a timer, to its program. What has become of it: TIMER_SIGNAL_NONE: it is ignored, or there is nobody
 * any more; TIMER_SIGNAL_WAITS: there is no place for it yet but the timer's record. Does not sleep.
 */
enum timer_signal signal_send_of_timer(const struct timer_record *timer, const struct signal_origin *origin);

/*
 * A signal that is pending in a task is about to be taken: what siginfo says of it; and it is taken, and the next one
 * of its number is what is pending. Neither sleeps.
 */
struct signal_taken {
    struct signal_origin origin;
    uint32_t overrun; /* of a timer's */
};
struct signal_taken signal_look(const struct task *task, uint32_t signal);
void signal_take(struct task *task, uint32_t signal);

/* It is taken, and all that are queued behind it: its program does nothing about it. Does not sleep. */
void signal_take_ignored(struct task *task, uint32_t signal);

/* The signals of timers that are pending in a task go: its program becomes another one. Does not sleep. */
void signal_drop_timers(struct task *task);

/*
 * A mask without the signals that cannot be blocked. What is pending and ignored goes when it is not blocked any more.
 */
void signal_set_mask(struct task *task, uint32_t low, uint32_t high);

/* What a program does about a signal from now on. If that is nothing, those that are pending go. */
void signal_set_action(struct program_record *program, uint32_t signal, const struct signal_action *action);

/*
 * Another mask for the length of a call. The one of before comes back when the handler that ends the call returns, or
 * with signal_mask_restore() if none does. A call that is issued again after a boot exchanges again, to no effect on
 * it.
 */
void signal_mask_exchange(struct task *task, uint32_t low, uint32_t high);
void signal_mask_restore(struct task *task);

#endif
