/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device: where an image lives. Blocks are PAGE_SIZE bytes and buffers are whole pages.
 *
 * Requests are asynchronous. A write is durable once a flush that was submitted after its completion has completed,
 * and not before; unflushed writes may be reordered, torn at 512-byte sectors or lost at a power cut. Requests that
 * are under way together complete in any order.
 *
 * A request of any kind that ends with ERROR_IO may be all that shows of a device that was gone for a moment, and has
 * forgotten what was not durable. `failures` tells whoever flushes.
 */
#ifndef BLOCK_DEVICE_H
#define BLOCK_DEVICE_H

#include "error.h"
#include "thread.h"
#include "types.h"

#define BLOCK_REQUEST_PAGES_MAX 256u /* 1 MiB */

enum block_operation { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

/*
 * Owned by the submitter, who keeps it and its pages unchanged from submit until it is done. The submitter fills in
 * the first group; the rest is set by block_submit() and the driver.
 */
struct block_request {
    enum block_operation operation;
    uint32_t count;     /* 1 .. BLOCK_REQUEST_PAGES_MAX; 0 for a flush */
    struct block first; /* of `count` consecutive blocks; unused by a flush */
    void *const *pages; /* `count` page-aligned buffers from frame_address() */

    struct block_device *device; /* the one it was submitted to */
    bool done;                   /* set by block_finish(), after `result` */
    enum error result;           /* OK, ERROR_IO, ERROR_READ_ONLY, ERROR_RANGE */
    uint32_t parts;              /* the driver's: pieces of it that are not finished */
    struct block_request *next;  /* the driver's, while queued */
    struct wait_queue waiters;   /* the driver's: who sleeps in wait() for it */
};

struct block_device {
    const char *name;
    uint32_t block_count;
    bool read_only;
    volatile uint32_t failures; /* moves on when a request ends with ERROR_IO, before that can be seen in the request */
    /*
     * Queue a request, sleeping while the device has no room for it. Only called through block_submit(), which has
     * checked it.
     */
    void (*submit)(struct block_device *device, struct block_request *request);
    /* Sleep until the request is done. */
    void (*wait)(struct block_device *device, struct block_request *request);
    /* For block_last_write(), which has checked the block. NULL: the device cannot. */
    enum error (*last_write)(struct block_device *device, struct block block, void *page);
};

/*
 * Queue a request; may sleep. A request that the device must not see is done at once:
 * - count of 0 or above BLOCK_REQUEST_PAGES_MAX, or blocks past the device's end: ERROR_RANGE.
 * - a write to a read-only device: ERROR_READ_ONLY. A flush of one is OK.
 */
void block_submit(struct block_device *device, struct block_request *request);

/* For drivers: the request has its result, and is done. Callable from interrupts. */
void block_finish(struct block_request *request);

/* Sleep until a submitted request is done; returns its result. Several threads may wait for one request. */
MUST_CHECK enum error block_wait(struct block_device *device, struct block_request *request);

/*
 * One request of one page, or one flush, start to end; may sleep.
 * - A read that ends with ERROR_IO is tried again, twice: on what it reads may hang which generation is the newest, and
 *   an error of the moment must not decide that.
 */
MUST_CHECK enum error block_read(struct block_device *device, struct block block, void *page);
MUST_CHECK enum error block_write(struct block_device *device, struct block block, void *page);
MUST_CHECK enum error block_flush(struct block_device *device);

/*
 * The last thing that is ever asked of a device, by a kernel that cannot go on: stop whatever it is doing, write one
 * block, flush. Polls, with interrupts disabled; never sleeps, allocates nothing, ends within seconds. What was in
 * flight is lost as in a power cut, and the device is no longer usable.
 * - page: page-aligned, in memory that the device can reach.
 * - ERROR_RANGE: the block is past the device's end; ERROR_READ_ONLY; ERROR_UNSUPPORTED: the device cannot do that;
 *   ERROR_TIMED_OUT, ERROR_IO: it may or may not have been written.
 */
MUST_CHECK enum error block_last_write(struct block_device *device, struct block block, void *page);

#endif
