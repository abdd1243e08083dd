/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metadata on its way to the disk and back.
 *
 * Written are single blocks; they are collected into runs, and several runs are on their way at once. What everything
 * else hangs on, records and inner nodes, is written twice; the second is read where the first does not prove itself.
 */
#ifndef STORE_IO_H
#define STORE_IO_H

#include "store_memory.h"

struct store;
struct read_window;
struct write_slots;

struct write_queue {
    struct store *store;
    struct write_slots *slots;
    struct run_list failed; /* blocks of requests that failed */
    enum error error;       /* the first */
    uint32_t blocks;        /* queued so far */
};

/* A block of metadata, as what leads to it names it. */
struct store_place {
    uint32_t block;
    uint32_t copy; /* 0: none */
    uint64_t generation;
    uint64_t checksum;
};

/*
 * Blocks read some at a time, those around the one wanted: for records, whose blocks lie near each other. Only what is
 * not written while the window is open may be read through it. NULL without memory, and then blocks are read one by
 * one.
 */
struct read_window *store_read_window_open(void);
void store_read_window_close(struct read_window *window);

/*
 * Read a block and prove it, or else its copy; through a window, or NULL. May sleep.
 * - ERROR_FORMAT_DAMAGED: out of range; ERROR_IO, ERROR_CHECKSUM: the first one's, if both fail.
 */
MUST_CHECK enum error store_place_read(struct store *store, struct read_window *window, const struct store_place *place,
                                       void *page);

/* Whether the copy of a block has its bytes. `page`: one page of memory. May sleep. */
bool store_copy_proves_itself(struct store *store, const struct store_place *place, void *page);

/* Two held blocks of which either may be written first; `copy` is 0 where the disk has only one left. */
MUST_CHECK enum error store_place_allocate(struct store *store, uint32_t *block, uint32_t *copy);

/* ERROR_NO_MEMORY. Every started queue must be finished. */
MUST_CHECK enum error store_write_queue_start(struct write_queue *queue, struct store *store);

/*
 * Queue a page for a block. The page must stay as it is until the queue is finished; if it `is_given`, the queue frees
 * it; a page queued twice is given the second time. Blocks in ascending order make long runs. Errors appear when the
 * queue is finished.
 */
void store_write_queue_add(struct write_queue *queue, uint32_t block, void *page, bool is_given);

/* Wait for everything. ERROR_IO and others of the device; queue->failed is then for the caller to clear. */
MUST_CHECK enum error store_write_queue_finish(struct write_queue *queue);

#endif
