/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: tasks, the threads of programs: which there are, what of them a snapshot gets, and the system
 * call that one is in. (Their life is in program/task.c.)
 */
#ifndef TASK_H
#define TASK_H

#include "arch/cpu.h"
#include "error.h"
#include "record.h"
#include "thread.h"
#include <string.h>

#define SYSTEM_CALL_BYTES 2u /* of `int 0x80` */

#define FIRST_THREAD_ID 4096u /* above every process id: that of a thread is this and the index of its record */

/* A task that waits for a word of memory (futex.h), on a list. */
struct futex_wait {
    struct task *next, *previous;
    struct wait_queue woken; /* the task itself */
    bool is_listed;
};

/* A task while it lives in this boot. Volatile. */
struct task {
    struct cpu_user_context context; /* the live FPU, TLS and space */
    struct task_record *record;
    struct program_record *program;
    struct program_id program_id;
    struct thread *thread;
    struct task *next_of_program;
    struct registers *registers; /* of its last entry into the kernel, on its kernel stack; NULL before */
    uint32_t call_number;        /* while in_call */
    bool has_progress;           /* record->call may be something else than zero */
    bool in_call;                /* between the entry of a system call and its result */
    bool committed;              /* the call has changed something and has no result yet: CALL-2 */
    uint64_t user_ns, system_ns; /* on the processor before this boot (program_usage.h) */
    uint64_t user_cycles,
        system_cycles;          /* and in it, up to the last entry into the kernel or leaving: its thread's lap */
    bool in_kernel;             /* during the lap */
    uint32_t awaited[2];        /* signals that its call waits for though they are blocked */
    struct wait_queue alone;    /* the task itself, while it waits until its program has no other */
    struct wait_queue released; /* the task itself, while its program is held (program_hold.h) */
    struct futex_wait futex;
    struct file_id held_file; /* that its call is about, or none (file/file.h) */
    bool dying;               /* leaves at the next trap_return */
    bool listed[2];           /* on the list of tasks to capture, of this half: see capture.c */
    struct task *next_listed[2];
};

/* The task whose thread is running; NULL in kernel threads. */
struct task *task_current(void);

/* How many live in this boot. */
uint32_t task_count(void);

/* The task of a record, or NULL when none lives there; index below TASKS_MAX. */
struct task *task_at(uint32_t index);

/* A new task has the name of the one that makes it. */
static inline void task_inherit_name(struct task_record *record, const struct task_record *maker)
{
    record->has_name = maker->has_name;
    memcpy(record->name, maker->name, sizeof(record->name));
}

/* The one with a task number, or NULL. */
struct task *task_find(struct task_id tid);

/* The first task of a program; the others follow by next_of_program. NULL: it has none. */
struct task *task_first_of(struct program_id program);

/* Put a task into the table, or take it out, by the index of its record. */
void task_add(uint32_t index, struct task *task);
void task_remove(uint32_t index);

/* Make every other task of the current one's program leave at its next return to user mode. */
void task_end_others(const struct task *task);

/*
 * A program gets a lender, another one or none. How many a program has lent its space to is counted; after a boot,
 * task_count_borrower() counts those who have one. None sleeps.
 */
void task_set_lender(struct program_record *program, struct program_id lender);
void task_count_borrower(struct program_id lender);
bool task_has_borrowers(struct program_id program);

/* The tasks of a program, and of those that it lends its space to, run in another space from now on. Does not sleep. */
void task_move_program(struct program_id program, struct space_id space);

/*
 * The current task is about to change what a capture would see: its registers, FPU state or segments. It is captured
 * first if the last stop has not got it yet. Call it after the last sleep before the change.
 */
void task_touch(struct task *task);

/*
 * The same for one that is about to run on, whose call, if any, is over: captured if it is due, and due at the next
 * stop.
 */
void task_capture_or_list(struct task *task);
extern uint32_t task_running_half; /* of struct task's `listed` */
static inline void task_runs_on(struct task *task)
{
    if (task->listed[task_running_half ^ 1] || !task->listed[task_running_half]) {
        task_capture_or_list(task);
    }
}

/* It does not: everything that is due is captured, and this task will not be. */
void task_unlist(struct task *task);

/* Capture what the last stop has not got yet. A closed chunk of records is about to open. */
void task_capture_due(void);

/*
 * The current task begins and ends a system call; between the two it may sleep and be captured.
 * - program_call_begin(): a call that is issued again after a boot finds what it had achieved in record->call;
 *   otherwise record->call is zero.
 */
void program_call_begin(struct registers *registers);
void program_call_end(struct registers *registers, int32_t result);

/*
 * What the current task's system call is for is about to be done: from now on nothing sleeps until the call has its
 * result, or until program_call_keep(). Whoever changes on behalf of a call what a snapshot would see says so; again is
 * nothing more, and so it is outside of calls.
 */
void program_call_commit(void);

/* What has been done so far is noted in record->call, or does no harm when it is done again: the call may sleep. */
void program_call_keep(void);

/* Both, for callers that have the task at hand. */
static inline void task_commit(struct task *task)
{
    if (task->in_call && !task->committed) {
        task->committed = true;
        atomic_begin();
    }
}

static inline void task_keep(struct task *task)
{
    if (task->committed) {
        task->committed = false;
        atomic_end();
    }
}

/* The registers of the current task are those that it goes on with: the call it was in, if any, is over. */
void program_call_over(void);

#endif
