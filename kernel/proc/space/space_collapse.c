/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collapse: the memory of a space and its source become one again when nobody else needs the source.
 *
 * First what the space sees nothing of: in holes, and in ranges that were mapped since, the source's pages are of no
 * use to anyone, and go. Then the regions of those ranges may be as deep as the source, which has nothing there. Then
 * the pages: the memory gives them to its source. A cut or a failure in between changes nothing that the program could
 * see, and whoever comes next goes on. Then, in one step, the space has the source for its memory.
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

/* The space sees nothing of the source's pages [first, end), which may be none: they go. */
static enum error clear_range(struct space_id source, uint32_t first, uint32_t end)
{
    return first < end ? vm_discard_if_any(page_in(source, first), end - first) : OK;
}

/* All pages of the source that the space sees nothing of. What it maps meanwhile is deeper, so it loses nothing. */
static enum error clear_hidden(struct address_space space, struct space_id source)
{
    uint32_t depth = vm_lineage_depth(source), hidden = USER_FIRST_PAGE, end = USER_FIRST_PAGE;
    const struct vm_region *region;
    enum error error = OK;

    while (error == OK && (region = vm_region_next(&region_table, space_at(space)->region_root, end)) != NULL) {
        uint32_t first = region->first_page > end ? region->first_page : end;
        end = vm_region_end(region);
        if (region->backing.kind == VM_BACKING_MEMORY && region->backing.depth <= depth) {
            error = clear_range(source, hidden, first);
            hidden = end;
        }
    }
    return error == OK ? clear_range(source, hidden, USER_END_PAGE) : error;
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

/* One instant for everybody. */
static void become_source(struct address_space space, struct space_id source)
{
    struct space_id window = space_window(space);

    atomic_begin();
    restrict_to_regions(source, space_at(space)->region_root);
    memory_at(source)->state = MEMORY_OWNED;
    space_change_memory(space, source);
    memory_forget(window);
    atomic_end();
}

static bool is_only_child(struct space_id window)
{
    struct space_id source = vm_lineage_source(window);

    return source.number != 0 && vm_lineage_children(source) == 1;
}

/*
 * Whether nobody but the current task runs in a space: its owner has one task, and so has the program that runs there
 * in its place, which holds it. What siblings write while pages move would be lost.
 */
static bool is_alone(struct address_space space)
{
    struct program_id owner = space_owner(space);

    return program_at(owner)->task_count <= 1 && task_current()->program->task_count <= 1;
}

enum error space_collapse(struct address_space space)
{
    thread_may_sleep();
    enum error error = OK;

    while (error == OK && is_alone(space) && is_only_child(space_window(space))) {
        struct space_id window = space_window(space);
        struct space_id source = vm_lineage_source(window);
        error = clear_hidden(space, source);
        if (error == OK) {
            vm_region_cut_depths(&region_table, &space_at(space)->region_root, vm_lineage_depth(source));
            error = vm_give_to_source(window);
        }
        if (error == OK) {
            /* what it had borrowed */
            error = vm_discard(page_in(window, USER_FIRST_PAGE), USER_END_PAGE - USER_FIRST_PAGE);
        }
        if (error == OK) {
            become_source(space, source);
        }
    }
    return error;
}

/* Sources ---------------------------------------------------------------------------------------------------------- */

/* The space does without its nearest source, all of whose pages it has copied. */
static void leave_source(struct address_space space)
{
    struct space_id window = space_window(space);
    struct space_id source = vm_lineage_source(window);

    atomic_begin();
    memory_set_source(window, vm_lineage_source(source));
    vm_region_cut_depths(&region_table, &space_at(space)->region_root, vm_lineage_depth(window));
    atomic_end();
    memory_collect(source); /* its other children may have ended meanwhile */
}

enum error space_bound_sources(struct address_space space)
{
    struct space_id window = space_window(space);
    enum error error = OK;

    if (vm_lineage_depth(window) < SOURCES_MAX) {
        return OK;
    }
    while (error == OK && vm_lineage_source(window).number != 0) {
        error = vm_take_from_source(window);
        if (error == OK) {
            leave_source(space);
        }
    }
    return error;
}
