/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: signals to a program with several threads. One of them has it pending; as long as that one blocks
 * it, whoever does not may have it. None of these sleeps.
 */
#ifndef SHARE_H
#define SHARE_H

#include "types.h"

struct task;

/* Whether a task does not block a signal, or waits for it. */
bool signal_is_taken(const struct task *task, uint32_t signal);

/* A task blocks fewer signals, or waits for some: it gets what is pending in siblings that block it. */
void signal_claim(struct task *task);

/* A task blocks more: what is pending in it for its program goes to siblings that take it. */
void signal_pass_on(struct task *task);

/* A task ends: all that is pending in it for its program goes to siblings. */
void signal_leave_behind(struct task *task);

/* What is pending for a task: its own, and its program's. */
void signal_pending_for(const struct task *task, uint32_t out[2]);

#endif
