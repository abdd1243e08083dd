/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spaces: records, owners, and the end of those that nobody needs. (Collapse is in space_collapse.c, cloning in
 * clone.c.)
 *
 * The end of a space is one step for whoever looks: it becomes a source without children. Its pages and regions are
 * then taken back at leisure, which may sleep or fail, and after a cut whoever boots finds it so and goes on.
 */
#include "space.h"
#include "atomic.h"
#include "log.h"
#include "program/elf_image.h"
#include "regions.h"
#include "task/program_account.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include <string.h>

static uint16_t owners[SPACES_MAX]; /* programs, by space */

struct program_id space_owner(struct space_id space)
{
    return (struct program_id){owners[space.number]};
}

void space_set_owner(struct space_id space, struct program_id program)
{
    if (space.number != 0) {
        owners[space.number] = (uint16_t)program.number;
        program_account_enter(program, space);
    }
}

uint32_t *space_regions(struct space_id space)
{
    struct program_id owner = space_owner(space);

    return owner.number != 0 ? &program_at(owner)->region_root : &space_at(space)->region_root;
}

/* Creation --------------------------------------------------------------------------------------------------------- */

enum error space_reserve(uint32_t count)
{
    return record_reserve(RECORD_SPACE, count);
}

enum error space_create(struct space_id *out)
{
    DOES_NOT_SLEEP();
    struct space_id space;

    if (!record_find_free(RECORD_SPACE, &space.number)) {
        return ERROR_NO_MEMORY;
    }
    enum error error = pmap_create(space);
    if (error == OK) {
        *space_at(space) = (struct space_record){.state = SPACE_OWNED};
        *out = space;
    }
    return error;
}

void space_forget(struct space_id space)
{
    DOES_NOT_SLEEP();
    vm_lineage_set_source(space, SPACE_NONE);
    pmap_delete(space);
    memset(space_at(space), 0, sizeof(struct space_record));
    space_set_owner(space, PROGRAM_NONE);
}

void space_set_source(struct space_id space, struct space_id source)
{
    DOES_NOT_SLEEP();
    space_at(space)->source = source;
    vm_lineage_set_source(space, source);
}

/* Copies and images ------------------------------------------------------------------------------------------------ */

static void become_copy(struct vm_region_attributes *attributes, void *context)
{
    const struct space_id *source = context;

    if (attributes->backing.kind != VM_BACKING_NONE) {
        attributes->backing = (struct vm_backing){.kind = VM_BACKING_COPY, .object = source->number};
    }
}

enum error space_copy_regions(struct space_id source, uint32_t *out_root)
{
    DOES_NOT_SLEEP();
    return vm_region_clone(&region_table, *space_regions(source), out_root, become_copy, &source);
}

enum error space_make_image(struct program_id id, const struct elf_plan *plan)
{
    thread_may_sleep();
    struct program_record *program = program_at(id);
    struct space_id image = program->space, space;
    uint32_t regions;
    enum error error = space_reserve(1);

    if (error == OK) {
        error = vm_region_reserve_clone(&region_table, &program->region_root, 1);
    }
    if (error == OK) {
        error = space_create(&space);
    }
    if (error != OK) {
        return error;
    }
    error = space_copy_regions(image, &regions);
    if (error != OK) {
        space_forget(space);
        return error;
    }
    struct space_record *record = space_at(space_abandon(program));
    record->image.entry = plan->entry;
    record->image.headers_address = plan->headers_address;
    record->image.header_count = plan->header_count;
    record->image.end = plan->image_end;
    memcpy(record->image.name, program->name, sizeof(record->image.name));
    program->space = space;
    program->region_root = regions;
    space_set_owner(space, id);
    space_set_source(space, image);
    return OK;
}

bool space_is_image(struct space_id space)
{
    return space.number != 0 && space_at(space)->image.entry != 0;
}

struct space_id space_image_of(const struct program_record *program)
{
    struct space_id space = program->lender.number != 0 ? program_at(program->lender)->space : program->space;

    while (space.number != 0 && !space_is_image(space)) {
        space = vm_lineage_source(space);
    }
    return space;
}

struct space_id space_image_named(const char *name)
{
    for (struct space_id space = {SPACES_FIRST}; space_is_in_table(space); space.number++) {
        if (space_at(space)->state == SPACE_SOURCE && space_is_image(space) &&
            strcmp(space_at(space)->image.name, name) == 0) {
            return space;
        }
    }
    return SPACE_NONE;
}

/* The end ---------------------------------------------------------------------------------------------------------- */

struct space_id space_abandon(struct program_record *program)
{
    DOES_NOT_SLEEP();
    struct space_id space = program->space;

    if (space.number != 0) {
        space_set_owner(space, PROGRAM_NONE);
        space_at(space)->region_root = program->region_root;
        space_at(space)->state = SPACE_SOURCE;
        program->region_root = 0;
        program->space = SPACE_NONE;
    }
    return space;
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

/* Discard the memory of a space run by run. A region leaves the tree only after its pages are gone. */
static enum error empty(struct space_id space)
{
    struct space_record *record = space_at(space);
    const struct vm_region *region;
    enum error error = OK;

    while (error == OK && (region = vm_region_next(&region_table, record->region_root, 0)) != NULL) {
        uint32_t first = region->first_page;
        uint32_t count = end_of_run(record->region_root, region) - first;
        error = vm_discard((struct gpn){space.number << 20 | first}, count);
        if (error == OK) {
            error = vm_region_release(&region_table, &record->region_root, first, count);
        }
    }
    return error;
}

/* SPACE-3 */
static bool is_leaving(struct space_id space)
{
    return space.number != 0 && space_at(space)->state == SPACE_SOURCE && vm_lineage_children(space) == 0;
}

void space_collect(struct space_id space)
{
    thread_may_sleep();
    while (is_leaving(space)) {
        struct space_id source = vm_lineage_source(space);
        enum error error = empty(space);
        if (error != OK) {
            log_line("space: the memory of space %u is not released for now: %s", space.number, error_text(error));
            return;
        }
        space_forget(space);
        space = source;
    }
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

static bool is_sound(struct space_id space)
{
    const struct space_record *record = space_at(space);

    if (space.number < SPACES_FIRST || record->image.name[PROGRAM_NAME_MAX - 1] != 0 || record->state > SPACE_SOURCE ||
        !space_is_in_table(record->source)) {
        return false;
    }
    return record->source.number == 0 || space_at(record->source)->state == SPACE_SOURCE;
}

/* Whether the sources above a space end. */
static bool ends(struct space_id space)
{
    uint32_t steps = 0;

    while (space.number != 0 && ++steps < SPACES_MAX) {
        space = space_at(space)->source;
    }
    return space.number == 0;
}

/* Regions are the program's to have, and each copy is one of the space's source (SPACE-1). */
static bool regions_are_sound(struct space_id space)
{
    const struct vm_region *region;

    for (uint32_t page = 0; (region = vm_region_next(&region_table, *space_regions(space), page)) != NULL;
         page = vm_region_end(region)) {
        if (region->first_page < USER_START >> PAGE_SHIFT || vm_region_end(region) > USER_END >> PAGE_SHIFT ||
            (region->backing.kind == VM_BACKING_COPY && region->backing.object != space_at(space)->source.number)) {
            return false;
        }
    }
    return true;
}

static enum error adopt(struct space_id space)
{
    struct space_record *record = space_at(space);
    enum error error = is_sound(space) && ends(space) ? OK : ERROR_FORMAT_DAMAGED;

    if (error == OK && record->state == SPACE_SOURCE) {
        error = vm_region_adopt(&region_table, record->region_root);
    } else if (error == OK && (space_owner(space).number == 0 || record->region_root != 0)) {
        error = ERROR_FORMAT_DAMAGED; /* owned by nobody, or with regions of its own: SPACE-2 */
    }
    if (error == OK && !regions_are_sound(space)) {
        error = ERROR_FORMAT_DAMAGED;
    }
    return error == OK ? pmap_create(space) : error;
}

enum error space_resume(void)
{
    for (struct space_id space = {1}; space_is_in_table(space); space.number++) {
        if (space_at(space)->state == SPACE_FREE) {
            continue;
        }
        enum error error = adopt(space);
        if (error != OK) {
            log_line("space: record %u is not sound: %s", space.number, error_text(error));
            return error;
        }
    }
    for (struct space_id space = {SPACES_FIRST}; space_is_in_table(space); space.number++) {
        if (space_at(space)->state != SPACE_FREE) {
            vm_lineage_set_source(space, space_at(space)->source);
        }
    }
    return OK;
}

void space_collect_all(void)
{
    thread_may_sleep();
    for (struct space_id space = {SPACES_FIRST}; space_is_in_table(space); space.number++) {
        if (is_leaving(space)) {
            space_collect(space);
        }
    }
}
