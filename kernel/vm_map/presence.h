/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: the pages that have records, in the order of their numbers. So whoever is about a range or a
 * whole object does work for what is there, however long the range is and whatever others have.
 *
 * It is kept for a map that was made so (vm_map_options.is_ordered), by vm_map_create() and vm_map_delete(). VM-12.
 */
#ifndef VM_PRESENCE_H
#define VM_PRESENCE_H

#include "vm_map.h"

#define VM_PRESENCE_FANOUT 1024u

/*
 * Which of 1,024 pages have a record, or which of the 1,024 chunks of an object have such a page: 144 bytes for each of
 * them that has any. So a record costs 3 bytes more at most where chunks are full of them, and 144 where a page is
 * alone.
 */
struct vm_presence_node {
    _Alignas(8) struct vm_presence_node *hash_next;
    uint32_t words; /* that are not 0 */
    uint64_t key;   /* a chunk, or an object */
    uint32_t bits[VM_PRESENCE_FANOUT / 32];
};

/* How many heads a machine of so many frames has, and what vm_map_init() does. */
uint32_t vm_presence_heads(uint32_t frames);
void vm_presence_init(struct vm_map *map, void *heads, uint32_t head_count);

/*
 * A page gets a record, or loses it.
 * - ERROR_NO_MEMORY: nothing has changed.
 */
MUST_CHECK enum error vm_presence_add(struct vm_map *map, struct page_key key);
void vm_presence_remove(struct vm_map *map, struct page_key key);

/*
 * The first page of [from, last] that has a record, if any has. Both are of one object.
 * - work: constant.
 */
bool vm_presence_next(struct vm_map *map, struct page_key from, struct page_key last, struct page_key *out);

/* VM-12: for one page that has a record; and whether there are `count` and no other, each found once. */
bool vm_presence_has(const struct vm_map *map, struct page_key key);
bool vm_presence_is_whole(const struct vm_map *map, uint32_t count);

#endif
