/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking things up in a tree on the disk, and walking it.
 *
 * Between two nodes of a path nothing is kept but the reference to the next one, so a node may leave the cache while
 * its child is being read.
 */
#include "store_tree.h"
#include "atomic.h"
#include "store_cache.h"
#include "store_internal.h"
#include "store_node.h"

static struct disk_tree_ref child_ref(const struct disk_map_entry *entry)
{
    return (struct disk_tree_ref){.block = entry->block, .checksum = entry->checksum, .when = entry->when};
}

static enum error root_check(const struct disk_tree_ref *root)
{
    if (root->block == 0) {
        return ERROR_NOT_FOUND;
    }
    return root->height == 0 || root->height > DISK_HEIGHT_MAX ? ERROR_FORMAT_DAMAGED : OK;
}

enum error store_tree_find(struct store *store, const struct disk_tree_ref *root, uint64_t key,
                           struct disk_map_entry *out)
{
    thread_may_sleep();
    enum error error = root_check(root);
    struct disk_tree_ref ref = *root;
    for (uint32_t level = root->height; error == OK && level > 0; level--) {
        struct disk_node *node;
        error = store_cache_load(store, &ref, level - 1, &node);
        if (error != OK) {
            break;
        }
        if (level > 1) {
            ref = child_ref(&node->entries[store_node_child(node, key)]);
            continue;
        }
        uint32_t position = store_node_position(node, key);
        if (position == node->count || node->entries[position].key != key) {
            return ERROR_NOT_FOUND;
        }
        *out = node->entries[position];
    }
    return error;
}

/* As store_tree_next, in the one leaf that serves `key`; `beyond`: the first key of the leaves after it. */
static enum error next_in_leaf(struct store *store, const struct disk_tree_ref *root, uint64_t key,
                               struct disk_map_entry *out, uint64_t *beyond)
{
    struct disk_tree_ref ref = *root;
    *beyond = UINT64_MAX;
    for (uint32_t level = root->height; level > 0; level--) {
        struct disk_node *node;
        enum error error = store_cache_load(store, &ref, level - 1, &node);
        if (error != OK) {
            return error;
        }
        if (level > 1) {
            uint32_t child = store_node_child(node, key);
            if (child + 1 < node->count) {
                *beyond = node->entries[child + 1].key; /* TREE-2 */
            }
            ref = child_ref(&node->entries[child]);
            continue;
        }
        uint32_t position = store_node_position(node, key);
        if (position < node->count) {
            *out = node->entries[position];
            return OK;
        }
    }
    return ERROR_NOT_FOUND;
}

enum error store_tree_next(struct store *store, const struct disk_tree_ref *root, uint64_t key,
                           struct disk_map_entry *out)
{
    enum error error = root_check(root);
    uint64_t beyond = key;
    while (error == OK) {
        error = next_in_leaf(store, root, beyond, out, &beyond);
        if (error != ERROR_NOT_FOUND || beyond == UINT64_MAX) {
            return error;
        }
        error = OK;
    }
    return error;
}

/* The recursion is as deep as the tree is high. */
static enum error walk_below(struct store *store, const struct disk_tree_ref *ref, uint32_t level,
                             const struct tree_visitor *visitor)
{
    bool enter = true;
    enum error error = visitor->node == NULL ? OK : visitor->node(visitor->context, ref, level, &enter);
    for (uint32_t i = 0; error == OK && enter; i++) {
        struct disk_node *node;
        error = store_cache_load(store, ref, level, &node); /* again each time: the visitor may sleep */
        if (error != OK) {
            return visitor->damage == NULL ? error : visitor->damage(visitor->context, ref, level, error);
        }
        if (i == node->count) {
            break;
        }
        struct disk_map_entry entry = node->entries[i];
        if (level == 0) {
            error = visitor->entry == NULL ? OK : visitor->entry(visitor->context, &entry);
        } else {
            struct disk_tree_ref child = child_ref(&entry);
            error = walk_below(store, &child, level - 1, visitor);
        }
    }
    return error;
}

enum error store_tree_walk(struct store *store, const struct disk_tree_ref *root, const struct tree_visitor *visitor)
{
    enum error error = root_check(root);
    if (error == ERROR_NOT_FOUND) {
        return OK;
    }
    return error == OK ? walk_below(store, root, root->height - 1, visitor) : error;
}
