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

void vm_write(struct page_key key, uint32_t offset, const void *bytes, uint32_t length)
{
    DOES_NOT_SLEEP();
    struct vm_page *page = vm_map_find(&vm_objects.map, key);
    enum pmap_access allowed;

    ASSERT(page != NULL && page->wire_count > 0 && offset <= PAGE_SIZE && length <= PAGE_SIZE - offset);
    ASSERT(pmap_query(page_key_place(key), &allowed) && allowed == PMAP_WRITE && !pmap_is_closed(page_key_place(key)));
    memcpy((uint8_t *)frame_address(vm_page_frame(page)) + offset, bytes, length);
    pmap_mark_dirty(page_key_place(key));
}

void *vm_content(struct page_key key, enum pmap_access access)
{
    const struct vm_page *page = vm_map_find(&vm_objects.map, key);
    enum pmap_access allowed;

    if (page == NULL || !vm_page_is_resident(page)) {
        return NULL;
    }
    if (access == PMAP_WRITE) {
        ASSERT(page_key_has_place(key));
        if (!pmap_query(page_key_place(key), &allowed) || allowed != PMAP_WRITE ||
            pmap_is_closed(page_key_place(key))) {
            return NULL;
        }
        pmap_mark_dirty(page_key_place(key));
    }
    return frame_address(vm_page_frame(page));
}
