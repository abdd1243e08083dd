/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A commit in preparation, as the files that take part in it see it.
 *
 * A commit is prepared in memory and on free blocks; everything that can fail happens before the root is written. What
 * was prepared is then either adopted as a whole or given back as a whole.
 */
#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

#include "store_record.h"

struct commit {
    struct store *store;
    struct layer *sealed; /* what it commits */
    uint64_t generation;
    struct state next;
    struct disk_root *root;     /* one page: the root it will write */
    struct disk_ladder *ladder; /* one page: the ladder that this leads to */

    struct write_queue queue;
    struct record_writer writer;
    struct tree_edit page_edit, space_edit;
    struct layer carried; /* entries that could not be merged because of damage */
    struct run_list nodes, chunk_blocks, record_blocks, ladder_blocks; /* held: what it writes */
    struct run_list freed;  /* used: what no kept generation needs any more */
    struct run_list bad;    /* retired blocks that its record is the first to name */
    struct run_list chunks; /* numbers of chunks that no longer count as changed */
    uint32_t history;       /* generations to keep */
    uint64_t pages_changed; /* put or deleted */
    bool ladder_changed;
    bool is_reclaiming;  /* it commits nothing: the disk is full, and history must go */
    bool is_compacting;  /* it commits nothing, and merges as much as it may */
    bool is_withheld;    /* a pin of another branch, which may not need it, kept something from being freed */
    bool merge_ends;     /* with this commit */
    bool map_is_whole;   /* it writes the whole free-space map */
    bool bad_is_in_tree; /* every retired block known before it is in the free-space tree */
};

/*
 * store_commit.c: make a layer the next generation. On success the layer is empty.
 * - ERROR_NO_SPACE, ERROR_NO_MEMORY, ERROR_IN_USE, damage: nothing was committed, the layer is as it was.
 */
enum commit_purpose {
    COMMIT_CHANGES,  /* what is in the layer */
    COMMIT_COMPACTS, /* merge as much of the log as one commit may */
    COMMIT_RECLAIMS, /* give up history, all but the least */
};
MUST_CHECK enum error store_commit_layer(struct store *store, struct layer *sealed, uint64_t generation,
                                         enum commit_purpose purpose, const void *system, uint32_t bytes,
                                         uint64_t wall_time_ns);

/* store_merge.c: take up to so many entries of the log into the trees. Damage is stepped around. ERROR_NO_MEMORY. */
MUST_CHECK enum error store_merge_step(struct commit *commit);

/* Whether merging what the log holds would shorten a recovery by more than it is worth noticing. */
bool store_merge_would_help(const struct store *store);

/*
 * Begin a merge if it is time, or if the log could be shorter; changes only how the committed state is held in memory.
 */
void store_merge_begin(struct store *store, bool is_compacting);

/*
 * store_history.c: fill in the kept generations of commit->root, and free what the dropped ones alone needed: items in
 * the record and commit->freed. ERROR_NO_SPACE, ERROR_NO_MEMORY; damage is noted for a rebuild.
 */
MUST_CHECK enum error store_history_advance(struct commit *commit);

#endif
