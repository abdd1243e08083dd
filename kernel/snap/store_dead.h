/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a generation does without, found out once more: from the state of the generation before it and from what its own
 * record changes. Lists of dead blocks are held against it (disk-format.md, section 9).
 *
 *     DEAD-1  `dies` has each block of pages, nodes, chunks and records that the generation before needs and this one does
 *             not, with the generation that had it first; none that this generation reaches; and no copy that does not
 *             prove itself. Where damage hides some of them the proof is partial.
 *
 * It costs the log of the generation that it starts with, and for each step the record, a look at the map for each page
 * that the record changes and the log does not know, and the nodes that differ: what changed, not what there is.
 */
#ifndef STORE_DEAD_H
#define STORE_DEAD_H

#include "store_chain.h"

struct dead_proof {
    struct store *store;
    uint64_t generation; /* that it stands at; 0: none */
    struct disk_tree_ref page_tree, space_tree;
    struct layer pages;      /* its log, and maybe more of the past */
    struct ref_list records; /* of its log */
    struct index dies;       /* by block; `when`: birth; of a record's head also its copy and its checksum */
    bool is_partial;
};

/*
 * Stand at a kept generation; `dies` is empty. Needs commit_lock. May sleep.
 * - damage, ERROR_NO_MEMORY: it stands at none.
 */
MUST_CHECK enum error store_dead_proof_start(struct dead_proof *proof, struct store *store,
                                             const struct disk_record_ref *ref);

/* Go on to the generation whose record builds on the one before; `dies` is what it does without. Errors as above. */
MUST_CHECK enum error store_dead_proof_advance(struct dead_proof *proof, const struct disk_record_ref *ref);

/*
 * For another way to find out what dies: note a block; and the nodes of a tree, and chunks, that are younger than `since`
 * and not in the tree of a later generation. ERROR_NO_MEMORY; damage makes the proof partial.
 */
MUST_CHECK enum error store_dead_proof_note(struct dead_proof *proof, uint32_t block, uint64_t birth);
MUST_CHECK enum error store_dead_proof_tree(struct dead_proof *proof, const struct disk_tree_ref *after, uint64_t since,
                                            bool is_space);

/* Whether a list is right about a block, or about all blocks of a record; each can be said once only. */
MUST_CHECK bool store_dead_proof_take(struct dead_proof *proof, uint32_t block, uint64_t birth);
MUST_CHECK bool store_dead_proof_take_record(struct dead_proof *proof, const struct disk_record_ref *ref);

/* The first block at or after `block` that no list has named so far; false: there is none. */
bool store_dead_proof_rest(const struct dead_proof *proof, uint32_t block, uint32_t *out);

/* Free its memory; it stands at no generation then. */
void store_dead_proof_clear(struct dead_proof *proof);

/* One that is in a page of its own, which is given back as well; NULL is allowed. */
void store_dead_proof_free(struct dead_proof *proof);

#endif
