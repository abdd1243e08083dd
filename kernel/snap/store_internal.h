/*
 * What the files of the store share: the state of an open image.
 *
 *     STORE-1  A block that any durable root leads to is used; only free blocks are written, roots excepted.
 *     STORE-2  An entry of the open or sealed layer names a held block of its own, or none.
 *     STORE-3  A page is where the first of these that is not silent says: open, sealed, committed.
 *     STORE-5  While a root is in doubt nothing is allocated, so what it may lead to stays as it is.
 *     STORE-4  The root on the disk is the one this store wrote or found last; anything else means another user.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store.h"
#include "store_layer.h"
#include "store_memory.h"
#include "store_space.h"

struct store {
    struct block_device *device;
    bool read_only;
    uint32_t block_count;
    uint64_t space_id[2];
    uint64_t user; /* our mark in the root */

    struct disk_root *root; /* as last written or found */
    bool in_doubt;          /* writing its successor failed, and may yet have succeeded */

    struct layer open, sealed, committed;
    bool is_sealed; /* a snapshot runs */
    bool is_stuck;  /* `sealed` was given up, and there was no memory to fold it into `open` */
    uint64_t open_generation, sealed_generation, committed_generation;

    struct space space;
    uint64_t log_base;        /* records after it make up `committed` */
    uint32_t log_records;     /* their number */
    uint64_t log_items;       /* pages they name */
    struct extent_list log;   /* their blocks */
    struct extent_list dying; /* blocks that only the generation before the newest needs */

    uint64_t wall_time_ns; /* of the newest commit */
    uint64_t stop_ns;      /* of the snapshot being committed, for its record */
    uint32_t system_bytes;
    uint8_t system[STORE_SYSTEM_RECORD_MAX];
};

/* store_root.c: label and roots. */
MUST_CHECK enum error label_write(struct block_device *device, const struct store_format_options *options);
MUST_CHECK enum error label_read(struct store *store, struct store_report *report);
MUST_CHECK enum error root_write_first(struct block_device *device, const struct store_format_options *options);
MUST_CHECK enum error root_read(struct store *store, struct store_report *report);

/* Whether the roots on the disk are still ours; ERROR_IN_USE. */
MUST_CHECK enum error root_confirm(struct store *store);

/* Write `root` as the next in sequence, and make it durable. On success it is the store's root. */
MUST_CHECK enum error root_commit(struct store *store, const struct disk_root *root);

/*
 * If the last root could not be written for certain, write the one before again in its place. Until that succeeds the
 * disk may hold either. ERROR_IO, ERROR_NO_MEMORY.
 */
MUST_CHECK enum error doubt_settle(struct store *store);

/* store_replay.c: build the committed layer and the free-space map from the newest record that proves itself. */
MUST_CHECK enum error replay(struct store *store, uint64_t generation, struct store_report *report);

/* Append a reason to a report. */
void report_say(struct store_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How `when` of a map entry is made and read. */
static inline uint64_t when_make(uint64_t birth, uint64_t stamp)
{
    return birth | (birth - stamp) << DISK_WHEN_BITS;
}

static inline uint64_t when_birth(uint64_t when)
{
    return when & DISK_GENERATION_MAX;
}

static inline uint64_t when_stamp(uint64_t when)
{
    return when_birth(when) - (when >> DISK_WHEN_BITS);
}

#endif
