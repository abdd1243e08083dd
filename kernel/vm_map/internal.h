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

static inline enum vm_list_id vm_list_open_dirty(const struct vm_map *map)
{
    return VM_LIST_DIRTY_0 + map->open_half;
}

static inline enum vm_list_id vm_list_open_uncommitted(const struct vm_map *map)
{
    return VM_LIST_UNCOMMITTED_0 + map->open_half;
}

static inline enum vm_list_id vm_list_snapshot_dirty(const struct vm_map *map)
{
    return VM_LIST_DIRTY_1 - map->open_half;
}

static inline enum vm_list_id vm_list_snapshot_uncommitted(const struct vm_map *map)
{
    return VM_LIST_UNCOMMITTED_1 - map->open_half;
}

/* Put a page that is on no list at the end of one; take it off the one it is on, if any. */
void vm_list_append(struct vm_map *map, enum vm_list_id id, struct vm_page *page);
void vm_list_remove(struct vm_map *map, struct vm_page *page);

/* Both, in one step. */
static inline void vm_list_move(struct vm_map *map, enum vm_list_id id, struct vm_page *page)
{
    vm_list_remove(map, page);
    vm_list_append(map, id, page);
}

/* Whether the page's written content is its content, and not an older one that only a snapshot needs. */
static inline bool vm_page_written_is_content(const struct vm_page *page)
{
    return (page->flags & (VM_PAGE_WRITTEN | VM_PAGE_SUPERSEDED)) == VM_PAGE_WRITTEN;
}

static inline void vm_page_set_written(struct vm_page *page, struct block block, uint64_t checksum,
                                       struct generation generation)
{
    page->written_block = block;
    page->checksum = checksum;
    page->written_generation = (uint8_t)generation.number;
    page->flags |= VM_PAGE_WRITTEN;
}

/* Forget the written content and say where it was. */
static inline struct block vm_page_take_written(struct vm_page *page)
{
    struct block block = page->written_block;

    page->written_block = BLOCK_NONE;
    page->flags &= (uint8_t)~VM_PAGE_WRITTEN;
    return block;
}

#endif
