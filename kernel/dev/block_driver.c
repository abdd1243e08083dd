/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion and waiting for the drivers of disks. See block_driver.h.
 */
#include "block_driver.h"

#include "arch/frame.h"
#include "arch/interrupt.h"
#include "log.h"

static uint32_t physical_of(const void *page)
{
    ASSERT(((uintptr_t)page & PAGE_MASK) == 0);
    return frame_containing(page).number << PAGE_SHIFT;
}

uint32_t block_segment(const struct block_request *request, uint32_t from, uint32_t pages_max,
                       struct block_segment *out)
{
    uint32_t start = physical_of(request->pages[from]);
    uint32_t length = 1;
    while (length < pages_max && from + length < request->count &&
           physical_of(request->pages[from + length]) == start + length * PAGE_SIZE) {
        length++;
    }
    *out = (struct block_segment){.physical = start, .bytes = length * PAGE_SIZE};
    return length;
}

void block_part_done(struct block_request *request, enum error result)
{
    bool enabled = interrupt_disable();
    ASSERT(request->parts > 0 && !request->done);
    if (request->result == OK) {
        request->result = result;
    }
    request->parts--;
    if (request->parts == 0) {
        block_finish(request);
        wait_queue_wake(&request->waiters, UINT32_MAX);
    }
    interrupt_restore(enabled);
}

bool block_wait_done(struct block_request *request, uint64_t deadline_ns)
{
    bool enabled = interrupt_disable();
    enum error error = OK;
    while (!request->done && error == OK) {
        error = wait_queue_sleep(&request->waiters, deadline_ns, false);
    }
    bool done = request->done;
    interrupt_restore(enabled);
    return done;
}

void block_report(const struct block_device *device, const struct block_request *request, uint32_t *failures,
                  const char *reason)
{
    static const char *const names[] = {[BLOCK_READ] = "read", [BLOCK_WRITE] = "write", [BLOCK_FLUSH] = "flush"};
    uint32_t count = ++*failures;
    if ((count & (count - 1)) == 0) {
        log_line("%s: %s of %u blocks at %u failed: %s (failure %u)", device->name, names[request->operation],
                 request->count, request->first.number, reason, count);
    }
}
