/*
 * Commit records: chains of blocks full of items.
 *
 * Items are streamed: first into the head, then into bodies. A body is written as soon as it is full and names the one
 * before it; the head, written last, names the last body. So memory stays small whatever the length, and the checksum
 * of the head covers the whole chain.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "store_internal.h"

struct record_writer {
    struct store *store;
    struct disk_head *head;
    struct disk_body *body; /* being filled; NULL while items go to the head */
    struct disk_run *run;   /* being filled */
    uint32_t next_block;    /* the body before */
    uint64_t next_checksum;
    struct extent_list blocks; /* of the record; held */
};

/* The caller fills in the rest of writer->head before record_finish(). ERROR_NO_MEMORY. */
MUST_CHECK enum error record_begin(struct record_writer *writer, struct store *store, uint64_t generation,
                                   const void *system, uint32_t system_bytes);

/* Append an item. ERROR_NO_SPACE, ERROR_NO_MEMORY, ERROR_IO. */
MUST_CHECK enum error record_append(struct record_writer *writer, enum disk_item_type type, const void *item);

/* Write the head. The record is not durable before the next flush. */
MUST_CHECK enum error record_finish(struct record_writer *writer, struct disk_record_ref *out);

/* Free the writer's memory; the blocks stay held and in writer->blocks, which the caller clears. */
void record_end(struct record_writer *writer);

/* Called for each block of a record, and for each item. An error ends the reading. */
struct record_visitor {
    void *context;
    enum error (*block)(void *context, uint32_t block);
    enum error (*item)(void *context, const struct disk_head *head, enum disk_item_type type, const void *item);
};

/* Read and prove a head into a page of memory. ERROR_CHECKSUM, ERROR_FORMAT_DAMAGED, ERROR_IO. */
MUST_CHECK enum error record_read_head(struct store *store, const struct disk_record_ref *ref, struct disk_head *head);

/* Read and prove a record, visiting everything. Errors as above and the visitor's. */
MUST_CHECK enum error record_read(struct store *store, const struct disk_record_ref *ref,
                                  const struct record_visitor *visitor);

#endif
