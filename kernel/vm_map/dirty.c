/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The open list: dirty pages, whose content the store does not know yet, and how they come on it and leave it.
 */
#include "frame_use.h"
#include "internal.h"

uint32_t vm_dirty_open(const struct vm_map *map)
{
    return map->lists[vm_list_open(map)].count;
}

struct vm_page *vm_dirty_first(const struct vm_map *map)
{
    return map->lists[vm_list_open(map)].first;
}

void vm_page_mark_dirty(struct vm_map *map, struct vm_page *page)
{
    if (page->state == VM_PAGE_DIRTY) {
        return;
    }
    ASSERT(page->state == VM_PAGE_CLEAN);
    page->state = VM_PAGE_DIRTY;
    if (!vm_snapshot_has(map, page)) {
        vm_list_append(map, vm_list_open(map), page);
    }
}

void vm_page_end_write(struct vm_map *map, struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->state == VM_PAGE_WRITING && page->list == vm_list_open(map));
    page->state = VM_PAGE_CLEAN;
    vm_list_remove(map, page);
}

struct frame vm_page_detach(struct vm_map *map, struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->state != VM_PAGE_READING);
    bool is_owed = vm_snapshot_must_copy(map, page);
    if (!vm_snapshot_has(map, page)) {
        ASSERT(page->state != VM_PAGE_WRITING);
        vm_list_remove(map, page);
    }
    if (vm_page_is_resident(page) && vm_is_replaceable(page)) {
        vm_replacement_remove(&map->replacement, page);
    }
    struct frame frame = vm_frame_take_back(map, page);
    if (is_owed) {
        vm_page_set_copy_frame(page, frame);
        frame = FRAME_NONE;
    }
    page->state = VM_PAGE_NEW;
    return frame;
}
