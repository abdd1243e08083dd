/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing the free-space map, within a commit.
 */
#ifndef STORE_SPACE_TREE_H
#define STORE_SPACE_TREE_H

#include "store_tree.h"

/*
 * Queue the bits of a chunk for a fresh block, which is appended to `blocks`, and let the tree name it. The chunk no
 * longer counts as changed. ERROR_NO_SPACE, ERROR_NO_MEMORY, damage: the edit must be abandoned.
 */
MUST_CHECK enum error store_space_tree_write(struct tree_edit *edit, uint32_t chunk, struct write_queue *queue,
                                             struct run_list *blocks);

/* Begin a new tree: everything the old one consists of, as far as it can be read, is dead. ERROR_NO_MEMORY. */
MUST_CHECK enum error store_space_tree_restart(struct tree_edit *edit);

/* Append the retired blocks that a tree names. ERROR_NO_MEMORY, and damage: some may be missing. May sleep. */
MUST_CHECK enum error store_space_tree_retired(struct store *store, const struct disk_tree_ref *root,
                                               struct run_list *out);

#endif
