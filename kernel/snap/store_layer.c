/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layers of change. Ranges are kept joined, so a program that deletes page after page leaves one range.
 */
#include "store_layer.h"
#include "log.h"

bool store_layer_covers(const struct layer *layer, uint32_t page)
{
    const struct disk_map_entry *range = store_index_previous(&layer->deleted, page);
    return range != NULL && range->block >= page;
}

enum layer_answer store_layer_find(const struct layer *layer, uint32_t page, struct disk_map_entry *out)
{
    const struct disk_map_entry *entry = store_index_find(&layer->pages, page);
    if (entry != NULL && !store_entry_is_empty(entry)) {
        *out = *entry;
        return LAYER_HAS;
    }
    return store_layer_covers(layer, page) ? LAYER_DELETED : LAYER_SILENT;
}

/* LAYER-1: the ranges stay as they are. */
enum error store_layer_put(struct layer *layer, const struct disk_map_entry *entry, struct disk_map_entry *replaced)
{
    struct disk_map_entry *slot;
    enum error error = store_index_slot(&layer->pages, entry->page, &slot);
    if (error != OK) {
        return error;
    }
    *replaced = *slot;
    *slot = *entry;
    return OK;
}

/* Add a range whose slot exists (it may be empty), joining it with those it touches. */
static void range_add(struct index *deleted, uint32_t first, uint32_t last)
{
    struct disk_map_entry *slot = store_index_find(deleted, first);
    ASSERT(slot != NULL);
    if (store_entry_is_empty(slot)) {
        struct disk_map_entry *left = first == 0 ? NULL : store_index_previous(deleted, first - 1);
        if (left != NULL && left->block >= first - 1) {
            slot = left;
        } else {
            *slot = (struct disk_map_entry){.page = first, .block = last, .when = 1};
        }
    }
    slot->block = slot->block > last ? slot->block : last;
    struct disk_map_entry *right = store_index_after(deleted, slot);
    while (right != NULL && right->page - 1 <= slot->block) {
        slot->block = right->block > slot->block ? right->block : slot->block;
        right->when = 0;
        right = store_index_after(deleted, slot);
    }
}

static void entries_empty(struct index *pages, uint32_t first, uint32_t last, layer_visit *visit, void *context)
{
    struct disk_map_entry *entry = store_index_next(pages, first);
    while (entry != NULL && entry->page <= last) {
        if (visit != NULL) {
            visit(context, entry);
        }
        entry->when = 0;
        entry = store_index_next(pages, entry->page);
    }
}

enum error store_layer_delete(struct layer *layer, uint32_t first, uint32_t last, layer_visit *visit, void *context)
{
    struct disk_map_entry *slot;
    enum error error = store_index_slot(&layer->deleted, first, &slot);
    if (error != OK) {
        return error;
    }
    range_add(&layer->deleted, first, last);
    entries_empty(&layer->pages, first, last, visit, context);
    return OK;
}

enum error store_layer_delete_before(struct layer *layer, uint32_t first, uint32_t last, uint64_t birth)
{
    struct disk_map_entry *slot;
    enum error error = store_index_slot(&layer->deleted, first, &slot);
    if (error != OK) {
        return error;
    }
    range_add(&layer->deleted, first, last);
    struct disk_map_entry *entry = store_index_next(&layer->pages, first);
    while (entry != NULL && entry->page <= last) {
        if ((entry->when & DISK_GENERATION_MAX) != birth) {
            entry->when = 0;
        }
        entry = store_index_after(&layer->pages, entry);
    }
    return OK;
}

enum error store_layer_delete_under(struct layer *layer, uint32_t first, uint32_t last)
{
    struct disk_map_entry *slot;
    enum error error = store_index_slot(&layer->deleted, first, &slot);
    if (error == OK) {
        range_add(&layer->deleted, first, last);
    }
    return error;
}

bool store_layer_range_at(const struct layer *layer, uint32_t page, uint32_t *first, uint32_t *last)
{
    const struct disk_map_entry *range = store_index_previous(&layer->deleted, page);
    if (range == NULL || range->block < page) {
        range = store_index_next(&layer->deleted, page);
    }
    if (range == NULL) {
        return false;
    }
    *first = range->page;
    *last = range->block;
    return true;
}

bool store_layer_next_range(const struct layer *layer, uint64_t *from, uint32_t *first, uint32_t *last)
{
    const struct disk_map_entry *range = *from > UINT32_MAX ? NULL : store_index_next(&layer->deleted, (uint32_t)*from);
    if (range == NULL) {
        return false;
    }
    *first = range->page;
    *last = range->block;
    *from = (uint64_t)range->block + 1;
    return true;
}

static enum error index_reserve(struct index *into, const struct index *from)
{
    const struct disk_map_entry *entry = store_index_next(from, 0);
    while (entry != NULL) {
        struct disk_map_entry *slot;
        enum error error = store_index_slot(into, entry->page, &slot);
        if (error != OK) {
            return error;
        }
        entry = store_index_after(from, entry);
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
    uint64_t next = 0;
    uint32_t first, last;
    while (store_layer_next_range(from, &next, &first, &last)) {
        range_add(&into->deleted, first, last);
    }
}

void store_layer_merge_over(struct layer *into, const struct layer *from)
{
    uint64_t next = 0;
    uint32_t first, last;
    while (store_layer_next_range(from, &next, &first, &last)) {
        entries_empty(&into->pages, first, last, NULL, NULL);
    }
    ranges_merge(into, from);
    const struct disk_map_entry *entry = store_index_next(&from->pages, 0);
    while (entry != NULL) {
        *store_index_find(&into->pages, entry->page) = *entry;
        entry = store_index_after(&from->pages, entry);
    }
}

void store_layer_merge_under(struct layer *into, const struct layer *from, layer_visit *dropped, void *context)
{
    const struct disk_map_entry *entry = store_index_next(&from->pages, 0);
    while (entry != NULL) {
        struct disk_map_entry newer;
        if (store_layer_find(into, entry->page, &newer) == LAYER_SILENT) {
            *store_index_find(&into->pages, entry->page) = *entry;
        } else if (dropped != NULL) {
            dropped(context, entry);
        }
        entry = store_index_after(&from->pages, entry);
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
    uint64_t next = 0, free_from = 0;
    uint32_t first, last;
    while (store_layer_next_range(layer, &next, &first, &last)) {
        ASSERT(first >= free_from && first <= last);
        free_from = (uint64_t)last + 2; /* LAYER-2 */
    }
}
