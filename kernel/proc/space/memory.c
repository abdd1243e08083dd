/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private memories: records, sources, images, and the end of those that nobody needs. (Collapse is in space_collapse.c,
 * cloning in clone.c.)
 *
 * The end of a memory is one step for whoever looks: it becomes a source without children. Its pages and regions are
 * then taken back at leisure, which may sleep or fail, and after a cut whoever boots finds it so and goes on.
 */
#include "memory.h"
#include "atomic.h"
#include "log.h"
#include "regions.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include <string.h>

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

uint32_t *memory_regions(struct space_id window)
{
    struct address_space space = memory_space(window);

    return space.number != 0 ? &space_at(space)->region_root : &memory_at(window)->region_root;
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

/* Copies and images ------------------------------------------------------------------------------------------------ */

static void become_copy(struct vm_region_attributes *attributes, void *context)
{
    const struct space_id *source = context;

    if (attributes->backing.kind != VM_BACKING_NONE) {
        attributes->backing = (struct vm_backing){.kind = VM_BACKING_COPY, .object = source->number};
    }
}

enum error memory_copy_regions(struct space_id source, uint32_t *out_root)
{
    DOES_NOT_SLEEP();
    return vm_region_clone(&region_table, *memory_regions(source), out_root, become_copy, &source);
}

bool memory_is_image(struct space_id window)
{
    return window.number != 0 && memory_at(window)->image.entry != 0;
}

struct space_id memory_image_of(struct space_id window)
{
    while (window.number != 0 && !memory_is_image(window)) {
        window = vm_lineage_source(window);
    }
    return window;
}

struct space_id memory_image_named(const char *name)
{
    for (struct space_id window = {SPACES_FIRST}; memory_is_in_table(window); window.number++) {
        if (memory_at(window)->state == MEMORY_SOURCE && memory_is_image(window) &&
            strcmp(memory_at(window)->image.name, name) == 0) {
            return window;
        }
    }
    return SPACE_NONE;
}

/* The end ---------------------------------------------------------------------------------------------------------- */

void memory_become_source(struct space_id window, uint32_t *regions)
{
    DOES_NOT_SLEEP();
    struct memory_record *record = memory_at(window);

    record->region_root = *regions;
    record->state = MEMORY_SOURCE;
    *regions = 0;
}

#define RUN_REGIONS_MAX 256u

/* The end of the regions that follow each other without a hole from one on, as far as one step takes them. */
static uint32_t end_of_run(uint32_t root, const struct vm_region *region)
{
    uint32_t end = vm_region_end(region);

    for (uint32_t i = 1; i < RUN_REGIONS_MAX && (region = vm_region_find(&region_table, root, end)) != NULL; i++) {
        end = vm_region_end(region);
    }
    return end;
}

/* Discard what is in it run by run. A region leaves the tree only after its pages are gone. */
static enum error empty(struct space_id window)
{
    struct memory_record *record = memory_at(window);
    const struct vm_region *region;
    enum error error = OK;

    while (error == OK && (region = vm_region_next(&region_table, record->region_root, 0)) != NULL) {
        uint32_t first = region->first_page;
        uint32_t count = end_of_run(record->region_root, region) - first;
        error = vm_discard((struct page_key){window.number << 20 | first}, count);
        if (error == OK) {
            error = vm_region_release(&region_table, &record->region_root, first, count);
        }
    }
    return error;
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
        enum error error = empty(window);
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

    if (window.number < SPACES_FIRST || record->image.name[PROGRAM_NAME_MAX - 1] != 0 ||
        record->state > MEMORY_SOURCE || !memory_is_in_table(record->source)) {
        return false;
    }
    return record->source.number == 0 || memory_at(record->source)->state == MEMORY_SOURCE;
}

/* Whether the sources above a memory end. */
static bool ends(struct space_id window)
{
    uint32_t steps = 0;

    while (window.number != 0 && ++steps < SPACES_MAX) {
        window = memory_at(window)->source;
    }
    return window.number == 0;
}

/* Regions are a program's to have, and each copy is one of the memory's source (MEMORY-1). */
static bool regions_are_sound(struct space_id window)
{
    const struct vm_region *region;

    for (uint32_t page = 0; (region = vm_region_next(&region_table, *memory_regions(window), page)) != NULL;
         page = vm_region_end(region)) {
        if (region->first_page < USER_START >> PAGE_SHIFT || vm_region_end(region) > USER_END >> PAGE_SHIFT ||
            (region->backing.kind == VM_BACKING_COPY && region->backing.object != memory_at(window)->source.number)) {
            return false;
        }
    }
    return true;
}

static enum error adopt(struct space_id window)
{
    struct memory_record *record = memory_at(window);
    enum error error = is_sound(window) && ends(window) ? OK : ERROR_FORMAT_DAMAGED;

    if (error == OK && record->state == MEMORY_SOURCE) {
        error = vm_region_adopt(&region_table, record->region_root);
    } else if (error == OK && (memory_space(window).number == 0 || record->region_root != 0)) {
        error = ERROR_FORMAT_DAMAGED; /* nobody's, or with regions of its own: MEMORY-2 */
    }
    if (error == OK && !regions_are_sound(window)) {
        error = ERROR_FORMAT_DAMAGED;
    }
    return error == OK ? pmap_create(window) : error;
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
