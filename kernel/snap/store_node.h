/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes of a tree: searching in them, and what their links say.
 */
#ifndef STORE_NODE_H
#define STORE_NODE_H

#include "disk_format.h"

/* What `when` of an inner node's entry says, and how it is made. */
static inline uint64_t store_link_generation(uint64_t when)
{
    return when & DISK_GENERATION_MAX;
}

static inline uint32_t store_link_copy(uint32_t block, uint64_t when)
{
    uint32_t away = (uint32_t)((int64_t)when >> DISK_WHEN_BITS);
    return away == 0 ? 0 : block + away;
}

static inline bool store_link_reaches(uint32_t block, uint32_t copy)
{
    int64_t away = (int64_t)copy - block;
    return away >= -(INT64_C(1) << 23) && away < INT64_C(1) << 23;
}

static inline uint64_t store_link_when(uint64_t generation, uint32_t block, uint32_t copy)
{
    uint64_t away = copy == 0 ? 0 : (uint64_t)((int64_t)copy - block);
    return generation | away << DISK_WHEN_BITS;
}

/* The number of entries whose key is below `key`. */
static inline uint32_t store_node_position(const struct disk_node *node, uint64_t key)
{
    uint32_t low = 0, high = node->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (node->entries[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* In an inner node: the child that serves `key`. */
static inline uint32_t store_node_child(const struct disk_node *node, uint64_t key)
{
    uint32_t position = store_node_position(node, key);
    bool is_exact = position < node->count && node->entries[position].key == key;
    return is_exact || position == 0 ? position : position - 1;
}

#endif
