/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing a tree on the disk by copying what changes.
 *
 * A change goes down from the root and makes every node on its way dirty; full nodes are split before they are entered,
 * so that there is always room above. After a removal the way is gone back, and nodes that have become small are joined
 * with a neighbour. What fails on the way down leaves a tree of the same content.
 */
#include "atomic.h"
#include "log.h"
#include "store_cache.h"
#include "store_checksum.h"
#include "store_internal.h"
#include "store_node.h"
#include "store_tree.h"

#include <string.h>

#define JOIN_BELOW (DISK_NODE_ENTRIES / 4)      /* a node with fewer entries looks for a neighbour to join */
#define JOIN_MAX   (DISK_NODE_ENTRIES * 7u / 8) /* and takes it if both together have at most so many */

/* The dirty nodes from the root to a leaf, and which child of each comes next. */
struct path {
    struct disk_node *node[DISK_HEIGHT_MAX];
    uint32_t child[DISK_HEIGHT_MAX];
};

void store_tree_edit_begin(struct tree_edit *edit, struct store *store, const struct disk_tree_ref *root,
                           uint64_t generation)
{
    *edit = (struct tree_edit){.store = store, .generation = generation, .root = *root};
}

static bool is_dirty(const struct tree_edit *edit, uint64_t when)
{
    return store_link_generation(when) == edit->generation;
}

/* Blocks for a node, held: inner nodes have two. `when` is what links to it say. */
static enum error blocks_allocate(struct tree_edit *edit, uint32_t level, uint32_t *block, uint64_t *when)
{
    struct space *space = &edit->store->space;
    struct extent extent;
    uint32_t copy = 0;
    enum error error;
    if (level > 0) {
        error = store_place_allocate(edit->store, block, &copy);
    } else {
        error = store_space_allocate(space, 1, 0, &extent);
        *block = error == OK ? extent.first.number : 0;
    }
    if (error != OK) {
        return error;
    }
    if (copy != 0 && !store_link_reaches(*block, copy)) {
        store_space_release(space, (struct extent){{copy}, 1});
        copy = 0;
    }
    *when = store_link_when(edit->generation, *block, copy);
    return OK;
}

static void blocks_release(struct tree_edit *edit, uint32_t block, uint64_t when)
{
    uint32_t copy = store_link_copy(block, when);
    store_space_release(&edit->store->space, (struct extent){{block}, 1});
    if (copy != 0) {
        store_space_release(&edit->store->space, (struct extent){{copy}, 1});
    }
}

static enum error blocks_append(struct run_list *list, uint32_t block, uint64_t when, uint64_t tag)
{
    uint32_t copy = store_link_copy(block, when);
    enum error error = store_run_list_reserve(list, 2); /* both or none */
    if (error == OK) {
        error = store_run_list_append(list, block, 1, tag);
    }
    return error != OK || copy == 0 ? error : store_run_list_append(list, copy, 1, tag);
}

uint64_t store_tree_link_proved(struct store *store, const struct disk_tree_ref *ref)
{
    thread_may_sleep();
    struct store_place place = {ref->block, store_link_copy(ref->block, ref->when), store_link_generation(ref->when),
                                ref->checksum};
    void *page;
    if (place.copy == 0 || place.generation > store->inherited) {
        return ref->when;
    }
    bool holds = store_page_new(&page) == OK;
    if (holds) {
        holds = store_copy_proves_itself(store, &place, page);
        store_page_free(page);
    }
    store->has_lost = store->has_lost || !holds;
    return holds ? ref->when : store_link_when(place.generation, ref->block, 0);
}

/* A node in a block that is held until the edit is kept or abandoned (CACHE-2). */
static enum error node_new(struct tree_edit *edit, uint32_t level, uint32_t *block, uint64_t *when,
                           struct disk_node **out)
{
    enum error error = blocks_allocate(edit, level, block, when);
    if (error != OK) {
        return error;
    }
    error = store_cache_new(&edit->store->cache, *block, out);
    if (error != OK) {
        blocks_release(edit, *block, *when);
        return error;
    }
    (*out)->magic = DISK_NODE_MAGIC;
    (*out)->level = (uint16_t)level;
    (*out)->generation = edit->generation;
    edit->dirty++;
    return OK;
}

/* Give a dirty node back. */
static void node_delete(struct tree_edit *edit, uint32_t block, uint64_t when)
{
    store_cache_drop(&edit->store->cache, block);
    blocks_release(edit, block, when);
    edit->dirty--;
}

/* A dirty copy of the node that a reference names, which the new version then does without. */
static enum error node_copy(struct tree_edit *edit, const struct disk_tree_ref *ref, uint32_t level, uint32_t *block,
                            uint64_t *when, struct disk_node **out)
{
    enum error error = node_new(edit, level, block, when, out);
    if (error != OK) {
        return error;
    }
    struct disk_node *old;
    uint64_t proved = store_tree_link_proved(edit->store, ref);
    error = store_cache_load(edit->store, ref, level, &old);
    if (error == OK) {
        error = blocks_append(&edit->dead, ref->block, proved, store_link_generation(ref->when));
    }
    if (error != OK) {
        node_delete(edit, *block, *when);
        return error;
    }
    memcpy(*out, old, sizeof(*old));
    (*out)->generation = edit->generation;
    return OK;
}

/* Make the root dirty, create it if the tree is empty. */
static enum error root_edit(struct tree_edit *edit, struct disk_node **out)
{
    struct disk_tree_ref *root = &edit->root;
    if (root->block != 0 && is_dirty(edit, root->when)) {
        *out = store_cache_dirty(&edit->store->cache, root->block);
        return OK;
    }
    uint32_t block, height = root->block == 0 ? 1 : root->height;
    uint64_t when;
    enum error error = root->block == 0 ? node_new(edit, 0, &block, &when, out)
                                        : node_copy(edit, root, height - 1, &block, &when, out);
    if (error == OK) {
        *root = (struct disk_tree_ref){.block = block, .height = height, .when = when};
    }
    return error;
}

/* Make a child of a dirty node dirty. */
static enum error child_edit(struct tree_edit *edit, struct disk_node *parent, uint32_t position,
                             struct disk_node **out)
{
    struct disk_map_entry *entry = &parent->entries[position];
    if (is_dirty(edit, entry->when)) {
        *out = store_cache_dirty(&edit->store->cache, entry->block);
        return OK;
    }
    struct disk_tree_ref ref = {.block = entry->block, .checksum = entry->checksum, .when = entry->when};
    uint32_t block;
    uint64_t when;
    enum error error = node_copy(edit, &ref, parent->level - 1u, &block, &when, out);
    if (error == OK) {
        *entry = (struct disk_map_entry){.key = entry->key, .block = block, .when = when};
    }
    return error;
}

static void entry_insert(struct disk_node *node, uint32_t position, const struct disk_map_entry *entry)
{
    struct disk_map_entry *place = &node->entries[position];
    memmove(place + 1, place, (node->count - position) * sizeof(*place));
    *place = *entry;
    node->count++;
}

static void entry_remove(struct disk_node *node, uint32_t position)
{
    struct disk_map_entry *place = &node->entries[position];
    node->count--;
    memmove(place, place + 1, (node->count - position) * sizeof(*place));
}

/*
 * Split a full child of a node that has room. What is about to come after all its entries leaves it nearly full, so
 * that pages put in ascending order make full nodes.
 */
static enum error child_split(struct tree_edit *edit, struct disk_node *parent, uint32_t position, uint64_t key)
{
    struct disk_node *left = store_cache_dirty(&edit->store->cache, parent->entries[position].block);
    struct disk_node *right;
    uint32_t block;
    uint64_t when;
    enum error error = node_new(edit, left->level, &block, &when, &right);
    if (error != OK) {
        return error;
    }
    bool is_last = left->entries[left->count - 1].key <= key;
    uint32_t keep = is_last ? left->count - 1u : left->count / 2u;
    right->count = (uint16_t)(left->count - keep);
    left->count = (uint16_t)keep;
    memcpy(right->entries, left->entries + keep, right->count * sizeof(right->entries[0]));
    entry_insert(parent, position + 1,
                 &(struct disk_map_entry){.key = right->entries[0].key, .block = block, .when = when});
    return OK;
}

/* Put a new root above a full one. */
static enum error root_raise(struct tree_edit *edit, struct disk_node **root)
{
    if ((*root)->count < DISK_NODE_ENTRIES) {
        return OK;
    }
    if (edit->root.height == DISK_HEIGHT_MAX) {
        return ERROR_NO_SPACE;
    }
    struct disk_node *above;
    uint32_t block;
    uint64_t when;
    enum error error = node_new(edit, edit->root.height, &block, &when, &above);
    if (error != OK) {
        return error;
    }
    above->count = 1;
    above->entries[0] =
        (struct disk_map_entry){.key = (*root)->entries[0].key, .block = edit->root.block, .when = edit->root.when};
    edit->root = (struct disk_tree_ref){.block = block, .height = edit->root.height + 1, .when = when};
    *root = above;
    return OK;
}

static void leaf_set(struct disk_node *leaf, uint32_t position, const struct disk_map_entry *entry)
{
    if (position < leaf->count && leaf->entries[position].key == entry->key) {
        leaf->entries[position] = *entry;
    } else {
        entry_insert(leaf, position, entry);
    }
}

bool store_tree_set_near(struct tree_edit *edit, const struct disk_map_entry *entry)
{
    DOES_NOT_SLEEP();
    if (edit->leaf == NULL || entry->key < edit->leaf_first || entry->key >= edit->leaf_beyond ||
        edit->leaf->count == DISK_NODE_ENTRIES) {
        return false;
    }
    leaf_set(edit->leaf, store_node_position(edit->leaf, entry->key), entry);
    return true;
}

enum error store_tree_set(struct tree_edit *edit, const struct disk_map_entry *entry)
{
    struct disk_node *node;
    uint64_t first = 0, beyond = UINT64_MAX;
    edit->leaf = NULL;
    enum error error = root_edit(edit, &node);
    if (error == OK) {
        error = root_raise(edit, &node);
    }
    while (error == OK && node->level > 0) {
        uint32_t position = store_node_child(node, entry->key);
        struct disk_node *child;
        error = child_edit(edit, node, position, &child);
        if (error == OK && child->count == DISK_NODE_ENTRIES) {
            error = child_split(edit, node, position, entry->key);
            position = store_node_child(node, entry->key);
        }
        if (error == OK) {
            struct disk_map_entry *link = &node->entries[position];
            link->key = entry->key < link->key ? entry->key : link->key;
            first = link->key;
            beyond = position + 1 < node->count ? link[1].key : beyond;
            node = store_cache_dirty(&edit->store->cache, link->block);
        }
    }
    if (error != OK) {
        return error;
    }
    leaf_set(node, store_node_position(node, entry->key), entry);
    edit->leaf = node;
    edit->leaf_first = first;
    edit->leaf_beyond = beyond;
    return OK;
}

/* Move all entries of a neighbour, left or right, into the child at `position`. */
static void entries_pull(struct disk_node *parent, uint32_t position, uint32_t neighbour, struct disk_node *node,
                         const struct disk_node *other)
{
    struct disk_map_entry *place = node->entries + node->count;
    if (neighbour < position) {
        memmove(node->entries + other->count, node->entries, node->count * sizeof(*place));
        place = node->entries;
        parent->entries[position].key = parent->entries[neighbour].key;
    }
    memcpy(place, other->entries, other->count * sizeof(*place));
    node->count = (uint16_t)(node->count + other->count);
    entry_remove(parent, neighbour);
}

/* Join the child at `position` with a neighbour if both fit one node. What cannot be had stays as it is. */
static void child_join(struct tree_edit *edit, struct disk_node *parent, uint32_t position, uint32_t neighbour)
{
    struct disk_map_entry link = parent->entries[neighbour];
    struct disk_tree_ref ref = {.block = link.block, .checksum = link.checksum, .when = link.when};
    bool was_dirty = is_dirty(edit, link.when);
    uint64_t proved = was_dirty ? link.when : store_tree_link_proved(edit->store, &ref);
    struct disk_node *other;
    if (store_cache_load(edit->store, &ref, parent->level - 1u, &other) != OK) {
        return;
    }
    struct disk_node *node = store_cache_dirty(&edit->store->cache, parent->entries[position].block);
    if ((uint32_t)node->count + other->count > JOIN_MAX ||
        (!was_dirty && blocks_append(&edit->dead, link.block, proved, store_link_generation(link.when)) != OK)) {
        return;
    }
    entries_pull(parent, position, neighbour, node, other);
    if (was_dirty) {
        node_delete(edit, link.block, link.when);
    }
}

/* After a removal: drop the child if it is empty, join it with a neighbour if it is small. */
static void child_shrink(struct tree_edit *edit, struct disk_node *parent, uint32_t position)
{
    struct disk_node *child = store_cache_dirty(&edit->store->cache, parent->entries[position].block);
    if (child->count == 0) {
        node_delete(edit, parent->entries[position].block, parent->entries[position].when);
        entry_remove(parent, position);
    } else if (child->count < JOIN_BELOW && parent->count > 1) {
        child_join(edit, parent, position, position + 1 < parent->count ? position + 1 : position - 1);
    }
}

/* A root without entries is no root; one with a single child gives way to it. */
static void root_lower(struct tree_edit *edit)
{
    struct disk_tree_ref *root = &edit->root;
    while (root->block != 0 && is_dirty(edit, root->when)) {
        const struct disk_node *node = store_cache_dirty(&edit->store->cache, root->block);
        struct disk_tree_ref next = {0};
        if (node->count > 0) {
            if (node->level == 0 || node->count > 1) {
                return;
            }
            const struct disk_map_entry *only = &node->entries[0];
            next = (struct disk_tree_ref){only->block, root->height - 1, only->checksum, only->when};
        }
        node_delete(edit, root->block, root->when);
        *root = next;
    }
}

static enum error path_edit(struct tree_edit *edit, uint64_t key, struct path *path)
{
    enum error error = root_edit(edit, &path->node[0]);
    for (uint32_t i = 0; error == OK && path->node[i]->level > 0; i++) {
        path->child[i] = store_node_child(path->node[i], key);
        error = child_edit(edit, path->node[i], path->child[i], &path->node[i + 1]);
    }
    return error;
}

enum error store_tree_remove(struct tree_edit *edit, uint64_t key)
{
    struct disk_map_entry entry;
    enum error error = store_tree_find(edit->store, &edit->root, key, &entry);
    if (error != OK) {
        return error == ERROR_NOT_FOUND ? OK : error;
    }
    struct path path;
    edit->leaf = NULL; /* it may be joined with another one */
    error = path_edit(edit, key, &path);
    if (error != OK) {
        return error;
    }
    uint32_t depth = edit->root.height - 1;
    struct disk_node *leaf = path.node[depth];
    entry_remove(leaf, store_node_position(leaf, key));
    for (uint32_t i = depth; i > 0; i--) {
        child_shrink(edit, path.node[i - 1], path.child[i - 1]);
    }
    root_lower(edit);
    return OK;
}

/* Seal the dirty nodes below and at `block`. The recursion is as deep as the tree is high. */
static enum error seal_below(struct tree_edit *edit, uint32_t block, uint64_t when, struct write_queue *queue,
                             struct run_list *blocks, uint64_t *checksum)
{
    struct store *store = edit->store;
    struct disk_node *node = store_cache_dirty(&store->cache, block);
    for (uint32_t i = 0; node->level > 0 && i < node->count; i++) {
        struct disk_map_entry *link = &node->entries[i];
        if (is_dirty(edit, link->when)) {
            enum error error = seal_below(edit, link->block, link->when, queue, blocks, &link->checksum);
            if (error != OK) {
                return error;
            }
        }
    }
    enum error error = blocks_append(blocks, block, when, 0);
    if (error != OK) {
        return error;
    }
    *checksum = store_checksum_block(store->space_id, block, edit->generation, node);
    store_write_queue_add(queue, block, node, false);
    if (store_link_copy(block, when) != 0) {
        store_write_queue_add(queue, store_link_copy(block, when), node, false);
    }
    return OK;
}

enum error store_tree_edit_seal(struct tree_edit *edit, struct write_queue *queue, struct run_list *blocks)
{
    if (edit->root.block == 0 || !is_dirty(edit, edit->root.when)) {
        return OK;
    }
    return seal_below(edit, edit->root.block, edit->root.when, queue, blocks, &edit->root.checksum);
}

/* Settle or delete the dirty nodes at and below `block`. */
static void end_below(struct tree_edit *edit, uint32_t block, uint64_t when, bool keep)
{
    const struct disk_node *node = store_cache_dirty(&edit->store->cache, block);
    for (uint32_t i = 0; node->level > 0 && i < node->count; i++) {
        if (is_dirty(edit, node->entries[i].when)) {
            end_below(edit, node->entries[i].block, node->entries[i].when, keep);
        }
    }
    if (keep) {
        store_cache_keep(&edit->store->cache, block);
    } else {
        node_delete(edit, block, when);
    }
}

static void edit_end(struct tree_edit *edit, bool keep)
{
    edit->leaf = NULL;
    if (edit->root.block != 0 && is_dirty(edit, edit->root.when)) {
        end_below(edit, edit->root.block, edit->root.when, keep);
    }
    store_run_list_clear(&edit->dead);
}

void store_tree_edit_keep(struct tree_edit *edit)
{
    edit_end(edit, true);
}

void store_tree_edit_abandon(struct tree_edit *edit)
{
    edit_end(edit, false);
}
