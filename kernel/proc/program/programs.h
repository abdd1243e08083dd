/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the life of programs and tasks.
 */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include "error.h"
#include "program.h"
#include "task/task.h"
#include "types.h"

/*
 * Create a program with an empty space and no task.
 * - out_program: 1 .. PROGRAMS_MAX. ERROR_NO_MEMORY. May sleep.
 */
MUST_CHECK enum error program_create(const char *name, struct program_id parent, struct program_id *out_program);

/*
 * The same in two steps, for callers that have more to prepare. The program owns the space, if one is given.
 * - program_reserve(): may sleep, unless there is a record already. ERROR_NO_MEMORY.
 * - program_create_in(): does not sleep. ERROR_NO_MEMORY.
 */
MUST_CHECK enum error program_reserve(void);
MUST_CHECK enum error program_create_in(const char *name, struct program_id parent, struct address_space space,
                                        struct program_id *out_program);

/* Undo program_create_in(). The space is the caller's again. */
void program_create_undo(struct program_id id);

/* Forget a program that has ended: somebody has got its status, or nobody will. */
void program_forget(struct program_id id);

/* A parent that was held until the program is another one or has ended goes on. */
void program_release_parent(struct program_record *program);

/* Sleep until a child of the current task's program has ended or released it. ERROR_INTERRUPTED. */
MUST_CHECK enum error program_wait_for_change(void);

/*
 * A clone of the current task's program: the same memory and files, and one task, which goes on where the current one
 * does, with result 0. What the two write from now on the other does not see.
 * - stack_pointer: of the clone, or 0: the same. tls: its segments, or NULL: the same. tid_address: where it leaves its
 *   tid in its own memory before it goes on, or 0.
 * - holds_parent: the caller is going to wait until the clone is another program or ends (parent_waits).
 * - shares_memory: the clone runs in the caller's memory until then, and writes to it; only with holds_parent.
 * - may sleep first; nothing has changed after an error. ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM, ERROR_INTERRUPTED.
 */
struct program_clone_options {
    uint32_t stack_pointer;
    const struct cpu_tls *tls;
    uint32_t tid_address;
    uint32_t clear_tid_address; /* of a word that is cleared, and its futex woken, when the task ends; or 0 */
    bool holds_parent;
    bool shares_memory;
};
MUST_CHECK enum error program_clone(const struct program_clone_options *options, struct program_id *out_program);

/*
 * Another task of the current task's program, in the same memory, which goes on where the current one does, with result
 * 0. Of the options of a clone those count that say what it has of its own.
 * - parent_tid_address: where its number stands, as soon as it is there; 0, or not to be written to: nowhere.
 * - may sleep first. In one step then: the task, its number, and that the caller's call has changed something.
 * - ERROR_NO_SPACE: the program has as many as it may have, or all have; or it runs in its lender's memory.
 *   ERROR_NO_MEMORY, ERROR_INTERRUPTED.
 */
MUST_CHECK enum error thread_of_program(const struct program_clone_options *options, uint32_t parent_tid_address,
                                        struct task_id *out_tid);

/*
 * How many tasks a program may have, and how many all may have beside their first ones: as many as memory is for, since
 * each has a kernel stack.
 */
uint32_t thread_limit(void);
uint32_t thread_limit_of_all(void);

/*
 * The current task leaves its program: its locks are let go of, and who joins it is told. May sleep. Its thread has
 * only to end; the program has one task less.
 */
void thread_leave_program(void);

/*
 * All other tasks of the current one's program end, so that it can become another one. May sleep.
 * - from then on, also after a boot, there is no way back: a program that fails to become another one ends.
 * - ERROR_INTERRUPTED: the current task is to end itself.
 */
MUST_CHECK enum error thread_end_siblings(void);

/* Alive again after a boot: the volatile side of a program that the records hold. ERROR_NO_MEMORY. */
MUST_CHECK enum error program_revive(struct program_id id);

/* One program less is alive. */
void program_uncount(void);

/*
 * Create a task of a program that starts with these registers; it runs once it is scheduled.
 * - ERROR_NO_MEMORY. May sleep.
 */
MUST_CHECK enum error task_reserve(void); /* what task_create() may have to sleep for, otherwise */
MUST_CHECK enum error task_create(struct program_id program, const struct registers *registers,
                                  const struct cpu_fpu *fpu, const struct cpu_tls *tls, struct task_id *out_tid);

/* The current task's volatile side and its record are given back. Its thread has only to end. */
void task_leave(void);

/*
 * Judge the tasks in the records. Changes nothing, does not sleep.
 * - ERROR_FORMAT_DAMAGED after a line in the log that names the record.
 */
MUST_CHECK enum error task_adopt_all(void);

/* Bring them back to life. ERROR_NO_MEMORY. */
MUST_CHECK enum error task_resume_all(void);

/* The current task ends, and its program if it was the last one. Does not return. */
_Noreturn void program_exit_task(void);

/*
 * The current program ends: all its tasks, its files, its memory.
 * - status: as wait() reports it: code << 8, or the signal's number.
 */
_Noreturn void program_exit(uint32_t status);

/* A program without tasks gives back all it has. May sleep. */
void program_destroy(struct program_id id);

/*
 * A signal that cannot wait: the program's handler runs next, or the program ends with fault->detail on the console.
 * The task was in user mode with these registers. May sleep, may not return.
 */
struct signal_fault;
void program_force_signal(struct registers *registers, const struct signal_fault *fault);

/*
 * The way back to user mode of the current task: act on pending signals. May change `registers` so that a handler runs,
 * may sleep, may end the program. Call it from trap_return, before the thread yields there.
 */
void program_deliver_signals(struct registers *registers);

/*
 * The current task's program becomes another one, in two steps: that of a file, with these words; their `bytes` and
 * `size` are not looked at. The caller has a reference to the file. Who it is and its open files stay.
 * - program_become_prepare(): a space is filled. May sleep. ERROR_INVALID: the file is no program, or its interpreter
 *   none; ERROR_NOT_FOUND, ERROR_DENIED: of the interpreter; ERROR_NO_MEMORY,
 *   ERROR_IO, ERROR_CHECKSUM, ERROR_INTERRUPTED: the program is as it was.
 * - program_become(): the program's other tasks end, and it runs there. May sleep, first and last; after OK the task's
 *   registers are those of the first instruction. ERROR_INTERRUPTED: the task is to end; the space is given up.
 */
struct program_become {
    struct address_space space;
    uint32_t entry, stack_pointer;
    char name[PROGRAM_NAME_MAX];
};
MUST_CHECK enum error program_become_prepare(struct object_id file, const char name[PROGRAM_NAME_MAX],
                                             const struct program_image *words, struct program_become *out);
MUST_CHECK enum error program_become(const struct program_become *prepared);

#endif
