/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table that the regions of all programs and sources are in: its records, and giving back those that it does not
 * need.
 *
 * Nobody but trees knows regions by their index, so they are moved together before the end of the table is given back.
 * That changes the roots of trees; whoever keeps one keeps it in the record of a space.
 */
#include "regions.h"
#include "atomic.h"
#include "space.h"

struct vm_region_table region_table;

#define REGION_CLONE_MARGIN 192u  /* that a clone leaves for programs that map, protect and unmap a little */
#define REGIONS_SPARE       640u  /* that stay when regions are given back: more than anybody has to leave */
#define REGIONS_TRIM_MIN    1024u /* free ones that are worth the trouble when somebody needs pages */
#define REGIONS_TRIM_ENOUGH 2048u /* and when nobody does */

static enum error commit_regions(struct vm_region_table *table, uint32_t count)
{
    (void)table;
    return record_commit(RECORD_REGION, count);
}

static void attach(void)
{
    region_table.records = record_at(RECORD_REGION, 0);
    region_table.capacity = record_layouts[RECORD_REGION].count;
    region_table.commit = commit_regions;
    region_table.clone_margin = REGION_CLONE_MARGIN;
}

static void follow(uint32_t *root)
{
    uint32_t now = vm_region_root_after_compact(&region_table, *root);

    if (now != *root) {
        *root = now;
    }
}

/*
 * One step for whoever looks. It costs what has been freed since the last time, as long as that is half of what there
 * is.
 */
static void compact_regions(void)
{
    vm_region_compact(&region_table);
    for (struct address_space space = {1}; space_is_in_table(space); space.number++) {
        follow(&space_at(space)->region_root);
    }
}

/* While this sleeps, others may need regions again: so no more pages go than were to go at first. */
static void trim(bool all)
{
    uint32_t surplus = vm_region_surplus(&region_table);

    if (surplus < REGIONS_TRIM_MIN ||
        (!all && (surplus < region_table.committed / 2 || surplus < REGIONS_TRIM_ENOUGH))) {
        return;
    }
    compact_regions();
    uint32_t kept = vm_region_shrink(&region_table, REGIONS_SPARE);
    uint32_t pages = ((surplus - REGIONS_SPARE) * (uint32_t)sizeof(struct vm_region)) >> PAGE_SHIFT;
    for (uint32_t i = 0; i < pages && kept <= region_table.committed; i++) {
        if (!record_give_back_last(RECORD_REGION, region_table.committed)) {
            return;
        }
    }
}

bool regions_growth_goes_on(enum error error)
{
    thread_may_sleep();
    return error == ERROR_DENIED && vm_region_records_available(&region_table) == 0 &&
           vm_region_reserve_growth(&region_table) == OK;
}

enum error regions_start(void)
{
    thread_may_sleep();
    enum error error = record_commit(RECORD_REGION, 1);

    if (error != OK) {
        return error;
    }
    attach();
    error = vm_region_table_create(&region_table);
    if (error == OK) {
        record_set_trimmer(trim);
    }
    return error;
}

enum error regions_adopt(void)
{
    attach();
    return vm_region_table_adopt(&region_table);
}

void regions_are_adopted(void)
{
    record_set_trimmer(trim);
}
