/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accounting: what faults, page-ins and page-outs there were, for the system and for each space.
 *
 * Counting is an addition in volatile memory and nothing else, so it can stand on any path. How accounts survive a
 * reboot is up to kernel/proc (program_account.c): counting must never be what makes a page dirty.
 */
#ifndef VM_ACCOUNT_H
#define VM_ACCOUNT_H

#include "eidolon/memory.h"
#include "error.h"
#include "types.h"

/* By enum eidolon_count. */
struct vm_account {
    uint64_t counts[EIDOLON_COUNTS];
};

/* Everything that happens anywhere goes in here. */
struct vm_account *vm_account_system(void);

/*
 * From now on that is kept in `account`, on top of what stands there; what has happened so far is added to it.
 * - account: owned by the caller.
 */
void vm_account_keep_system(struct vm_account *account);

/*
 * From now on what happens to pages of a space goes in its account as well, until it is detached with NULL.
 * - account: owned by the caller. SPACE_SYSTEM may be without one, like any other.
 */
void vm_account_attach(struct space_id space, struct vm_account *account);

/* The account of a space, or NULL. */
struct vm_account *vm_account_of(struct space_id space);

/* Something happened to a page of a space, or to several; SPACE_NONE: to one that is no space's. Neither sleeps. */
void vm_account_add(struct space_id space, enum eidolon_count count, uint32_t times);
static inline void vm_account_count(struct space_id space, enum eidolon_count count)
{
    vm_account_add(space, count, 1);
}

/*
 * Take over counts that were kept: each becomes the larger of the two. All that is kept of one account are copies of
 * the same counts at different times, and counts only grow, so the larger is the newer.
 */
void vm_account_restore(struct vm_account *account, const uint64_t counts[EIDOLON_COUNTS]);

#endif
