/*
 * Placing page content: fresh blocks in few runs, a request for each run, all in flight together.
 *
 * A run that fails is written again block by block, which tells the bad blocks from the good ones. Bad ones are retired
 * and their pages go to others. Many bad ones at once are no bad blocks but a disk that fails: then nothing is retired.
 */
#include "place.h"
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

/* Write what is not written yet. All requests are waited for, whatever becomes of one. Returns how many pages failed.
 */
static uint32_t write_runs(struct store *store, struct placement *placement, uint32_t length_max)
{
    struct block_device *device = store_device(store);
    uint32_t requests = 0;
    uint32_t failed = 0;

    for (uint32_t at = 0; at < placement->count;) {
        uint32_t length = run_length(placement, at, length_max);
        if (length == 0) {
            at++;
            continue;
        }
        placement->requests[requests] = (struct block_request){
            .operation = BLOCK_WRITE,
            .first = placement->blocks[at],
            .count = length,
            .pages = &placement->contents[at],
        };
        placement->run_first[requests] = at;
        block_submit(device, &placement->requests[requests++]);
        at += length;
    }
    for (uint32_t i = 0; i < requests; i++) {
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

static enum error try_to_place(struct store *store, struct placement *placement)
{
    for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        enum error error = allocate(store, placement);
        if (error != OK) {
            return error;
        }
        if (write_runs(store, placement, PLACE_PAGES_MAX) == 0) {
            return OK;
        }
        uint32_t bad = write_runs(store, placement, 1);
        if (bad == 0) {
            return OK;
        }
        if (bad > BAD_BLOCKS_MAX) {
            return ERROR_IO;
        }
        retire_unwritten(store, placement);
    }
    return ERROR_IO;
}

enum error place_write(struct store *store, struct placement *placement)
{
    for (uint32_t i = 0; i < placement->count; i++) {
        placement->blocks[i] = BLOCK_NONE;
        placement->written[i] = false;
    }
    enum error error = try_to_place(store, placement);
    if (error != OK) {
        give_back(store, placement);
    }
    return error;
}
