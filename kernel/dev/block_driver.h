/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the drivers of disks share below block_device.h: completion, waiting, and the physical shape of a request.
 */
#ifndef BLOCK_DRIVER_H
#define BLOCK_DRIVER_H

#include "block_device.h"

/* Adjacent bytes of physical memory. */
struct block_segment {
    uint32_t physical;
    uint32_t bytes;
};

/*
 * The longest run of physically adjacent buffers of a request that starts at its page number `from` (below its count)
 * and has at most `pages_max` (at least 1) pages. Returns its length in pages.
 */
uint32_t block_segment(const struct block_request *request, uint32_t from, uint32_t pages_max,
                       struct block_segment *out);

/*
 * One of the request's parts has ended; with the last one the request is done and its waiters wake. The first failure
 * is the result. Callable from interrupts; after the last part the request may be gone.
 */
void block_part_done(struct block_request *request, enum error result);

/*
 * Sleep until the request is done or clock_boot_ns() has reached the deadline. Returns whether it is done. Call it with
 * interrupts disabled or enabled.
 */
bool block_wait_done(struct block_request *request, uint64_t deadline_ns);

/*
 * Say in the log that a request failed, unless the device has said so often: the 1st, 2nd, 4th, 8th ... are reported.
 * - failures: the device's counter, increased here.
 */
void block_report(const struct block_device *device, const struct block_request *request, uint32_t *failures,
                  const char *reason);

#endif
