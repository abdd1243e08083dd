/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tree on the disk: key -> map entry, a B+tree whose nodes are written once and never changed.
 *
 * An edit makes a new version of a tree: the nodes it changes are copied to fresh blocks, up to a new root, and the
 * old version stays whole. Copies live in the cache as dirty nodes until the edit is sealed, which gives every node its
 * checksum, from the leaves up, and writes them all.
 *
 *     TREE-1  Entries of a node are in strictly ascending order of key.
 *     TREE-2  Keys below a child are at or above the child's key in its parent, and below the next child's.
 *     TREE-3  Only the empty tree has an empty node: none at all.
 *     TREE-4  In an edit, a node is dirty if and only if its generation is the edit's.
 */
#ifndef STORE_TREE_H
#define STORE_TREE_H

#include "disk_format.h"
#include "store_io.h"
#include "store_memory.h"

struct store;

/* Errors of all look-ups: ERROR_NOT_FOUND; of the way there ERROR_IO, ERROR_CHECKSUM, ERROR_FORMAT_DAMAGED. May sleep.
 */
MUST_CHECK enum error store_tree_find(struct store *store, const struct disk_tree_ref *root, uint64_t key,
                                      struct disk_map_entry *out);

/* The first entry at or after a key. */
MUST_CHECK enum error store_tree_next(struct store *store, const struct disk_tree_ref *root, uint64_t key,
                                      struct disk_map_entry *out);

struct tree_edit {
    struct store *store;
    uint64_t generation;
    struct disk_tree_ref root;
    struct run_list dead; /* nodes that the new version does without; the tag is their generation */
    uint32_t dirty;       /* nodes */
    /* The dirty leaf that was set last serves the keys from leaf_first on, below leaf_beyond. NULL: none. */
    struct disk_node *leaf;
    uint64_t leaf_first, leaf_beyond;
};

void store_tree_edit_begin(struct tree_edit *edit, struct store *store, const struct disk_tree_ref *root,
                           uint64_t generation);

/*
 * Set or remove an entry; removing what is not there does nothing.
 * - ERROR_NO_SPACE, ERROR_NO_MEMORY, and those of a look-up: the entry is as it was, other entries too.
 */
MUST_CHECK enum error store_tree_set(struct tree_edit *edit, const struct disk_map_entry *entry);
MUST_CHECK enum error store_tree_remove(struct tree_edit *edit, uint64_t key);

/*
 * Set an entry in the leaf that was set last, without looking for it: entries that come in order of key mostly fall
 * into that. False if this one does not, or the leaf has no room: then nothing has changed. Does not sleep.
 */
bool store_tree_set_near(struct tree_edit *edit, const struct disk_map_entry *entry);

/*
 * Give every dirty node its checksum and queue it for writing; edit->root then is the new root. Their blocks, held, are
 * appended to `blocks`. ERROR_NO_MEMORY; then, as after a failed write, the edit must be abandoned.
 */
MUST_CHECK enum error store_tree_edit_seal(struct tree_edit *edit, struct write_queue *queue, struct run_list *blocks);

/* The commit is durable: dirty nodes become clean ones. Frees the edit's memory. */
void store_tree_edit_keep(struct tree_edit *edit);

/* Forget the new version: dirty nodes and their blocks are given back. */
void store_tree_edit_abandon(struct tree_edit *edit);

/*
 * What a link says, without its copy if that is none: an image may have been found with such a link, and the block is
 * somebody else's. Asked before a node is given up. May sleep.
 */
uint64_t store_tree_link_proved(struct store *store, const struct disk_tree_ref *ref);

/* Visit the nodes of a tree, parents first. The visitor says whether to go below a node. An error ends the walk. */
struct tree_visitor {
    void *context;
    enum error (*node)(void *context, const struct disk_tree_ref *ref, uint32_t level, bool *enter);
    enum error (*entry)(void *context, const struct disk_map_entry *entry);
    /* What lies below `ref` cannot be read; returning OK goes on with what can. NULL: the walk ends. */
    enum error (*damage)(void *context, const struct disk_tree_ref *ref, uint32_t level, enum error error);
};
MUST_CHECK enum error store_tree_walk(struct store *store, const struct disk_tree_ref *root,
                                      const struct tree_visitor *visitor);

#endif
