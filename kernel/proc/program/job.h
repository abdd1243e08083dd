/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: job control. A stopped program is a held one (program_hold.h): it is in the record, and lasts over
 * boots. What is to be reported of it is there as well (stop_status).
 */
#ifndef JOB_H
#define JOB_H

#include "types.h"

struct task;

/*
 * The current task, on its way to user mode, acts on a signal that stops its program: takes it, tells the parent, and
 * is held at its next program_hold_wait(). Nothing stops, but by SIGSTOP, in a group that nobody could take up again.
 * Does not sleep.
 */
void job_stop(struct task *task, uint32_t signal);

/* The current task's program has been let go: if its parent has not been told yet, it is now. Does not sleep. */
void job_tell_continued(struct task *task);

/* A program has lost its parent: if it is stopped and its group is left to itself, that gets SIGHUP and SIGCONT. */
void job_left_alone(struct program_id program);

#endif
