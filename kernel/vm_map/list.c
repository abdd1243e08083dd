/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of pages: doubly linked through the pages, so every change takes constant time. A page knows its list by
 * number; the numbers of a pair swap their meaning at a splice (vm_map.h).
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
