/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One node of the catalogue. See node.h.
 */
#include "node.h"

static struct fs_node_head *head_of(void *node)
{
    return node;
}

/* Above the leaves ------------------------------------------------------------------------------------------------- */

uint32_t branch_find(const void *node, uint64_t key)
{
    uint32_t low = 0, high = branch_count(node);

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (branch_key(branch_at(node, middle)) <= key) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

void branch_insert(void *node, uint32_t index, uint64_t key, uint32_t page)
{
    struct fs_branch *branches = node_bytes(node);
    uint32_t count = branch_count(node);

    memmove(branches + index + 1, branches + index, (count - index) * sizeof(*branches));
    branches[index] = (struct fs_branch){.key = (uint32_t)key, .directory = (uint32_t)(key >> 32), .page = page};
    head_of(node)->used = (uint16_t)((count + 1) * sizeof(*branches));
}

void branch_remove(void *node, uint32_t index)
{
    struct fs_branch *branches = node_bytes(node);
    uint32_t count = branch_count(node);

    memmove(branches + index, branches + index + 1, (count - index - 1) * sizeof(*branches));
    head_of(node)->used = (uint16_t)((count - 1) * sizeof(*branches));
}

uint32_t branch_split(void *node, void *right)
{
    struct fs_branch *branches = node_bytes(node);
    uint32_t count = branch_count(node), stay = count / 2;

    memcpy(node_bytes(right), branches + stay, (count - stay) * sizeof(*branches));
    head_of(right)->used = (uint16_t)((count - stay) * sizeof(*branches));
    head_of(node)->used = (uint16_t)(stay * sizeof(*branches));
    return stay;
}

/* Leaves ----------------------------------------------------------------------------------------------------------- */

uint32_t leaf_seek(const void *leaf, uint64_t key)
{
    uint32_t offset = 0;
    const struct fs_entry *entry;

    while ((entry = entry_at(leaf, offset)) != NULL && entry_key(entry) < key) {
        offset += FS_ENTRY_BYTES(entry->length);
    }
    return offset;
}

const struct fs_entry *leaf_find(const void *leaf, uint64_t key)
{
    const struct fs_entry *entry = entry_at(leaf, leaf_seek(leaf, key));

    return entry != NULL && entry_key(entry) == key ? entry : NULL;
}

void leaf_insert(void *leaf, uint64_t key, uint32_t inode, uint32_t type, const char *name, uint32_t length)
{
    uint32_t offset = leaf_seek(leaf, key), used = node_used(leaf), bytes = FS_ENTRY_BYTES(length);
    uint8_t *at = (uint8_t *)node_bytes(leaf) + offset;

    memmove(at + bytes, at, used - offset);
    memset(at, 0, bytes);
    struct fs_entry *entry = (struct fs_entry *)at;
    entry->key = (uint32_t)key;
    entry->directory = (uint32_t)(key >> 32);
    entry->inode = inode;
    entry->type = (uint8_t)type;
    entry->length = (uint8_t)length;
    memcpy(at + offsetof(struct fs_entry, name), name, length);
    head_of(leaf)->used = (uint16_t)(used + bytes);
}

void leaf_remove(void *leaf, uint64_t key)
{
    uint32_t offset = leaf_seek(leaf, key), used = node_used(leaf);
    uint32_t bytes = FS_ENTRY_BYTES(entry_at(leaf, offset)->length);
    uint8_t *at = (uint8_t *)node_bytes(leaf) + offset;

    memmove(at, at + bytes, used - offset - bytes);
    head_of(leaf)->used = (uint16_t)(used - bytes);
}

uint64_t leaf_split(void *leaf, void *right)
{
    uint32_t offset = 0, used = node_used(leaf);
    const struct fs_entry *entry;

    while ((entry = entry_at(leaf, offset)) != NULL && offset < used / 2) {
        offset += FS_ENTRY_BYTES(entry->length);
    }
    memcpy(node_bytes(right), (uint8_t *)node_bytes(leaf) + offset, used - offset);
    head_of(right)->used = (uint16_t)(used - offset);
    head_of(leaf)->used = (uint16_t)offset;
    return entry != NULL ? entry_key(entry) : 0;
}

void node_merge(void *left, void *right, uint64_t first)
{
    uint32_t before = node_used(left), added = node_used(right);

    if (head_of(right)->level > 0) {
        struct fs_branch *branch = node_bytes(right);
        branch->key = (uint32_t)first;
        branch->directory = (uint32_t)(first >> 32);
    }
    memcpy((uint8_t *)node_bytes(left) + before, node_bytes(right), added);
    head_of(left)->used = (uint16_t)(before + added);
}
