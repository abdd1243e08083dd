/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Placing page content on the disk, for the write phase of a snapshot.
 */
#ifndef PLACE_H
#define PLACE_H

#include "block_device.h"
#include "error.h"
#include "types.h"

struct store;

#define PLACE_PAGES_MAX BLOCK_REQUEST_PAGES_MAX

/* What is to be placed together. Too large for a stack. */
struct placement {
    uint32_t count;                       /* of pages, set by the caller */
    void *contents[PLACE_PAGES_MAX];      /* their bytes, unchanged until snap_place_end() */
    struct block blocks[PLACE_PAGES_MAX]; /* out: where each is */
    bool written[PLACE_PAGES_MAX];        /* place.c's own, as what follows */
    uint32_t run_first[PLACE_PAGES_MAX];
    uint32_t run_count;
    struct block_request requests[PLACE_PAGES_MAX];
};

/*
 * Find fresh blocks for pages and begin to write them; other placements may be on their way. May sleep.
 * - ERROR_NO_SPACE, ERROR_NO_MEMORY, ERROR_IO (of the free-space map): nothing is on its way, and no block is taken.
 */
MUST_CHECK enum error snap_place_begin(struct store *store, struct placement *placement);

/*
 * Wait until they are written. Not necessarily durable on return: the commit flushes. Sleeps.
 * - a block that cannot be written is retired and its page goes elsewhere, as long as there are few of them.
 * - ERROR_IO: the disk fails altogether; and those of snap_place_begin(). No block is taken then.
 */
MUST_CHECK enum error snap_place_end(struct store *store, struct placement *placement);

#endif
