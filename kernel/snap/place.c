/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Placing page content: fresh blocks in few runs, a request for each run, all in flight together.
 *
 * A run that fails is written again block by block, which tells the bad blocks from the good ones. Bad ones are retired
 * and their pages go to others. Many bad ones at once are no bad blocks but a disk that fails: then nothing is retired.
 */
#include "place.h"
#include "atomic.h"
#include "store.h"

#define ATTEMPTS       4u /* at finding good blocks for a placement */
#define BAD_BLOCKS_MAX 8u /* in one attempt */

/* A block for each page that has none. */
static enum error allocate(struct store *store, struct placement *placement)
{
    uint32_t at = 0;

    while (at < placement->count) {
        uint32_t wanted = 0;
        while (at + wanted < placement->count && block_is_none(placement->blocks[at + wanted])) {
            wanted++;
        }
        if (wanted == 0) {
            at++;
            continue;
        }
        struct extent extent;
        enum error error = store_allocate(store, wanted, &extent);
        if (error != OK) {
            return error;
        }
        for (uint32_t i = 0; i < extent.count; i++) {
            placement->blocks[at++] = (struct block){extent.first.number + i};
        }
    }
    return OK;
}

/* How many pages from `first` on are still to be written and have blocks that follow each other. */
static uint32_t run_length(const struct placement *placement, uint32_t first, uint32_t length_max)
{
    uint32_t length = 0;

    while (length < length_max && first + length < placement->count && !placement->written[first + length] &&
           placement->blocks[first + length].number == placement->blocks[first].number + length) {
        length++;
    }
    return length;
}

/* Begin to write what is not written yet. */
static void submit_runs(struct store *store, struct placement *placement, uint32_t length_max)
{
    struct block_device *device = store_device(store);

    placement->run_count = 0;
    for (uint32_t at = 0; at < placement->count;) {
        uint32_t length = run_length(placement, at, length_max);
        if (length == 0) {
            at++;
            continue;
        }
        struct block_request *request = &placement->requests[placement->run_count];
        *request = (struct block_request){
            .operation = BLOCK_WRITE,
            .first = placement->blocks[at],
            .count = length,
            .pages = &placement->contents[at],
        };
        placement->run_first[placement->run_count++] = at;
        block_submit(device, request);
        at += length;
    }
}

/* Wait for all of that, whatever becomes of one. Returns how many pages failed. */
static uint32_t await_runs(struct store *store, struct placement *placement)
{
    struct block_device *device = store_device(store);
    uint32_t failed = 0;

    for (uint32_t i = 0; i < placement->run_count; i++) {
        bool arrived = block_wait(device, &placement->requests[i]) == OK;
        for (uint32_t page = 0; page < placement->requests[i].count; page++) {
            placement->written[placement->run_first[i] + page] = arrived;
        }
        failed += arrived ? 0 : placement->requests[i].count;
    }
    return failed;
}

static void retire_unwritten(struct store *store, struct placement *placement)
{
    for (uint32_t i = 0; i < placement->count; i++) {
        if (!placement->written[i]) {
            store_retire(store, (struct extent){placement->blocks[i], 1});
            placement->blocks[i] = BLOCK_NONE;
        }
    }
}

static void give_back(struct store *store, const struct placement *placement)
{
    for (uint32_t i = 0; i < placement->count; i++) {
        if (!block_is_none(placement->blocks[i])) {
            store_release(store, (struct extent){placement->blocks[i], 1});
        }
    }
}

/* Some runs failed: block by block it turns out which blocks are bad, and their pages go to others. */
static enum error write_elsewhere(struct store *store, struct placement *placement)
{
    for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        submit_runs(store, placement, 1);
        uint32_t bad = await_runs(store, placement);
        if (bad == 0) {
            return OK;
        }
        if (bad > BAD_BLOCKS_MAX) {
            return ERROR_IO;
        }
        retire_unwritten(store, placement);
        enum error error = allocate(store, placement);
        if (error != OK) {
            return error;
        }
    }
    return ERROR_IO;
}

enum error snap_place_begin(struct store *store, struct placement *placement)
{
    thread_may_sleep();
    for (uint32_t i = 0; i < placement->count; i++) {
        placement->blocks[i] = BLOCK_NONE;
        placement->written[i] = false;
    }
    enum error error = allocate(store, placement);
    if (error != OK) {
        give_back(store, placement);
        return error;
    }
    submit_runs(store, placement, PLACE_PAGES_MAX);
    return OK;
}

enum error snap_place_end(struct store *store, struct placement *placement)
{
    enum error error = await_runs(store, placement) == 0 ? OK : write_elsewhere(store, placement);

    if (error != OK) {
        give_back(store, placement);
    }
    return error;
}
