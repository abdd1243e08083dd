/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a page is: through the layers, newest first, then the page tree on the disk (STORE-3).
 *
 * Only the tree makes anybody sleep. Whoever slept while a commit became durable looks again, because the commit may
 * have moved what was being looked for from a layer into the tree.
 */
#include "store_checksum.h"
#include "store_internal.h"
#include "store_suspect.h"

#include <string.h>

/* Layers, newest first, and where a look may begin: the last two are committed, and not yet in the tree. */
enum { TOP_OPEN = 0, TOP_COMMITTED = 2, LAYERS = 4 };

static const struct layer *layer_at(const struct store *store, uint32_t index)
{
    const struct layer *layers[LAYERS] = {&store->open, &store->sealed, &store->recent, &store->merging};
    return layers[index];
}

/* As map entries are on the disk; `is_committed` says whether `when` is. */
static enum error find_from(struct store *store, uint32_t top, uint64_t key, struct disk_map_entry *out,
                            bool *is_committed)
{
    while (true) {
        for (uint32_t i = top; i < LAYERS; i++) {
            enum layer_answer answer = store_layer_find(layer_at(store, i), key, out);
            if (answer != LAYER_SILENT) {
                *is_committed = i >= TOP_COMMITTED;
                return answer == LAYER_HAS ? OK : ERROR_NOT_FOUND;
            }
        }
        uint64_t epoch = store->epoch;
        struct disk_tree_ref root = store->state.page_tree;
        enum error error = store_tree_find(store, &root, key, out);
        if (epoch == store->epoch) {
            *is_committed = true;
            return error;
        }
    }
}

/*
 * A page is deleted: the next that may not be. What lies below the layer that says so is deleted up to the end of its
 * range; that layer and those above it may have pages in there that are newer.
 */
static uint64_t behind_deleted(const struct store *store, uint32_t top, uint64_t key)
{
    for (uint32_t i = top; i < LAYERS; i++) {
        uint64_t first, last;
        if (!store_layer_range_at(layer_at(store, i), key, &first, &last) || first > key) {
            continue;
        }
        for (uint32_t above = top; above <= i; above++) {
            const struct disk_map_entry *newer = store_index_next(&layer_at(store, above)->pages, key + 1);
            last = newer != NULL && newer->key <= last ? newer->key - 1 : last;
        }
        return last + 1;
    }
    return key + 1;
}

static enum error next_from(struct store *store, uint32_t top, uint64_t key, struct disk_map_entry *out,
                            bool *is_committed)
{
    uint64_t at = key;
    while (true) {
        uint64_t epoch = store->epoch;
        struct disk_tree_ref root = store->state.page_tree;
        enum error error = store_tree_next(store, &root, at, out);
        if (epoch != store->epoch) {
            continue; /* a commit may have moved pages from the layers into a tree that has another root */
        }
        if (error != OK && error != ERROR_NOT_FOUND) {
            return error;
        }
        bool found = error == OK;
        for (uint32_t i = top; i < LAYERS; i++) {
            const struct disk_map_entry *entry = store_index_next(&layer_at(store, i)->pages, at);
            if (entry != NULL && (!found || entry->key < out->key)) {
                *out = *entry;
                found = true;
            }
        }
        if (!found) {
            return ERROR_NOT_FOUND;
        }
        at = out->key;
        error = find_from(store, top, at, out, is_committed);
        if (error != ERROR_NOT_FOUND) {
            return error;
        }
        at = behind_deleted(store, top, at);
    }
}

enum error store_committed_find(struct store *store, uint64_t key, struct disk_map_entry *out)
{
    bool is_committed;
    return find_from(store, TOP_COMMITTED, key, out, &is_committed);
}

enum error store_committed_next(struct store *store, uint64_t key, struct disk_map_entry *out)
{
    bool is_committed;
    return next_from(store, TOP_COMMITTED, key, out, &is_committed);
}

static void entry_give(const struct disk_map_entry *entry, bool is_committed, struct store_entry *out)
{
    out->block.number = entry->block;
    out->checksum = entry->checksum;
    out->generation.number = is_committed ? store_when_stamp(entry->when) : entry->when;
}

enum error store_find(struct store *store, struct page_key page, struct store_entry *out)
{
    struct disk_map_entry entry;
    bool is_committed;
    enum error error = find_from(store, TOP_OPEN, page.number, &entry, &is_committed);
    if (error == OK) {
        entry_give(&entry, is_committed, out);
    }
    return error;
}

enum error store_next(struct store *store, struct page_key from, struct page_key *page, struct store_entry *out)
{
    struct disk_map_entry entry;
    bool is_committed;
    enum error error = next_from(store, TOP_OPEN, from.number, &entry, &is_committed);
    if (error == OK) {
        page->number = entry.key;
        entry_give(&entry, is_committed, out);
    }
    return error;
}

enum error store_read(struct store *store, struct page_key page, const struct store_entry *entry, void *content)
{
    if (block_is_none(entry->block)) {
        memset(content, 0, PAGE_SIZE);
        return OK;
    }
    enum error error = store_read_blocks(store, entry->block, 1, &content);
    if (error != OK) {
        return error;
    }
    return store_checksum(store, page, entry->generation, content) == entry->checksum ? OK : ERROR_CHECKSUM;
}

uint64_t store_checksum(const struct store *store, struct page_key page, struct generation generation,
                        const void *content)
{
    return store_checksum_page(store->space_id, page.number, generation.number, content);
}
