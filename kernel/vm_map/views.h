/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: all places at which a page is seen.
 *
 * A page of an object may be written through any of its views, and the D bits of each are found when its own chunk is
 * looked at. So before one of them becomes writable after a stop, the page is *collected*: is it dirty through a view
 * of a chunk that is still closed? Then the snapshot has it, and no view of it can be written through.
 *
 *     PLACE-1 There is at most one entry for a place, and it leads to the page that the place shows (vm_region.h), or the
 *             range is being taken away.
 *     VIEW-3  No entry of a page that the snapshot owes, and has no copy of, is writable in an open chunk.
 *     VIEW-4  Each writable view of a DIRTY page has D, and its chunk is noted (pmap_is_noted()): VM-9.
 *     VIEW-5  Until all are collected (vm_end_collecting()), a view is writable in an open chunk only if its page was
 *             collected after the stop.
 *     VIEW-6  A page is clean only if no entry has D; a D whose entry goes is in the record first, for the generation that
 *             its chunk says: closed, the one of the stop; open, the next.
 */
#ifndef VM_VIEWS_H
#define VM_VIEWS_H

#include "types.h"

struct vm_map;
struct vm_page;

/* Whether a D bit of any entry is set: the page may have been written to without its record knowing. */
bool vm_views_are_dirty(const struct vm_page *page);

/* Unmap a page everywhere. Returns whether a D was set. */
bool vm_views_unmap(struct vm_map *map, const struct vm_page *page);

/* Unmap what is mapped at a place; what its D bit knew is in the record first (VIEW-6). */
void vm_view_unmap(struct vm_map *map, struct place place);

/* No entry of a page can be written through any more: the snapshot owes it. */
void vm_views_protect(const struct vm_map *map, const struct vm_page *page);

/* A page has become DIRTY that may be seen writable elsewhere: each such entry says so, too (VIEW-4). */
void vm_views_mark_dirty(const struct vm_map *map, const struct vm_page *page);

/*
 * A page is about to be writable through an entry, or dropped: if it was dirty at the stop, the snapshot has it then.
 */
void vm_collect(struct vm_map *map, struct vm_page *page);

/* Let a page be written through an entry, if its region allows that. */
void vm_view_allow_write(const struct vm_page *page, struct place place);

/* The hardware's note of use, for replacement: of any of the page's entries. */
bool vm_page_take_accessed(const struct vm_page *page);

#endif
