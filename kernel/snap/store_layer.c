/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layers of change. Ranges are kept joined, so a program that deletes page after page leaves one range.
 */
#include "store_layer.h"
#include "log.h"

static uint64_t object_of(uint64_t key)
{
    return key >> OBJECT_PAGES_BITS;
}

static uint64_t range_last(const struct disk_map_entry *range)
{
    return object_of(range->key) << OBJECT_PAGES_BITS | range->block;
}

/* `last` is of the range's object. */
static void range_end_at(struct disk_map_entry *range, uint64_t last)
{
    range->block = (uint32_t)last & (OBJECT_PAGES - 1);
}

/* Whether pages that begin with `key` go on where a range of the same object ends, or before. */
static bool range_meets(const struct disk_map_entry *range, uint64_t key)
{
    return object_of(range->key) == object_of(key) && key <= range_last(range) + 1;
}

bool store_layer_covers(const struct layer *layer, uint64_t key)
{
    const struct disk_map_entry *range = store_index_previous(&layer->deleted, key);
    return range != NULL && range_last(range) >= key;
}

enum layer_answer store_layer_find(const struct layer *layer, uint64_t key, struct disk_map_entry *out)
{
    const struct disk_map_entry *entry = store_index_find(&layer->pages, key);
    if (entry != NULL && !store_entry_is_empty(entry)) {
        *out = *entry;
        return LAYER_HAS;
    }
    return store_layer_covers(layer, key) ? LAYER_DELETED : LAYER_SILENT;
}

/* LAYER-1: the ranges stay as they are. */
enum error store_layer_put(struct layer *layer, const struct disk_map_entry *entry, struct disk_map_entry *replaced)
{
    struct disk_map_entry *slot;
    enum error error = store_index_slot(&layer->pages, entry->key, &slot);
    if (error != OK) {
        return error;
    }
    *replaced = *slot;
    *slot = *entry;
    return OK;
}

/*
 * A range that goes on where another one ends needs no slot of its own. So pages that are deleted one after the other
 * leave one range, and nothing that a search has to step over.
 */
static enum error range_reserve(struct index *deleted, uint64_t first)
{
    struct disk_map_entry *slot = store_index_previous(deleted, first);

    return slot != NULL && range_meets(slot, first) ? OK : store_index_slot(deleted, first, &slot);
}

/* Add a range for which there is room, joining it with those it touches. */
static void range_add(struct index *deleted, uint64_t first, uint64_t last)
{
    struct disk_map_entry *slot = store_index_previous(deleted, first);
    ASSERT(object_of(first) == object_of(last)); /* LAYER-2 */
    if (slot == NULL || !range_meets(slot, first)) {
        slot = store_index_find(deleted, first);
        ASSERT(slot != NULL);
        *slot = (struct disk_map_entry){.key = first, .when = 1};
        range_end_at(slot, last);
    }
    range_end_at(slot, range_last(slot) > last ? range_last(slot) : last);
    struct disk_map_entry *right = store_index_after(slot);
    while (right != NULL && range_meets(slot, right->key)) {
        range_end_at(slot, range_last(right) > range_last(slot) ? range_last(right) : range_last(slot));
        right->when = 0;
        right = store_index_after(slot);
    }
}

static void entries_empty(struct index *pages, uint64_t first, uint64_t last, layer_visit *visit, void *context)
{
    struct disk_map_entry *entry = store_index_next(pages, first);
    while (entry != NULL && entry->key <= last) {
        if (visit != NULL) {
            visit(context, entry);
        }
        entry->when = 0;
        entry = store_index_after(entry);
    }
}

enum error store_layer_delete(struct layer *layer, uint64_t first, uint64_t last, layer_visit *visit, void *context)
{
    enum error error = range_reserve(&layer->deleted, first);
    if (error != OK) {
        return error;
    }
    range_add(&layer->deleted, first, last);
    entries_empty(&layer->pages, first, last, visit, context);
    return OK;
}

enum error store_layer_delete_before(struct layer *layer, uint64_t first, uint64_t last, uint64_t birth)
{
    enum error error = range_reserve(&layer->deleted, first);
    if (error != OK) {
        return error;
    }
    range_add(&layer->deleted, first, last);
    struct disk_map_entry *entry = store_index_next(&layer->pages, first);
    while (entry != NULL && entry->key <= last) {
        if ((entry->when & DISK_GENERATION_MAX) != birth) {
            entry->when = 0;
        }
        entry = store_index_after(entry);
    }
    return OK;
}

enum error store_layer_delete_under(struct layer *layer, uint64_t first, uint64_t last)
{
    enum error error = range_reserve(&layer->deleted, first);
    if (error == OK) {
        range_add(&layer->deleted, first, last);
    }
    return error;
}

bool store_layer_range_at(const struct layer *layer, uint64_t key, uint64_t *first, uint64_t *last)
{
    const struct disk_map_entry *range = store_index_previous(&layer->deleted, key);
    if (range == NULL || range_last(range) < key) {
        range = store_index_next(&layer->deleted, key);
    }
    if (range == NULL) {
        return false;
    }
    *first = range->key;
    *last = range_last(range);
    return true;
}

bool store_layer_next_range(const struct layer *layer, uint64_t *from, uint64_t *first, uint64_t *last)
{
    const struct disk_map_entry *range = store_index_next(&layer->deleted, *from);
    if (range == NULL) {
        return false;
    }
    *first = range->key;
    *last = range_last(range);
    *from = *last + 1;
    return true;
}

static enum error index_reserve(struct index *into, const struct index *from)
{
    const struct disk_map_entry *entry = store_index_next(from, 0);
    while (entry != NULL) {
        struct disk_map_entry *slot;
        enum error error = store_index_slot(into, entry->key, &slot);
        if (error != OK) {
            return error;
        }
        entry = store_index_after(entry);
    }
    return OK;
}

enum error store_layer_reserve(struct layer *into, const struct layer *from)
{
    enum error error = index_reserve(&into->pages, &from->pages);
    return error == OK ? index_reserve(&into->deleted, &from->deleted) : error;
}

static void ranges_merge(struct layer *into, const struct layer *from)
{
    uint64_t next = 0, first, last;
    while (store_layer_next_range(from, &next, &first, &last)) {
        range_add(&into->deleted, first, last);
    }
}

void store_layer_merge_over(struct layer *into, const struct layer *from)
{
    uint64_t next = 0, first, last;
    while (store_layer_next_range(from, &next, &first, &last)) {
        entries_empty(&into->pages, first, last, NULL, NULL);
    }
    ranges_merge(into, from);
    const struct disk_map_entry *entry = store_index_next(&from->pages, 0);
    while (entry != NULL) {
        *store_index_find(&into->pages, entry->key) = *entry;
        entry = store_index_after(entry);
    }
}

void store_layer_merge_under(struct layer *into, const struct layer *from, layer_visit *dropped, void *context)
{
    const struct disk_map_entry *entry = store_index_next(&from->pages, 0);
    while (entry != NULL) {
        struct disk_map_entry newer;
        if (store_layer_find(into, entry->key, &newer) == LAYER_SILENT) {
            *store_index_find(&into->pages, entry->key) = *entry;
        } else if (dropped != NULL) {
            dropped(context, entry);
        }
        entry = store_index_after(entry);
    }
    ranges_merge(into, from);
}

bool store_layer_is_empty(const struct layer *layer)
{
    return store_index_next(&layer->pages, 0) == NULL && store_index_next(&layer->deleted, 0) == NULL;
}

void store_layer_clear(struct layer *layer)
{
    store_index_clear(&layer->pages);
    store_index_clear(&layer->deleted);
}

void store_layer_check(const struct layer *layer)
{
    store_index_check(&layer->pages);
    store_index_check(&layer->deleted);
    uint64_t next = 0, first, last, free_from = 0;
    while (store_layer_next_range(layer, &next, &first, &last)) {
        ASSERT(object_of(first) == object_of(last) && first <= last);
        ASSERT(first > free_from || (first == free_from && (first & (OBJECT_PAGES - 1)) == 0)); /* LAYER-2 */
        free_from = last + 1;
    }
}
