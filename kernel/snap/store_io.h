/*
 * Writing metadata: single blocks are collected into runs, and several runs are on their way at once.
 */
#ifndef STORE_IO_H
#define STORE_IO_H

#include "store_memory.h"

struct store;
struct write_slots;

struct write_queue {
    struct store *store;
    struct write_slots *slots;
    struct run_list failed; /* blocks of requests that failed */
    enum error error;       /* the first */
    uint32_t blocks;        /* queued so far */
};

/* ERROR_NO_MEMORY. Every started queue must be finished. */
MUST_CHECK enum error write_queue_start(struct write_queue *queue, struct store *store);

/*
 * Queue a page for a block. The page must stay as it is until the queue is finished; if it `is_given`, the queue frees
 * it. Blocks in ascending order make long runs. Errors appear when the queue is finished.
 */
void write_queue_add(struct write_queue *queue, uint32_t block, void *page, bool is_given);

/* Wait for everything. ERROR_IO and others of the device; queue->failed is then for the caller to clear. */
MUST_CHECK enum error write_queue_finish(struct write_queue *queue);

#endif
