/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Victims of replacement: who may be one, and the end of one that is clean.
 */
#include "victim.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "internal.h"
#include "object_space.h"
#include "views.h"
#include "vm_account.h"

bool vm_victim_may_go(const struct vm_page *page)
{
    return (page->state == VM_PAGE_CLEAN || page->state == VM_PAGE_DIRTY) && page->wire_count == 0 &&
           page->reference_count == 0 && mutex_is_free(&page->mutex) && !vm_snapshot_has(&vm_objects.map, page);
}

bool vm_victim_may_drop(const struct vm_page *page)
{
    return page->state == VM_PAGE_CLEAN && page->wire_count == 0 && page->reference_count == 0 &&
           page->list == VM_LIST_NONE && mutex_is_free(&page->mutex) && !vm_views_are_dirty(page);
}

void vm_victim_drop(struct vm_map *map, struct vm_page *page)
{
    struct frame frame;
    enum error error = vm_page_drop(map, page, &frame);

    ASSERT(error == OK);
    frame_free(frame);
    vm_page_unlock(page);
    vm_account_count(vm_page_window(page), EIDOLON_PAGES_OUT);
    vm_map_forget(map, page);
}
