/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write queue. Its memory is one page: a few slots, each a request and the pages it writes.
 */
#include "store_io.h"
#include "atomic.h"
#include "log.h"
#include "store_checksum.h"
#include "store_internal.h"
#include "store_suspect.h"

#include <string.h>

#define SLOTS     4u
#define RUN_PAGES 64u

struct write_slot {
    struct block_request request;
    bool is_submitted;
    void *pages[RUN_PAGES];
    bool is_given[RUN_PAGES];
};

struct write_slots {
    uint32_t filling;
    struct write_slot slot[SLOTS];
};

_Static_assert(sizeof(struct write_slots) <= PAGE_SIZE, "the write queue's memory is one page");

enum error store_write_queue_start(struct write_queue *queue, struct store *store)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error == OK) {
        *queue = (struct write_queue){.store = store, .slots = page};
    }
    return error;
}

#define WINDOW_BLOCKS 32u

struct read_window {
    uint32_t first, count; /* blocks in `pages` */
    uint32_t last;         /* block asked for before */
    void *pages[WINDOW_BLOCKS];
};

struct read_window *store_read_window_open(void)
{
    void *page;
    if (store_page_new(&page) != OK) {
        return NULL;
    }
    struct read_window *window = page;
    for (uint32_t i = 0; i < WINDOW_BLOCKS; i++) {
        if (store_page_new(&window->pages[i]) != OK) {
            store_read_window_close(window);
            return NULL;
        }
    }
    return window;
}

void store_read_window_close(struct read_window *window)
{
    for (uint32_t i = 0; window != NULL && i < WINDOW_BLOCKS; i++) {
        store_page_free(window->pages[i]);
    }
    store_page_free(window);
}

/* Move the window so that it shows a block and those that come next, in the direction reading goes. */
static enum error window_move(struct store *store, struct read_window *window, uint32_t block)
{
    uint32_t first = block;
    if (block < window->last) {
        first = block >= DISK_RESERVED + WINDOW_BLOCKS - 1 ? block - (WINDOW_BLOCKS - 1) : DISK_RESERVED;
    }
    uint32_t left = store->block_count - first;
    window->first = first;
    window->count = left < WINDOW_BLOCKS ? left : WINDOW_BLOCKS;
    enum error error = store_read_blocks(store, (struct block){first}, window->count, window->pages);
    window->count = error == OK ? window->count : 0;
    return error;
}

/* Read a block, through the window if there is one. */
static enum error block_fetch(struct store *store, struct read_window *window, uint32_t block, void *page)
{
    if (window != NULL && block - window->first >= window->count && window_move(store, window, block) != OK) {
        window = NULL; /* some other block in sight cannot be read */
    }
    if (window == NULL) {
        return store_read_blocks(store, (struct block){block}, 1, &page);
    }
    memcpy(page, window->pages[block - window->first], PAGE_SIZE);
    window->last = block;
    return OK;
}

/* Read one of the two; the checksum is bound to the first in either case. */
static enum error one_read(struct store *store, struct read_window *window, const struct store_place *place,
                           uint32_t block, void *page)
{
    if (block < DISK_RESERVED || block >= store->block_count) {
        return ERROR_FORMAT_DAMAGED;
    }
    enum error error = block_fetch(store, window, block, page);
    if (error != OK) {
        return error;
    }
    uint64_t checksum = store_checksum_block(store->space_id, place->block, place->generation, page);
    return checksum == place->checksum ? OK : ERROR_CHECKSUM;
}

enum error store_place_read(struct store *store, struct read_window *window, const struct store_place *place,
                            void *page)
{
    thread_may_sleep();
    enum error error = one_read(store, window, place, place->block, page);
    if (store_is_damage(error) && place->copy != 0 && one_read(store, window, place, place->copy, page) == OK) {
        log_line("store: block %u: %s; its copy is used", place->block, error_text(error));
        return OK;
    }
    return error;
}

bool store_copy_proves_itself(struct store *store, const struct store_place *place, void *page)
{
    thread_may_sleep();
    return one_read(store, NULL, place, place->copy, page) == OK;
}

enum error store_place_allocate(struct store *store, uint32_t *block, uint32_t *copy)
{
    struct extent first, second;
    enum error error = store_space_allocate(&store->space, 2, 0, &first);
    if (error != OK) {
        return error;
    }
    *block = first.first.number;
    *copy = first.count == 2 ? *block + 1 : 0;
    if (first.count == 1 && store_space_allocate(&store->space, 1, 0, &second) == OK) {
        *copy = second.first.number;
    }
    return OK;
}

static void slot_submit(struct write_queue *queue, struct write_slot *slot)
{
    if (slot->request.count > 0 && !slot->is_submitted) {
        slot->is_submitted = true;
        slot->request.operation = BLOCK_WRITE;
        slot->request.pages = slot->pages;
        block_submit(queue->store->device, &slot->request);
    }
}

static void slot_wait(struct write_queue *queue, struct write_slot *slot)
{
    if (slot->is_submitted) {
        enum error error = block_wait(queue->store->device, &slot->request);
        if (error != OK) {
            queue->error = queue->error != OK ? queue->error : error;
            /* Without memory for the note the blocks are merely tried again later. */
            (void)!store_run_list_append(&queue->failed, slot->request.first.number, slot->request.count, 0);
        }
    }
    for (uint32_t i = 0; i < slot->request.count; i++) {
        if (slot->is_given[i]) {
            store_page_free(slot->pages[i]);
        }
    }
    slot->is_submitted = false;
    slot->request.count = 0;
}

void store_write_queue_add(struct write_queue *queue, uint32_t block, void *page, bool is_given)
{
    struct write_slot *slot = &queue->slots->slot[queue->slots->filling];
    struct block_request *request = &slot->request;
    if (request->count == RUN_PAGES || (request->count > 0 && request->first.number + request->count != block)) {
        slot_submit(queue, slot);
        queue->slots->filling = (queue->slots->filling + 1) % SLOTS;
        slot = &queue->slots->slot[queue->slots->filling];
        request = &slot->request;
        slot_wait(queue, slot);
    }
    if (request->count == 0) {
        request->first.number = block;
    }
    slot->pages[request->count] = page;
    slot->is_given[request->count] = is_given;
    request->count++;
    queue->blocks++;
}

enum error store_write_queue_finish(struct write_queue *queue)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        slot_submit(queue, &queue->slots->slot[i]);
    }
    /* Oldest first, so that no page is freed while an earlier slot still writes it. */
    for (uint32_t i = 1; i <= SLOTS; i++) {
        slot_wait(queue, &queue->slots->slot[(queue->slots->filling + i) % SLOTS]);
    }
    store_page_free(queue->slots);
    queue->slots = NULL;
    return queue->error;
}
