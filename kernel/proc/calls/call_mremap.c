/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mremap: a mapping grows, shrinks or moves.
 *
 * A move copies page by page, which may sleep, so it is a small state machine in record->call: where to (words[0], a
 * page number), the protection the pages will have (words[1]), and how many pages have been copied (done). Issued again
 * after a boot it goes on there. Meanwhile the old place is readable and the new one is writable; whichever is so
 * anyway keeps its regions, so that the way back needs no records for it. Pages of zeroes are not copied: what was
 * never touched stays so; nor what an object shows there, which the new place shows, too. Shrinking may sleep as well, and leaves a guard until it is done: words[2] says that the
 * mapping was found before.
 *
 * A view of an object moves without a copy: the new place shows the same pages, and then the old one goes (words[3]
 * says so). With an old length of 0 it stays, and there are two.
 */
#include "arch/pmap.h"
#include "calls.h"
#include "log.h"
#include "space/address_space.h"
#include "space/limits.h"
#include "space/space_map.h"
#include "vm_map.h"
#include "zero.h"
#include <string.h>

#define TARGET     0
#define PROTECTION 1
#define SHRINKS    2
#define IS_VIEW    3

struct remap {
    struct address_space space;
    uint32_t old_first, old_count;
    uint32_t new_count;
    uint32_t flags;
    uint32_t wish; /* page number, with MREMAP_FIXED */
    struct vm_region_attributes attributes;
};

/* The source is only read, so a stop while the target is made ready takes nothing from it. */
static enum error copy_page(struct address_space space, uint32_t from, uint32_t to)
{
    struct user_range source, target;
    const struct vm_region *region = vm_region_find(&region_table, space_at(space)->region_root, from);
    bool has_base = region != NULL && vm_backing_has_object(&region->backing);
    enum error error = user_prepare(&source, (struct vaddr){from << PAGE_SHIFT}, PAGE_SIZE, PMAP_READ);

    if (error != OK) { /* the old place can be read, but not beyond the end of its base */
        return error == ERROR_DENIED && has_base ? OK : error;
    }
    if (has_base ? vm_page_has_place(source.pages[0]) : !memory_is_zero(source.address, PAGE_SIZE)) {
        error = user_prepare(&target, (struct vaddr){to << PAGE_SHIFT}, PAGE_SIZE, PMAP_WRITE);
        if (error == OK) {
            memcpy(target.address, source.address, PAGE_SIZE);
            user_release(&target);
        }
    }
    user_release(&source);
    return error;
}

static enum error copy_pages(const struct system_call *call, const struct remap *remap)
{
    uint32_t count = remap->old_count < remap->new_count ? remap->old_count : remap->new_count;

    while (call->record->call.done < count) {
        uint32_t page = call->record->call.done;
        enum error error = copy_page(remap->space, remap->old_first + page, call->record->call.words[TARGET] + page);
        if (error != OK) {
            return error;
        }
        call_progress(call)->done++;
        call_let_others_run();
    }
    return OK;
}

/* Make the new place, writable for now. */
static enum error begin_move(const struct system_call *call, const struct remap *remap)
{
    struct vm_region_attributes attributes = remap->attributes;
    uint32_t target = remap->wish;
    bool is_view = attributes.backing.kind == VM_BACKING_OBJECT;
    enum error error;

    if (!is_view) {
        attributes.protection = VM_READ | VM_WRITE;
    }
    if ((remap->flags & MREMAP_FIXED) != 0) {
        error = address_space_replace(remap->space, target, remap->new_count, attributes);
    } else {
        error = address_space_map_anywhere(remap->space, remap->new_count, attributes, &target);
    }
    if (error == OK) {
        struct call_progress *progress = call_progress(call);
        progress->words[PROTECTION] = remap->attributes.protection;
        progress->words[IS_VIEW] = is_view;
        progress->words[TARGET] = target;
    }
    return error;
}

/* For a while, or again. It is part of the move: again, it does no harm. */
static enum error protect(const struct remap *remap, uint32_t first, uint32_t count, uint8_t protection)
{
    enum error error = address_space_protect(remap->space, first, count, protection);

    program_call_keep(); /* words[TARGET] says what has been done */
    return error;
}

/* Nothing of it is there, and the old place is as it was. ERROR_IO: that could not be brought about. */
static enum error undo_move(const struct remap *remap, uint32_t target, uint8_t protection, enum error why)
{
    enum error error = address_space_unmap(remap->space, target, remap->new_count);

    if ((protection & VM_READ) == 0) {
        program_call_keep();
        enum error restore = address_space_protect(remap->space, remap->old_first, remap->old_count, protection);
        if (error == OK) {
            error = restore;
        }
    }
    return error == OK ? why : ERROR_IO;
}

/*
 * The place for a second view begins where the first does. As on Linux it is emptied first, and then nothing is left to
 * be seen; the object may be gone with it.
 */
static bool covers_itself(const struct remap *remap)
{
    return remap->old_count == 0 && (remap->flags & MREMAP_FIXED) != 0 && remap->wish == remap->old_first;
}

static enum error move(const struct system_call *call, const struct remap *remap)
{
    const struct task_record *record = call->record;

    if (covers_itself(remap)) {
        enum error emptied = address_space_unmap(remap->space, remap->wish, remap->new_count);
        return emptied == OK ? ERROR_DENIED : emptied;
    }
    enum error error = record->call.words[TARGET] == 0 ? begin_move(call, remap) : OK;

    if (error != OK) {
        return error;
    }
    if (record->call.words[IS_VIEW] != 0) {
        return remap->old_count == 0 ? OK : address_space_unmap(remap->space, remap->old_first, remap->old_count);
    }
    uint32_t target = record->call.words[TARGET];
    uint8_t protection = (uint8_t)record->call.words[PROTECTION];
    uint32_t copied = remap->old_count < remap->new_count ? remap->old_count : remap->new_count;
    if (record->call.done < copied && (protection & VM_READ) == 0) {
        error = protect(remap, remap->old_first, remap->old_count, VM_READ);
    }
    if (error == OK && record->call.done < copied) {
        error = copy_pages(call, remap);
    }
    if (error == OK && protection != (VM_READ | VM_WRITE)) {
        error = protect(remap, target, remap->new_count, protection);
    }
    if (error != OK) {
        return undo_move(remap, target, protection, error);
    }
    return address_space_unmap(remap->space, remap->old_first, remap->old_count);
}

/* Shrink or grow without moving. ERROR_EXISTS: there is no room. */
static enum error resize_in_place(const struct system_call *call, const struct remap *remap)
{
    uint32_t old_end = remap->old_first + remap->old_count;

    if (remap->new_count <= remap->old_count) {
        uint32_t surplus = remap->old_count - remap->new_count;
        call_progress(call)->words[SHRINKS] = 1;
        return surplus == 0 ? OK : address_space_unmap(remap->space, old_end - surplus, surplus);
    }
    uint32_t extra = remap->new_count - remap->old_count;
    if (!address_space_contains(old_end, extra)) {
        return ERROR_EXISTS;
    }
    struct vm_region_attributes attributes = remap->attributes;
    if (vm_backing_has_object(&attributes.backing)) {
        attributes.backing.offset += remap->old_count;
    }
    return address_space_map(remap->space, old_end, extra, attributes);
}

static uint32_t pages_up(uint32_t bytes)
{
    return (bytes >> PAGE_SHIFT) + ((bytes & PAGE_MASK) != 0 ? 1 : 0);
}

static bool overlaps(uint32_t first, uint32_t count, uint32_t other, uint32_t other_count)
{
    return first < other + other_count && other < first + count;
}

static int32_t decode(const struct system_call *call, struct remap *remap)
{
    const uint32_t *arguments = call->arguments;

    remap->space = address_space_of(call->task->program_id);
    remap->old_first = arguments[0] >> PAGE_SHIFT;
    remap->old_count = pages_up(arguments[1]);
    remap->new_count = pages_up(arguments[2]);
    remap->flags = arguments[3];
    if ((arguments[0] & PAGE_MASK) != 0 || (remap->flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) != 0 ||
        remap->new_count == 0 || (remap->old_count == 0 && (remap->flags & MREMAP_MAYMOVE) == 0)) {
        return -EINVAL;
    }
    if ((remap->flags & MREMAP_FIXED) != 0) {
        remap->wish = arguments[4] >> PAGE_SHIFT;
        if ((remap->flags & MREMAP_MAYMOVE) == 0 || (arguments[4] & PAGE_MASK) != 0 ||
            !address_space_contains(remap->wish, remap->new_count) ||
            overlaps(remap->wish, remap->new_count, remap->old_first, remap->old_count)) {
            return -EINVAL;
        }
    }
    uint32_t count = remap->old_count != 0 ? remap->old_count : 1;
    return address_space_contains(remap->old_first, count) ? 0 : -EFAULT;
}

/* Whether a region could be the next one of the mapping, `pages` behind its first page. */
static bool is_of_mapping(const struct vm_region *region, const struct remap *remap, uint32_t pages)
{
    const struct vm_region_attributes *mapping = &remap->attributes;

    if (region == NULL || region->backing.kind != mapping->backing.kind || region->protection != mapping->protection ||
        region->flags != mapping->flags) {
        return false;
    }
    return region->backing.object.number == mapping->backing.object.number &&
           (!vm_backing_has_object(&region->backing) || region->backing.offset == mapping->backing.offset + pages);
}

/*
 * The old range must be one mapping. It may be several regions, since what was added after a clone is no copy of a
 * source; wherever it goes or grows, the new pages are none. Of private memory there is no second view.
 */
static int32_t find_mapping(struct remap *remap)
{
    uint32_t root = space_at(remap->space)->region_root;
    uint32_t end = remap->old_first + remap->old_count;
    const struct vm_region *region = vm_region_find(&region_table, root, remap->old_first);

    if (region == NULL || region->backing.kind == VM_BACKING_NONE) {
        return -EFAULT;
    }
    remap->attributes = address_space_same(region, remap->old_first);
    if (remap->old_count == 0 && region->backing.kind != VM_BACKING_OBJECT) {
        return -EINVAL;
    }
    while (vm_region_end(region) < end) {
        uint32_t next = vm_region_end(region);
        region = vm_region_find(&region_table, root, next);
        if (!is_of_mapping(region, remap, next - remap->old_first)) {
            return -EFAULT;
        }
    }
    return 0;
}

static bool may_grow(const struct remap *remap)
{
    return remap->new_count <= remap->old_count ||
           limits_allow_pages(remap->space, 0, 0, remap->new_count - remap->old_count,
                              (remap->attributes.protection & VM_WRITE) != 0);
}

static int32_t remap_with_map(const struct system_call *call)
{
    struct remap remap = {0};
    int32_t result = decode(call, &remap);

    if (result != 0) {
        return result;
    }
    if (call->record->call.words[TARGET] != 0 &&
        (!address_space_contains(call->record->call.words[TARGET], remap.new_count) ||
         (call->record->call.words[PROTECTION] & ~VM_PROTECTIONS) != 0)) {
        return -EFAULT; /* no move of ours: the words come from an image */
    }
    if (call->record->call.words[TARGET] == 0) {
        result = call->record->call.words[SHRINKS] == 0 ? find_mapping(&remap) : 0;
        if (result == 0 && !may_grow(&remap)) {
            result = -ENOMEM;
        }
        if (result != 0) {
            return result;
        }
        if ((remap.flags & MREMAP_FIXED) == 0 && remap.old_count != 0) {
            enum error error = resize_in_place(call, &remap);
            if (error == OK) {
                return (int32_t)call->arguments[0];
            }
            if (error != ERROR_EXISTS || (remap.flags & MREMAP_MAYMOVE) == 0) {
                return -ENOMEM;
            }
        }
    }
    enum error error = move(call, &remap);
    return error == OK ? (int32_t)(call->record->call.words[TARGET] << PAGE_SHIFT) : system_call_errno(error);
}

int32_t call_mremap(const struct system_call *call)
{
    struct address_space space = address_space_of(call->task->program_id);

    space_lock(space);
    int32_t result = remap_with_map(call);
    space_unlock(space);
    return result;
}
