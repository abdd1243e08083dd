/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who makes the object space grow, and who has to do without when it can grow no more.
 */
#ifndef VM_GROWTH_H
#define VM_GROWTH_H

#include "error.h"
#include "types.h"

/* All accounts are empty, as after a boot. */
void vm_growth_clear(void);

/* How the newest snapshot ended. OK: everything is kept; ERROR_NO_SPACE: the disk is full. */
void vm_growth_note_snapshot(enum error error);

/* Whether the newest snapshot found no room on the disk. */
bool vm_growth_disk_is_full(void);

/* A page of the space has been created. */
void vm_growth_count(struct space_id space);

/* A space that is a copy starts with its source's account; one without a source starts with an empty one. */
void vm_growth_inherit(struct space_id space, struct space_id source);

/*
 * Disk and memory are full, and a fault of `space` cannot go on: decide who pays. That is the space that took most new
 * pages since the last snapshot that succeeded, if they are many, else the one that ever took most; and those that took
 * about as much.
 * - OK: another space, which has been told to end (vm_fault_policy's stop): wait for it.
 * - ERROR_NO_MEMORY: `space` is among them, or nobody can be told.
 */
MUST_CHECK enum error vm_growth_decide(struct space_id space);

/* Whether `space` would be among them: it took more than half of what the one that took most has. */
bool vm_growth_would_pay(struct space_id space);

/* A fault of a space that would not pay waits on a full disk; from begin to end those that would pay get no frames. */
void vm_growth_begin_wait(void);
void vm_growth_end_wait(void);
bool vm_growth_stands_back(struct space_id space);

#endif
