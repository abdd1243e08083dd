/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who makes the object space grow, so that it is known who has to do without when it can grow no more.
 */
#ifndef VM_GROWTH_H
#define VM_GROWTH_H

#include "error.h"
#include "types.h"

/* Nobody has anything on the account, as after a boot. */
void vm_growth_clear(void);

/* How the newest snapshot has ended. After OK all that exists is kept; after ERROR_NO_SPACE the disk is full. */
void vm_growth_note_snapshot(enum error error);

/* Whether the newest snapshot found no room on the disk. */
bool vm_growth_disk_is_full(void);

/* A page of the space has come into being. */
void vm_growth_count(struct space_id space);

/* A space is a copy of a source, and what that has taken is on its account too; or, without a source, it begins anew. */
void vm_growth_inherit(struct space_id space, struct space_id source);

/*
 * The disk is full, memory is full, and a fault of `space` cannot go on: find out who pays. That is the space that has taken
 * most new pages since the last snapshot that succeeded, if they are many, else the one that has taken most of all; and those who have taken about as much.
 * - OK: somebody else, who has been told to end (vm_fault_policy's stop): wait for it.
 * - ERROR_NO_MEMORY: `space` is among them, or there is nobody who could be told.
 */
MUST_CHECK enum error vm_growth_decide(struct space_id space);

/* Whether `space` would be among them: it has taken more than half of what the one that took most has. */
bool vm_growth_would_pay(struct space_id space);

/* A fault of somebody who would not pay waits on a full disk; until the end those who would are given no frames. */
void vm_growth_begin_wait(void);
void vm_growth_end_wait(void);
bool vm_growth_stands_back(struct space_id space);

#endif
