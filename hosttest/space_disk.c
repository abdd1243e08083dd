/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The delay is made of yields: whoever waits for a request lets the others run a while. Contents are taken over at the
 * submission and compared when the request is done.
 */
#include "space_disk.h"

#include <string.h>

#define YIELDS_MAX 6u

void space_disk_delay(struct space_disk *slow)
{
    if (slow->delays == 0) {
        return;
    }
    slow->delays = slow->delays * 6364136223846793005u + 1442695040888963407u;
    for (uint32_t left = (uint32_t)(slow->delays >> 33) % (YIELDS_MAX + 1); left > 0; left--) {
        thread_yield();
    }
}

/* A request that meets a bad block fails as a whole. */
static bool meets_bad_block(const struct fake_disk *disk, const struct block_request *request)
{
    uint8_t fatal = request->operation == BLOCK_WRITE ? 2 : 1;

    for (uint32_t i = 0; i < request->count; i++) {
        if ((disk->bad[request->first.number + i] & fatal) != 0) {
            return true;
        }
    }
    return false;
}

static void submit(struct block_device *device, struct block_request *request)
{
    struct space_disk *slow = (struct space_disk *)(void *)device;

    bool is_bad = !slow->is_off && meets_bad_block(slow->disk, request);
    if (is_bad) {
        fake_disk_forget(slow->disk);
    }
    if (is_bad || slow->is_off) {
        request->result = ERROR_IO;
        block_finish(request);
        return;
    }
    slow->disk->device.submit(&slow->disk->device, request);
    request->next =
        request->done && request->operation == BLOCK_WRITE ? request : NULL; /* refused: nothing is written */
    request->done = false;
}

static bool is_held(const struct space_disk *slow, enum block_operation operation)
{
    return (operation == BLOCK_READ && slow->holds_reads) || (operation == BLOCK_WRITE && slow->holds_writes);
}

static bool is_unchanged(const struct fake_disk *disk, const struct block_request *request)
{
    for (uint32_t i = 0; i < request->count; i++) {
        const struct fake_disk_event *event = &disk->events[request->parts + i];
        if (memcmp(event->bytes, request->pages[i], PAGE_SIZE) != 0) {
            return false;
        }
    }
    return true;
}

static void wait(struct block_device *device, struct block_request *request)
{
    struct space_disk *slow = (struct space_disk *)(void *)device;

    space_disk_delay(slow);
    while (is_held(slow, request->operation)) {
        thread_yield();
    }
    if (slow->is_off) {
        request->result = ERROR_IO;
        block_finish(request);
        return;
    }
    if (request->operation == BLOCK_WRITE && request->next == NULL) {
        slow->saw_changes = slow->saw_changes || !is_unchanged(slow->disk, request);
        slow->disk->device.wait(&slow->disk->device, request);
    }
    block_finish(request);
}

void space_disk_start(struct space_disk *slow, struct fake_disk *disk, uint64_t delays)
{
    *slow = (struct space_disk){
        .device = {.name = "slow", .block_count = disk->device.block_count, .submit = submit, .wait = wait},
        .disk = disk,
        .delays = delays,
    };
}
