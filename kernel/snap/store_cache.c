/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The node cache: a hash of blocks, and a ring that a hand goes round to find a node not used lately (second chance).
 */
#include "store_cache.h"
#include "atomic.h"
#include "log.h"
#include "store_internal.h"
#include "store_node.h"

#include <string.h>

#define BUCKETS   (PAGE_SIZE / sizeof(struct cache_node *))
#define LIMIT_MIN 8u

enum error store_cache_initialise(struct cache *cache, uint32_t limit)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    *cache = (struct cache){.buckets = page};
    pool_init(&cache->pool, (sizeof(struct cache_node) + 7) & ~7u, FRAME_STORE);
    cache->limit = limit > LIMIT_MIN ? limit : LIMIT_MIN;
    return OK;
}

static struct cache_node **bucket_of(struct cache *cache, uint32_t block)
{
    return &cache->buckets[(block * 2654435761u >> 8) % BUCKETS];
}

static struct cache_node *node_find(struct cache *cache, uint32_t block)
{
    struct cache_node *node = *bucket_of(cache, block);
    while (node != NULL && node->block != block) {
        node = node->hash_next;
    }
    return node;
}

static void node_remove(struct cache *cache, struct cache_node *node)
{
    struct cache_node **link = bucket_of(cache, node->block);
    while (*link != node) {
        link = &(*link)->hash_next;
    }
    *link = node->hash_next;
    if (node->ring_next == node) {
        cache->hand = NULL;
    } else {
        node->ring_previous->ring_next = node->ring_next;
        node->ring_next->ring_previous = node->ring_previous;
        cache->hand = cache->hand == node ? node->ring_next : cache->hand;
    }
    cache->count--;
    cache->dirty_count -= node->is_dirty;
    store_page_free(node->bytes);
    pool_free(&cache->pool, node);
}

/* Drop one clean node; false if there is none. */
static bool evict_one(struct cache *cache)
{
    for (uint32_t i = 0; i < 2 * cache->count; i++) {
        struct cache_node *node = cache->hand;
        cache->hand = node->ring_next;
        if (node->is_dirty) {
            continue;
        }
        if (!node->was_used) {
            node_remove(cache, node);
            return true;
        }
        node->was_used = false;
    }
    return false;
}

void store_cache_clear(struct cache *cache)
{
    if (cache->buckets == NULL) {
        return;
    }
    while (cache->hand != NULL) {
        node_remove(cache, cache->hand);
    }
    store_page_free(cache->buckets);
    cache->buckets = NULL;
}

static enum error page_new(struct cache *cache, void **out)
{
    if (cache->count - cache->dirty_count >= cache->limit) {
        (void)evict_one(cache);
    }
    enum error error = store_page_new(out);
    if (error == ERROR_NO_MEMORY && evict_one(cache)) {
        error = store_page_new(out);
    }
    return error;
}

static enum error node_add(struct cache *cache, uint32_t block, void *page, bool is_dirty)
{
    void *object;
    enum error error = pool_allocate(&cache->pool, &object);
    if (error != OK) {
        return error;
    }
    struct cache_node *node = object;
    *node = (struct cache_node){.bytes = page, .block = block, .is_dirty = is_dirty, .was_used = true};
    struct cache_node **bucket = bucket_of(cache, block);
    node->hash_next = *bucket;
    *bucket = node;
    if (cache->hand == NULL) {
        node->ring_next = node->ring_previous = node;
        cache->hand = node;
    } else {
        node->ring_next = cache->hand;
        node->ring_previous = cache->hand->ring_previous;
        node->ring_previous->ring_next = node;
        node->ring_next->ring_previous = node;
    }
    cache->count++;
    cache->dirty_count += is_dirty;
    return OK;
}

/*
 * What an entry refers to is not younger than the node: a commit would take it for a node of its own otherwise. And the
 * stamp of a page is a generation.
 */
static bool when_is_sound(const struct disk_node *node, const struct disk_map_entry *entry)
{
    uint64_t birth = store_when_birth(entry->when);
    return birth != 0 && birth <= node->generation && (node->level != 0 || entry->when >> DISK_WHEN_BITS < birth);
}

/*
 * What must hold in a node that proved itself (TREE-1, TREE-3): an error of its writer must not lead the reader astray.
 */
static bool node_is_sound(const struct disk_node *node, const struct disk_tree_ref *ref, uint32_t level)
{
    if (node->magic != DISK_NODE_MAGIC || node->level != level || node->count == 0 || node->count > DISK_NODE_ENTRIES ||
        node->generation != store_link_generation(ref->when)) {
        return false;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->entries[i].key > DISK_KEY_MAX || (i > 0 && node->entries[i].key <= node->entries[i - 1].key) ||
            !when_is_sound(node, &node->entries[i])) {
            return false;
        }
    }
    return true;
}

static enum error node_read(struct store *store, const struct disk_tree_ref *ref, uint32_t level, void *page)
{
    struct store_place place = {
        .block = ref->block,
        .copy = store_link_copy(ref->block, ref->when),
        .generation = store_link_generation(ref->when),
        .checksum = ref->checksum,
    };
    enum error error = store_place_read(store, NULL, &place, page);
    if (error != OK) {
        return error;
    }
    return node_is_sound(page, ref, level) ? OK : ERROR_FORMAT_DAMAGED;
}

enum error store_cache_load(struct store *store, const struct disk_tree_ref *ref, uint32_t level,
                            struct disk_node **out)
{
    thread_may_sleep();
    struct cache *cache = &store->cache;
    struct cache_node *node = node_find(cache, ref->block);
    if (node == NULL) {
        void *page;
        enum error error = page_new(cache, &page);
        if (error != OK) {
            return error;
        }
        error = node_read(store, ref, level, page);
        node = node_find(cache, ref->block); /* another thread may have been faster: CACHE-1 */
        if (error == OK && node == NULL) {
            error = node_add(cache, ref->block, page, false);
            node = node_find(cache, ref->block);
        } else {
            store_page_free(page);
            page = NULL;
        }
        if (error != OK) {
            store_page_free(page);
            return error;
        }
    }
    node->was_used = true;
    /* A node that was cached proved itself then; what is asked for now must be the same node. */
    if (node->bytes->generation != store_link_generation(ref->when) || node->bytes->level != level) {
        return ERROR_FORMAT_DAMAGED;
    }
    *out = node->bytes;
    return OK;
}

enum error store_cache_new(struct cache *cache, uint32_t block, struct disk_node **out)
{
    store_cache_drop(cache, block);
    void *page;
    enum error error = page_new(cache, &page);
    if (error != OK) {
        return error;
    }
    error = node_add(cache, block, page, true);
    if (error != OK) {
        store_page_free(page);
        return error;
    }
    *out = page;
    return OK;
}

struct disk_node *store_cache_dirty(struct cache *cache, uint32_t block)
{
    struct cache_node *node = node_find(cache, block);
    ASSERT(node != NULL && node->is_dirty); /* TREE-4 */
    return node->bytes;
}

void store_cache_drop(struct cache *cache, uint32_t block)
{
    struct cache_node *node = node_find(cache, block);
    if (node != NULL) {
        node_remove(cache, node);
    }
}

void store_cache_keep(struct cache *cache, uint32_t block)
{
    struct cache_node *node = node_find(cache, block);
    ASSERT(node != NULL && node->is_dirty);
    node->is_dirty = false;
    cache->dirty_count--;
}
