/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commit records: chains of blocks full of items.
 *
 * Items are streamed: first into the head, then into bodies. A full body is queued for writing and names the one before
 * it; the head, written last, names the last body. So memory stays small whatever the length, and the checksum of the
 * head covers the whole chain. Each block is written twice.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "store_internal.h"

struct record_writer {
    struct store *store;
    struct write_queue *queue;
    struct disk_head *head;
    struct disk_body *body;  /* being filled; NULL while items go to the head */
    struct disk_run *run;    /* being filled */
    struct store_place next; /* the body before */
    struct store_place own;  /* the head's */
    struct run_list *blocks; /* of the record, copies included, held, are appended here */
};

/* - system_bytes: at most STORE_SYSTEM_RECORD_MAX. ERROR_NO_MEMORY. */
MUST_CHECK enum error store_record_begin(struct record_writer *writer, struct store *store, struct write_queue *queue,
                                         struct run_list *blocks, uint64_t generation, const void *system,
                                         uint32_t system_bytes);

/* Append an item that names no page, or has all of a key in it. ERROR_NO_SPACE, ERROR_NO_MEMORY. */
MUST_CHECK enum error store_record_append(struct record_writer *writer, enum disk_item_type type, const void *item);

/* Append an item that begins with the lower bits of a key: its run has the upper ones. Errors as above. */
MUST_CHECK enum error store_record_append_page(struct record_writer *writer, enum disk_item_type type, uint64_t key,
                                               const void *item);

/*
 * Queue the last body and take blocks for the head: `blocks` and head->chain_blocks are complete then. No items can be
 * appended after it. Errors as above.
 */
MUST_CHECK enum error store_record_close(struct record_writer *writer);

/* Queue the head, which the caller has completed. Durable after the queue is finished and a flush. */
void store_record_finish(struct record_writer *writer, struct disk_record_ref *out);

/* Free the writer's memory, at any stage. */
void store_record_end(struct record_writer *writer);

/*
 * The pages that a disk_extent of them names, given the run that it is in; false: there are none, or not of one object.
 */
MUST_CHECK bool store_item_range(const struct disk_run *run, const void *item, uint64_t *first, uint64_t *last);

/* The key that a disk_put is about, given the run that it is in. */
uint64_t store_item_key(const struct disk_run *run, const struct disk_put *put);

/*
 * Called for each block of a record, and for each item, with the header of its run. An error ends the reading. Either
 * may be NULL.
 */
struct record_visitor {
    void *context;
    enum error (*block)(void *context, const struct store_place *place);
    enum error (*item)(void *context, const struct disk_head *head, const struct disk_run *run, const void *item);
};

/*
 * Read and prove a head into a page of memory; through a window, or NULL. ERROR_CHECKSUM, ERROR_FORMAT_DAMAGED,
 * ERROR_IO. May sleep.
 */
MUST_CHECK enum error store_record_read_head(struct store *store, struct read_window *window,
                                             const struct disk_record_ref *ref, struct disk_head *head);

/* Read and prove a record, visiting everything. Needs commit_lock. Errors as above, ERROR_NO_MEMORY, the visitor's. */
MUST_CHECK enum error store_record_read(struct store *store, const struct disk_record_ref *ref,
                                        const struct record_visitor *visitor);

/* The system record in a head. */
const uint8_t *store_record_system(const struct disk_head *head);

#endif
