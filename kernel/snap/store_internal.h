/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the store share: the state of an open image.
 *
 *     STORE-1  A block that a durable root leads to is used; only free blocks are written, roots excepted.
 *     STORE-2  An entry of the open or sealed layer names a held block of its own, or none.
 *     STORE-3  A page is where the first of these that is not silent says: open, sealed, recent, merging, page tree.
 *     STORE-4  The root on the disk is the one this store wrote or found last; anything else means another user.
 *     STORE-5  While a root is in doubt nothing is allocated, so what it may lead to stays as it is.
 *     STORE-6  The used blocks are those of the kept generations, the retired ones, and the reserved ones; no others.
 *     STORE-7  Between the first write of what a root leads to and the flush before the root no request has failed;
 *              nor between the write of a root and the flush that makes it the newest.
 *
 * One thread at a time commits, pins or closes: it holds `commit_lock`. Looking up and the open layer need no lock:
 * their changes happen between two points where a thread may sleep, and who has slept looks whether `epoch` moved on.
 */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store.h"
#include "store_cache.h"
#include "store_layer.h"
#include "store_memory.h"
#include "store_refs.h"
#include "store_space.h"
#include "store_tree.h"
#include "thread.h"

/* What the newest record says, and what its successor goes on from. */
struct state {
    struct disk_record_ref record; /* block 0: no generation yet */
    uint64_t map_base, space_base;
    struct disk_tree_ref page_tree, space_tree;
    uint64_t merge_end, merge_next;
    uint64_t pages_live;
    uint64_t stop_ns;
};

struct unread;
struct dead_proof;

struct store {
    struct block_device *device;
    struct mutex commit_lock;
    bool read_only;
    bool is_waiting;    /* opened for writing, and store_use() has not been called yet: nothing is written */
    bool in_doubt;      /* writing a root failed, and may yet have succeeded */
    bool is_confirmed;  /* since the last seal: the roots on the disk are ours */
    bool is_sealed;     /* a snapshot runs */
    bool is_stuck;      /* `sealed` was given up, and there was no memory to fold it into `open` */
    bool wants_rebuild; /* the free-space map cannot be trusted, or holds what nobody needs: store_rebuild.c */
    bool map_is_stale;  /* `space` is right, and what the disk says about free space is not */
    bool has_lost;      /* some blocks that nobody needs may count as used: the next opening makes the map anew */
    uint32_t block_count;
    uint64_t space_id[2];
    uint64_t created_ns;
    bool maintenance; /* the marks of use in the root are not ours to change */
    uint64_t user;    /* our mark in the root */
    uint64_t epoch;   /* moves on with every commit */

    struct disk_root *root;     /* as last written or found */
    struct disk_ladder *ladder; /* that it leads to: one page */
    bool ladder_is_lost;        /* it could not be read */
    struct state state;
    struct layer open, sealed;
    struct layer recent;  /* of records after merge_end, or all of the log while no merge is under way */
    struct layer merging; /* of records up to merge_end */
    uint64_t open_generation, sealed_generation;
    bool open_is_stamped; /* somebody asked for open_generation, to stamp a page with it */

    struct read_window *window; /* for records, while long ones or many are read; NULL otherwise. By commit_lock */
    struct space space;
    struct disk_tree_ref space_source; /* the free-space tree from which `space` loads its chunks */
    struct cache cache;
    struct run_list bad;        /* retired blocks not yet in the free-space tree */
    struct run_list new_bad;    /* ... and not yet in a record either */
    struct ref_list log;        /* the records after map_base, oldest first */
    struct store_tuning tuning; /* filled in: no zeroes, except log_entries for "as many as there are pages" */
    uint64_t suspect_until;     /* page content stamped up to here may have been forgotten by the device; 0: none */
    uint32_t failures_known;    /* of the device's requests: what was written before is suspect already */
    struct unread *unread;      /* blocks that are not asked for until the next commit */
    bool expects_no_commits;    /* so they are */
    uint64_t reclaimed;         /* generation that was made to give up history: the one before it is like it */
    /* lists up to this generation were found on the disk, and are proved before they are believed */
    uint64_t inherited;
    struct dead_proof *proof; /* of them; NULL: none is under way */
    uint64_t branch_from;     /* the next commit replaces the generations after this one; 0: there are none */

    uint64_t stop_ns; /* of the snapshot being committed */
    uint32_t system_bytes;
    uint8_t *system; /* the newest system record: one page */
};

/* Generations of the window: the two newest are always whole, and there is no room for more than the others. */
enum { HISTORY_MIN = 2, HISTORY_MAX = 16 };

static inline uint64_t store_committed_generation(const struct store *store)
{
    return store->state.record.generation;
}

static inline bool store_is_damage(enum error error)
{
    return error == ERROR_CHECKSUM || error == ERROR_IO || error == ERROR_FORMAT_DAMAGED;
}

/* store_root.c: label and roots. */
MUST_CHECK enum error store_label_write(struct block_device *device, const struct store_format_options *options);
MUST_CHECK enum error store_label_judge(const struct disk_label *label, uint32_t block);

/* Whether a reference to a record leads into the image. */
MUST_CHECK bool store_ref_is_sound(const struct store *store, const struct disk_record_ref *ref);

/* The same of a root. */
MUST_CHECK enum error store_root_judge(const struct store *store, const struct disk_root *root, uint32_t block);
MUST_CHECK enum error store_label_read(struct store *store, struct store_report *report);
MUST_CHECK enum error store_root_write_first(struct block_device *device, const struct store_format_options *options);
MUST_CHECK enum error store_root_read(struct store *store, struct store_report *report);

/* Whether the roots on the disk are still ours; ERROR_IN_USE. */
MUST_CHECK enum error store_root_confirm(struct store *store);

/* Write `root` as the next in sequence, and make it durable. On success it is the store's root. */
MUST_CHECK enum error store_root_commit(struct store *store, const struct disk_root *root);

/*
 * If the last root could not be written for certain, write the one before again in its place. Until that succeeds the
 * disk may hold either. ERROR_IO, ERROR_NO_MEMORY. The caller holds commit_lock.
 */
MUST_CHECK enum error store_root_resolve(struct store *store);

/* store_pin.c: the index-th kept generation, those of the window first, from the newest on; NULL past the last. */
const struct disk_record_ref *store_kept_at(const struct store *store, uint32_t index);

/* The record of a kept generation; NULL if it is not kept. */
const struct disk_record_ref *store_kept_find(const struct store *store, uint64_t generation);

/* store_replay.c: build the state from the newest record that proves itself, or from that of `generation`. */
MUST_CHECK enum error store_replay(struct store *store, uint64_t generation, struct store_report *report);

/*
 * ... or from the newest of window and ladder that is older than `before`. ERROR_NOT_FOUND: there is none. The report names it
 * even if it does not prove itself.
 */
MUST_CHECK enum error store_replay_before(struct store *store, uint64_t before, struct store_report *report);

/* store_space_tree.c: read a chunk of the free-space map. */
MUST_CHECK enum error store_space_tree_load(struct store *store, uint32_t chunk, void *bits);

/* store_find.c: a page as the committed state has it. ERROR_NOT_FOUND, and those of store_tree_find. */
MUST_CHECK enum error store_committed_find(struct store *store, uint64_t key, struct disk_map_entry *out);

/* The next page of the committed state at or after `page`. */
MUST_CHECK enum error store_committed_next(struct store *store, uint64_t key, struct disk_map_entry *out);

/* store_rebuild.c: make the free-space map anew from what the kept generations reach. */
MUST_CHECK enum error store_rebuild(struct store *store);

/* Append a reason to a report. */
void store_report_say(struct store_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How `when` of a map entry is made and read. */
static inline uint64_t store_when_make(uint64_t birth, uint64_t stamp)
{
    return birth | (birth - stamp) << DISK_WHEN_BITS;
}

static inline uint64_t store_when_birth(uint64_t when)
{
    return when & DISK_GENERATION_MAX;
}

static inline uint64_t store_when_stamp(uint64_t when)
{
    return store_when_birth(when) - (when >> DISK_WHEN_BITS);
}

#endif
