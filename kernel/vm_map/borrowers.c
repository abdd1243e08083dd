/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Borrowers: who else is mapped to a page's frame.
 *
 * Nothing records who borrows a frame. The borrowers are the descendants of its space that have no page of their own at
 * that address: the tree of spaces says who they are.
 */
#include "borrowers.h"
#include "atomic.h"
#include "arch/pmap.h"
#include "internal.h"
#include "links.h"
#include "object_space.h"
#include "vm_lineage.h"

static struct gpn in_space(struct gpn gpn, struct space_id space)
{
    return gpn_make(space, gpn_address(gpn));
}

/*
 * The next descendant whose page borrows the frame of `lender`; none: no more. One that has a page of its own lends to
 * those below it itself.
 */
static struct space_id next_borrower(struct gpn lender, struct space_id at)
{
    struct space_id root = gpn_space(lender);
    bool descend = true;

    while ((at = vm_lineage_next(root, at, descend)).number != 0) {
        struct gpn gpn = in_space(lender, at);
        const struct vm_page *page = vm_map_find(&vm_objects.map, gpn);
        descend = page == NULL || frame_is_none(page->frame);
        if (descend && pmap_query(gpn_place(gpn), NULL)) {
            return at;
        }
    }
    return at;
}

bool vm_borrowers_hold(struct gpn gpn)
{
    struct space_id at = gpn_space(gpn);

    while ((at = next_borrower(gpn, at)).number != 0) {
        const struct vm_page *page = vm_map_find(&vm_objects.map, in_space(gpn, at));
        if (page != NULL && page->wire_count > 0) {
            return true;
        }
    }
    return false;
}

bool vm_borrowers_take_accessed(struct gpn gpn)
{
    struct space_id at = gpn_space(gpn);
    bool accessed = false;

    while ((at = next_borrower(gpn, at)).number != 0) {
        accessed |= pmap_clear_accessed(gpn_place(in_space(gpn, at)));
    }
    return accessed;
}

void vm_borrowers_unmap(struct gpn gpn)
{
    struct space_id at = gpn_space(gpn);

    while ((at = next_borrower(gpn, at)).number != 0) {
        (void)vm_unmap(&vm_objects.map, gpn_place(in_space(gpn, at)));
    }
}

bool vm_page_take_accessed(const struct vm_page *page)
{
    bool accessed = pmap_query(gpn_place(page->gpn), NULL) && pmap_clear_accessed(gpn_place(page->gpn));

    if (vm_lineage_children(gpn_space(page->gpn)) > 0) {
        accessed |= vm_borrowers_take_accessed(page->gpn);
    }
    return accessed;
}

/* PMAP-1 for the page itself, LINEAGE-2 for those who borrow it. */
bool vm_mappings_are_right(const struct vm_page *page)
{
    DOES_NOT_SLEEP();
    struct space_id at = gpn_space(page->gpn);
    uint32_t borrowers = 0, links = 0;

    for (const struct vm_link *link = vm_links_of(&vm_objects.map, page); link != NULL; link = link->next) {
        links++;
    }
    if (pmap_query(gpn_place(page->gpn), NULL) && pmap_frame(gpn_place(page->gpn)).number != page->frame.number) {
        return false;
    }
    while ((at = next_borrower(page->gpn, at)).number != 0) {
        enum pmap_access access;
        struct gpn gpn = in_space(page->gpn, at);
        (void)pmap_query(gpn_place(gpn), &access);
        if (access != PMAP_READ || pmap_is_dirty(gpn_place(gpn)) ||
            pmap_frame(gpn_place(gpn)).number != page->frame.number) {
            return false;
        }
        borrowers++;
    }
    return borrowers == links;
}
