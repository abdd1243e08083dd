/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all block devices have in common: the check of a request before any driver sees it, and the synchronous calls.
 *
 * Drivers may rely on it: a request they are given lies within the device, has buffers, and writes only where writing
 * is allowed. The file is portable; it does not sleep itself, the driver's functions do.
 */
#include "block_device.h"
#include "thread.h"

#define READ_TRIES 3u

static enum error check(const struct block_device *device, const struct block_request *request)
{
    if (request->operation == BLOCK_FLUSH) {
        return request->count == 0 ? OK : ERROR_RANGE;
    }
    if (request->count == 0 || request->count > BLOCK_REQUEST_PAGES_MAX ||
        request->first.number >= device->block_count || request->count > device->block_count - request->first.number) {
        return ERROR_RANGE;
    }
    if (request->operation == BLOCK_WRITE && device->read_only) {
        return ERROR_READ_ONLY;
    }
    return OK;
}

void block_submit(struct block_device *device, struct block_request *request)
{
    thread_may_sleep();
    request->device = device;
    request->done = false;
    request->result = OK;
    request->parts = 0;
    request->next = NULL;
    request->waiters = (struct wait_queue){NULL};

    enum error error = check(device, request);
    bool nothing_to_flush = request->operation == BLOCK_FLUSH && device->read_only;
    if (error != OK || nothing_to_flush) {
        request->result = error;
        request->done = true;
        return;
    }
    device->submit(device, request);
}

void block_finish(struct block_request *request)
{
    if (request->result == ERROR_IO) {
        request->device->failures++;
    }
    request->done = true;
}

enum error block_wait(struct block_device *device, struct block_request *request)
{
    if (!request->done) {
        device->wait(device, request);
    }
    return request->result;
}

static enum error transfer(struct block_device *device, enum block_operation operation, struct block block, void *page)
{
    void *const pages[1] = {page};
    struct block_request request = {
        .operation = operation,
        .count = operation == BLOCK_FLUSH ? 0 : 1,
        .first = block,
        .pages = pages,
    };
    block_submit(device, &request);
    return block_wait(device, &request);
}

enum error block_read(struct block_device *device, struct block block, void *page)
{
    thread_may_sleep();
    enum error error = transfer(device, BLOCK_READ, block, page);

    for (uint32_t tries = 1; error == ERROR_IO && tries < READ_TRIES; tries++) {
        error = transfer(device, BLOCK_READ, block, page);
    }
    return error;
}

enum error block_write(struct block_device *device, struct block block, void *page)
{
    return transfer(device, BLOCK_WRITE, block, page);
}

enum error block_flush(struct block_device *device)
{
    return transfer(device, BLOCK_FLUSH, BLOCK_NONE, NULL);
}

enum error block_last_write(struct block_device *device, struct block block, void *page)
{
    DOES_NOT_SLEEP();
    if (block.number >= device->block_count) {
        return ERROR_RANGE;
    }
    if (device->read_only) {
        return ERROR_READ_ONLY;
    }
    return device->last_write == NULL ? ERROR_UNSUPPORTED : device->last_write(device, block, page);
}
