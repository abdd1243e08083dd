/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write phase of a snapshot, and what becomes of its pages afterwards. For kernel/snap/snap.c.
 */
#ifndef SNAP_WRITE_H
#define SNAP_WRITE_H

#include "error.h"
#include "types.h"

struct store;

struct snap_write_totals {
    uint64_t pages; /* put in the snapshot, zeroes included */
    uint64_t bytes; /* of page content that went to the disk */
};

/*
 * Write every page on the snapshot's dirty list to fresh blocks and put it in the sealed layer. Sleeps. A page leaves
 * the list as soon as it is put: from then on the store answers for it, whether the commit succeeds or not.
 * - ERROR_NO_SPACE, ERROR_IO, ERROR_NO_MEMORY: the pages not yet put are still listed; see snap_return_pages().
 */
MUST_CHECK enum error snap_write_pages(struct store *store, struct snap_write_totals *totals);

/* The snapshot failed: its unwritten pages will be in the next one. May sleep, for each of them. */
void snap_return_pages(void);

#endif
