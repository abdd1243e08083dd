/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lists of dirty pages: those whose content the store does not know yet.
 *
 * Lists are doubly linked through the pages, so every change takes constant time. A page knows its list by number;
 * the numbers of a pair swap their meaning at a splice (vm_map.h).
 */
#include "internal.h"

void vm_list_append(struct vm_map *map, enum vm_list_id id, struct vm_page *page)
{
    struct vm_list *list = &map->lists[id];

    ASSERT(page->list == VM_LIST_NONE);
    page->list = (uint8_t)id;
    page->list_link = (struct vm_page_link){.previous = list->last, .next = NULL};
    *(list->last != NULL ? &list->last->list_link.next : &list->first) = page;
    list->last = page;
    list->count++;
}

void vm_list_prepend(struct vm_map *map, enum vm_list_id id, struct vm_page *page)
{
    struct vm_list *list = &map->lists[id];

    ASSERT(page->list == VM_LIST_NONE);
    page->list = (uint8_t)id;
    page->list_link = (struct vm_page_link){.previous = NULL, .next = list->first};
    *(list->first != NULL ? &list->first->list_link.previous : &list->last) = page;
    list->first = page;
    list->count++;
}

void vm_list_remove(struct vm_map *map, struct vm_page *page)
{
    struct vm_list *list = &map->lists[page->list];
    struct vm_page_link link = page->list_link;

    if (page->list == VM_LIST_NONE) {
        return;
    }
    *(link.previous != NULL ? &link.previous->list_link.next : &list->first) = link.next;
    *(link.next != NULL ? &link.next->list_link.previous : &list->last) = link.previous;
    list->count--;
    page->list = VM_LIST_NONE;
    page->list_link = (struct vm_page_link){NULL, NULL};
}

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
    struct frame frame = page->frame;

    ASSERT(vm_page_is_mine(page));
    ASSERT(page->state != VM_PAGE_READING);
    if (vm_snapshot_must_copy(map, page)) {
        page->copy_frame = frame;
        frame = FRAME_NONE;
    } else if (!vm_snapshot_has(map, page)) {
        ASSERT(page->state != VM_PAGE_WRITING);
        vm_list_remove(map, page);
    }
    if (!frame_is_none(page->frame) && vm_is_replaceable(page)) {
        vm_replacement_remove(&map->replacement, page);
    }
    page->frame = FRAME_NONE;
    page->state = VM_PAGE_NEW;
    return frame;
}
