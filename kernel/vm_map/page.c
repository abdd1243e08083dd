/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One page: its mutex, references, wiring, and the transitions that do not involve a running snapshot
 * (snapshot.c has those). The table of states is in vm_map.h.
 */
#include "frame_use.h"
#include "internal.h"

void vm_page_lock(struct vm_page *page)
{
    vm_page_reference(page);
    mutex_lock(&page->mutex, LOCK_PAGE);
    vm_page_release(page);
}

bool vm_page_try_lock(struct vm_page *page)
{
    return mutex_try_lock(&page->mutex, LOCK_PAGE);
}

void vm_page_unlock(struct vm_page *page)
{
    mutex_unlock(&page->mutex, LOCK_PAGE);
}

enum error vm_map_lock_page(struct vm_map *map, struct page_key key, struct vm_page **out, bool *slept)
{
    struct vm_page *page = vm_map_find(map, key);
    bool is_free;

    if (page == NULL) {
        enum error error = vm_map_create(map, key, &page);
        if (error != OK) {
            return error;
        }
    }
    is_free = vm_page_try_lock(page);
    if (!is_free) {
        vm_page_lock(page);
    }
    if (slept != NULL) {
        *slept = !is_free;
    }
    *out = page;
    return OK;
}

bool vm_page_is_mine(const struct vm_page *page)
{
    return mutex_is_mine(&page->mutex);
}

void vm_page_reference(struct vm_page *page)
{
    ASSERT(page->reference_count < UINT16_MAX);
    page->reference_count++;
}

void vm_page_release(struct vm_page *page)
{
    ASSERT(page->reference_count > 0);
    page->reference_count--;
}

enum error vm_page_wire(struct vm_page *page)
{
    if (page->wire_count == UINT16_MAX) {
        return ERROR_RANGE;
    }
    page->wire_count++;
    return OK;
}

void vm_page_unwire(struct vm_page *page)
{
    ASSERT(page->wire_count > 0);
    page->wire_count--;
}

void vm_page_begin_read(struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->state == VM_PAGE_NEW);
    page->state = VM_PAGE_READING;
}

void vm_page_fail_read(struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->state == VM_PAGE_READING);
    page->state = VM_PAGE_NEW;
}

void vm_page_make_resident(struct vm_map *map, struct vm_page *page, struct frame frame)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->state == VM_PAGE_NEW || page->state == VM_PAGE_READING);
    ASSERT(!frame_is_none(frame));
    vm_frame_give(map, frame, page);
    page->state = VM_PAGE_CLEAN;
    if (vm_is_replaceable(page)) {
        vm_replacement_insert(&map->replacement, page);
    }
}

void vm_page_begin_write(struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->state == VM_PAGE_DIRTY && frame_is_none(vm_page_copy_frame(page)));
    page->state = VM_PAGE_WRITING;
}

void vm_page_fail_write(struct vm_page *page)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->state == VM_PAGE_WRITING && page->list != VM_LIST_WRITING);
    page->state = VM_PAGE_DIRTY;
}

enum error vm_page_drop(struct vm_map *map, struct vm_page *page, struct frame *out)
{
    ASSERT(vm_page_is_mine(page));
    ASSERT(page->state == VM_PAGE_CLEAN);
    if (page->wire_count > 0) {
        return ERROR_BUSY;
    }
    if (vm_is_replaceable(page)) {
        vm_replacement_remove(&map->replacement, page);
    }
    *out = vm_frame_take_back(map, page);
    page->state = VM_PAGE_NEW;
    return OK;
}
