/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Belief in regions: what makes attributes, records and trees sound, and proof of it for memory that persisted.
 *
 * No index is followed before it is known to lie below the high-water mark, and that mark is known to lie within
 * committed memory. A link down counts only if the record it leads to names the record it comes from as its parent. A
 * record has one parent, so a walk along such links meets each record once: it ends, and two trees with different
 * roots share nothing. That a root is given once only is seen by marking it as claimed.
 *
 * A node is checked after both its children: order, levels and summaries then follow from the children's summaries.
 */
#include "vm_region_tree.h"

/* Attributes ------------------------------------------------------------------------------------------------------- */

/* What is shown of an object lies in it. */
static bool object_is_sound(const struct vm_region *region)
{
    const struct vm_backing *backing = &region->backing;

    return backing->object.number >= OBJECTS_FIRST && backing->object.number < OBJECTS_MAX &&
           backing->offset < OBJECT_PAGES && region->page_count <= OBJECT_PAGES - backing->offset;
}

static bool backing_is_sound(const struct vm_region *region)
{
    const struct vm_backing *backing = &region->backing;

    switch (backing->kind) {
    case VM_BACKING_NONE:
        return backing->depth == 0 && backing->object.number == 0 && backing->offset == 0 && region->protection == 0;
    case VM_BACKING_MEMORY:
        return backing->depth < SPACES_MAX &&
               (vm_backing_has_object(backing) ? region->flags == 0 && object_is_sound(region) : backing->offset == 0);
    case VM_BACKING_OBJECT:
        return backing->depth == 0 && region->flags == 0 && object_is_sound(region);
    default:
        return false;
    }
}

bool vm_region_attributes_are_sound(const struct vm_region *region)
{
    return (region->protection & ~VM_PROTECTIONS) == 0 && (region->flags & ~VM_REGION_FLAGS) == 0 &&
           backing_is_sound(region);
}

static bool backing_continues(const struct vm_region *below, const struct vm_region *above)
{
    uint32_t shown = vm_backing_has_object(&below->backing) ? below->page_count : 0;

    return below->backing.kind == above->backing.kind && below->backing.depth == above->backing.depth &&
           below->backing.object.number == above->backing.object.number &&
           below->backing.offset + shown == above->backing.offset;
}

bool vm_region_continues(const struct vm_region *below, const struct vm_region *above)
{
    return vm_region_end(below) == above->first_page && below->protection == above->protection &&
           below->flags == above->flags && backing_continues(below, above);
}

/* The table -------------------------------------------------------------------------------------------------------- */

static bool header_is_sound(const struct vm_region_table *table)
{
    const struct vm_region_header *header = &table->records[0].header;

    return header->high_water >= 1 && header->high_water <= table->committed &&
           header->free_count <= header->high_water - 1;
}

static bool index_is_sound(const struct vm_region_table *table, uint32_t index)
{
    return index > 0 && index < table->records[0].header.high_water;
}

/* A list that ends after exactly free_count steps has no cycle. */
static bool free_list_is_sound(const struct vm_region_table *table)
{
    const struct vm_region_header *header = &table->records[0].header;
    uint32_t index = header->free_first;

    for (uint32_t i = 0; i < header->free_count; i++) {
        if (!index_is_sound(table, index) || vm_region_at(table, index)->state != VM_REGION_FREE) {
            return false;
        }
        index = vm_region_at(table, index)->parent;
    }
    return index == 0;
}

/* As many records are free as there are on the list, so the free ones are those on the list. */
static bool states_are_sound(const struct vm_region_table *table)
{
    const struct vm_region_header *header = &table->records[0].header;
    uint32_t free_count = 0;

    for (uint32_t index = 1; index < header->high_water; index++) {
        uint8_t state = vm_region_at(table, index)->state;
        if (state > VM_REGION_CLAIMED) {
            return false;
        }
        free_count += state == VM_REGION_FREE;
    }
    return free_count == header->free_count;
}

enum error vm_region_table_validate(const struct vm_region_table *table)
{
    bool sound = header_is_sound(table) && free_list_is_sound(table) && states_are_sound(table);

    return sound ? OK : ERROR_FORMAT_DAMAGED;
}

/* Trees ------------------------------------------------------------------------------------------------------------ */

static bool link_is_sound(const struct vm_region_table *table, uint32_t parent, uint32_t child)
{
    return index_is_sound(table, child) && vm_region_at(table, child)->state != VM_REGION_FREE &&
           vm_region_at(table, child)->parent == parent;
}

/* The leaf where a walk of the subtree begins that visits children before their parents; 0: an unsound link. */
static uint32_t first_leaf(const struct vm_region_table *table, uint32_t parent, uint32_t index)
{
    while (link_is_sound(table, parent, index)) {
        const struct vm_region *node = vm_region_at(table, index);
        uint32_t child = node->child[node->child[VM_REGION_BELOW] != 0 ? VM_REGION_BELOW : VM_REGION_ABOVE];
        if (child == 0) {
            return index;
        }
        parent = index;
        index = child;
    }
    return 0;
}

/* The children's spans lie on their sides of the node, and their levels differ by one at most. */
static bool children_are_sound(const struct vm_region_table *table, const struct vm_region *node)
{
    int levels[2] = {0, 0};

    for (enum vm_region_side side = VM_REGION_BELOW; side <= VM_REGION_ABOVE; side++) {
        if (node->child[side] == 0) {
            continue;
        }
        const struct vm_region *child = vm_region_at(table, node->child[side]);
        if (side == VM_REGION_BELOW ? child->span_end > node->first_page : child->span_first < vm_region_end(node)) {
            return false;
        }
        levels[side] = child->level;
    }
    return levels[VM_REGION_BELOW] <= levels[VM_REGION_ABOVE] + 1 &&
           levels[VM_REGION_ABOVE] <= levels[VM_REGION_BELOW] + 1;
}

static bool summary_is_sound(const struct vm_region_table *table, uint32_t index)
{
    const struct vm_region *node = vm_region_at(table, index);
    struct vm_region_summary summary = vm_region_tree_summarise(table, index);

    return node->level == summary.level && node->span_first == summary.span_first &&
           node->span_end == summary.span_end && node->gap_pages == summary.gap_pages;
}

static bool node_is_sound(const struct vm_region_table *table, uint32_t index)
{
    const struct vm_region *node = vm_region_at(table, index);

    return vm_region_range_is_sound(node->first_page, node->page_count) && vm_region_attributes_are_sound(node) &&
           children_are_sound(table, node) && summary_is_sound(table, index);
}

static bool tree_is_sound(const struct vm_region_table *table, uint32_t root)
{
    uint32_t index = first_leaf(table, 0, root);

    while (index != 0 && node_is_sound(table, index)) {
        uint32_t parent = vm_region_at(table, index)->parent;
        if (parent == 0) {
            return true;
        }
        uint32_t above = vm_region_at(table, parent)->child[VM_REGION_ABOVE];
        index = above == 0 || above == index ? parent : first_leaf(table, parent, above);
    }
    return false;
}

/* No two neighbours could be one. The tree is known to be sound otherwise. */
static bool neighbours_are_sound(const struct vm_region_table *table, uint32_t root, uint32_t *out_count)
{
    uint32_t below = vm_region_tree_outermost(table, root, VM_REGION_BELOW), above;

    for (*out_count = 1; (above = vm_region_tree_neighbour(table, below, VM_REGION_ABOVE)) != 0; below = above) {
        if (vm_region_continues(vm_region_at(table, below), vm_region_at(table, above))) {
            return false;
        }
        (*out_count)++;
    }
    return true;
}

static enum error validate_tree(const struct vm_region_table *table, uint32_t root, uint32_t *out_count)
{
    *out_count = 0;
    if (!header_is_sound(table)) {
        return ERROR_FORMAT_DAMAGED;
    }
    if (root == 0) {
        return OK;
    }
    bool sound = tree_is_sound(table, root) && neighbours_are_sound(table, root, out_count);
    return sound ? OK : ERROR_FORMAT_DAMAGED;
}

enum error vm_region_validate(const struct vm_region_table *table, uint32_t root)
{
    uint32_t count;

    return validate_tree(table, root, &count);
}

enum error vm_region_adopt(struct vm_region_table *table, uint32_t root)
{
    uint32_t count;
    enum error error = validate_tree(table, root, &count);

    if (error != OK || root == 0) {
        return error;
    }
    if (vm_region_at(table, root)->state == VM_REGION_CLAIMED) {
        return ERROR_FORMAT_DAMAGED;
    }
    vm_region_at(table, root)->state = VM_REGION_CLAIMED;
    table->adopted += count;
    return OK;
}
