/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compacting the table of region records, so that the memory above those in use can be given back.
 *
 * Regions are known by index only, and only to their neighbours in the tree and to whoever keeps the root. So the
 * records in use above the mark that will be move into the free ones below it, one by one, and then none is free below
 * it. A record that has moved leaves its new index behind, which tells the keepers of roots.
 */
#include "atomic.h"
#include "vm_region_tree.h"

static bool is_free(const struct vm_region_table *table, uint32_t index)
{
    return vm_region_at(table, index)->state == VM_REGION_FREE;
}

/* The links of a record's neighbours in the tree lead to where it is now. */
static void link_neighbours(struct vm_region_table *table, uint32_t from, uint32_t to)
{
    const struct vm_region *region = vm_region_at(table, to);

    for (enum vm_region_side side = VM_REGION_BELOW; side <= VM_REGION_ABOVE; side++) {
        if (region->child[side] != 0) {
            vm_region_at(table, region->child[side])->parent = to;
        }
    }
    if (region->parent != 0) {
        struct vm_region *parent = vm_region_at(table, region->parent);
        parent->child[parent->child[VM_REGION_ABOVE] == from ? VM_REGION_ABOVE : VM_REGION_BELOW] = to;
    }
}

static void move(struct vm_region_table *table, uint32_t from, uint32_t to)
{
    *vm_region_at(table, to) = *vm_region_at(table, from);
    link_neighbours(table, from, to);
    *vm_region_at(table, from) = (struct vm_region){.state = VM_REGION_FREE, .parent = to};
}

void vm_region_compact(struct vm_region_table *table)
{
    DOES_NOT_SLEEP();
    struct vm_region_header *header = &table->records[0].header;
    uint32_t to = 1, from = header->high_water - 1, end = vm_region_count(table) + 1;

    for (; from >= end; from--) {
        if (!is_free(table, from)) {
            while (!is_free(table, to)) {
                to++;
            }
            move(table, from, to);
        }
    }
    *header = (struct vm_region_header){.high_water = end};
}

uint32_t vm_region_root_after_compact(const struct vm_region_table *table, uint32_t root)
{
    return root < table->records[0].header.high_water ? root : vm_region_at(table, root)->parent;
}

uint32_t vm_region_surplus(const struct vm_region_table *table)
{
    return vm_region_records_available(table);
}

uint32_t vm_region_shrink(struct vm_region_table *table, uint32_t spare)
{
    uint32_t high_water = table->records[0].header.high_water;

    if (spare < table->committed - high_water) {
        table->committed = high_water + spare;
    }
    return table->committed;
}
