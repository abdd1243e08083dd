/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the frames of signal handlers on a program's stack.
 */
#ifndef SIGNAL_FRAME_H
#define SIGNAL_FRAME_H

#include "error.h"
#include "record.h"
#include "types.h"

/* A signal of the running program as its handler's siginfo reports it, or the console if it has none. */
struct signal_fault {
    uint32_t signal;
    int32_t code;
    uint32_t address;         /* of a fault */
    struct program_id sender; /* of one that was sent: see struct signal_origin */
    uint32_t user;            /* that sent it, 0; of a timer's: the overruns */
    uint32_t value;
    uint32_t vector, error_code;
    char detail[96]; /* for people */
};

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

#endif
