/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of vm_map share and nobody else sees.
 */
#ifndef VM_MAP_INTERNAL_H
#define VM_MAP_INTERNAL_H

#include "log.h"
#include "vm_map.h"
#include "vm_map_hash.h"

/* The bucket of a hash in a table of bucket_count buckets; table.c explains it. */
static inline uint32_t vm_bucket(const struct vm_map *map, uint32_t hash)
{
    uint32_t index = hash & map->mask_high;

    return index < map->bucket_count ? index : index & map->mask_high >> 1;
}

static inline enum vm_list_id vm_list_open(const struct vm_map *map)
{
    return VM_LIST_DIRTY_0 + map->open_half;
}

static inline enum vm_list_id vm_list_snapshot(const struct vm_map *map)
{
    return VM_LIST_DIRTY_1 - map->open_half;
}

/* Whether replacement is about the page while it is resident. The kernel's own records are wired for good. */
static inline bool vm_is_replaceable(const struct vm_page *page)
{
    return gpn_space(page->gpn).number != SPACE_SYSTEM.number;
}

/* The hardware's note of use, for replacement: by the page's own space or by one that borrows its frame. */
bool vm_page_take_accessed(const struct vm_page *page);

/* Put a page that is on no list at the end or at the front of one; take it off the one it is on, if any. */
void vm_list_append(struct vm_map *map, enum vm_list_id id, struct vm_page *page);
void vm_list_prepend(struct vm_map *map, enum vm_list_id id, struct vm_page *page);
void vm_list_remove(struct vm_map *map, struct vm_page *page);

#endif
