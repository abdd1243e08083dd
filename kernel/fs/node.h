/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/fs: what is done within one node of the catalogue.
 *
 * A node is read back from a disk, so nothing in it is trusted: whatever its bytes are, these functions stay inside of
 * it.
 */
#ifndef NODE_H
#define NODE_H

#include "fs_layout.h"
#include <string.h>

#define BRANCHES_MAX (FS_NODE_BYTES / (uint32_t)sizeof(struct fs_branch))
#define NODE_SPARSE  (FS_NODE_BYTES / 4)     /* with less in it a node is to be merged */
#define NODE_FILLED  (FS_NODE_BYTES / 4 * 3) /* and the result has at most that */

static inline uint64_t key_of(uint32_t directory, uint32_t key)
{
    return (uint64_t)directory << 32 | key;
}

static inline void *node_bytes(void *node)
{
    return (uint8_t *)node + sizeof(struct fs_node_head);
}

static inline uint32_t node_used(const void *node)
{
    uint32_t used = ((const struct fs_node_head *)node)->used;

    return used <= FS_NODE_BYTES ? used : FS_NODE_BYTES;
}

static inline uint32_t node_left(const void *node)
{
    return FS_NODE_BYTES - node_used(node);
}

/* Whether a page looks like a node of that level. */
static inline bool node_is(const void *page, uint32_t level)
{
    const struct fs_node_head *head = page;

    return head->magic == FS_NODE_MAGIC && head->level == level && head->used <= FS_NODE_BYTES &&
           (level == 0 || (head->used > 0 && head->used % sizeof(struct fs_branch) == 0));
}

static inline void node_clear(void *page, uint32_t level)
{
    *(struct fs_node_head *)page = (struct fs_node_head){.level = (uint16_t)level, .magic = FS_NODE_MAGIC};
}

/* Above the leaves ------------------------------------------------------------------------------------------------- */

static inline uint32_t branch_count(const void *node)
{
    return node_used(node) / (uint32_t)sizeof(struct fs_branch);
}

static inline const struct fs_branch *branch_at(const void *node, uint32_t index)
{
    return (const struct fs_branch *)((const uint8_t *)node + sizeof(struct fs_node_head)) + index;
}

static inline uint64_t branch_key(const struct fs_branch *branch)
{
    return key_of(branch->directory, branch->key);
}

/* Which branch a key is below. */
uint32_t branch_find(const void *node, uint64_t key);

/* At `index`; there is room. */
void branch_insert(void *node, uint32_t index, uint64_t key, uint32_t page);
void branch_remove(void *node, uint32_t index);

/* The upper half moves to an empty node of the same level. Returns how many stay. */
uint32_t branch_split(void *node, void *right);

/* Leaves ----------------------------------------------------------------------------------------------------------- */

/* The entry at an offset, whole; NULL: there is none, or it ends beyond the node. */
static inline const struct fs_entry *entry_at(const void *node, uint32_t offset)
{
    uint32_t used = node_used(node);
    const struct fs_entry *entry =
        (const struct fs_entry *)((const uint8_t *)node + sizeof(struct fs_node_head) + offset);

    if (offset + FS_ENTRY_BYTES(0) > used || offset + FS_ENTRY_BYTES(entry->length) > used) {
        return NULL;
    }
    return entry;
}

static inline uint64_t entry_key(const struct fs_entry *entry)
{
    return key_of(entry->directory, entry->key);
}

/* The offset of the first entry with that key or a higher one; that of the end, if there is none. */
uint32_t leaf_seek(const void *leaf, uint64_t key);

/* The entry with that key, or NULL. */
const struct fs_entry *leaf_find(const void *leaf, uint64_t key);

/* There is room for it, and none with its key. */
void leaf_insert(void *leaf, uint64_t key, uint32_t inode, uint32_t type, const char *name, uint32_t length);
void leaf_remove(void *leaf, uint64_t key);

/* The upper half moves to an empty leaf. Returns the lowest key there. */
uint64_t leaf_split(void *leaf, void *right);

/* All that the node to the right has moves to its left neighbour, which has room. first: the key that led to it. */
void node_merge(void *left, void *right, uint64_t first);

#endif
