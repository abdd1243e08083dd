/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own books in a world, at a stop and between two instructions: all that snap_check() proves (VM-1 to 12,
 * VIEW-1 to 6, PLACE-1 as far as it stands), and OBJECT-1 to 3. And that nothing of an object is left when nobody lives
 * any more.
 */
#include "proc_world_parts.h"
#include "host_boot.h"
#include "host_calls.h"
#include "record.h"
#include "snap_check.h"
#include "space/object.h"
#include "space/regions.h"
#include "space/space.h"
#include "store.h"
#include "task/task.h"
#include "fs_layout.h"
#include "vm_fault.h"
#include "vm_map.h"

#include <inttypes.h>
#include <string.h>

static bool is_used(uint32_t index)
{
    return ((const struct object_record *)record_at(RECORD_OBJECT, index))->state == OBJECT_USED;
}

static void count_reference(struct address_space space, struct object_id object, uint32_t counts[])
{
    uint32_t index = object.number - OBJECTS_FIRST;

    if (index >= record_committed(RECORD_OBJECT) || !is_used(index)) {
        world_fail("space %u names object %u, which is not there", space.number, object.number);
    }
    counts[index]++;
}

static void count_references(struct address_space space, uint32_t counts[])
{
    const struct vm_region *region;

    if (space_at(space)->image.number != 0) {
        count_reference(space, space_at(space)->image, counts);
    }

    for (uint32_t page = 0; (region = vm_region_next(&region_table, space_at(space)->region_root, page)) != NULL;
         page = vm_region_end(region)) {
        if (vm_backing_has_object(&region->backing)) {
            count_reference(space, region->backing.object, counts);
        }
    }
}

/* OBJECT-2 and 3: no page at or beyond the end of an object has content, nor has one of what is no object. */
static void check_pages(void)
{
    for (struct vm_map_cursor cursor = {0}; !cursor.done;) {
        const struct vm_page *page = vm_map_next(vm_object_space(), &cursor);
        if (page == NULL || frame_is_none(vm_page_frame(page)) || page_key_has_place(vm_page_key(page))) {
            continue;
        }
        struct object_id object = page_key_object(vm_page_key(page));
        if (object.number >= FS_OBJECT_INODES.number) {
            continue; /* of files (fs_check.h) */
        }
        uint32_t at = object.number - OBJECTS_FIRST, index = page_key_index(vm_page_key(page));
        uint32_t pages = at < record_committed(RECORD_OBJECT) && is_used(at) ? object_pages(object) : 0;
        if (index >= pages) {
            world_fail("page %u of object %u has content, and the object has %u pages", index, object.number, pages);
        }
    }
}

/* Who is in the middle of execve() has a reference; and so has the boot until the first program runs. */
static uint32_t count_passing(void)
{
    uint32_t count = 0, tasks = 0;

    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        const struct task *task = task_at(i);
        tasks += task != NULL;
        count += task != NULL && task->in_call && task->call_number == CALL_EXECVE;
    }
    return count + (tasks == 0);
}

static void check_objects(void)
{
    static uint32_t counts[OBJECTS_RECORDED];

    memset(counts, 0, sizeof(counts));
    for (struct address_space space = {1}; space_is_in_table(space); space.number++) {
        if (space_at(space)->state != SPACE_FREE) {
            count_references(space, counts);
        }
    }
    for (uint32_t i = 0; i < record_committed(RECORD_OBJECT); i++) {
        struct object_id object = {OBJECTS_FIRST + i};
        uint32_t references = object_references(object);
        if (references < counts[i] || references > counts[i] + count_passing()) {
            world_fail("object %u has %u references, and %u regions and spaces name it", object.number, references,
                       counts[i]);
        }
    }
    check_pages();
}

void world_check_kernel(void)
{
    struct snap_violation violation;

    if (snap_check(&violation) != OK) {
        world_fail("%s is broken, page %" PRIx64, violation.invariant,
                   violation.has_page ? violation.page.number : UINT64_C(0));
    }
    check_objects();
    proc_world_counters.checks++;
}

void world_check_nothing_shared(void)
{
    struct page_key first = page_key_make((struct object_id){OBJECTS_FIRST}, 0), found;
    struct store_entry entry;

    for (uint32_t i = 0; i < record_committed(RECORD_OBJECT); i++) {
        if (is_used(i)) {
            world_fail("object %u is in use at the end", OBJECTS_FIRST + i);
        }
    }
    check_pages();
    if (store_next(world.store, first, &found, &entry) == OK &&
        page_key_object(found).number < FS_OBJECT_INODES.number) {
        world_fail("page %" PRIx64 " is in the store at the end", found.number);
    }
}
