/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ordered map in memory.
 *
 * A node is one frame. Inner nodes hold, for each child, the lowest key that ever was below it, so the first child
 * also serves keys lower than its own key. Nodes that are full are split on the way down, before the slot is
 * inserted; a failed allocation therefore leaves a tree that is merely a little more split. Nodes are never joined:
 * an index lives from one commit or merge to the next and is then cleared as a whole.
 */
#include "store_index.h"
#include "log.h"
#include "store_memory.h"

#include <string.h>

#define HEADER_BYTES 32u
#define LEAF_MAX     ((PAGE_SIZE - HEADER_BYTES) / sizeof(struct disk_map_entry))
#define INNER_MAX    ((PAGE_SIZE - HEADER_BYTES) / sizeof(struct index_child))

struct index_child {
    struct index_node *node;
    uint64_t key;
};

struct index_node {
    uint32_t count;
    uint32_t level;                     /* 0: a leaf */
    struct index_node *previous, *next; /* leaves only */
    union {
        uint8_t bytes[PAGE_SIZE - HEADER_BYTES];
        struct disk_map_entry entries[LEAF_MAX];
        struct index_child children[INNER_MAX];
    } of;
};

_Static_assert(sizeof(struct index_node) <= PAGE_SIZE, "index node");

/* The number of slots with a key below `key`. */
static uint32_t leaf_position(const struct index_node *leaf, uint64_t key)
{
    uint32_t low = 0, high = leaf->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (leaf->of.entries[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The child that serves `key`. */
static uint32_t inner_position(const struct index_node *inner, uint64_t key)
{
    uint32_t low = 0, high = inner->count;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (inner->of.children[middle].key <= key) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct index_node *leaf_of(const struct index *index, uint64_t key)
{
    struct index_node *node = index->root;
    while (node != NULL && node->level > 0) {
        node = node->of.children[inner_position(node, key)].node;
    }
    return node;
}

struct disk_map_entry *store_index_find(const struct index *index, uint64_t key)
{
    struct index_node *leaf = leaf_of(index, key);
    if (leaf == NULL) {
        return NULL;
    }
    uint32_t position = leaf_position(leaf, key);
    if (position == leaf->count || leaf->of.entries[position].key != key) {
        return NULL;
    }
    return &leaf->of.entries[position];
}

/* The first slot that is not empty from a position of a leaf on. */
static struct disk_map_entry *first_from(struct index_node *leaf, uint32_t position)
{
    for (; leaf != NULL; leaf = leaf->next, position = 0) {
        for (; position < leaf->count; position++) {
            if (!store_entry_is_empty(&leaf->of.entries[position])) {
                return &leaf->of.entries[position];
            }
        }
    }
    return NULL;
}

struct disk_map_entry *store_index_next(const struct index *index, uint64_t key)
{
    struct index_node *leaf = leaf_of(index, key);
    return first_from(leaf, leaf == NULL ? 0 : leaf_position(leaf, key));
}

struct disk_map_entry *store_index_after(const struct disk_map_entry *entry)
{
    struct index_node *leaf = (struct index_node *)((uintptr_t)entry & ~(uintptr_t)PAGE_MASK); /* a node is one frame */
    return first_from(leaf, (uint32_t)(entry - leaf->of.entries) + 1);
}

struct disk_map_entry *store_index_previous(const struct index *index, uint64_t key)
{
    struct index_node *leaf = leaf_of(index, key);
    if (leaf == NULL) {
        return NULL;
    }
    uint32_t position = leaf_position(leaf, key);
    if (position < leaf->count && leaf->of.entries[position].key == key) {
        position++;
    }
    while (true) {
        while (position > 0) {
            position--;
            if (!store_entry_is_empty(&leaf->of.entries[position])) {
                return &leaf->of.entries[position];
            }
        }
        leaf = leaf->previous;
        if (leaf == NULL) {
            return NULL;
        }
        position = leaf->count;
    }
}

static bool node_is_full(const struct index_node *node)
{
    return node->count == (node->level == 0 ? LEAF_MAX : INNER_MAX);
}

static uint64_t node_first_key(const struct index_node *node)
{
    return node->level == 0 ? node->of.entries[0].key : node->of.children[0].key;
}

static enum error node_new(struct index *index, uint32_t level, struct index_node **out)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    *out = page;
    (*out)->level = level;
    index->frames++;
    return OK;
}

/*
 * Where a full node is split to make room for `key`. A leaf is split near the place of the key, so that what follows
 * in ascending order is appended: behind the end, which makes full leaves, as well as in between, where each slot
 * would push those after it to the right. A record read back gives such runs, its last ones first.
 */
static uint32_t split_position(const struct index_node *node, uint64_t key)
{
    if (node->level > 0) {
        return node->count / 2;
    }
    uint32_t position = leaf_position(node, key);
    if (position == node->count) {
        return node->count - 1;
    }
    uint32_t least = LEAF_MAX / 16;
    return position < least ? least : position;
}

/* Move a part of a full node into a new right neighbour, to make room for `key`. */
static enum error node_split(struct index *index, struct index_node *node, uint64_t key, struct index_node **out)
{
    struct index_node *right;
    enum error error = node_new(index, node->level, &right);
    if (error != OK) {
        return error;
    }
    uint32_t keep = split_position(node, key);
    right->count = node->count - keep;
    node->count = keep;
    if (node->level == 0) {
        memcpy(right->of.entries, node->of.entries + keep, right->count * sizeof(right->of.entries[0]));
        right->previous = node;
        right->next = node->next;
        node->next = right;
        if (right->next != NULL) {
            right->next->previous = right;
        }
    } else {
        memcpy(right->of.children, node->of.children + keep, right->count * sizeof(right->of.children[0]));
    }
    *out = right;
    return OK;
}

/* Split the full child at `position` of an inner node that has room. */
static enum error child_split(struct index *index, struct index_node *inner, uint32_t position, uint64_t key)
{
    struct index_node *right;
    enum error error = node_split(index, inner->of.children[position].node, key, &right);
    if (error != OK) {
        return error;
    }
    struct index_child *place = &inner->of.children[position + 1];
    memmove(place + 1, place, (inner->count - position - 1) * sizeof(*place));
    *place = (struct index_child){.node = right, .key = node_first_key(right)};
    inner->count++;
    return OK;
}

/* Make sure that there is a root with room. */
static enum error root_prepare(struct index *index)
{
    if (index->root == NULL) {
        return node_new(index, 0, &index->root);
    }
    if (!node_is_full(index->root)) {
        return OK;
    }
    struct index_node *root;
    enum error error = node_new(index, index->root->level + 1, &root);
    if (error != OK) {
        return error;
    }
    root->count = 1;
    root->of.children[0] = (struct index_child){.node = index->root, .key = node_first_key(index->root)};
    index->root = root;
    return OK;
}

/* Go down to the leaf that serves `key`, making room on the way; the finger points to it. */
static enum error leaf_prepare(struct index *index, uint64_t key)
{
    index->finger = NULL;
    enum error error = root_prepare(index);
    if (error != OK) {
        return error;
    }
    struct index_node *node = index->root;
    index->finger_end = UINT64_MAX;
    while (node->level > 0) {
        uint32_t position = inner_position(node, key);
        if (node_is_full(node->of.children[position].node)) {
            error = child_split(index, node, position, key);
            if (error != OK) {
                return error;
            }
            position = inner_position(node, key);
        }
        if (position + 1 < node->count) {
            index->finger_end = node->of.children[position + 1].key;
        }
        node = node->of.children[position].node;
    }
    index->finger = node;
    return OK;
}

static struct disk_map_entry *slot_insert(struct index *index, uint32_t position, uint64_t key)
{
    struct index_node *leaf = index->finger;
    struct disk_map_entry *place = &leaf->of.entries[position];
    memmove(place + 1, place, (leaf->count - position) * sizeof(*place));
    *place = (struct disk_map_entry){.key = key};
    leaf->count++;
    index->slots++;
    return place;
}

/* Whether the next slot in ascending order goes where the last one went. */
static bool finger_serves(const struct index *index, uint64_t key)
{
    const struct index_node *leaf = index->finger;
    return leaf != NULL && leaf->count < LEAF_MAX && key < index->finger_end &&
           key > leaf->of.entries[leaf->count - 1].key;
}

enum error store_index_slot(struct index *index, uint64_t key, struct disk_map_entry **out)
{
    if (finger_serves(index, key)) {
        *out = slot_insert(index, index->finger->count, key);
        return OK;
    }
    *out = store_index_find(index, key);
    if (*out != NULL) {
        return OK;
    }
    enum error error = leaf_prepare(index, key);
    if (error == OK) {
        *out = slot_insert(index, leaf_position(index->finger, key), key);
    }
    return error;
}

/* Free a subtree; recursion is as deep as the tree is high. */
static void node_free(struct index_node *node)
{
    if (node->level > 0) {
        for (uint32_t i = 0; i < node->count; i++) {
            node_free(node->of.children[i].node);
        }
    }
    store_page_free(node);
}

void store_index_clear(struct index *index)
{
    if (index->root != NULL) {
        node_free(index->root);
    }
    *index = (struct index){0};
}

static void node_check(const struct index_node *node, uint64_t *last, const struct index_node **last_leaf)
{
    if (node->level == 0) {
        ASSERT(node->previous == *last_leaf);
        ASSERT(*last_leaf == NULL || (*last_leaf)->next == node);
        ASSERT(node->count > 0);
        *last_leaf = node;
        for (uint32_t i = 0; i < node->count; i++) {
            ASSERT(node->of.entries[i].key + 1 > *last);
            *last = node->of.entries[i].key + 1;
        }
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        ASSERT(node->of.children[i].node->level + 1 == node->level);
        ASSERT(i == 0 || node->of.children[i].key >= *last);
        node_check(node->of.children[i].node, last, last_leaf);
    }
}

void store_index_check(const struct index *index)
{
    if (index->root != NULL) {
        uint64_t last = 0;
        const struct index_node *last_leaf = NULL;
        node_check(index->root, &last, &last_leaf);
        ASSERT(last_leaf != NULL && last_leaf->next == NULL);
    }
    const struct index_node *finger = index->finger;
    if (finger != NULL && finger->of.entries[finger->count - 1].key + 1 < index->finger_end) {
        ASSERT(leaf_of(index, finger->of.entries[finger->count - 1].key + 1) == finger);
        ASSERT(leaf_of(index, index->finger_end - 1) == finger);
    }
}
