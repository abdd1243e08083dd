/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See snap_check.h. What is looked at here is read only, so that a check can be made at any moment between two sleeps.
 */
#include "snap_check.h"
#include "atomic.h"
#include "arch/frame.h"
#include "vm_fault.h"
#include "vm_map.h"

static uint32_t position; /* bucket that the next step begins with */

static enum error broken(const char *invariant, const struct vm_page *page, struct snap_violation *out)
{
    *out = (struct snap_violation){.invariant = invariant};
    if (page != NULL) {
        out->page = vm_page_key(page);
        out->has_page = true;
    }
    return ERROR_INVALID;
}

static enum error from_map(const struct vm_map_violation *violation, struct snap_violation *out)
{
    *out = (struct snap_violation){violation->invariant, violation->page, violation->has_page};
    return ERROR_INVALID;
}

static bool owns(struct frame frame, enum frame_owner owner)
{
    return frame.number < frame_limit() && frame_owner(frame) == owner;
}

static enum error check_frames(const struct vm_page *page, struct snap_violation *out)
{
    bool has_copy = !frame_is_none(vm_page_copy_frame(page));

    if ((!frame_is_none(vm_page_frame(page)) && !owns(vm_page_frame(page), FRAME_PAGE)) ||
        (has_copy && !owns(vm_page_copy_frame(page), FRAME_COPY))) {
        return broken("CHECK-2", page, out);
    }
    return frame_is_none(vm_page_frame(page)) || vm_mappings_are_right(page) ? OK : broken("CHECK-4", page, out);
}

enum error snap_check_step(struct snap_violation *out)
{
    DOES_NOT_SLEEP();
    const struct vm_map *map = vm_object_space();
    struct vm_map_violation violation;
    uint32_t first = position;

    if (vm_map_check_step(map, &position, SNAP_CHECK_BUCKETS, &violation) != OK) {
        return from_map(&violation, out);
    }
    uint32_t end = position > first ? position : map->bucket_count;
    for (uint32_t i = first; i < end; i++) {
        for (const struct vm_page *page = vm_map_head_first(map->heads[i]); page != NULL; page = page->hash_next) {
            if (check_frames(page, out) != OK) {
                return ERROR_INVALID;
            }
        }
    }
    return OK;
}

enum error snap_check(struct snap_violation *out)
{
    DOES_NOT_SLEEP();
    const struct vm_map *map = vm_object_space();
    struct vm_map_violation violation;
    uint32_t pages = 0;
    uint32_t copies = 0;

    if (vm_map_check(map, &violation) != OK) {
        return from_map(&violation, out);
    }
    for (struct vm_map_cursor cursor = {0}; !cursor.done;) {
        const struct vm_page *page = vm_map_next(map, &cursor);
        if (page == NULL) {
            continue;
        }
        if (check_frames(page, out) != OK) {
            return ERROR_INVALID;
        }
        pages += !frame_is_none(vm_page_frame(page)) || page->state == VM_PAGE_READING;
        copies += !frame_is_none(vm_page_copy_frame(page));
    }
    bool is_right = pages == frame_count(FRAME_PAGE) && copies == frame_count(FRAME_COPY);
    return is_right ? OK : broken("CHECK-3", NULL, out);
}
