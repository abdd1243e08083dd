/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what a system call is, and what all of them share.
 *
 * A handler gets its arguments and answers with a result or a negative errno; it never sees registers. The rules, which
 * make every call restartable after a cut:
 *
 *     CALL-1  A call decodes and checks first, makes user memory ready second, changes things last.
 *     CALL-2  Between a change and the return of the result nothing sleeps; or what has been achieved is in
 *             record->call (bytes done, an absolute deadline), and the same call issued again goes on from there.
 *     CALL-3  Before a sleep a call looks at task_has_signal(), and an interrupted sleep ends it with EINTR.
 *
 * CALL-2 is asserted. A handler can only read what `struct system_call` shows it. To change something it asks for it,
 * by call_change_task() and call_change_program(), or by what changes other objects for it (program_call_commit() in
 * task.h says which): from there on it is a panic to sleep, until the dispatcher has set the result or the handler has
 * written down in call_progress() what it did.
 */
#ifndef CALL_H
#define CALL_H

#include "error.h"
#include "linux/linux_abi.h"
#include "linux/linux_errno.h"
#include "task/task.h"
#include "space/user_memory.h"
#include "types.h"

#define SYSTEM_CALL_ARGUMENTS 6u

struct system_call {
    uint32_t arguments[SYSTEM_CALL_ARGUMENTS];
    uint32_t number;
    const struct task *task;
    const struct task_record *record;
    const struct program_record *program;
};

/* The caller's task and program, to be changed: nothing sleeps from now on (CALL-2). */
struct task *call_change_task(const struct system_call *call);
struct program_record *call_change_program(const struct system_call *call);

/* What the call has achieved, to be written at once: with that it may sleep again, or go on after a boot. */
struct call_progress *call_progress(const struct system_call *call);

typedef int32_t system_call_handler(const struct system_call *call);

/*
 * The negative Linux errno of a failure; 0 for OK.
 * - ERROR_DENIED becomes EFAULT: it is what user memory answers. Callers that mean something else say so themselves.
 */
int32_t system_call_errno(enum error error);

/* User memory in calls: 0 or a negative errno. */
int32_t copy_in(void *destination, uint32_t source, uint32_t length);
int32_t copy_out(uint32_t destination, const void *source, uint32_t length);

/*
 * The result of a call that a signal ended before it achieved anything: it is issued again after the handler if that
 * was installed with SA_RESTART, otherwise -EINTR. Nothing may sleep between this and the return of the result.
 */
int32_t call_interrupted(const struct system_call *call);

/*
 * Another signal mask for a wait: it is no result, for with the same call issued again the mask of before stays the
 * same one (signal_mask_exchange()), so the call may sleep.
 */
void call_exchange_mask(const struct system_call *call, uint32_t low, uint32_t high);

/* In calls that work for long without a sleep: a place where the task may be captured and others get their turn. */
void call_let_others_run(void);

/*
 * The pace of a wait for a deadline. The monotonic clock is committed with each generation, but an idle system commits
 * none. So that cuts do not set a long wait back forever, it pauses at doubling distances and leaves a mark in its
 * task's record, which makes a snapshot due. Zeroed to start with.
 */
struct call_pace {
    uint64_t gap_ns;
};

/* Leave a mark, and say until when to wait now: the deadline or an earlier moment. Both of the monotonic clock. */
uint64_t call_pace_next(const struct system_call *call, struct call_pace *pace, uint64_t deadline_ns);

/* Sleep until the deadline of the monotonic clock, unless a signal is or becomes pending: 0 or -EINTR. */
int32_t call_sleep_until(const struct system_call *call, uint64_t deadline_ns);

#endif
