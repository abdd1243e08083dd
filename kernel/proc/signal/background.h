/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: process groups in the background of a terminal.
 */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#include "types.h"

struct task;

/*
 * Whether nobody could take up a program's group again if it stopped: no member has a parent in another group of the
 * same session. Does not sleep; goes through the programs if its own parent is not one.
 */
bool signal_group_is_orphaned(struct program_id program);

/*
 * The current task wants something of its terminal that only the group in front may have: its group gets SIGTTIN or
 * SIGTTOU. False, and nothing has happened: the task ignores or blocks the signal, or its group is orphaned. In a
 * system call, for which nothing is committed by that.
 */
bool signal_background(const struct task *task, uint32_t signal);

#endif
