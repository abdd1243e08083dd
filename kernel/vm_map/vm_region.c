/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions: lookup, and the changes that keep them few.
 *
 * The order of work in each change is the same: check the arguments, look at all that is concerned, make sure of the
 * records it takes, and only then touch anything. A region is cut only where something about its parts will differ, and
 * whatever came to continue its neighbour is joined with it, so that the number of regions follows what programs
 * have and not how they came to have it.
 *
 * What a region means to a fault is decided elsewhere; here it is a range with attributes.
 */
#include "atomic.h"
#include "vm_region_tree.h"

static uint32_t neighbour(const struct vm_region_table *table, uint32_t index, enum vm_region_side side)
{
    return vm_region_tree_neighbour(table, index, side);
}

/* Lookup ----------------------------------------------------------------------------------------------------------- */

/* The first region that ends above `page`; 0: none. */
static uint32_t first_above(const struct vm_region_table *table, uint32_t root, uint32_t page)
{
    uint32_t index = root, found = 0;

    while (index != 0) {
        const struct vm_region *node = vm_region_at(table, index);
        if (page < vm_region_end(node)) {
            found = index;
            if (page >= node->first_page) {
                break;
            }
        }
        index = node->child[page < node->first_page ? VM_REGION_BELOW : VM_REGION_ABOVE];
    }
    return found;
}

const struct vm_region *vm_region_next(const struct vm_region_table *table, uint32_t root, uint32_t page)
{
    uint32_t index = first_above(table, root, page);

    return index == 0 ? NULL : vm_region_at(table, index);
}

const struct vm_region *vm_region_find(const struct vm_region_table *table, uint32_t root, uint32_t page)
{
    const struct vm_region *region = vm_region_next(table, root, page);

    return region != NULL && region->first_page <= page ? region : NULL;
}

/* Whether regions without a hole hold [first, end), each allowing all of `protection`; ERROR_NOT_FOUND: a hole. */
static enum error check_cover(const struct vm_region_table *table, uint32_t root, uint32_t first, uint32_t end,
                              uint8_t protection)
{
    uint32_t index = first_above(table, root, first);

    for (uint32_t page = first; page < end; page = vm_region_end(vm_region_at(table, index))) {
        if (page != first) {
            index = neighbour(table, index, VM_REGION_ABOVE);
        }
        if (index == 0 || vm_region_at(table, index)->first_page > page) {
            return ERROR_NOT_FOUND;
        }
        const struct vm_region *region = vm_region_at(table, index);
        if (region->backing.kind == VM_BACKING_NONE || (region->protection & protection) != protection) {
            return ERROR_DENIED;
        }
    }
    return OK;
}

bool vm_region_is_legitimate(const struct vm_region_table *table, uint32_t root, uint32_t first, uint32_t count,
                             uint8_t protection)
{
    return vm_region_range_is_sound(first, count) && check_cover(table, root, first, first + count, protection) == OK;
}

/* Changes to one region -------------------------------------------------------------------------------------------- */

/* What is shown from another page of a region on, or below it; the page may lie outside. */
static void shift_offset(struct vm_region *region, uint32_t first)
{
    if (vm_backing_has_object(&region->backing)) {
        region->backing.offset += first - region->first_page;
    }
}

/* Move the ends of a region to [first, end), within what its neighbours leave. */
static void resize(struct vm_region_table *table, uint32_t *root, uint32_t index, uint32_t first, uint32_t end)
{
    struct vm_region *region = vm_region_at(table, index);

    shift_offset(region, first);
    region->first_page = first;
    region->page_count = end - first;
    vm_region_tree_update(table, root, index);
}

static void add(struct vm_region_table *table, uint32_t *root, const struct vm_region *region)
{
    uint32_t index = vm_region_record_take(table);
    struct vm_region *record = vm_region_at(table, index);

    record->first_page = region->first_page;
    record->page_count = region->page_count;
    record->protection = region->protection;
    record->flags = region->flags;
    record->backing = region->backing;
    vm_region_refer(table, record, 1);
    vm_region_tree_insert(table, root, index);
}

static void remove_region(struct vm_region_table *table, uint32_t *root, uint32_t index)
{
    vm_region_tree_remove(table, root, index);
    vm_region_record_give(table, index);
}

/* Make two regions of the one that holds the pages on both sides of `page`; takes a record. */
static void cut(struct vm_region_table *table, uint32_t *root, uint32_t index, uint32_t page)
{
    struct vm_region above = *vm_region_at(table, index);

    above.page_count = vm_region_end(&above) - page;
    shift_offset(&above, page);
    above.first_page = page;
    resize(table, root, index, vm_region_at(table, index)->first_page, page);
    add(table, root, &above);
}

/* Join a region with its neighbour above if that continues it. Returns whether it did. */
static bool join_above(struct vm_region_table *table, uint32_t *root, uint32_t index)
{
    uint32_t above = neighbour(table, index, VM_REGION_ABOVE);
    const struct vm_region *region = vm_region_at(table, index);

    if (above == 0 || !vm_region_continues(region, vm_region_at(table, above))) {
        return false;
    }
    uint32_t end = vm_region_end(vm_region_at(table, above));
    remove_region(table, root, above);
    resize(table, root, index, region->first_page, end);
    return true;
}

/* Insertion -------------------------------------------------------------------------------------------------------- */

/* A region as the caller describes it, its backing in normal form. */
static struct vm_region describe(uint32_t first, uint32_t count, const struct vm_region_attributes *attributes)
{
    struct vm_region region = {.first_page = first,
                               .page_count = count,
                               .backing = attributes->backing,
                               .protection = attributes->protection,
                               .flags = attributes->flags};

    if (region.backing.kind != VM_BACKING_MEMORY) {
        region.backing.depth = 0;
    }
    if (region.backing.kind == VM_BACKING_NONE) {
        region.backing.object.number = 0;
    }
    if (!vm_backing_has_object(&region.backing)) {
        region.backing.offset = 0;
    }
    return region;
}

enum error vm_region_insert(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t count,
                            const struct vm_region_attributes *attributes)
{
    if (!vm_region_range_is_sound(first, count)) {
        return ERROR_RANGE;
    }
    struct vm_region region = describe(first, count, attributes);
    if (!vm_region_attributes_are_sound(&region)) {
        return ERROR_INVALID;
    }
    uint32_t above = first_above(table, *root, first);
    if (above != 0 && vm_region_at(table, above)->first_page < first + count) {
        return ERROR_EXISTS;
    }
    uint32_t below =
        above != 0 ? neighbour(table, above, VM_REGION_BELOW) : vm_region_tree_outermost(table, *root, VM_REGION_ABOVE);

    if (below != 0 && vm_region_continues(vm_region_at(table, below), &region)) {
        resize(table, root, below, vm_region_at(table, below)->first_page, first + count);
        join_above(table, root, below);
        return OK;
    }
    if (above != 0 && vm_region_continues(&region, vm_region_at(table, above))) {
        resize(table, root, above, first, vm_region_end(vm_region_at(table, above)));
        return OK;
    }
    if (vm_region_records_available(table) < 1) {
        return ERROR_NO_MEMORY;
    }
    add(table, root, &region);
    return OK;
}

enum error vm_region_grow_down(struct vm_region_table *table, uint32_t *root, uint32_t page, uint32_t distance_max,
                               uint32_t guard_pages, uint32_t depth)
{
    uint32_t above = first_above(table, *root, page);

    if (above == 0 || (vm_region_at(table, above)->flags & VM_REGION_GROWS_DOWN) == 0) {
        return ERROR_NOT_FOUND;
    }
    const struct vm_region *region = vm_region_at(table, above);
    if (region->first_page <= page) {
        return OK;
    }
    uint32_t below = neighbour(table, above, VM_REGION_BELOW);
    bool is_guarded = below == 0 || page - vm_region_end(vm_region_at(table, below)) >= guard_pages;
    if (region->first_page - page > distance_max || !is_guarded) {
        return ERROR_NOT_FOUND;
    }
    struct vm_region_attributes attributes = {.protection = region->protection,
                                              .flags = region->flags,
                                              .backing = {.kind = VM_BACKING_MEMORY, .depth = (uint16_t)depth}};
    return vm_region_insert(table, root, page, region->first_page - page, &attributes);
}

/* Release and protection ------------------------------------------------------------------------------------------- */

enum error vm_region_release(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t count)
{
    uint32_t end = first + count;

    if (!vm_region_range_is_sound(first, count)) {
        return ERROR_RANGE;
    }
    uint32_t index = first_above(table, *root, first);
    bool sticks_out_below = index != 0 && vm_region_at(table, index)->first_page < first;
    bool splits = sticks_out_below && vm_region_end(vm_region_at(table, index)) > end;
    if (splits && vm_region_records_available(table) < 1) {
        return ERROR_NO_MEMORY;
    }
    if (splits) {
        cut(table, root, index, end);
    }
    if (sticks_out_below) {
        resize(table, root, index, vm_region_at(table, index)->first_page, first);
        index = neighbour(table, index, VM_REGION_ABOVE);
    }
    while (index != 0 && vm_region_end(vm_region_at(table, index)) <= end) {
        uint32_t next = neighbour(table, index, VM_REGION_ABOVE);
        remove_region(table, root, index);
        index = next;
    }
    if (index != 0 && vm_region_at(table, index)->first_page < end) {
        resize(table, root, index, end, vm_region_end(vm_region_at(table, index)));
    }
    return OK;
}

/* The region that has to be cut at `page` so that what is on one side of it can get another protection; 0: none. */
static uint32_t needs_cut(const struct vm_region_table *table, uint32_t root, uint32_t page, uint8_t protection)
{
    uint32_t index = first_above(table, root, page);

    if (index == 0 || vm_region_at(table, index)->first_page >= page ||
        vm_region_at(table, index)->protection == protection) {
        return 0;
    }
    return index;
}

static void cut_if_needed(struct vm_region_table *table, uint32_t *root, uint32_t page, uint8_t protection)
{
    uint32_t index = needs_cut(table, *root, page, protection);

    if (index != 0) {
        cut(table, root, index, page);
    }
}

/* A record is written only if that changes it, so that its page stays clean. */
static void set_protection(struct vm_region_table *table, uint32_t index, uint8_t protection)
{
    if (vm_region_at(table, index)->protection != protection) {
        vm_region_at(table, index)->protection = protection;
    }
}

/* Join what continues its neighbour, from the region that ends at `first` to the one that begins at `end`. */
static void join_range(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t end)
{
    uint32_t index = first_above(table, *root, first > 0 ? first - 1 : 0);

    while (index != 0 && vm_region_at(table, index)->first_page < end) {
        if (!join_above(table, root, index)) {
            index = neighbour(table, index, VM_REGION_ABOVE);
        }
    }
}

enum error vm_region_protect(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t count,
                             uint8_t protection)
{
    uint32_t end = first + count;

    if (!vm_region_range_is_sound(first, count)) {
        return ERROR_RANGE;
    }
    if ((protection & ~VM_PROTECTIONS) != 0) {
        return ERROR_INVALID;
    }
    enum error error = check_cover(table, *root, first, end, 0);
    if (error != OK) {
        return error;
    }
    uint32_t cuts = needs_cut(table, *root, first, protection) != 0 ? 1 : 0;

    cuts += needs_cut(table, *root, end, protection) != 0 ? 1 : 0;
    if (vm_region_records_available(table) < cuts) {
        return ERROR_NO_MEMORY;
    }
    cut_if_needed(table, root, first, protection);
    cut_if_needed(table, root, end, protection);
    for (uint32_t index = first_above(table, *root, first); index != 0 && vm_region_at(table, index)->first_page < end;
         index = neighbour(table, index, VM_REGION_ABOVE)) {
        set_protection(table, index, protection);
    }
    join_range(table, root, first, end);
    return OK;
}

/* Depths ----------------------------------------------------------------------------------------------------------- */

void vm_region_cut_depths(struct vm_region_table *table, uint32_t *root, uint32_t depth)
{
    DOES_NOT_SLEEP();
    bool changed = false;

    for (uint32_t index = vm_region_tree_outermost(table, *root, VM_REGION_BELOW); index != 0;
         index = neighbour(table, index, VM_REGION_ABOVE)) {
        struct vm_region *region = vm_region_at(table, index);
        if (region->backing.depth > depth) {
            region->backing.depth = (uint16_t)depth;
            changed = true;
        }
    }
    if (changed) {
        join_range(table, root, 0, VM_REGION_PAGES);
    }
}
