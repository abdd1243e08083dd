/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The content of an object's pages, for the kernel to read and write whether or not anybody has a view of them.
 *
 * A page is held, which may sleep, and then read or written in one piece of code that does not. What is written is
 * there for every view at once: all have the same frame. If the snapshot still needs what the page held, it keeps the
 * frame, and views find the new one by a fault.
 */
#include "arch/frame.h"
#include "atomic.h"
#include "internal.h"
#include "object_space.h"
#include "page_in.h"
#include "snapshot_copy.h"
#include "thread.h"
#include "views.h"
#include "vm_growth.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"

/* Resident; neighbours come along where that costs no further request. */
static enum error make_resident(struct vm_page *page)
{
    struct page_key key = vm_page_key(page);
    uint32_t index = page_key_index(key);
    struct vm_allowance allowance = {
        .is_shared = true, .shown = key, .pages_before = index, .pages_after = OBJECT_PAGES - 1 - index};
    struct vm_cluster_extent extent;
    enum error error = vm_page_in_measure(vm_objects.pager, page, &allowance, &extent);

    return error == OK ? vm_page_in(&vm_objects.map, vm_objects.pager, page, &extent, &allowance) : error;
}

static enum error try_hold(struct page_key key, struct vm_page **out)
{
    struct vm_page *page;
    enum error error = vm_map_lock_page(&vm_objects.map, key, &page, NULL);

    if (error != OK) {
        return error;
    }
    if (!vm_page_is_resident(page)) {
        error = make_resident(page);
    }
    if (error == OK) {
        error = vm_page_wire(page);
    }
    vm_page_unlock(page);
    if (error == OK) {
        *out = page;
    } else {
        vm_map_forget(&vm_objects.map, page);
    }
    return error;
}

enum error vm_object_hold(struct page_key key, struct space_id payer, struct vm_page **out)
{
    thread_may_sleep();
    enum error error = vm_growth_stands_back(payer) ? ERROR_NO_MEMORY : try_hold(key, out);

    while (error == ERROR_NO_MEMORY) {
        error = vm_reclaim_wait(payer);
        if (error != OK) {
            return error;
        }
        error = try_hold(key, out);
    }
    return error;
}

const void *vm_object_bytes(const struct vm_page *page)
{
    ASSERT(page->wire_count > 0);
    return vm_page_is_resident(page) ? frame_address(vm_page_frame(page)) : NULL;
}

/* The caller has its mutex. ERROR_BUSY: the snapshot has as many copies as may be. */
static enum error make_dirty(struct vm_page *page)
{
    vm_collect(&vm_objects.map, page);
    if (vm_snapshot_must_copy(&vm_objects.map, page)) {
        return vm_copy_frame_for_snapshot(page);
    }
    vm_page_mark_dirty(&vm_objects.map, page);
    vm_views_mark_dirty(&vm_objects.map, page);
    return OK;
}

enum error vm_object_write(struct vm_page *page, void **out)
{
    DOES_NOT_SLEEP();
    ASSERT(page->wire_count > 0);
    if (!vm_page_is_resident(page)) {
        return ERROR_NOT_FOUND;
    }
    if (!vm_page_try_lock(page)) {
        return ERROR_BUSY;
    }
    enum error error = make_dirty(page);
    vm_page_unlock(page);
    if (error == OK) {
        *out = frame_address(vm_page_frame(page));
    }
    return error;
}

enum error vm_object_wait(struct vm_page *page)
{
    thread_may_sleep();
    vm_page_lock(page);
    vm_page_unlock(page);
    return vm_copy_wait(vm_page_key(page));
}
