/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Views: what is asked and done of a page wherever it is seen, at its own place and through its links (links.h). Each
 * costs what the page has of them.
 */
#include "views.h"
#include "atomic.h"
#include "arch/pmap.h"
#include "frame_use.h"
#include "internal.h"
#include "links.h"
#include "object_space.h"
#include "vm_lineage.h"
#include "vm_snapshot.h"

/* The entry at a page's own place, if it has one there. */
static bool own_entry(const struct vm_page *page, struct place *out)
{
    *out = vm_page_place(page);
    return vm_page_has_place(page) && pmap_query(*out, NULL);
}

bool vm_views_are_dirty(const struct vm_page *page)
{
    struct place own;
    bool dirty = own_entry(page, &own) && pmap_is_dirty(own);

    for (const struct vm_link *link = vm_links_of(&vm_objects.map, page); link != NULL && !dirty; link = link->next) {
        dirty = pmap_is_dirty(link->place);
    }
    return dirty;
}

bool vm_views_unmap(struct vm_map *map, const struct vm_page *page)
{
    bool dirty = vm_unmap_links(map, page);

    return (vm_page_has_place(page) && pmap_remove(vm_page_place(page))) || dirty;
}

/* Becoming dirty, and clean ---------------------------------------------------------------------------------------- */

static bool is_writable(struct place place)
{
    enum pmap_access access;

    return pmap_query(place, &access) && access == PMAP_WRITE;
}

void vm_views_protect(const struct vm_map *map, const struct vm_page *page)
{
    if (vm_page_has_place(page) && is_writable(vm_page_place(page))) {
        pmap_protect(vm_page_place(page), PMAP_READ);
    }
    for (const struct vm_link *link = vm_links_of(map, page); link != NULL; link = link->next) {
        if (is_writable(link->place)) {
            pmap_protect(link->place, PMAP_READ);
        }
    }
}

void vm_views_mark_dirty(const struct vm_map *map, const struct vm_page *page)
{
    for (const struct vm_link *link = vm_links_of(map, page); link != NULL; link = link->next) {
        if (is_writable(link->place)) {
            pmap_mark_dirty(link->place);
        }
    }
}

/* A D bit that was set before the stop: what the page holds is the snapshot's. */
static void list_for_snapshot(struct vm_map *map, struct vm_page *page)
{
    if (page->state == VM_PAGE_CLEAN) {
        vm_snapshot_add(map, page);
    }
    if (vm_snapshot_must_copy(map, page)) {
        vm_views_protect(map, page);
    }
}

void vm_collect(struct vm_map *map, struct vm_page *page)
{
    for (const struct vm_link *link = vm_links_of(map, page); link != NULL; link = link->next) {
        if (pmap_is_dirty(link->place) && pmap_is_closed(link->place)) {
            list_for_snapshot(map, page);
            return;
        }
    }
}

void vm_view_unmap(struct vm_map *map, struct place place)
{
    struct vm_page *page = vm_frame_page(map, pmap_frame(place));

    if (pmap_is_dirty(place) && pmap_is_closed(place)) {
        list_for_snapshot(map, page);
    }
    if (vm_unmap(map, place) && page->state == VM_PAGE_CLEAN) {
        vm_page_mark_dirty(map, page);
        vm_views_mark_dirty(map, page);
    }
}

void vm_view_allow_write(const struct vm_page *page, struct place place)
{
    struct vm_allowance allowance;

    if (vm_objects.policy->check(place, PMAP_WRITE, &allowance) == OK &&
        vm_page_is(page, vm_shown(place, &allowance))) {
        pmap_protect(place, PMAP_WRITE);
        if (page->state == VM_PAGE_DIRTY) {
            pmap_mark_dirty(place);
        }
    }
}

void vm_views_clean(const struct vm_page *page)
{
    struct place own;

    if (own_entry(page, &own)) {
        (void)pmap_clear_dirty(own);
        vm_view_allow_write(page, own);
    }
    for (const struct vm_link *link = vm_links_of(&vm_objects.map, page); link != NULL; link = link->next) {
        (void)pmap_clear_dirty(link->place);
        vm_view_allow_write(page, link->place);
    }
}

/* Collecting, for a snapshot --------------------------------------------------------------------------------------- */

static void collect_view(struct place place, struct frame frame, void *map)
{
    (void)place;
    list_for_snapshot(map, vm_frame_page(map, frame));
}

void vm_collect_chunk(struct place chunk)
{
    DOES_NOT_SLEEP();
    if (pmap_is_closed(chunk)) { /* at this moment: what an open one has is from after the stop */
        (void)pmap_visit_views(chunk, collect_view, &vm_objects.map);
    }
}

void vm_end_collecting(void)
{
    vm_objects.map.views_collected = true;
}

bool vm_page_take_accessed(const struct vm_page *page)
{
    struct place own;
    bool accessed = own_entry(page, &own) && pmap_clear_accessed(own);

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

    while (at.number != page_key_object(vm_page_key(page)).number) {
        const struct vm_page *own = vm_map_find(&vm_objects.map, page_key_at(at, place_address(place)));
        if (at.number == 0 || steps++ == SPACES_MAX || (own != NULL && vm_page_is_resident(own))) {
            return false;
        }
        at = vm_lineage_source(at);
    }
    return place_address(place).value == page_key_address(vm_page_key(page)).value;
}

/* Whether a place shows the page of its base, because nobody has one of its own; or the range is being taken away. */
static bool is_shown_as_base(const struct vm_page *page, struct place place)
{
    struct page_key at = place_key(place);
    struct vm_allowance allowance;

    if (vm_objects.policy->check(place, PMAP_READ, &allowance) != OK) {
        return true;
    }
    do {
        const struct vm_page *own = vm_map_find(&vm_objects.map, at);
        if (own != NULL && vm_page_is_resident(own)) {
            return false;
        }
    } while (vm_go_up(place, &at));
    return allowance.has_base && vm_page_is(page, allowance.shown);
}

/* VIEW-3 and 4 as far as one view goes. */
static bool is_view_right(const struct vm_page *page, struct place place)
{
    enum pmap_access access;
    bool may_write = pmap_query(place, &access) && access == PMAP_WRITE;

    if (pmap_frame(place).number != vm_page_frame(page).number) {
        return false;
    }
    if (may_write && !pmap_is_closed(place) && vm_snapshot_must_copy(&vm_objects.map, page)) {
        return false;
    }
    return !may_write || page->state != VM_PAGE_DIRTY || (pmap_is_dirty(place) && pmap_is_noted(place));
}

/* VIEW-5 and 6: who can write to a page has made sure that the snapshot knows what it held at the stop. */
static bool is_collected_if_it_must(const struct vm_page *page)
{
    bool is_hidden = false, is_open = vm_objects.map.views_collected;

    for (const struct vm_link *link = vm_links_of(&vm_objects.map, page); link != NULL; link = link->next) {
        bool is_closed = pmap_is_closed(link->place);
        is_hidden |= is_closed && pmap_is_dirty(link->place) && page->state == VM_PAGE_CLEAN;
        is_open |= !is_closed && is_writable(link->place);
    }
    return !is_hidden || !is_open;
}

static bool is_lent_rightly(const struct vm_page *page, struct place place)
{
    enum pmap_access access;

    return pmap_query(place, &access) && pmap_frame(place).number == vm_page_frame(page).number &&
           access == PMAP_READ && !pmap_is_dirty(place) &&
           (vm_page_has_place(page) ? is_nearest(page, place) : is_shown_as_base(page, place));
}

/* PLACE-1 for the page itself, LINEAGE-2 for those who borrow it, VIEW-2 to 6 for views. */
bool vm_mappings_are_right(const struct vm_page *page)
{
    DOES_NOT_SLEEP();
    struct place own;

    if (own_entry(page, &own) && pmap_frame(own).number != vm_page_frame(page).number) {
        return false;
    }
    for (const struct vm_link *link = vm_links_of(&vm_objects.map, page); link != NULL; link = link->next) {
        if (pmap_is_view(link->place) ? !is_view_right(page, link->place) : !is_lent_rightly(page, link->place)) {
            return false;
        }
    }
    return is_collected_if_it_must(page);
}
