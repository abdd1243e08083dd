/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of vm_map share and nobody else sees.
 */
#ifndef VM_MAP_INTERNAL_H
#define VM_MAP_INTERNAL_H

#include "log.h"
#include "vm_account.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_map_hash.h"

/* In place of a kind of fault: there was nothing to be done. */
#define NO_FAULT EIDOLON_COUNTS_KNOWN

/* The bucket of a hash in a table of bucket_count buckets; table.c explains it. */
static inline uint32_t vm_bucket(const struct vm_map *map, uint32_t hash)
{
    uint32_t index = hash & map->mask_high;

    return index < map->bucket_count ? index : index & map->mask_high >> 1;
}

#define VM_HEADS_MIN 16u

/* How many heads a table of chains has that is to have so many: a power of two. */
static inline uint32_t vm_heads_for(uint32_t wanted)
{
    uint32_t count = VM_HEADS_MIN;

    while (count < wanted) {
        count *= 2;
    }
    return count;
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
    return page_key_object(vm_page_key(page)).number != SPACE_SYSTEM.number;
}

static inline bool vm_page_is_resident(const struct vm_page *page)
{
    return page->frame != 0;
}

/* The page that a place shows, as a look at its region has said. */
static inline struct page_key vm_shown(struct place place, const struct vm_allowance *allowance)
{
    return allowance->is_shared ? allowance->shown : place_key(place);
}

/*
 * The page's record, made if there is none, with its mutex.
 * - slept: whether it waited for the mutex; may be NULL. ERROR_RANGE, ERROR_NO_MEMORY.
 */
MUST_CHECK enum error vm_map_lock_page(struct vm_map *map, struct page_key key, struct vm_page **out, bool *slept);

/* Delete a page's record if it holds nothing and nobody waits for it. The caller has not slept since it had its mutex. */
void vm_map_forget(struct vm_map *map, struct vm_page *page);

/* Put a page that is on no list at the end or at the front of one; take it off the one it is on, if any. */
void vm_list_append(struct vm_map *map, enum vm_list_id id, struct vm_page *page);
void vm_list_prepend(struct vm_map *map, enum vm_list_id id, struct vm_page *page);
void vm_list_remove(struct vm_map *map, struct vm_page *page);

#endif
