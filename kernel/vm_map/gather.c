/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gathering: the hardware's dirty bits become list entries.
 *
 * The kernel learns of a write long after it: the processor notes it in the D bit of the page's table entry and in the
 * A bit of the chunk's directory entry. pmap_gather_chunk() skips chunks that were not accessed.
 *
 * In a chunk that a stop has closed, nothing was written after the stop, so everything found belongs to the running
 * snapshot, but for what is known to have become dirty since, through a view in another chunk. Those pages lose write access one by one, and the rest of the chunk is opened again. The D bit stays until
 * the page is written to the store: the next stop finds a page that is known dirty by it, whatever list the page is on
 * (VM-9).
 */
#include "frame_use.h"
#include "internal.h"
#include "links.h"
#include "views.h"
#include "arch/pmap.h"

struct gathering {
    struct vm_map *map;
    bool for_snapshot;
    bool found;         /* one that stays writable */
    struct place place; /* of one of those found */
};

static void list_page(const struct gathering *gathering, struct vm_page *page)
{
    if (page->state == VM_PAGE_DIRTY || page->state == VM_PAGE_WRITING) {
        return;
    }
    if (gathering->for_snapshot) {
        vm_snapshot_add(gathering->map, page);
    } else {
        vm_page_mark_dirty(gathering->map, page);
        vm_views_mark_dirty(gathering->map, page);
    }
}

static void visit_dirty(struct place place, struct frame frame, void *context)
{
    struct gathering *gathering = context;
    struct vm_page *page = vm_frame_page(gathering->map, frame);

    ASSERT(page != NULL);
    list_page(gathering, page);
    if (vm_snapshot_must_copy(gathering->map, page)) {
        pmap_protect(place, PMAP_READ);
        if (vm_links_of(gathering->map, page) != NULL) {
            vm_views_protect(gathering->map, page);
        }
    } else {
        gathering->found = true;
        gathering->place = place;
    }
}

uint32_t vm_gather_chunk(struct vm_map *map, struct place first)
{
    struct gathering gathering = {.map = map, .for_snapshot = pmap_is_closed(first)};
    uint32_t scanned = pmap_gather_chunk(first, visit_dirty, &gathering);

    if (gathering.for_snapshot && map->views_collected) {
        pmap_open(first);
    } else if (gathering.for_snapshot) {
        pmap_open_narrowly(first);
    }
    if (gathering.found) { /* let the next stop look into this chunk again */
        pmap_mark_dirty(gathering.place);
    }
    return scanned;
}
