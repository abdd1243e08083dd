/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls about memory that is resident: locks, which change nothing since memory does not go away, and mincore().
 */
#include "arch/pmap.h"
#include "atomic.h"
#include "calls.h"
#include "space/address_space.h"
#include "space/space.h"
#include "vm_fault.h"
#include "vm_map.h"

#define MCL_CURRENT 1u
#define MCL_FUTURE  2u
#define MCL_ONFAULT 4u

#define PIECE_PAGES 512u /* that are looked at without a break */

/* Locks ------------------------------------------------------------------------------------------------------------ */

static bool is_mapped(struct address_space space, uint32_t first, uint32_t count)
{
    return address_space_contains(first, count) &&
           vm_region_is_legitimate(&region_table, space_at(space)->region_root, first, count, 0);
}

/* Every page of which there is a byte in the range; that it need not begin with a page is Linux's rule. */
int32_t call_mlock(const struct system_call *call)
{
    uint32_t address = call->arguments[0], length = call->arguments[1];
    uint32_t first = address >> PAGE_SHIFT;

    if (length == 0) {
        return 0;
    }
    if (length - 1 > UINT32_MAX - address) {
        return -EINVAL;
    }
    uint32_t count = ((address + (length - 1)) >> PAGE_SHIFT) - first + 1;
    return is_mapped(address_space_of(call->task->program_id), first, count) ? 0 : -ENOMEM;
}

int32_t call_mlockall(const struct system_call *call)
{
    uint32_t flags = call->arguments[0];

    return (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0 || flags == 0 || flags == MCL_ONFAULT ? -EINVAL : 0;
}

int32_t call_munlockall(const struct system_call *call)
{
    (void)call;
    return 0;
}

/* mincore() -------------------------------------------------------------------------------------------------------- */

static bool has_frame(struct page_key key)
{
    const struct vm_page *page = vm_map_find(vm_object_space(), key);

    return page != NULL && !frame_is_none(vm_page_frame(page));
}

/* What others have in memory, and this program has not touched, may count as absent. */
static bool is_resident(struct address_space space, const struct vm_region *region, uint32_t page)
{
    struct page_key own = page_key_at(space_window(space), (struct vaddr){page << PAGE_SHIFT});

    return pmap_query(page_key_place(own), NULL) || has_frame(own) ||
           (vm_backing_has_object(&region->backing) &&
            has_frame(page_key_make(region->backing.object, region->backing.offset + page - region->first_page)));
}

/* Does not sleep. */
static void look(struct address_space space, uint32_t first, uint32_t count, uint8_t *out)
{
    DOES_NOT_SLEEP();
    const struct vm_region *region = NULL;

    for (uint32_t page = first; page < first + count; page++) {
        if (region == NULL || page >= vm_region_end(region)) {
            region = vm_region_find(&region_table, space_at(space)->region_root, page);
        }
        out[page - first] = is_resident(space, region, page);
    }
}

/* As on Linux, what it has found up to a hole is told. */
int32_t call_mincore(const struct system_call *call)
{
    struct address_space space = address_space_of(call->task->program_id);
    uint32_t first = call->arguments[0] >> PAGE_SHIFT, length = call->arguments[1], done = 0;
    uint32_t count = (length >> PAGE_SHIFT) + ((length & PAGE_MASK) != 0 ? 1 : 0);
    uint8_t piece[PIECE_PAGES];

    if ((call->arguments[0] & PAGE_MASK) != 0) {
        return -EINVAL;
    }
    if (count > 0 && !address_space_contains(first, count)) {
        return -ENOMEM;
    }
    while (done < count) {
        uint32_t part = count - done < PIECE_PAGES ? count - done : PIECE_PAGES;
        if (!is_mapped(space, first + done, part)) {
            return -ENOMEM;
        }
        look(space, first + done, part, piece);
        int32_t result = copy_out(call->arguments[2] + done, piece, part);
        if (result != 0) {
            return result;
        }
        done += part;
        call_let_others_run();
    }
    return 0;
}
