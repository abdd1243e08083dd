/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects: records and references, and which of them nobody refers to.
 *
 * The last reference may go where nothing may sleep, and pages are taken back by sleeping. So an object without
 * references waits on a list for whoever comes to object_collect(); after a cut the boot finds it so.
 */
#include "object.h"
#include "atomic.h"
#include "fs.h"
#include "log.h"
#include "object_internal.h"
#include "regions.h"
#include "space.h"
#include "task/pending.h"
#include <string.h>

/* Volatile, by index of the record. */
static uint32_t references[OBJECTS_RECORDED];
static uint16_t next_unused[OBJECTS_RECORDED]; /* index + 1 of the next on the list, or END */
uint16_t object_first_unused;                  /* the list, as next_unused; 0: it is empty */

#define END UINT16_MAX
_Static_assert(OBJECTS_RECORDED < END, "an index and two more values fit");

static struct object_record *record_of(uint32_t index)
{
    return object_record(index);
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

void object_forget_record(uint32_t index)
{
    DOES_NOT_SLEEP();
    ASSERT(references[index] == 0);
    if (record_of(index)->number != 0) {
        object_number_remove(index);
    }
    memset(record_of(index), 0, sizeof(struct object_record));
    record_freed(RECORD_OBJECT, index);
}

void object_forget(struct object_id object)
{
    DOES_NOT_SLEEP();
    object_forget_record(object_index(object));
}

/* Names ------------------------------------------------------------------------------------------------------------ */

void object_set_name(struct object_id object, const char *name)
{
    DOES_NOT_SLEEP();
    memcpy(object_at(object)->name, name, PROGRAM_NAME_MAX);
}

static bool is_no_file(uint32_t index)
{
    return record_of(index)->state == OBJECT_USED && record_of(index)->number == 0;
}

struct object_id object_named(const char *name)
{
    for (uint32_t index = 0; name[0] != 0 && index < record_committed(RECORD_OBJECT); index++) {
        if (is_no_file(index) && strcmp(record_of(index)->name, name) == 0) {
            return (struct object_id){OBJECTS_FIRST + index};
        }
    }
    return (struct object_id){0};
}

/* References ------------------------------------------------------------------------------------------------------- */

void object_list_unused(uint32_t index)
{
    if (next_unused[index] == 0) {
        next_unused[index] = object_first_unused != 0 ? object_first_unused : END;
        object_first_unused = (uint16_t)(index + 1);
    }
}

void object_refer(struct object_id object, int32_t by)
{
    DOES_NOT_SLEEP();
    uint32_t index = object_index(object);

    ASSERT(by >= 0 || references[index] >= (uint32_t)-by);
    references[index] += (uint32_t)by;
    if (references[index] == 0) {
        object_list_unused(index);
    }
}

uint32_t object_references(struct object_id object)
{
    return references[object_index(object)];
}

bool object_take_unused(uint32_t *out)
{
    if (object_first_unused == 0) {
        return false;
    }
    *out = object_first_unused - 1u;
    object_first_unused = next_unused[*out] != END ? next_unused[*out] : 0;
    next_unused[*out] = 0;
    return true;
}

enum error object_create_file(uint32_t inode, const struct fs_inode *of)
{
    DOES_NOT_SLEEP();
    uint32_t index;

    if (object_is_there(fs_object(inode))) {
        return OK;
    }
    if (!record_find_free(RECORD_OBJECT, &index)) {
        return ERROR_NO_MEMORY;
    }
    *record_of(index) = (struct object_record){
        .state = OBJECT_USED, .number = fs_object(inode).number, .generation = of->generation, .size = of->size};
    object_number_add(index);
    object_list_unused(index);
    return OK;
}

bool object_is_unreferred(uint32_t index)
{
    return references[index] == 0;
}

void object_complete(uint32_t inode, struct fs_inode *found)
{
    DOES_NOT_SLEEP();
    uint32_t index;

    if (!object_number_find(fs_object(inode).number, &index)) {
        return;
    }
    const struct object_record *record = record_of(index);
    found->size = record->size;
    found->modify_ns = record->modify_ns != 0 ? record->modify_ns : found->modify_ns;
    found->change_ns = record->modify_ns > found->change_ns ? record->modify_ns : found->change_ns;
}

/* Files whose last name goes (FS-4): a record for each, which nobody refers to if nobody has it open. */

static bool has_room(uint32_t inode)
{
    uint32_t index;

    return object_is_there(fs_object(inode)) || record_find_free(RECORD_OBJECT, &index);
}

static void keep(uint32_t inode, const struct fs_inode *of)
{
    enum error error = object_create_file(inode, of);

    ASSERT(error == OK);
}

static const struct fs_client keeper = {
    .has_room = has_room, .reserve = object_reserve, .keep = keep, .goes_on = task_wait_goes_on};

/* OBJECT-1: the table tells of each record that names an object, and of each that does so no more. */
void object_start(void)
{
    region_table.refer = object_refer;
    fs_set_client(&keeper);
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

static enum error refer_to(struct object_id object, struct address_space space)
{
    if (!object_is_there(object)) {
        log_line("object: %u is named by space %u, and is not there", object.number, space.number);
        return ERROR_FORMAT_DAMAGED;
    }
    references[object_index(object)]++;
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
    for (uint32_t index = 0; index < record_committed(RECORD_OBJECT); index++) {
        if (record_of(index)->state == OBJECT_USED && references[index] == 0) {
            object_list_unused(index);
        }
    }
}
