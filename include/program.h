/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs and their tasks: the volatile side of the records, creation, death and resumption.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "arch/cpu.h"
#include "record.h"
#include "thread.h"

/* A task while it lives in this boot. Volatile. */
struct task {
    struct cpu_user_context context;  /* the live FPU, TLS and space */
    struct task_record *record;
    struct program_record *program;
    uint32_t program_index;
    struct thread *thread;
    struct registers *registers;      /* of its last entry into the kernel, on its kernel stack; NULL before */
    uint32_t call_number;             /* while in_call */
    bool in_call;                     /* between the entry of a system call and its result */
    bool committed;                   /* the call has changed something and has no result yet: CALL-2 */
    uint64_t user_ns, system_ns;      /* on the processor, up to the mark (program_usage.h) */
    uint64_t processor_mark_ns;       /* of the thread's time: its last entry into the kernel or leaving */
    bool in_kernel;                   /* since the mark */
    bool dying;                       /* leaves at the next trap_return */
    bool listed[2];                   /* on the list of tasks to capture, of this half: see task.c */
    struct task *next_listed[2];
};

/* The regions of all programs. */
extern struct vm_region_table region_table;

/* Part of record_trim(): the same for their table. Roots of trees change; who keeps one keeps it in a record. May sleep. */
void program_trim_regions(bool all);

/* The task whose thread is running; NULL in kernel threads. */
struct task *task_current(void);

/*
 * Create a program with an empty space and no task.
 * - out_index: 1 .. PROGRAMS_MAX. ERROR_NO_MEMORY. May sleep.
 */
MUST_CHECK enum error program_create(const char *name, uint32_t parent, uint32_t *out_index);
struct program_record *program_at(uint32_t index);

/*
 * The same in two steps, for who has more to prepare: the first may sleep, unless there is a record already; the second
 * does not sleep. The program owns the space, if one is given.
 */
MUST_CHECK enum error program_reserve(void);
MUST_CHECK enum error program_create_in(const char *name, uint32_t parent, struct space_id space, uint32_t *out_index);

/* Undo program_create_in(). The space is the caller's again. */
void program_create_undo(uint32_t index);

/* Forget a program that has ended: somebody has got its status, or nobody will. */
void program_forget(uint32_t index);

/* The program whose space and regions a program runs in: its own, or its lender's. */
uint32_t program_memory(uint32_t index);

/* A parent that was held until the program is another one or has ended goes on. */
void program_release_parent(struct program_record *program);

/* Sleep until a program has ended or released its parent. ERROR_INTERRUPTED. */
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
    bool holds_parent;
    bool shares_memory;
};
MUST_CHECK enum error program_clone(const struct program_clone_options *options, uint32_t *out_index);

/*
 * Create a task of a program that starts with these registers; it runs once it is scheduled.
 * - ERROR_NO_MEMORY. May sleep.
 */
MUST_CHECK enum error task_reserve(void); /* what task_create() may have to sleep for, otherwise */
MUST_CHECK enum error task_create(uint32_t program, const struct registers *registers, const struct cpu_fpu *fpu,
                                  const struct cpu_tls *tls, uint32_t *out_tid);

/* The current task ends. Does not return. */
_Noreturn void task_exit(void);

/*
 * The current program ends: all its tasks, its files, its memory.
 * - status: as wait() reports it: code << 8, or the signal's number.
 */
_Noreturn void program_exit(uint32_t status);

/* Programs that are alive. */
uint32_t program_count(void);

/* What a fault may do in the windows of programs: for vm_fault_initialise(). */
struct vm_fault_policy;
extern const struct vm_fault_policy program_fault_policy;

/*
 * A stack grows in a fault, by a region of its own once the program has been cloned, and a fault cannot wait for that
 * region's record. Whether an access that was denied is worth another try, since there is one now. May sleep.
 */
bool program_growth_goes_on(enum error error);

/*
 * Begin with no programs; or judge what the records say of them and adopt it, and then bring every task back to life, which
 * may run from the next sleep on.
 * - program_adopt_all(): ERROR_FORMAT_DAMAGED is explained in the log; ERROR_NO_MEMORY. Nothing has been written by then.
 * - program_resume_all(): may sleep. ERROR_NO_MEMORY.
 */
MUST_CHECK enum error program_start_empty(void);
MUST_CHECK enum error program_adopt_all(void);
MUST_CHECK enum error program_resume_all(void);

/*
 * The stop, for tasks: those that ran since the last one are to be captured. Constant time. They are captured before they run
 * on, and before anybody else gets to write to a task record. A task in a system call is captured at the instruction
 * that issues it, with record->call.active set.
 */
void task_stop(void);

/* Sleep until no program is alive. Returns the exit status of the one that was last, as wait() reports it. */
uint32_t program_wait_all(void);

/*
 * The current task begins and ends a system call; between the two it may sleep and be captured.
 * - program_call_begin(): a call that is issued again after a boot finds what it had achieved in record->call;
 *   otherwise record->call is zero.
 */
void program_call_begin(struct registers *registers);
void program_call_end(struct registers *registers, int32_t result);

/*
 * What the current task's system call is for is about to be done: from now on nothing sleeps until the call has its result,
 * or until program_call_keep(). Whoever changes on behalf of a call what a snapshot would see says so; again is nothing
 * more, and so it is outside of calls.
 */
void program_call_commit(void);

/* What has been done so far is noted in record->call, or does no harm when it is done again: the call may sleep. */
void program_call_keep(void);

/* The registers of the current task are those that it goes on with: the call it was in, if any, is over. */
void program_call_over(void);

/*
 * Load a program image that the boot loader brought and start it.
 * - image, size: the ELF file; words, word_count: its arguments; environment likewise (strings). Copied.
 * - ERROR_INVALID and others after a message on the console that names what is wrong with the image.
 */
struct program_image {
    const void *bytes;
    uint32_t size;
    const char *const *arguments;
    uint32_t argument_count;
    const char *const *environment;
    uint32_t environment_count;
};
MUST_CHECK enum error program_start(const struct program_image *image, uint32_t *out_index);

/*
 * The current task's program, whose only task it is, becomes another one: an image that is there already, pristine, with
 * these words; their `bytes` and `size` are not looked at. Who it is and its open files stay.
 * - name: of the image; NULL: the program's own.
 * - may sleep, first and last; after OK the task's registers are those of the first instruction.
 * - ERROR_NOT_FOUND: no such image. ERROR_NO_MEMORY, ERROR_IO, ERROR_INTERRUPTED: the program is as it was.
 */
MUST_CHECK enum error program_become(const char *name, const struct program_image *words);

#endif
