/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Views: what is asked and done of a page wherever it is seen, at its own place and through its links (links.h). Each costs
 * what the page has of them.
 */
#include "views.h"
#include "atomic.h"
#include "arch/pmap.h"
#include "internal.h"
#include "links.h"
#include "object_space.h"
#include "vm_lineage.h"

bool vm_views_hold(const struct vm_page *page)
{
    for (const struct vm_link *link = vm_links_of(&vm_objects.map, page); link != NULL; link = link->next) {
        if (vm_link_is_held(&vm_objects.map, link)) {
            return true;
        }
    }
    return false;
}

bool vm_views_are_dirty(const struct vm_page *page)
{
    struct place own = gpn_place(page->gpn);

    return pmap_query(own, NULL) && pmap_is_dirty(own); /* a lent entry never has D: VIEW-2 */
}

bool vm_views_unmap(struct vm_map *map, const struct vm_page *page)
{
    bool dirty = vm_unmap_links(map, page);

    return pmap_remove(gpn_place(page->gpn)) || dirty;
}

bool vm_page_take_accessed(const struct vm_page *page)
{
    struct place own = gpn_place(page->gpn);
    bool accessed = pmap_query(own, NULL) && pmap_clear_accessed(own);

    for (const struct vm_link *link = vm_links_of(&vm_objects.map, page); link != NULL; link = link->next) {
        accessed |= pmap_clear_accessed(link->place);
    }
    return accessed;
}

/* LINEAGE-2: whether a search for what is seen at a place comes to the page first. */
static bool is_nearest(const struct vm_page *page, struct place place)
{
    struct space_id at = place_space(place);
    uint32_t steps = 0;

    while (at.number != gpn_space(page->gpn).number) {
        const struct vm_page *own = vm_map_find(&vm_objects.map, gpn_make(at, place_address(place)));
        if (at.number == 0 || steps++ == SPACES_MAX || (own != NULL && vm_page_is_resident(own))) {
            return false;
        }
        at = vm_lineage_source(at);
    }
    return place_address(place).value == gpn_address(page->gpn).value;
}

static bool is_lent_rightly(const struct vm_page *page, struct place place)
{
    enum pmap_access access;

    return pmap_query(place, &access) && pmap_frame(place).number == page->frame.number && access == PMAP_READ &&
           !pmap_is_dirty(place) && is_nearest(page, place);
}

/* PMAP-1 for the page itself, LINEAGE-2 for those who borrow it. */
bool vm_mappings_are_right(const struct vm_page *page)
{
    DOES_NOT_SLEEP();
    struct place own = gpn_place(page->gpn);

    if (pmap_query(own, NULL) && pmap_frame(own).number != page->frame.number) {
        return false;
    }
    for (const struct vm_link *link = vm_links_of(&vm_objects.map, page); link != NULL; link = link->next) {
        if (!is_lent_rightly(page, link->place)) {
            return false;
        }
    }
    return true;
}
