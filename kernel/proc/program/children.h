/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc/program: the children of each program, and who waits for something about its own. So an end, a
 * wait and the waking of a parent cost what the family is, whatever else lives.
 *
 *     CHILDREN-1  A program is on the list of its parent if and only if its record names one.
 *
 * Volatile: lists of numbers, made anew from the records by a boot. Nothing here sleeps but children_wait().
 */
#ifndef CHILDREN_H
#define CHILDREN_H

#include "error.h"
#include "types.h"

/* A program gets a parent, or loses it. PROGRAM_NONE has no list, and both do nothing. */
void children_add(struct program_id parent, struct program_id child);
void children_remove(struct program_id parent, struct program_id child);

/*
 * The oldest child of a program, and the next younger one. PROGRAM_NONE: there is none. After a boot they are in order
 * of number.
 */
struct program_id children_first(struct program_id parent);
struct program_id children_next(struct program_id child);

/* Sleep until children_wake() is called for the parent. ERROR_INTERRUPTED. */
MUST_CHECK enum error children_wait(struct program_id parent);
void children_wake(struct program_id parent);

/* The same, and the parent gets SIGCHLD unless it ignores that. */
struct signal_origin;
void children_tell(struct program_id parent, const struct signal_origin *origin);

#endif
