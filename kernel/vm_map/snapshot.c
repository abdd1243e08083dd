/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a running snapshot does to the pages it covers.
 *
 * At the stop it takes over the open list. Each page on its list owes it exactly one content: that of the copy frame if
 * there is one, else that of the frame. Programs run meanwhile: a write to a page whose frame is owed makes a copy
 * first, after which page and debt are independent. The debt keeps the page on the list; the page's state says what has
 * become of the page itself.
 */
#include "frame_use.h"
#include "internal.h"

enum error vm_snapshot_splice(struct vm_map *map)
{
    if (map->lists[vm_list_snapshot(map)].count != 0 || map->lists[VM_LIST_WRITING].count != 0) {
        return ERROR_BUSY;
    }
    map->open_half ^= 1;
    return OK;
}

struct vm_page *vm_snapshot_first(const struct vm_map *map)
{
    return map->lists[vm_list_snapshot(map)].first;
}

uint32_t vm_snapshot_count(const struct vm_map *map)
{
    return map->lists[vm_list_snapshot(map)].count;
}

void vm_snapshot_defer(struct vm_map *map, struct vm_page *page)
{
    ASSERT(page->list == vm_list_snapshot(map));
    vm_list_remove(map, page);
    vm_list_append(map, vm_list_snapshot(map), page);
}

void vm_snapshot_expedite(struct vm_map *map, struct vm_page *page)
{
    ASSERT(page->list == vm_list_snapshot(map));
    vm_list_remove(map, page);
    vm_list_prepend(map, vm_list_snapshot(map), page);
}

bool vm_snapshot_has(const struct vm_map *map, const struct vm_page *page)
{
    return page->list == vm_list_snapshot(map) || page->list == VM_LIST_WRITING;
}

bool vm_snapshot_must_copy(const struct vm_map *map, const struct vm_page *page)
{
    return vm_snapshot_has(map, page) && frame_is_none(vm_page_copy_frame(page));
}

void vm_snapshot_add(struct vm_map *map, struct vm_page *page)
{
    ASSERT(page->state == VM_PAGE_CLEAN && page->list == VM_LIST_NONE);
    page->state = VM_PAGE_DIRTY;
    vm_list_append(map, vm_list_snapshot(map), page);
}

void vm_snapshot_give_frame(struct vm_map *map, struct vm_page *page, struct frame frame)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(vm_snapshot_must_copy(map, page));
    ASSERT(!frame_is_none(frame));
    vm_page_set_copy_frame(page, vm_frame_take_back(map, page));
    vm_frame_give(map, frame, page);
    page->state = VM_PAGE_DIRTY;
}

struct frame vm_snapshot_begin_write(struct vm_map *map, struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->list == vm_list_snapshot(map));
    if (frame_is_none(vm_page_copy_frame(page))) {
        vm_page_begin_write(page);
    }
    vm_list_remove(map, page);
    vm_list_append(map, VM_LIST_WRITING, page);
    return frame_is_none(vm_page_copy_frame(page)) ? vm_page_frame(page) : vm_page_copy_frame(page);
}

void vm_snapshot_fail_write(struct vm_map *map, struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->list == VM_LIST_WRITING);
    vm_list_remove(map, page);
    vm_list_append(map, vm_list_snapshot(map), page);
    if (frame_is_none(vm_page_copy_frame(page))) {
        vm_page_fail_write(page);
    }
}

/* The snapshot has no claim on the page any more. Returns the copy frame it had. */
static struct frame let_go(struct vm_map *map, struct vm_page *page)
{
    struct frame copy = vm_page_copy_frame(page);

    vm_page_set_copy_frame(page, FRAME_NONE);
    vm_list_remove(map, page);
    if (page->state == VM_PAGE_DIRTY) {
        vm_list_append(map, vm_list_open(map), page);
    }
    return copy;
}

struct frame vm_snapshot_end_write(struct vm_map *map, struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(vm_snapshot_has(map, page));
    ASSERT(page->list == VM_LIST_WRITING || page->state == VM_PAGE_WRITING); /* by a page-out, under way at the stop */
    if (frame_is_none(vm_page_copy_frame(page))) {
        page->state = VM_PAGE_CLEAN;
    }
    return let_go(map, page);
}

struct frame vm_snapshot_abort(struct vm_map *map, struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->list == vm_list_snapshot(map) && page->state != VM_PAGE_WRITING);
    return let_go(map, page);
}
