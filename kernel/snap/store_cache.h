/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes of the store's trees in memory.
 *
 * A clean node is a copy of its block and may be dropped at any time that its user sleeps, so pointers to clean nodes
 * do not outlive the next call that may sleep. A dirty node belongs to a commit in preparation: its block is allocated
 * but not written, and it stays until the commit ends.
 *
 *     CACHE-1  A block has at most one node.
 *     CACHE-2  A dirty node's block is held, and no durable root leads to it.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "disk_format.h"
#include "error.h"
#include "pool.h"

struct store;

struct cache_node {
    struct cache_node *hash_next;
    struct cache_node *ring_next, *ring_previous; /* all nodes, in the order the hand goes round */
    struct disk_node *bytes;
    uint32_t block;
    bool is_dirty;
    bool was_used; /* since the hand came by */
};

struct cache {
    struct pool pool;
    struct cache_node **buckets;
    struct cache_node *hand;
    uint32_t count, dirty_count;
    uint32_t limit; /* of clean nodes */
};

/* - limit: of clean nodes; at least a few paths are kept. ERROR_NO_MEMORY. */
MUST_CHECK enum error store_cache_initialise(struct cache *cache, uint32_t limit);
void store_cache_clear(struct cache *cache);

/*
 * The node that a reference names: block, checksum, generation and level must be right. May sleep.
 * - ERROR_IO, ERROR_CHECKSUM, ERROR_FORMAT_DAMAGED, ERROR_NO_MEMORY.
 */
MUST_CHECK enum error store_cache_load(struct store *store, const struct disk_tree_ref *ref, uint32_t level,
                                       struct disk_node **out);

/* A new dirty node for a held block, zeroed. ERROR_NO_MEMORY. */
MUST_CHECK enum error store_cache_new(struct cache *cache, uint32_t block, struct disk_node **out);

/* The dirty node of a block, which must exist. */
struct disk_node *store_cache_dirty(struct cache *cache, uint32_t block);

/* Forget a node if it is there. */
void store_cache_drop(struct cache *cache, uint32_t block);

/* The commit is durable: a dirty node becomes a clean one. */
void store_cache_keep(struct cache *cache, uint32_t block);

#endif
