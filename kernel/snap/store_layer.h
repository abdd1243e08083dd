/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A layer of change over older state: pages that have new content, and ranges of pages that have none any more.
 *
 *     LAYER-1  A page with an entry has that content, whatever the ranges say: it was put after the delete.
 *     LAYER-2  A range lies within one object; ranges of an object do not touch or overlap.
 *
 * The ranges live in an index too: the slot's key is the first of the range, its `block` the index of the last
 * page in the object, `when` is 1.
 */
#ifndef STORE_LAYER_H
#define STORE_LAYER_H

#include "store_index.h"

struct layer {
    struct index pages;
    struct index deleted;
};

enum layer_answer { LAYER_SILENT, LAYER_HAS, LAYER_DELETED };

/* What the layer says about a page; `out` is set for LAYER_HAS. */
enum layer_answer store_layer_find(const struct layer *layer, uint64_t key, struct disk_map_entry *out);

/* Give a page content. `replaced`: the entry this layer had before, empty if none. ERROR_NO_MEMORY: no change. */
MUST_CHECK enum error store_layer_put(struct layer *layer, const struct disk_map_entry *entry,
                                      struct disk_map_entry *replaced);

/*
 * Take the content of pages first .. last, of one object, away. Entries of the layer in the range are emptied; `visit` hears of each.
 * - ERROR_NO_MEMORY: no change, and `visit` was not called.
 */
typedef void layer_visit(void *context, const struct disk_map_entry *entry);
MUST_CHECK enum error store_layer_delete(struct layer *layer, uint64_t first, uint64_t last, layer_visit *visit,
                                         void *context);

/* As store_layer_delete in a committed layer, but entries whose birth is `birth` stay. ERROR_NO_MEMORY: no change. */
MUST_CHECK enum error store_layer_delete_before(struct layer *layer, uint64_t first, uint64_t last, uint64_t birth);

/* As store_layer_delete, but where the layer has an entry, that stays. ERROR_NO_MEMORY: no change. */
MUST_CHECK enum error store_layer_delete_under(struct layer *layer, uint64_t first, uint64_t last);

/* The range that covers a page or is the first after it; false if there is none. */
bool store_layer_range_at(const struct layer *layer, uint64_t key, uint64_t *first, uint64_t *last);

/* Walk the ranges: start with 0; each call gives the next range and moves on; false at the end. */
bool store_layer_next_range(const struct layer *layer, uint64_t *from, uint64_t *first, uint64_t *last);

/* Whether a range, newer or older than the entry there may be, covers the page. */
bool store_layer_covers(const struct layer *layer, uint64_t key);

/* Make room in `into` for everything in `from`, so that the two calls below cannot fail. ERROR_NO_MEMORY. */
MUST_CHECK enum error store_layer_reserve(struct layer *into, const struct layer *from);

/* `from` is newer: its word goes over that of `into`. Needs store_layer_reserve() since either changed. */
void store_layer_merge_over(struct layer *into, const struct layer *from);

/* `from` is older: its word counts where `into` is silent. `dropped`, which may be NULL, hears of entries of `from`
 * that do not. */
void store_layer_merge_under(struct layer *into, const struct layer *from, layer_visit *dropped, void *context);

bool store_layer_is_empty(const struct layer *layer);
void store_layer_clear(struct layer *layer);
void store_layer_check(const struct layer *layer);

#endif
