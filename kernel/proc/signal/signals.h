/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: signals between exceptions, delivery and the frames on a program's stack.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "error.h"
#include "program_signal.h"
#include "record.h"
#include "types.h"

/* A signal of the running program as its handler's siginfo reports it, or the console if it has none. */
struct signal_fault {
    uint32_t signal;
    int32_t code;
    uint32_t address;       /* of a fault */
    uint32_t sender, value; /* of one that was sent: see struct signal_origin */
    uint32_t vector, error_code;
    char detail[96]; /* for people */
};

/*
 * A signal that cannot wait: the program's handler runs next, or the program ends with fault->detail on the console.
 * The task was in user mode with these registers. May sleep, may not return.
 */
void signal_force(struct registers *registers, const struct signal_fault *fault);

/* Whether a call that was ended by the pending signal is to be issued again once the signal has been dealt with. */
bool signal_restarts_call(const struct task *task);

/*
 * Build the frame of a handler on the program's stack and make `registers` start the handler.
 * - fault: its signal and what siginfo says. handler_mask: blocked before, to be restored by sigreturn.
 * - may sleep before it changes anything. ERROR_DENIED and others: the stack cannot take the frame; nothing changed.
 */
MUST_CHECK enum error signal_frame_enter(struct registers *registers, const struct signal_fault *fault,
                                         const struct signal_action *action);

/*
 * sigreturn() and rt_sigreturn(): make `registers`, the FPU state and the signal mask what the frame says.
 * - ERROR_DENIED: no readable frame at the stack pointer. May sleep before it changes anything.
 */
MUST_CHECK enum error signal_frame_leave(struct registers *registers, bool with_information);

/* A mask without the signals that cannot be blocked. What is pending and ignored goes when it is not blocked any more. */
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
