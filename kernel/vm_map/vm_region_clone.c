/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole trees: copying one for a new space, and taking one apart when its space ends.
 *
 * The records that a copy takes are reserved before, because memory for them may have to be waited for, and the tree
 * may change meanwhile.
 */
#include "atomic.h"
#include "vm_region_tree.h"

static uint32_t first_of(const struct vm_region_table *table, uint32_t root)
{
    return vm_region_tree_outermost(table, root, VM_REGION_BELOW);
}

static uint32_t next_of(const struct vm_region_table *table, uint32_t index)
{
    return vm_region_tree_neighbour(table, index, VM_REGION_ABOVE);
}

static uint32_t tree_size(const struct vm_region_table *table, uint32_t root)
{
    uint32_t size = 0;

    for (uint32_t index = first_of(table, root); index != 0; index = next_of(table, index)) {
        size++;
    }
    return size;
}

enum error vm_region_reserve_clone(struct vm_region_table *table, const uint32_t *root, uint32_t copies)
{
    uint32_t size;

    while ((size = copies * tree_size(table, *root) + table->clone_margin) > vm_region_records_available(table)) {
        enum error error = vm_region_records_reserve(table, size);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

enum error vm_region_clone(struct vm_region_table *table, uint32_t root, uint32_t *out_root)
{
    DOES_NOT_SLEEP();
    uint32_t copy = 0;

    for (uint32_t index = first_of(table, root); index != 0; index = next_of(table, index)) {
        const struct vm_region *region = vm_region_at(table, index);
        struct vm_region_attributes attributes = {
            .protection = region->protection, .flags = region->flags, .backing = region->backing};
        enum error error = vm_region_insert(table, &copy, region->first_page, region->page_count, &attributes);
        if (error != OK) {
            vm_region_clear(table, &copy);
            return error;
        }
    }
    *out_root = copy;
    return OK;
}

/* Leaves first: each is cut off its parent, which is a leaf itself once both sides are gone. */
void vm_region_clear(struct vm_region_table *table, uint32_t *root)
{
    uint32_t index = *root;

    *root = 0;
    while (index != 0) {
        struct vm_region *node = vm_region_at(table, index);
        enum vm_region_side side = node->child[VM_REGION_BELOW] != 0 ? VM_REGION_BELOW : VM_REGION_ABOVE;
        uint32_t child = node->child[side];
        if (child != 0) {
            node->child[side] = 0;
            index = child;
        } else {
            uint32_t parent = node->parent;
            vm_region_record_give(table, index);
            index = parent;
        }
    }
}
