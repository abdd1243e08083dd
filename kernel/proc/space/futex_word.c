/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which futex a word is. See futex_word.h.
 */
#include "futex_word.h"
#include "atomic.h"
#include "regions.h"
#include "space.h"

struct futex_key futex_key(struct address_space space, uint32_t address)
{
    DOES_NOT_SLEEP();
    uint32_t page = address >> PAGE_SHIFT;
    const struct vm_region *region = vm_region_find(&region_table, space_at(space)->region_root, page);

    if (region == NULL || region->backing.kind != VM_BACKING_OBJECT) {
        return futex_in_space(space, address);
    }
    uint32_t index = region->backing.offset + page - region->first_page;
    return futex_in_object(region->backing.object, index << PAGE_SHIFT | (address & PAGE_MASK));
}
