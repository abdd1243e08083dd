/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects: records, references, and the end of those that nobody refers to.
 *
 * The last reference may go where nothing may sleep, and pages are taken back by sleeping. So an object without
 * references waits on a list for whoever comes to object_collect(); after a cut the boot finds it so.
 */
#include "object.h"
#include "atomic.h"
#include "log.h"
#include "regions.h"
#include "space.h"
#include "vm_fault.h"
#include <string.h>

/* Volatile, by index of the record. */
static uint32_t references[OBJECTS_RECORDED];
static uint16_t next_unused[OBJECTS_RECORDED]; /* index + 1 of the next on the list, or END */
uint16_t object_first_unused;                  /* the list, as next_unused; 0: it is empty */

#define END UINT16_MAX
_Static_assert(OBJECTS_RECORDED < END, "an index and two more values fit");

static uint32_t index_of(struct object_id object)
{
    return object.number - OBJECTS_FIRST;
}

static bool is_in_table(uint32_t index)
{
    return index < record_committed(RECORD_OBJECT);
}

static struct object_record *record_of(uint32_t index)
{
    return record_at(RECORD_OBJECT, index);
}

enum error object_reserve(void)
{
    thread_may_sleep();
    return record_reserve(RECORD_OBJECT, 1);
}

enum error object_create(uint64_t size, struct object_id *out)
{
    DOES_NOT_SLEEP();
    uint32_t index;

    ASSERT(size <= (uint64_t)OBJECT_PAGES << PAGE_SHIFT);
    if (!record_find_free(RECORD_OBJECT, &index)) {
        return ERROR_NO_MEMORY;
    }
    *record_of(index) = (struct object_record){.state = OBJECT_USED, .size = size};
    *out = (struct object_id){OBJECTS_FIRST + index};
    return OK;
}

void object_forget(struct object_id object)
{
    DOES_NOT_SLEEP();
    uint32_t index = index_of(object);

    ASSERT(references[index] == 0);
    memset(record_of(index), 0, sizeof(struct object_record));
    record_freed(RECORD_OBJECT, index);
}

/* Names ------------------------------------------------------------------------------------------------------------ */

void object_set_name(struct object_id object, const char *name)
{
    DOES_NOT_SLEEP();
    memcpy(object_at(object)->name, name, PROGRAM_NAME_MAX);
}

struct object_id object_named(const char *name)
{
    for (uint32_t index = 0; name[0] != 0 && is_in_table(index); index++) {
        if (record_of(index)->state == OBJECT_USED && strcmp(record_of(index)->name, name) == 0) {
            return (struct object_id){OBJECTS_FIRST + index};
        }
    }
    return (struct object_id){0};
}

/* References ------------------------------------------------------------------------------------------------------- */

static void list_unused(uint32_t index)
{
    if (next_unused[index] == 0) {
        next_unused[index] = object_first_unused != 0 ? object_first_unused : END;
        object_first_unused = (uint16_t)(index + 1);
    }
}

void object_refer(struct object_id object, int32_t by)
{
    DOES_NOT_SLEEP();
    uint32_t index = index_of(object);

    ASSERT(by >= 0 || references[index] >= (uint32_t)-by);
    references[index] += (uint32_t)by;
    if (references[index] == 0) {
        list_unused(index);
    }
}

uint32_t object_references(struct object_id object)
{
    return references[index_of(object)];
}

/* The first of the list, off it. False: there is none. */
static bool take_unused(uint32_t *out)
{
    if (object_first_unused == 0) {
        return false;
    }
    *out = object_first_unused - 1u;
    object_first_unused = next_unused[*out] != END ? next_unused[*out] : 0;
    next_unused[*out] = 0;
    return true;
}

/* OBJECT-2. It may have been referred to again while others were taken back, and nobody can refer to it while this sleeps. */
static enum error take_back(uint32_t index)
{
    if (references[index] > 0 || record_of(index)->state == OBJECT_FREE) {
        return OK;
    }
    struct object_id object = {OBJECTS_FIRST + index};
    enum error error = vm_discard_if_any(page_key_make(object, 0), OBJECT_PAGES);
    if (error == OK) {
        object_forget(object);
    }
    return error;
}

void object_collect(void)
{
    thread_may_sleep();
    uint32_t index;

    while (take_unused(&index)) {
        enum error error = take_back(index);
        if (error != OK) {
            log_line("object: %u is not released for now: %s", OBJECTS_FIRST + index, error_text(error));
            list_unused(index);
            return;
        }
    }
}

/* OBJECT-1: the table tells of each record that names an object, and of each that does so no more. */
void object_start(void)
{
    region_table.refer = object_refer;
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

static enum error refer_to(struct object_id object, struct address_space space)
{
    if (!object_is_there(object)) {
        log_line("object: %u is named by space %u, and is not there", object.number, space.number);
        return ERROR_FORMAT_DAMAGED;
    }
    references[index_of(object)]++;
    return OK;
}

static enum error refer_from(struct address_space space)
{
    const struct vm_region *region;
    struct object_id image = space_at(space)->image;
    enum error error = image.number != 0 ? refer_to(image, space) : OK;

    for (uint32_t page = 0;
         error == OK && (region = vm_region_next(&region_table, space_at(space)->region_root, page)) != NULL;
         page = vm_region_end(region)) {
        if (vm_backing_has_object(&region->backing)) {
            error = refer_to(region->backing.object, space);
        }
    }
    return error;
}

enum error object_resume(void)
{
    DOES_NOT_SLEEP();
    enum error error = OK;

    object_start();
    for (struct address_space space = {1}; error == OK && space_is_in_table(space); space.number++) {
        error = space_at(space)->state != SPACE_FREE ? refer_from(space) : OK;
    }
    return error;
}

void object_resume_end(void)
{
    DOES_NOT_SLEEP();
    for (uint32_t index = 0; is_in_table(index); index++) {
        if (record_of(index)->state == OBJECT_USED && references[index] == 0) {
            list_unused(index);
        }
    }
}
