/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time on the processor: what a task has used of it, in user mode and in the kernel on its behalf, and what its program
 * and that one's ended children have.
 *
 * The scheduler counts how long a thread has run. That time is divided where a task enters the kernel and where it
 * leaves; what interrupts take is counted where they came. Counting happens in volatile memory. It becomes persistent
 * as the counts of faults do (program_account.h): with the record of a task that is captured, which it is only if it
 * ran; so a clock of the processor never shows less after a boot than a program can remember, and an idle system writes
 * nothing.
 */
#ifndef PROGRAM_USAGE_H
#define PROGRAM_USAGE_H

#include "record.h"
#include "types.h"

struct task;

/* The current task has come into the kernel, or goes back to user mode. To enter twice does nothing. Neither sleeps. */
void usage_enter(struct task *task);
void usage_leave(struct task *task);

/* What a task has used so far. The faults of `out` are those of its program. */
void usage_of_task(const struct task *task, struct usage *out);

/* What a program has used: its tasks, those of them that have ended among them. */
void usage_of_program(struct program_id id, const struct program_record *program, struct usage *out);

/* Put a task's times into its record, or take them from it for a task that begins to live. */
void usage_capture(const struct task *task, struct task_record *record);
void usage_resume(struct task *task);

/* A task ends: its times are its program's. */
void usage_keep(const struct task *task);

/* A parent waits for a child: what the child and its children have used counts as used by the parent's children. */
void usage_of_ended(const struct program_record *child, struct usage *out);
void usage_inherit(struct program_record *parent, const struct program_record *child);

#endif
