/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private memories: records, sources, and the end of those that nobody needs. (Collapse is in space_collapse.c, cloning
 * in clone.c.)
 *
 * The end of a memory is one step for whoever looks: it becomes a source without children. Its pages are then
 * taken back at leisure, which may sleep or fail, and after a cut whoever boots finds it so and goes on.
 */
#include "memory.h"
#include "atomic.h"
#include "log.h"
#include "regions.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include <string.h>

#define WINDOW_PAGES ((USER_END - USER_START) >> PAGE_SHIFT)

static uint16_t spaces[SPACES_MAX]; /* by memory */

struct address_space memory_space(struct space_id window)
{
    return (struct address_space){spaces[window.number]};
}

void memory_set_space(struct space_id window, struct address_space space)
{
    if (window.number != 0) {
        spaces[window.number] = (uint16_t)space.number;
    }
}

/* Creation --------------------------------------------------------------------------------------------------------- */

enum error memory_reserve(uint32_t count)
{
    thread_may_sleep();
    return record_reserve(RECORD_MEMORY, count);
}

enum error memory_create(struct space_id *out)
{
    DOES_NOT_SLEEP();
    struct space_id window;

    if (!record_find_free(RECORD_MEMORY, &window.number)) {
        return ERROR_NO_MEMORY;
    }
    enum error error = pmap_create(window);
    if (error == OK) {
        *memory_at(window) = (struct memory_record){.state = MEMORY_OWNED};
        *out = window;
    }
    return error;
}

void memory_forget(struct space_id window)
{
    DOES_NOT_SLEEP();
    vm_lineage_set_source(window, SPACE_NONE);
    pmap_delete(window);
    memset(memory_at(window), 0, sizeof(struct memory_record));
    record_freed(RECORD_MEMORY, window.number);
    memory_set_space(window, ADDRESS_SPACE_NONE);
}

void memory_set_source(struct space_id window, struct space_id source)
{
    DOES_NOT_SLEEP();
    memory_at(window)->source = source;
    vm_lineage_set_source(window, source);
}

/* The end ---------------------------------------------------------------------------------------------------------- */

void memory_become_source(struct space_id window)
{
    DOES_NOT_SLEEP();
    memory_at(window)->state = MEMORY_SOURCE;
}

/* MEMORY-3 */
static bool is_leaving(struct space_id window)
{
    return window.number != 0 && memory_at(window)->state == MEMORY_SOURCE && vm_lineage_children(window) == 0;
}

void memory_collect(struct space_id window)
{
    thread_may_sleep();
    while (is_leaving(window)) {
        struct space_id source = vm_lineage_source(window);
        enum error error = vm_discard(page_key_at(window, (struct vaddr){USER_START}), WINDOW_PAGES);
        if (error != OK) {
            log_line("memory: that of window %u is not released for now: %s", window.number, error_text(error));
            return;
        }
        memory_forget(window);
        window = source;
    }
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

static bool is_sound(struct space_id window)
{
    const struct memory_record *record = memory_at(window);

    if (window.number < SPACES_FIRST || record->state > MEMORY_SOURCE || !memory_is_in_table(record->source)) {
        return false;
    }
    return record->source.number == 0 || memory_at(record->source)->state == MEMORY_SOURCE;
}

/* How many sources there are above a memory; SPACES_MAX: they do not end (MEMORY-1). */
static uint32_t depth_of(struct space_id window)
{
    uint32_t depth = 0;

    while ((window = memory_at(window)->source).number != 0 && depth < SPACES_MAX) {
        depth++;
    }
    return depth;
}

/* Regions are a program's to have, and none is deeper than the memory (DEPTH-1). */
static bool regions_are_sound(uint32_t root, uint32_t depth)
{
    const struct vm_region *region;

    for (uint32_t page = 0; (region = vm_region_next(&region_table, root, page)) != NULL;
         page = vm_region_end(region)) {
        if (region->first_page < USER_START >> PAGE_SHIFT || vm_region_end(region) > USER_END >> PAGE_SHIFT ||
            region->backing.depth > depth) {
            return false;
        }
    }
    return true;
}

/* MEMORY-2: an owned memory is some space's, whose regions are adopted. */
static enum error adopt(struct space_id window)
{
    const struct memory_record *record = memory_at(window);
    struct address_space space = memory_space(window);

    if (!is_sound(window) || depth_of(window) == SPACES_MAX || (record->state == MEMORY_OWNED) != (space.number != 0) ||
        (space.number != 0 && !regions_are_sound(space_at(space)->region_root, depth_of(window)))) {
        return ERROR_FORMAT_DAMAGED;
    }
    return pmap_create(window);
}

enum error memory_resume(void)
{
    for (struct space_id window = {1}; memory_is_in_table(window); window.number++) {
        if (memory_at(window)->state == MEMORY_FREE) {
            continue;
        }
        enum error error = adopt(window);
        if (error != OK) {
            log_line("memory: record %u is not sound: %s", window.number, error_text(error));
            return error;
        }
    }
    for (struct space_id window = {SPACES_FIRST}; memory_is_in_table(window); window.number++) {
        if (memory_at(window)->state != MEMORY_FREE) {
            vm_lineage_set_source(window, memory_at(window)->source);
        }
    }
    return OK;
}

void memory_collect_all(void)
{
    thread_may_sleep();
    for (struct space_id window = {SPACES_FIRST}; memory_is_in_table(window); window.number++) {
        if (is_leaving(window)) {
            memory_collect(window);
        }
    }
}
