/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: committed generations of the object space on a block device.
 *
 * Changes collect in two layers over the committed state, so that programs run on while a snapshot is written:
 *
 *     open     what has happened since the last stop: deletes, and page-outs of dirty pages. Always there.
 *     sealed   what the running snapshot commits: between store_snapshot_seal and store_snapshot_commit.
 *
 * At the stop, store_snapshot_seal() turns the open layer into the sealed one (generation g, store_open_generation()
 * before the call) and starts a new open layer (generation g + 1). The snapshot thread then writes the dirty pages to
 * blocks the store allocates, puts them into the sealed layer, and commits it. store_find and store_next look through
 * open, then sealed, then committed.
 *
 * A committed block is never overwritten. Nothing of a generation is visible after a crash until its commit has
 * returned, and everything of it after that.
 *
 * Calls may sleep for the device and may be made by several threads; the store locks for itself. Between seal and
 * commit (or abort) there is one snapshot only. store_delete and store_put never wait for a commit in progress longer
 * than one device request.
 */
#ifndef STORE_H
#define STORE_H

#include "block_device.h"
#include "error.h"
#include "types.h"

#define STORE_SYSTEM_RECORD_MAX 2048u /* bytes */
#define STORE_NAME_BYTES        32u   /* of a pinned generation, the zero at the end included */
#define STORE_PINS_MAX          32u

struct store;

/* Where the content of a page is, and what proves it. */
struct store_entry {
    struct block block;           /* BLOCK_NONE: a page of zeroes, which takes no block */
    uint64_t checksum;            /* store_checksum() of the content */
    struct generation generation; /* in which it was written */
};

/* A run of blocks. */
struct extent {
    struct block first;
    uint32_t count;
};

/*
 * Which generations are kept, besides those that have a name: the newest, and of older ones the first of each of the
 * last minutes, hours and days (of UTC) in which there was any. What a wall clock that jumps takes for one of these may
 * be another; how many are kept does not depend on it. The older ones hold at most a share of the disk, and go, oldest
 * first, when it is short of room. All zero: the newest 16, and no others.
 */
struct store_rules {
    uint32_t newest; /* 2 .. 16; 0: 16 */
    uint32_t minutes, hours, days;
    uint32_t percent; /* of the disk, 0 .. 90 */
};
#define STORE_RUNGS_MAX     126u /* minutes, hours and days together */
#define STORE_PERCENT_MAX   90u
#define STORE_RULES_DEFAULT ((struct store_rules){16, 60, 24, 30, 25})

struct store_format_options {
    uint64_t space_id[2];     /* unique identity of the object space, random */
    uint64_t wall_time_ns;    /* UTC since 1970 */
    struct store_rules rules; /* valid ones */
};

/* How much is kept and when the log is merged; for tests, which want to see much happen in little. 0: the default. */
struct store_tuning {
    uint32_t history;     /* generations kept besides the pinned ones: 2 .. 16 (16) */
    uint32_t log_records; /* a merge begins when the log has so many records (64) */
    uint32_t log_entries; /* ... or so many entries (1024 or a sixteenth of the pages; at most 65536) */
    uint32_t cache_nodes; /* nodes of the trees in memory (a 32nd of the machine's frames) */
};

struct store_open_options {
    bool read_only;               /* nothing is written to the device, not even the mark of use */
    struct generation generation; /* which kept generation to open; 0: the newest that proves itself */
    const char *name;             /* or which pinned one; NULL: none */
    struct generation before;     /* or: the newest one older than that on the branch of the newest; 0: any */
    bool waits;                   /* nothing is written before store_use(): it may turn out to be of no use */
    bool maintenance;             /* a tool: whether the last shutdown was clean, and of which kernel, stays noted */
    uint64_t user;                /* random mark of this user of the image, so that a second one is noticed */
    const char *kernel_version;   /* noted in the image; NULL: none */
    struct store_tuning tuning;
    /*
     * Whether the caller can go on with the generation that is being opened, given its system record; asked before
     * anything is written. What it returns but for OK is what store_open() returns. May be NULL; not called without a
     * generation.
     */
    enum error (*accept)(const void *record, uint32_t length);
};

/* What was found while opening; filled in on failure as well, as far as it went. */
struct store_report {
    struct generation generation; /* opened */
    struct generation newest;     /* that the image names; later than `generation` if an earlier one was opened */
    uint64_t wall_time_ns;        /* when `generation` was committed */
    uint64_t newest_wall_time_ns; /* when `newest` was */
    bool clean;                   /* the last user closed the store properly */
    bool fell_back;               /* the newest root or record did not prove itself; `reason` says which and why */
    bool read_failed;             /* a root or record could not be read (ERROR_IO): it may be the next moment */
    char reason[160];             /* for people; "" when there is nothing to say */
};

/*
 * Write an empty image (no generation yet) over the whole device.
 * - ERROR_TOO_SMALL: fewer than STORE_BLOCKS_MIN blocks; ERROR_READ_ONLY; ERROR_IO.
 */
#define STORE_BLOCKS_MIN 1024u      /* 4 MiB */
#define STORE_BLOCKS_MAX (1u << 28) /* 1 TiB */
MUST_CHECK enum error store_format(struct block_device *device, const struct store_format_options *options);

/*
 * Recognise, recover and open an image. The device is not written before it has been recognised.
 * - out: owned by the caller until store_close(). report: filled in on success and on failure.
 * - ERROR_FORMAT_FOREIGN, ERROR_FORMAT_VERSION, ERROR_FORMAT_DAMAGED, ERROR_NOT_FOUND (no such generation),
 *   ERROR_TOO_SMALL (the device is shorter than the image), ERROR_IO, ERROR_NO_MEMORY, ERROR_READ_ONLY.
 * - with `before`: ERROR_NOT_FOUND: none is older; after damage report->generation says which one it was.
 * - an earlier generation opened for writing becomes a branch: the first commit drops all newer ones but the pinned.
 *   Until then they are as they were. The report says so.
 */
MUST_CHECK enum error store_open(struct block_device *device, const struct store_open_options *options,
                                 struct store **out, struct store_report *report);

/*
 * Go on with a store that was opened to wait: the image is marked as used, and may be written from now on. May sleep.
 * - kernel_version: noted in the image; NULL: none. ERROR_IO, ERROR_NO_MEMORY: it is still waiting.
 */
MUST_CHECK enum error store_use(struct store *store, const char *kernel_version);

/* Mark a clean shutdown (unless read-only, waiting, or a transaction is open) and release memory. */
MUST_CHECK enum error store_close(struct store *store);

/*
 * Where a page is.
 * - ERROR_NOT_FOUND: no content was ever put, or it was deleted. ERROR_CHECKSUM, ERROR_IO: of the map itself.
 */
MUST_CHECK enum error store_find(struct store *store, struct page_key page, struct store_entry *out);

/* Read a page's content and prove it. ERROR_CHECKSUM: it is not what was committed; ERROR_IO. */
MUST_CHECK enum error store_read(struct store *store, struct page_key page, const struct store_entry *entry,
                                 void *content);

/* The next entry at or after `from`, in order of keys. ERROR_NOT_FOUND: no more. */
MUST_CHECK enum error store_next(struct store *store, struct page_key from, struct page_key *page,
                                 struct store_entry *out);

/* The checksum of a page's content, bound to the page and the generation it is written in (xxHash, seeded). */
uint64_t store_checksum(const struct store *store, struct page_key page, struct generation generation,
                        const void *content);

/* Newest committed generation, and the one the open layer will be committed in at the earliest. */
struct generation store_committed(const struct store *store);
struct generation store_open_generation(struct store *store);

/* The generation of the sealed layer; 0 while no snapshot is sealed. Numbers of snapshots given up are not reused. */
struct generation store_sealed_generation(const struct store *store);

/* Whether the sealed layer has no puts and no deletes. */
bool store_sealed_is_empty(const struct store *store);

/* Pages put and ranges deleted in the open and in the sealed layer so far. Each takes about 40 bytes of memory. */
uint32_t store_open_changes(const struct store *store);
uint32_t store_sealed_changes(const struct store *store);

/* The device under a store, for page content. */
struct block_device *store_device(const struct store *store);

/* The record given to the newest commit. `length` in: room; out: bytes. ERROR_NOT_FOUND before the first commit. */
MUST_CHECK enum error store_system_record(struct store *store, void *record, uint32_t *length);

/*
 * Free blocks for page content, as one run of at most `wanted`. May sleep.
 * - ERROR_NO_SPACE: none is free but those that commits need; store_reclaim() may free some. ERROR_IO, ERROR_NO_MEMORY.
 */
MUST_CHECK enum error store_allocate(struct store *store, uint32_t wanted, struct extent *out);

/* Return blocks that were allocated and not put. */
void store_release(struct store *store, struct extent extent);

/* The same, but writing to them failed: they will never be allocated again. */
void store_retire(struct store *store, struct extent extent);

/*
 * The disk is full: give up history, down to the newest generation and the pinned ones, with a commit that changes
 * nothing else; so the newest two are alike then, and what the one before them alone had is free. Not while a snapshot
 * is sealed: ERROR_BUSY.
 * - ERROR_NO_SPACE: there is no history to give up, nor was a name forgotten; and the errors of a commit.
 */
MUST_CHECK enum error store_reclaim(struct store *store, uint64_t wall_time_ns);

/*
 * Into the open layer: the content of a page is in `entry` (a page-out: written by the caller, not yet necessarily
 * durable), or pages [first, first + count) of one object have no content any more.
 * - count may span a whole object; the cost follows the entries there are, not the range. ERROR_RANGE: it is more.
 * - entry->generation is store_open_generation().
 * - ERROR_NO_MEMORY, ERROR_NO_SPACE, ERROR_IO: nothing has changed.
 */
MUST_CHECK enum error store_put(struct store *store, struct page_key page, const struct store_entry *entry);
MUST_CHECK enum error store_delete(struct store *store, struct page_key first, uint32_t count);

/* The open layer becomes the sealed one. Constant time, does not sleep. ERROR_BUSY: a snapshot is sealed already. */
MUST_CHECK enum error store_snapshot_seal(struct store *store);

/* As store_put, into the sealed layer; entry->generation is store_sealed_generation(). */
MUST_CHECK enum error store_snapshot_put(struct store *store, struct page_key page, const struct store_entry *entry);

/*
 * Make the sealed layer durable: record, flush, root, flush, and free what no kept generation needs.
 * - record: at most STORE_SYSTEM_RECORD_MAX bytes, returned by store_system_record() after a recovery.
 * - on error nothing was committed, and the sealed layer is folded back under the open one, as store_snapshot_abort
 *   does; ERROR_IO, ERROR_CHECKSUM, ERROR_NO_SPACE, ERROR_NO_MEMORY; ERROR_IN_USE: somebody else has written to the
 *   image.
 */
MUST_CHECK enum error store_snapshot_commit(struct store *store, const void *record, uint32_t length,
                                            uint64_t wall_time_ns);

/*
 * Whether commits are to be expected, as they are to begin with: then blocks that could not be read are not asked for
 * again before one has succeeded, so that whoever tries again and again spoils none (store_suspect.c). Does not sleep.
 */
void store_expect_commits(struct store *store, bool expected);

/* How long programs stood still for the sealed snapshot, for its record. */
void store_snapshot_note_stop(struct store *store, uint64_t stop_ns);

/*
 * Give up the sealed snapshot: its puts and deletes become part of the open layer (where the open layer has no newer
 * word), so that the next snapshot commits them; generation numbers do not go back. Entries keep the generation
 * they were written in.
 */
void store_snapshot_abort(struct store *store);

/*
 * What recovery has to read is merged into the page map little by little, with every snapshot. When snapshots have
 * become small or rare, store_compact() commits a generation that equals the one before, only to merge: at most 512
 * blocks of the map at a time. There is little to gain when store_is_compact().
 * - ERROR_BUSY: a snapshot is sealed. Otherwise as store_snapshot_commit.
 */
bool store_is_compact(const struct store *store);
MUST_CHECK enum error store_compact(struct store *store, uint64_t wall_time_ns);

/* A generation that is kept: one of the newest, of the ladder, or pinned. */
struct store_kept {
    struct generation generation;
    uint64_t wall_time_ns;
    enum error record;       /* OK: its record proves itself, and the rest is filled in */
    uint64_t stop_ns;        /* how long programs stood still for it */
    uint64_t pages;          /* with content in it */
    uint64_t pages_changed;  /* by it */
    uint64_t blocks_written; /* for it */
};

/* The newest kept generation before another one; `before` 0: the newest of all. ERROR_NOT_FOUND: none. May sleep. */
MUST_CHECK enum error store_kept_before(struct store *store, struct generation before, struct store_kept *out);

/*
 * Keep a kept generation under a name until it is unpinned. Durable on return. Waits for a commit in progress.
 * - name: 1 .. STORE_NAME_BYTES - 1 printing characters, not beginning with a digit: ERROR_INVALID.
 * - ERROR_EXISTS: the name is taken; ERROR_NO_SPACE: STORE_PINS_MAX; ERROR_NOT_FOUND: no such generation; ERROR_IO.
 */
MUST_CHECK enum error store_pin(struct store *store, struct generation generation, const char *name);

/* Forget a name. What it alone kept is freed by the next commit. ERROR_NOT_FOUND, ERROR_IO. */
MUST_CHECK enum error store_unpin(struct store *store, const char *name);

/* The pins, by index from 0, or by name. ERROR_NOT_FOUND. */
MUST_CHECK enum error store_pin_at(const struct store *store, uint32_t index, struct generation *generation,
                                   char name[STORE_NAME_BYTES]);
MUST_CHECK enum error store_pin_find(const struct store *store, const char *name, struct generation *out);

/*
 * The rules of what is kept. Setting them is durable on return, and done by the next commits: a few generations each
 * are given up at a time. Waits for a commit in progress.
 * - ERROR_RANGE: one is too large, or there are too many together. ERROR_IO, ERROR_NO_MEMORY, ERROR_READ_ONLY.
 */
void store_rules_get(const struct store *store, struct store_rules *out);
MUST_CHECK enum error store_rules_set(struct store *store, const struct store_rules *rules);

/*
 * Make of the first blocks of an image those of a branch of it: an image whose other blocks are the same, as long as the
 * name is pinned there, and that goes on from that generation alone. The first boot of it makes its free-space map.
 * - head: STORE_HEAD_BLOCKS blocks, as they are now or were at any moment since the name was pinned; changed.
 * - ERROR_FORMAT_FOREIGN, ERROR_FORMAT_DAMAGED: no label or root proves itself; ERROR_NOT_FOUND: no such name;
 *   ERROR_NO_MEMORY.
 */
#define STORE_HEAD_BLOCKS 4u
MUST_CHECK enum error store_branch_head(void *head, const char *name);

struct store_statistics {
    uint64_t space_id[2];
    uint64_t created_ns; /* UTC since 1970 */
    char kernel[64];     /* version of the last kernel that used the image */
    uint64_t pages;      /* with content, as of the newest commit */
    uint32_t blocks, blocks_used, blocks_held;
    uint32_t rungs;         /* generations of the ladder */
    uint32_t ladder_blocks; /* that they need and the newest do not */
    uint32_t log_records;   /* a recovery reads so many records */
    uint64_t log_entries;   /* pages in them */
    bool merge_is_under_way;
    uint32_t memory_pages; /* of the store */
};
void store_statistics(const struct store *store, struct store_statistics *out);

#endif
