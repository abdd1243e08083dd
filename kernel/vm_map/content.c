/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The content of pages, for the kernel: behind the mapping, through the frame.
 */
#include "arch/frame.h"
#include "atomic.h"
#include "arch/pmap.h"
#include "internal.h"
#include "object_space.h"
#include <string.h>

void vm_write(struct gpn gpn, uint32_t offset, const void *bytes, uint32_t length)
{
    DOES_NOT_SLEEP();
    struct vm_page *page = vm_map_find(&vm_objects.map, gpn);
    enum pmap_access allowed;

    ASSERT(page != NULL && page->wire_count > 0 && offset <= PAGE_SIZE && length <= PAGE_SIZE - offset);
    ASSERT(pmap_query(gpn_place(gpn), &allowed) && allowed == PMAP_WRITE && !pmap_is_closed(gpn_place(gpn)));
    memcpy((uint8_t *)frame_address(page->frame) + offset, bytes, length);
    pmap_mark_dirty(gpn_place(gpn));
}

void *vm_content(struct gpn gpn, enum pmap_access access)
{
    const struct vm_page *page = vm_map_find(&vm_objects.map, gpn);
    enum pmap_access allowed;

    if (page == NULL || !vm_page_is_resident(page)) {
        return NULL;
    }
    if (access == PMAP_WRITE) {
        if (!pmap_query(gpn_place(gpn), &allowed) || allowed != PMAP_WRITE || pmap_is_closed(gpn_place(gpn))) {
            return NULL;
        }
        pmap_mark_dirty(gpn_place(gpn));
    }
    return frame_address(page->frame);
}
