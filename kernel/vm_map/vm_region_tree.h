/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of vm_region: records, the tree they form, and what makes a region sound.
 *
 * Indices stand for records here; 0 is "none". Callers keep REGION-1: the tree compares only first_page.
 */
#ifndef VM_REGION_TREE_H
#define VM_REGION_TREE_H

#include "vm_region.h"

static inline struct vm_region *vm_region_at(const struct vm_region_table *table, uint32_t index)
{
    return &table->records[index];
}

/* Whether [first, first + count) is a range of pages of a space. */
static inline bool vm_region_range_is_sound(uint32_t first, uint32_t count)
{
    return count > 0 && first < VM_REGION_PAGES && count <= VM_REGION_PAGES - first;
}

/* Records (vm_region_table.c) -------------------------------------------------------------------------------------- */

/* Make that many available; may sleep. ERROR_NO_MEMORY: the table is full; errors of table->commit. */
MUST_CHECK enum error vm_region_records_reserve(struct vm_region_table *table, uint32_t count);

/* A zeroed record in state VM_REGION_USED; one must be available. */
uint32_t vm_region_record_take(struct vm_region_table *table);
void vm_region_record_give(struct vm_region_table *table, uint32_t index);

/* Count a record that names an object, once what it shows is set. (It is counted out when it is given back.) */
void vm_region_refer(const struct vm_region_table *table, const struct vm_region *region, int32_t by);

/* The tree (vm_region_tree.c) -------------------------------------------------------------------------------------- */

/* What a node says about its subtree: computed from itself and its children. */
struct vm_region_summary {
    uint8_t level;
    uint32_t span_first, span_end;
    uint32_t gap_pages;
};
struct vm_region_summary vm_region_tree_summarise(const struct vm_region_table *table, uint32_t index);

/* The first or last region of a tree, the next one on a side; 0: none. */
uint32_t vm_region_tree_outermost(const struct vm_region_table *table, uint32_t root, enum vm_region_side side);
uint32_t vm_region_tree_neighbour(const struct vm_region_table *table, uint32_t index, enum vm_region_side side);

/* Link a record, whose range is set and in which no link is, into the tree; take one out. */
void vm_region_tree_insert(struct vm_region_table *table, uint32_t *root, uint32_t index);
void vm_region_tree_remove(struct vm_region_table *table, uint32_t *root, uint32_t index);

/* After a change to the range of a region that leaves the order as it is. */
void vm_region_tree_update(struct vm_region_table *table, uint32_t *root, uint32_t index);

/* Soundness (vm_region_adopt.c) ------------------------------------------------------------------------------------ */

/* REGION-5 of a region over a sound range. */
bool vm_region_attributes_are_sound(const struct vm_region *region);

/* REGION-3: `above` begins where `below` ends and could be part of it. */
bool vm_region_continues(const struct vm_region *below, const struct vm_region *above);

#endif
