/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals: sending, their default actions, and the delivery to handlers of programs.
 *
 * A signal is pending in a task's record from the moment it is sent until it is delivered, so it survives a cut. It is
 * delivered on the way back to user mode, where a frame of the Linux layout is built on the program's stack.
 */
#ifndef PROGRAM_SIGNAL_H
#define PROGRAM_SIGNAL_H

#include "arch/cpu.h"
#include "error.h"
#include "types.h"

struct signal_origin;
struct task;

/*
 * Send a signal to a program: to one of its tasks that does not block it, or to any. Wakes that task from an
 * interruptible sleep. Signal 0 only asks whether the program is there. One that has ended takes any, to no effect.
 * - ERROR_NOT_FOUND: no such program; ERROR_INVALID: no such signal. Does not sleep.
 */
MUST_CHECK enum error signal_send(uint32_t program, uint32_t signal);

/* As signal_send, to every program of a process group. ERROR_NOT_FOUND: there is none. */
MUST_CHECK enum error signal_send_group(uint32_t process_group, uint32_t signal);

/* To one task. Does not sleep. */
void signal_send_task(struct task *task, uint32_t signal);

/*
 * The same with what siginfo says; without, it says that the kernel sent the signal. A signal that is pending already keeps
 * what it had.
 */
MUST_CHECK enum error signal_send_from(uint32_t program, uint32_t signal, const struct signal_origin *origin);
MUST_CHECK enum error signal_send_group_from(uint32_t process_group, uint32_t signal,
                                             const struct signal_origin *origin);
void signal_send_task_from(struct task *task, uint32_t signal, const struct signal_origin *origin);

/* Whether the task has a signal that it does not block: a wait must then end with EINTR or be restarted. */
bool signal_is_pending(const struct task *task);

/*
 * Whether a wait for memory that came to `error` is to be taken up again: it was interrupted, and the current task has no
 * signal that ends its program. Nothing less may call it off, since no handler expects that its own stack, or a call
 * that does not wait for anybody, fails with EINTR.
 */
bool signal_wait_goes_on(enum error error);

/*
 * The way back to user mode of the current task: act on pending signals. May change `registers` so that a handler runs,
 * may sleep, may end the program. Call it from trap_return, before the thread yields there.
 */
void signal_deliver(struct registers *registers);

/* A fault of the running program that nothing could resolve becomes SIGSEGV or SIGBUS, or a stack overflow. */
void signal_page_fault(struct registers *registers, struct vaddr address, enum trap_fault_access access,
                       enum error error);

#endif
