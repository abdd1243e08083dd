/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the two halves of pmap: directories (pmap_directory.c) and pages (pmap.c).
 */
#ifndef I386_PMAP_INTERNAL_H
#define I386_PMAP_INTERNAL_H

#include "paging.h"
#include "types.h"

static inline bool pmap_is_private(struct space_id space)
{
    return space.number != SPACE_NONE.number && space.number != SPACE_SYSTEM.number;
}

static inline uint32_t pmap_chunk_of(struct place place)
{
    return place_address(place).value >> CHUNK_SHIFT;
}

/* The directory entry of a place's chunk, closed if a stop has not reached it yet; NULL when the space does not exist.
 */
uint32_t *pmap_chunk_entry(struct place place);

/* Whether the processor may hold translations of the space's pages. */
bool pmap_is_visible(struct space_id space);

/* Count the views of a space that come and go. */
void pmap_count_view(struct space_id space, int change);

/* From now on a chunk of the system window is copied from directory to directory. */
void pmap_list_window_chunk(uint32_t chunk);

#define PMAP_SCAN_GROUP 8u /* entries that are looked at together */

static inline uint32_t pmap_group_union(const uint32_t *entries)
{
    return entries[0] | entries[1] | entries[2] | entries[3] | entries[4] | entries[5] | entries[6] | entries[7];
}

/* The first entry of a table at or behind `index` that maps something, or TABLE_ENTRIES. */
static inline uint32_t pmap_next_entry(const uint32_t *table, uint32_t index)
{
    while (index < TABLE_ENTRIES && table[index] == 0) {
        bool skips = index % PMAP_SCAN_GROUP == 0 && pmap_group_union(&table[index]) == 0;
        index += skips ? PMAP_SCAN_GROUP : 1;
    }
    return index;
}

/* Give the table of a directory entry back; it must map nothing. */
void pmap_free_table(uint32_t *chunk);

#endif
