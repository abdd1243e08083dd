/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ordered map in memory: key -> map entry. A B+tree of whole frames.
 *
 * A slot is there from its creation until the index is cleared; a slot whose `when` is zero is empty and stands only
 * for reserved room, so that what was prepared can later be filled in without failing.
 *
 *     INDEX-1  Slots are in ascending order of key, one slot a key.
 *     INDEX-2  All leaves are at the same depth and linked in order, left and right; none is without a slot.
 *     INDEX-3  Keys after the last of `finger` and below `finger_end` belong into that leaf.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include "disk_format.h"
#include "error.h"

struct index_node;

/* A zeroed index is empty. */
struct index {
    struct index_node *root;
    uint32_t slots;
    uint32_t frames;
    struct index_node *finger; /* the leaf that got the newest slot, which serves keys below finger_end; or NULL */
    uint64_t finger_end;
};

static inline bool store_entry_is_empty(const struct disk_map_entry *entry)
{
    return entry->when == 0;
}

/* The slot of a key, NULL if there is none. Pointers to slots are valid until the index changes its shape. */
struct disk_map_entry *store_index_find(const struct index *index, uint64_t key);

/* The first slot at or after, and the last at or before a key that is not empty; NULL if there is none. */
struct disk_map_entry *store_index_next(const struct index *index, uint64_t key);
struct disk_map_entry *store_index_previous(const struct index *index, uint64_t key);

/* The first that is not empty after a slot, which may be empty itself. A walk takes no search. */
struct disk_map_entry *store_index_after(const struct disk_map_entry *slot);

/* The slot of a key, created empty if need be. ERROR_NO_MEMORY: the index is as it was. */
MUST_CHECK enum error store_index_slot(struct index *index, uint64_t key, struct disk_map_entry **out);

void store_index_clear(struct index *index);

/* Panics unless INDEX-1 to INDEX-3 hold. For tests. */
void store_index_check(const struct index *index);

#endif
