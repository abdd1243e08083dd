/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: locks on ranges of files: a program's (fcntl), an open file's (OFD), and those of whole files (flock).
 *
 * Each is a record, so whoever holds one when the power goes holds it after the boot, and whoever waits for it asks
 * again. The locks of a file are on a list, which is volatile.
 *
 *     LOCK-1  Locks of one owner on one file do not overlap; those of different owners only if both are shared. Those of
 *             whole files are apart from the others.
 *     LOCK-2  A lock's object is open or mapped; a program's lock goes when the program closes any descriptor of the file,
 *             an open file's when that goes.
 */
#ifndef LOCK_H
#define LOCK_H

#include "error.h"
#include "record.h"
#include "types.h"

enum lock_owner_kind { LOCK_OF_PROGRAM, LOCK_OF_FILE, LOCK_WHOLE, LOCK_OWNER_KINDS };

struct lock_owner {
    uint32_t kind;   /* enum lock_owner_kind */
    uint32_t number; /* of a program or an open file */
};

/* Bytes [start, last] of an object. */
struct lock_range {
    struct object_id object;
    uint64_t start, last;
};

/* Make sure of records for a change. May sleep. ERROR_NO_MEMORY. */
MUST_CHECK enum error lock_reserve(void);

/* The lowest lock of somebody else that is in the way; NULL: none is. Does not sleep. */
const struct lock_record *lock_in_the_way(const struct lock_range *range, bool is_exclusive, struct lock_owner owner);

/*
 * The owner's locks in a range become one, or none. Does not sleep.
 * - nothing is in the way. ERROR_NO_MEMORY: see lock_reserve(); less is needed to clear what leaves no lock in two.
 */
MUST_CHECK enum error lock_set(const struct lock_range *range, bool is_exclusive, struct lock_owner owner);
MUST_CHECK enum error lock_clear(const struct lock_range *range, struct lock_owner owner);

/* All that an owner has on an object goes. Does not sleep. */
void lock_drop(struct object_id object, struct lock_owner owner);

/*
 * Wait until some lock goes. `for`: whose lock it is: a program that waits for another one is known to do so meanwhile.
 * May sleep. ERROR_INTERRUPTED; ERROR_BUSY: it would be for ever, since that one waits for the caller.
 */
MUST_CHECK enum error lock_wait(struct lock_owner waiter, struct lock_owner holder);

/* After a boot, once open files are adopted: the lists are made again. Does not sleep. */
void lock_resume(void);

#endif
