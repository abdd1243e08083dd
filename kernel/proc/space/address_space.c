/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes to a space.
 *
 * Taking memory away has two steps, because discarding pages may sleep: first the range becomes a guard, so that no
 * fault can bring a page back and nothing new can be placed there; when the pages are gone, so is the guard. A power
 * cut in between leaves the guard, and the call that is issued again removes it.
 */
#include "address_space.h"
#include "atomic.h"
#include "log.h"
#include "space.h"
#include "space_map.h"
#include "task/task.h"
#include "vm_fault.h"
#include "vm_lineage.h"
#include "vm_reclaim.h"

#define REGION_LEVEL_FEW 8u   /* a tree of that height has 54 to 255 regions */
#define REGIONS_LEFT     512u /* by a program with more than that */

struct address_space address_space_of(struct program_id program)
{
    return program_at(program_memory(program))->space;
}

bool address_space_contains(uint32_t first, uint32_t count)
{
    return first >= USER_FIRST_PAGE && first < USER_END_PAGE && count > 0 && count <= USER_END_PAGE - first;
}

struct vm_region_attributes address_space_view(uint8_t protection, struct object_id object, uint32_t offset)
{
    return (struct vm_region_attributes){.protection = protection,
                                         .backing = {.kind = VM_BACKING_OBJECT, .object = object, .offset = offset}};
}

struct vm_region_attributes address_space_private_view(uint8_t protection, struct object_id object, uint32_t offset)
{
    return (struct vm_region_attributes){.protection = protection,
                                         .backing = {.kind = VM_BACKING_MEMORY, .object = object, .offset = offset}};
}

struct vm_region_attributes address_space_same(const struct vm_region *region, uint32_t page)
{
    struct vm_region_attributes same = {
        .protection = region->protection, .flags = region->flags, .backing = region->backing};

    if (vm_backing_has_object(&same.backing)) {
        same.backing.offset += page - region->first_page;
    }
    return same;
}

struct vm_region_attributes address_space_zeroes(uint8_t protection, uint8_t flags)
{
    return (struct vm_region_attributes){
        .protection = protection, .flags = flags, .backing = {.kind = VM_BACKING_MEMORY}};
}

static struct page_key page_of(struct address_space space, uint32_t page)
{
    return page_key_at(space_window(space), (struct vaddr){page << PAGE_SHIFT});
}

/* What is mapped now shows nothing of what sources have there. */
static void set_depth(struct address_space space, struct vm_region_attributes *attributes)
{
    attributes->backing.depth = (uint16_t)vm_lineage_depth(space_window(space));
}

static bool is_empty(struct address_space space, uint32_t first, uint32_t count)
{
    const struct vm_region *region = vm_region_next(&region_table, space_at(space)->region_root, first);

    return region == NULL || region->first_page >= first + count;
}

/*
 * Records for one more region. A program that has many already leaves enough for others to be cloned, to be started and
 * to have a few: the height of its tree says how many it has at least.
 */
static enum error reserve_growth(struct address_space space)
{
    uint32_t regions = space_at(space)->region_root;
    const struct vm_region *root = &region_table.records[regions];
    bool has_many = regions != 0 && root->level > REGION_LEVEL_FEW;

    return has_many ? vm_region_reserve_leaving(&region_table, REGIONS_LEFT) : vm_region_reserve_growth(&region_table);
}

/*
 * The last step of a change has been prepared. That of the caller's own memory is what its call is for; execve() also
 * fills a space that is no program's yet, and sleeps in between.
 */
static bool is_own(struct address_space space)
{
    const struct task *task = task_current();

    return task != NULL && space.number == address_space_of_task(task).number;
}

static void commit(struct address_space space)
{
    if (is_own(space)) {
        program_call_commit();
    }
}

/* Whether the caller may change regions (EPOCH-1): of its own space with the map mutex, of one that is being filled. */
static bool may_change(struct address_space space)
{
    return !is_own(space) || space_is_locked(space);
}

enum error address_space_map(struct address_space space, uint32_t first, uint32_t count,
                             struct vm_region_attributes attributes)
{
    ASSERT(may_change(space));
    enum error error = reserve_growth(space);

    set_depth(space, &attributes);
    if (error == OK) {
        error = vm_region_insert(&region_table, &space_at(space)->region_root, first, count, &attributes);
    }
    if (error == OK) {
        commit(space);
    }
    return error;
}

enum error address_space_map_anywhere(struct address_space space, uint32_t count,
                                      struct vm_region_attributes attributes, uint32_t *out_first)
{
    ASSERT(may_change(space));
    enum error error = reserve_growth(space);

    set_depth(space, &attributes);
    if (error == OK) {
        error = vm_region_allocate(&region_table, &space_at(space)->region_root, USER_FIRST_PAGE, MAPPING_END_PAGE,
                                   count, &attributes, out_first);
    }
    if (error == OK) {
        commit(space);
    }
    return error;
}

/* Put one region in the place of all that is in the range. Nothing sleeps once the records are reserved. */
static enum error exchange_regions(struct address_space space, uint32_t first, uint32_t count,
                                   const struct vm_region_attributes *attributes)
{
    ASSERT(may_change(space));
    enum error error = vm_region_reserve(&region_table);

    if (error != OK) {
        return error;
    }
    atomic_begin();
    space_count_epoch(space);
    error = vm_region_release(&region_table, &space_at(space)->region_root, first, count);
    if (error == OK && attributes != NULL) {
        error = vm_region_insert(&region_table, &space_at(space)->region_root, first, count, attributes);
    }
    atomic_end();
    return error;
}

/*
 * The first step of taking memory away: the range is a guard without content afterwards. Once it is a guard there is no
 * way back, and memory that the discarding lacks is waited for. ERROR_NO_MEMORY: nothing has changed, or the space has
 * to do without (vm_reclaim_wait()). ERROR_INTERRUPTED: go on later.
 */
static enum error empty_range(struct address_space space, uint32_t first, uint32_t count)
{
    const struct vm_region_attributes guard = {.backing = {.kind = VM_BACKING_NONE}};
    enum error error = exchange_regions(space, first, count, &guard);

    if (error != OK) {
        return error;
    }
    do {
        error = vm_discard(page_of(space, first), count);
    } while (error == ERROR_NO_MEMORY && (error = vm_reclaim_wait(space_window(space))) == OK);
    return error;
}

enum error address_space_replace(struct address_space space, uint32_t first, uint32_t count,
                                 struct vm_region_attributes attributes)
{
    enum error error = reserve_growth(space);

    if (error == OK && !is_empty(space, first, count)) {
        error = empty_range(space, first, count);
    }
    if (error != OK) {
        return error;
    }
    set_depth(space, &attributes);
    error = exchange_regions(space, first, count, &attributes);
    commit(space);
    return error;
}

enum error address_space_unmap(struct address_space space, uint32_t first, uint32_t count)
{
    thread_may_sleep();
    if (is_empty(space, first, count)) {
        return OK;
    }
    enum error error = empty_range(space, first, count);
    if (error == OK) {
        /* Without a record for that the guard stays: it is as inaccessible, and the next mapping takes its place. */
        (void)(exchange_regions(space, first, count, NULL) == OK);
        commit(space);
    }
    return error;
}

/* What a source has there is not what untouched pages of the range are, from now on. */
static enum error forget_sources(struct address_space space, uint32_t first, uint32_t end)
{
    enum error error = OK;

    while (error == OK && first < end) {
        const struct vm_region *region = vm_region_find(&region_table, space_at(space)->region_root, first);
        ASSERT(region != NULL);
        uint32_t stop = vm_region_end(region) < end ? vm_region_end(region) : end;
        struct vm_region_attributes untouched = address_space_same(region, first);
        set_depth(space, &untouched);
        if (region->backing.kind == VM_BACKING_MEMORY && region->backing.depth < untouched.backing.depth) {
            error = exchange_regions(space, first, stop - first, &untouched);
        }
        first = stop;
    }
    return error;
}

enum error address_space_forget(struct address_space space, uint32_t first, uint32_t count)
{
    ASSERT(may_change(space));
    enum error error = forget_sources(space, first, first + count);

    space_count_epoch(space);
    return error == OK ? vm_discard_in_use(page_of(space, first), count) : error;
}

enum error address_space_protect(struct address_space space, uint32_t first, uint32_t count, uint8_t protection)
{
    ASSERT(may_change(space));
    enum error error = reserve_growth(space);

    if (error != OK) {
        return error;
    }
    commit(space);
    space_count_epoch(space);
    error = vm_region_protect(&region_table, &space_at(space)->region_root, first, count, protection);
    if (error == OK) {
        vm_restrict(page_key_place(page_of(space, first)), count, protection != 0, (protection & VM_WRITE) != 0);
    }
    return error;
}
