/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stop, and the opening of chunks after it.
 *
 * A stop closes every chunk: nothing is written through any mapping before its chunk is opened. Opening is what the
 * first write fault, the snapshot thread and whoever takes a mapping away do: the dirty pages of the chunk are handed
 * to the snapshot, and from then on only those are protected.
 */
#include "arch/pmap.h"
#include "frame_use.h"
#include "internal.h"
#include "object_space.h"
#include "thread.h"
#include "views.h"
#include "vm_snapshot.h"

static uint32_t stops;

void vm_stop_clear(void)
{
    stops = 0;
}

uint32_t vm_stops(void)
{
    return stops;
}

enum error vm_stop(void)
{
    DOES_NOT_SLEEP();
    enum error error = vm_snapshot_splice(&vm_objects.map);

    if (error == OK) {
        pmap_stop();
        vm_objects.map.views_collected = false;
        stops++;
    }
    return error;
}

/* A view of a chunk that was opened narrowly, now that all is collected. */
static void widen_view(struct place place, struct frame frame, void *context)
{
    const struct vm_page *page = vm_frame_page(&vm_objects.map, frame);

    (void)context;
    if (!vm_snapshot_must_copy(&vm_objects.map, page)) {
        vm_view_allow_write(page, place);
    }
}

void vm_open_chunk(struct place place)
{
    DOES_NOT_SLEEP();
    if (pmap_is_closed(place)) {
        atomic_begin();
        if (vm_objects.policy->opening != NULL) {
            vm_objects.policy->opening(place);
        }
        (void)vm_gather_chunk(&vm_objects.map, place);
        atomic_end();
    } else if (vm_objects.map.views_collected) {
        pmap_widen(place, widen_view, NULL);
    }
}

void *vm_content_at_stop(struct page_key key)
{
    struct vm_page *page = vm_map_find(&vm_objects.map, key);

    ASSERT(page != NULL && page->wire_count > 0 && pmap_is_closed(page_key_place(key)));
    pmap_mark_dirty(page_key_place(key));
    return frame_address(vm_page_frame(page));
}
