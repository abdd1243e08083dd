/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots: when and how the object space is committed.
 *
 *     SNAP-1  A committed generation holds the content of every page, and the records, as of one instant at which no
 *             program was between two instructions that the other side of a system call could tell apart.
 *     SNAP-2  A page's content is in the generation being written, or in a copy that is, before the page changes.
 *     SNAP-3  store_snapshot_commit() is called only after every page of the generation has been written.
 */
#ifndef SNAP_H
#define SNAP_H

#include "error.h"
#include "types.h"

struct store;

/* Given by kernel/proc: what the layers above have to do at a stop, and what goes into the commit besides pages. */
struct snap_client {
    void (*capture)(void);                                      /* in the stop: constant time, must not sleep */
    uint32_t (*system_record)(void *record, uint32_t capacity); /* returns its length in bytes */
    void (*durable)(void); /* what the newest stop saw is durable; must not sleep; may be NULL */
    void (*finished)(
        enum error
            error); /* an attempt is over, whoever waits for it is about to be told; must not sleep; may be NULL */
    void (*changed)(enum error error); /* snapshots begin to fail, for this reason, or succeed again: OK; may be NULL */
};

struct snap_statistics {
    struct generation committed;
    uint64_t snapshots, failures;
    uint64_t pages_written, bytes_written;
    uint64_t stop_ns_last, stop_ns_max;
    uint32_t blocks, blocks_used; /* of the image */
};

/*
 * Start the snapshot thread.
 * - interval_ms: 0: only on request.
 */
MUST_CHECK enum error snap_start(struct store *store, const struct snap_client *client, uint32_t interval_ms);

/*
 * Wait until a snapshot that covers this moment is durable; concurrent callers share one.
 * - interruptible. ERROR_IO, ERROR_NO_SPACE: it could not be made durable; ERROR_INTERRUPTED;
 *   ERROR_BUSY: snap_start() has not been called.
 */
MUST_CHECK enum error snap_sync(void);

/*
 * The covering generation without waiting, for restartable calls: ask for a snapshot of this moment, wait for it.
 * - snap_request(): returns a ticket; snap_wait(ticket) as snap_sync.
 */
uint64_t snap_request(void);
MUST_CHECK enum error snap_wait(uint64_t ticket);

/*
 * The same for those who cannot wait, and for whom there is to be a generation even if no page has changed: what is in
 * the system record is in it then. snap_is_over(): the attempt is, and *result says how it went. Neither sleeps.
 */
uint64_t snap_request_generation(void);
bool snap_is_over(uint64_t ticket, enum error *result);

void snap_statistics(struct snap_statistics *out);

/* Stop taking snapshots after one last that covers now; for shutdown. */
MUST_CHECK enum error snap_stop(void);

#endif
