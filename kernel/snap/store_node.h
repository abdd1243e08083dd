/*
 * Searching within a node of a tree.
 */
#ifndef STORE_NODE_H
#define STORE_NODE_H

#include "disk_format.h"

/* The number of entries whose page is below `page`. */
static inline uint32_t node_position(const struct disk_node *node, uint32_t page)
{
    uint32_t low = 0, high = node->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (node->entries[middle].page < page) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* In an inner node: the child that serves `page`. */
static inline uint32_t node_child(const struct disk_node *node, uint32_t page)
{
    uint32_t position = node_position(node, page);
    bool is_exact = position < node->count && node->entries[position].page == page;
    return is_exact || position == 0 ? position : position - 1;
}

#endif
