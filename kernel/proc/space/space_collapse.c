/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collapse: the memory of a space and its source become one again when nobody else needs the source.
 *
 * The regions first: where the program has something else than a copy of the source, the source's pages are of no use
 * to anyone; they go, the source gets the region, and the program a copy of that. Each step leaves both in order, so a
 * cut or a failure in between changes nothing that the program could see. Then the pages: the space gives them to its
 * source. Then, in one step, the program moves: it gets the source's regions with the rights of its own, and the
 * source's space.
 */
#include "atomic.h"
#include "address_space.h"
#include "log.h"
#include "space.h"
#include "vm_fault.h"
#include "vm_lineage.h"

static struct page_key page_in(struct space_id space, uint32_t page)
{
    return (struct page_key){space.number << 20 | page};
}

/* The program sees nothing of the source's pages [first, end), which may be none: they go. */
static enum error clear_source(struct space_id source, uint32_t first, uint32_t end)
{
    uint32_t *regions = memory_regions(source);
    const struct vm_region *region = vm_region_next(&region_table, *regions, first);

    if (first == end || region == NULL || region->first_page >= end) {
        return OK;
    }
    enum error error = vm_discard(page_in(source, first), end - first);
    if (error == OK) {
        error = vm_region_reserve(&region_table);
    }
    return error == OK ? vm_region_release(&region_table, regions, first, end - first) : error;
}

/* Pages of a region of the program's own become the source's, and the program's a copy of them. */
static enum error hand_over(struct address_space space, struct space_id source, uint32_t first, uint32_t end)
{
    const struct vm_region *region = vm_region_find(&region_table, space_at(space)->region_root, first);
    struct vm_region_attributes attributes = {region->protection, region->flags, region->backing};
    uint32_t count = end - first;
    enum error error = clear_source(source, first, end);

    if (error == OK) {
        error = vm_region_reserve(&region_table);
    }
    if (error == OK) {
        error = vm_region_insert(&region_table, memory_regions(source), first, count, &attributes);
    }
    if (error != OK) {
        return error;
    }
    attributes.backing = (struct vm_backing){.kind = VM_BACKING_COPY, .object = source.number};
    error = vm_region_release(&region_table, &space_at(space)->region_root, first, count);
    ASSERT(error == OK);
    error = vm_region_insert(&region_table, &space_at(space)->region_root, first, count, &attributes);
    ASSERT(error == OK);
    return OK;
}

/*
 * The first page of the program at or above `page` that is in a region, and the end of that region; USER_END_PAGE:
 * none.
 */
static const struct vm_region *next_part(struct address_space space, uint32_t page, uint32_t *first, uint32_t *end)
{
    const struct vm_region *region = vm_region_next(&region_table, space_at(space)->region_root, page);

    *first = *end = USER_END_PAGE;
    if (region != NULL) {
        *first = region->first_page > page ? region->first_page : page;
        *end = vm_region_end(region);
    }
    return region;
}

/*
 * The source ends up with what the program has, and nothing else. What has been handed over may have become one region
 * with what follows, so each step goes on from a page, and takes of a region only what lies above it.
 */
static enum error collapse_regions(struct address_space space, struct space_id source)
{
    enum error error = OK;
    uint32_t first, end;

    for (uint32_t page = USER_FIRST_PAGE; error == OK && page < USER_END_PAGE; page = end) {
        const struct vm_region *region = next_part(space, page, &first, &end);
        uint32_t kind = region != NULL ? region->backing.kind : VM_BACKING_NONE;
        error = clear_source(source, page, kind == VM_BACKING_NONE ? end : first);
        if (error == OK && kind != VM_BACKING_NONE && kind != VM_BACKING_COPY) {
            error = hand_over(space, source, first, end);
        }
    }
    return error;
}

/*
 * The source's page tables still allow what its regions did when the program last lived there, and what giving it pages
 * took: no more than the program's regions do from now on.
 */
static void restrict_to_regions(struct space_id space, uint32_t root)
{
    const struct vm_region *region;

    for (uint32_t page = 0; (region = vm_region_next(&region_table, root, page)) != NULL;
         page = vm_region_end(region)) {
        vm_restrict(page_key_place(page_in(space, region->first_page)), region->page_count, region->protection != 0,
                    (region->protection & VM_WRITE) != 0);
    }
}

/* Nothing sleeps in here but the reserving: one instant for everybody. */
static enum error become_source(struct address_space space, struct space_id source)
{
    struct space_id window = space_window(space);
    uint32_t *regions = &space_at(space)->region_root;
    uint32_t root;
    enum error error = vm_region_reserve_compose(&region_table, regions, memory_regions(source));

    if (error == OK) {
        error = vm_region_compose(&region_table, *regions, *memory_regions(source), &root);
    }
    if (error != OK) {
        return error;
    }
    atomic_begin();
    vm_region_clear(&region_table, regions);
    vm_region_clear(&region_table, memory_regions(source));
    restrict_to_regions(source, root);
    memory_at(source)->state = MEMORY_OWNED;
    space_change_memory(space, source, root);
    memory_forget(window);
    atomic_end();
    return OK;
}

static bool is_only_child(struct space_id window)
{
    struct space_id source = vm_lineage_source(window);

    return source.number != 0 && vm_lineage_children(source) == 1 && !memory_is_image(source);
}

enum error space_collapse(struct address_space space)
{
    thread_may_sleep();
    enum error error = OK;

    while (error == OK && is_only_child(space_window(space))) {
        struct space_id window = space_window(space);
        struct space_id source = vm_lineage_source(window);
        error = collapse_regions(space, source);
        if (error == OK) {
            error = vm_give_to_source(window);
        }
        if (error == OK) {
            /* what it had borrowed */
            error = vm_discard(page_in(window, USER_FIRST_PAGE), USER_END_PAGE - USER_FIRST_PAGE);
        }
        if (error == OK) {
            error = become_source(space, source);
        }
    }
    return error;
}

/* Sources ---------------------------------------------------------------------------------------------------------- */

static bool has_source(struct space_id window)
{
    struct space_id source = vm_lineage_source(window);

    return source.number != 0 && !memory_is_image(source);
}

static uint32_t count_sources(struct space_id window)
{
    uint32_t count = 0;

    while (has_source(window)) {
        window = vm_lineage_source(window);
        count++;
    }
    return count;
}

/* The space does without its nearest source, all of whose pages it has copied. */
static enum error leave_source(struct address_space space)
{
    struct space_id window = space_window(space);
    struct space_id source = vm_lineage_source(window);
    uint32_t *regions = &space_at(space)->region_root;
    uint32_t root;
    enum error error = vm_region_reserve_compose(&region_table, regions, memory_regions(source));

    if (error == OK) {
        error = vm_region_compose(&region_table, *regions, *memory_regions(source), &root);
    }
    if (error == OK) {
        vm_region_clear(&region_table, regions);
        *regions = root;
        memory_set_source(window, vm_lineage_source(source));
        memory_collect(source); /* its other children may have ended meanwhile */
    }
    return error;
}

enum error space_bound_sources(struct address_space space)
{
    struct space_id window = space_window(space);
    enum error error = OK;

    if (count_sources(window) < SOURCES_MAX) {
        return OK;
    }
    while (error == OK && has_source(window)) {
        error = vm_take_from_source(window);
        if (error == OK) {
            error = leave_source(space);
        }
    }
    return error;
}
