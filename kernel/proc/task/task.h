/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks: the threads of programs, between program.c and the machine.
 */
#ifndef TASK_H
#define TASK_H

#include "error.h"
#include "program.h"

/* The task of a record, or NULL when none lives there; index below TASKS_MAX. */
struct task *task_at(uint32_t index);

/* The one with a task number, or NULL. */
struct task *task_find(uint32_t tid);

/* Make every other task of the current one's program leave at its next return to user mode. */
void task_end_others(const struct task *task);

/*
 * Judge the tasks in the records. Changes nothing, does not sleep.
 * - ERROR_FORMAT_DAMAGED after a line in the log that names the record.
 */
MUST_CHECK enum error task_adopt_all(void);

/* Bring them back to life. ERROR_NO_MEMORY. */
MUST_CHECK enum error task_resume_all(void);

/*
 * The current task is about to change what a capture would see: its registers, FPU state or segments. It is captured first
 * if the last stop has not got it yet. Call it after the last sleep before the change.
 */
void task_touch(struct task *task);

/* Capture what the last stop has not got yet. Part of program_fault_policy: a closed chunk of records is about to open. */
void task_capture_due(void);

/* The tasks of a program, and of those that it lends its space to, run in another space from now on. Does not sleep. */
void task_move_program(uint32_t program, struct space_id space);

/* A program without tasks gives back all it has. May sleep. */
void program_destroy(uint32_t index);

#endif
