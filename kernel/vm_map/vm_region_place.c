/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Placement: the highest hole that is large enough.
 *
 * Holes are looked at from the top down. The first may be cut off by the upper limit, so it is looked at by itself; all
 * others up to the first that fits are whole, and the largest hole noted in each subtree tells which subtrees to pass
 * by. Going up and then down once, the search visits O(log n) records. A hole that fits but for the lower limit ends
 * it: what lies further down is below the limit altogether.
 */
#include "vm_region_tree.h"

struct hole {
    uint32_t first, end;
};

static bool hole_fits(struct hole hole, uint32_t count)
{
    return hole.end > hole.first && hole.end - hole.first >= count;
}

/* The last region that starts below `page`; 0: none. */
static uint32_t last_below(const struct vm_region_table *table, uint32_t root, uint32_t page)
{
    uint32_t index = root, found = 0;

    while (index != 0) {
        const struct vm_region *node = vm_region_at(table, index);
        if (node->first_page < page) {
            found = index;
        }
        index = node->child[node->first_page < page ? VM_REGION_ABOVE : VM_REGION_BELOW];
    }
    return found;
}

/* The highest fitting hole between two regions of a subtree; there must be one. */
static struct hole highest_within(const struct vm_region_table *table, uint32_t index, uint32_t count)
{
    while (true) {
        const struct vm_region *node = vm_region_at(table, index);
        uint32_t below = node->child[VM_REGION_BELOW], above = node->child[VM_REGION_ABOVE];

        if (above != 0 && vm_region_at(table, above)->gap_pages >= count) {
            index = above;
            continue;
        }
        if (above != 0) {
            struct hole hole = {vm_region_end(node), vm_region_at(table, above)->span_first};
            if (hole_fits(hole, count)) {
                return hole;
            }
        }
        struct hole hole = {vm_region_at(table, below)->span_end, node->first_page};
        if (hole_fits(hole, count)) {
            return hole;
        }
        index = below;
    }
}

/* The nearest ancestor that lies below a whole subtree; 0: none does. */
static uint32_t ancestor_below(const struct vm_region_table *table, uint32_t index)
{
    uint32_t parent = vm_region_at(table, index)->parent;

    while (parent != 0 && vm_region_at(table, parent)->child[VM_REGION_ABOVE] != index) {
        index = parent;
        parent = vm_region_at(table, index)->parent;
    }
    return parent;
}

/* The highest fitting hole below a region. The last one, from page 0 to the first region, may be too small. */
static struct hole highest_below(const struct vm_region_table *table, uint32_t index, uint32_t count)
{
    struct hole hole = {0, vm_region_at(table, index)->first_page};

    while (true) {
        uint32_t below = vm_region_at(table, index)->child[VM_REGION_BELOW];
        if (below != 0) {
            hole.first = vm_region_at(table, below)->span_end;
            if (hole_fits(hole, count)) {
                return hole;
            }
            if (vm_region_at(table, below)->gap_pages >= count) {
                return highest_within(table, below, count);
            }
        }
        hole.end = vm_region_at(table, index)->span_first;
        index = ancestor_below(table, index);
        if (index == 0) {
            return (struct hole){0, hole.end};
        }
        hole.first = vm_region_end(vm_region_at(table, index));
        if (hole_fits(hole, count)) {
            return hole;
        }
        hole.end = vm_region_at(table, index)->first_page;
    }
}

static struct hole highest(const struct vm_region_table *table, uint32_t root, uint32_t high, uint32_t count)
{
    uint32_t index = last_below(table, root, high);

    if (index == 0) {
        return (struct hole){0, high};
    }
    struct hole top = {vm_region_end(vm_region_at(table, index)), high};
    return hole_fits(top, count) ? top : highest_below(table, index, count);
}

enum error vm_region_allocate(struct vm_region_table *table, uint32_t *root, uint32_t low, uint32_t high,
                              uint32_t count, const struct vm_region_attributes *attributes, uint32_t *out_first)
{
    if (count == 0 || low >= high || high > VM_REGION_PAGES) {
        return ERROR_RANGE;
    }
    struct hole hole = highest(table, *root, high, count);
    if (hole.first < low) {
        hole.first = low;
    }
    if (!hole_fits(hole, count)) {
        return ERROR_NO_MEMORY;
    }
    enum error error = vm_region_insert(table, root, hole.end - count, count, attributes);
    if (error == OK) {
        *out_first = hole.end - count;
    }
    return error;
}
