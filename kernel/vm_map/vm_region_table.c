/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of region records: which are in use, which are free, which are memory at all.
 *
 * Records below the high-water mark have been in use at some time; those not in a tree are linked into a free list,
 * newest first. Records above the mark are untouched, and only those below table->committed have memory behind them.
 * So a table of any capacity costs what it once held, and taking a record never sleeps: reserving did.
 */
#include "thread.h"
#include "vm_region_tree.h"
#include "log.h"

#define COMMIT_STEP 64u /* records: memory comes in pages, so asking for one more at a time is of no use */

uint32_t vm_region_records_available(const struct vm_region_table *table)
{
    DOES_NOT_SLEEP();
    const struct vm_region_header *header = &table->records[0].header;

    return header->free_count + (table->committed - header->high_water);
}

uint32_t vm_region_count(const struct vm_region_table *table)
{
    const struct vm_region_header *header = &table->records[0].header;

    return header->high_water - 1 - header->free_count;
}

bool vm_region_table_is_whole(const struct vm_region_table *table)
{
    return table->adopted == vm_region_count(table);
}

uint32_t vm_region_record_take(struct vm_region_table *table)
{
    struct vm_region_header *header = &table->records[0].header;
    uint32_t index = header->free_first;

    ASSERT(vm_region_records_available(table) > 0);
    if (index != 0) {
        header->free_first = vm_region_at(table, index)->parent;
        header->free_count--;
    } else {
        index = header->high_water++;
    }
    *vm_region_at(table, index) = (struct vm_region){.state = VM_REGION_USED};
    return index;
}

void vm_region_refer(const struct vm_region_table *table, const struct vm_region *region, int32_t by)
{
    if (vm_backing_has_object(&region->backing) && table->refer != NULL) {
        table->refer(region->backing.object, by);
    }
}

void vm_region_record_give(struct vm_region_table *table, uint32_t index)
{
    struct vm_region_header *header = &table->records[0].header;

    ASSERT(vm_region_at(table, index)->state != VM_REGION_FREE);
    vm_region_refer(table, vm_region_at(table, index), -1);
    *vm_region_at(table, index) = (struct vm_region){.state = VM_REGION_FREE, .parent = header->free_first};
    header->free_first = index;
    header->free_count++;
}

/* Others may commit or take records while this sleeps. */
static enum error commit_records(struct vm_region_table *table, uint32_t count)
{
    uint32_t rounded = (count + COMMIT_STEP - 1) / COMMIT_STEP * COMMIT_STEP;

    if (rounded > table->capacity) {
        rounded = table->capacity;
    }
    enum error error = table->commit(table, rounded);
    if (error == OK && rounded > table->committed) {
        table->committed = rounded;
    }
    return error;
}

enum error vm_region_records_reserve(struct vm_region_table *table, uint32_t count)
{
    thread_may_sleep();
    while (vm_region_records_available(table) < count) {
        uint32_t missing = count - vm_region_records_available(table);
        if (missing > table->capacity - table->committed) {
            return ERROR_NO_MEMORY;
        }
        enum error error = commit_records(table, table->committed + missing);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

enum error vm_region_reserve(struct vm_region_table *table)
{
    thread_may_sleep();
    return vm_region_records_reserve(table, VM_REGION_RESERVE);
}

enum error vm_region_reserve_growth(struct vm_region_table *table)
{
    return vm_region_reserve_leaving(table, VM_REGION_RESERVE);
}

enum error vm_region_reserve_leaving(struct vm_region_table *table, uint32_t margin)
{
    thread_may_sleep();
    return vm_region_records_reserve(table, VM_REGION_RESERVE + margin);
}

enum error vm_region_table_create(struct vm_region_table *table)
{
    thread_may_sleep();
    enum error error = commit_records(table, 1);

    if (error == OK) {
        table->records[0].header = (struct vm_region_header){.high_water = 1};
    }
    return error;
}

/* The high-water mark is believed only as far as the table reaches. */
enum error vm_region_table_adopt(struct vm_region_table *table)
{
    thread_may_sleep();
    enum error error = commit_records(table, 1);

    if (error != OK) {
        return error;
    }
    uint32_t high_water = table->records[0].header.high_water;
    if (high_water < 1 || high_water > table->capacity) {
        return ERROR_FORMAT_DAMAGED;
    }
    error = commit_records(table, high_water);
    if (error == OK) {
        error = vm_region_table_validate(table);
    }
    for (uint32_t index = 1; error == OK && index < high_water; index++) {
        if (vm_region_at(table, index)->state == VM_REGION_CLAIMED) {
            vm_region_at(table, index)->state = VM_REGION_USED;
        }
    }
    table->adopted = 0;
    return error;
}
