/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on memory: mappings, protection, the program break. (mremap has a file of its own.)
 *
 * What can be mapped is anonymous memory, /dev/zero, which is the same, and files that are objects. Shared memory is an
 * object of its own (space/object.h), which clones see, too.
 */
#include "atomic.h"
#include "calls.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "space/address_space.h"
#include "space/space.h"
#include "space/limits.h"
#include "space/object.h"
#include "space/space_map.h"
#include "vm_reclaim.h"

#define ERRNO_MAX  4096u /* results from -ERRNO_MAX + 1 to -1 are errors, others addresses */
#define PROT_KNOWN (PROT_READ | PROT_WRITE | PROT_EXEC)

static uint32_t pages_up(uint32_t bytes)
{
    return (bytes >> PAGE_SHIFT) + ((bytes & PAGE_MASK) != 0 ? 1 : 0);
}

/* On i386 what can be written or executed can be read. */
static uint8_t protection_of(uint32_t prot)
{
    uint8_t protection = (uint8_t)(prot & PROT_KNOWN);

    return protection != 0 ? protection | VM_READ : 0;
}

/* mmap ------------------------------------------------------------------------------------------------------------- */

/* Whether a file is open in such a way that a mapping may read it, and write to it if it is shared. */
static bool is_open_for(const struct file_record *file, uint32_t type, uint32_t prot)
{
    uint32_t mode = file->flags & O_ACCMODE;

    return mode == O_RDWR || (mode == O_RDONLY && (type == MAP_PRIVATE || (prot & PROT_WRITE) == 0));
}

static int32_t check_source(const struct system_call *call, uint32_t prot, uint32_t flags, uint32_t descriptor)
{
    uint32_t type = flags & MAP_TYPE;

    if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) {
        return -EINVAL;
    }
    if ((flags & MAP_ANONYMOUS) != 0) {
        return 0;
    }
    const struct file_record *file = file_of(call->program, descriptor);
    if (file == NULL) {
        return -EBADF;
    }
    if (!is_open_for(file, type, prot)) {
        return -EACCES;
    }
    return file_operations(file)->has_object || file_operations(file)->maps_zeroes ? 0 : -ENODEV;
}

/* The object of the file that is to be mapped; object 0: there is none, it is zeroes. */
static struct object_id source_object(const struct system_call *call, uint32_t flags, uint32_t descriptor)
{
    const struct file_record *file = (flags & MAP_ANONYMOUS) != 0 ? NULL : file_of(call->program, descriptor);

    return (struct object_id){file != NULL && file_operations(file)->has_object ? file->object : 0};
}

/* Whether so many pages more can be promised; what cannot be told is promised. May sleep. */
static bool may_promise(const struct system_call *call, uint32_t count)
{
    thread_may_sleep();
    return vm_may_promise(space_window(address_space_of(call->task->program_id)), count) != ERROR_NO_MEMORY;
}

static int32_t map_fixed(struct address_space space, uint32_t address, uint32_t count, uint32_t flags,
                         struct vm_region_attributes attributes)
{
    uint32_t first = address >> PAGE_SHIFT;

    if ((address & PAGE_MASK) != 0) {
        return -EINVAL;
    }
    if (!address_space_contains(first, count)) {
        return address < USER_START ? -EPERM : -ENOMEM;
    }
    enum error error = (flags & MAP_FIXED_NOREPLACE) != 0 ? address_space_map(space, first, count, attributes)
                                                          : address_space_replace(space, first, count, attributes);
    return error == OK ? (int32_t)address : system_call_errno(error);
}

/* A call that changes the caller's space, with the map mutex from the first look to the last change. May sleep. */
static int32_t with_map(const struct system_call *call,
                        int32_t (*change)(const struct system_call *call, struct address_space space))
{
    thread_may_sleep();
    struct address_space space = address_space_of(call->task->program_id);

    space_lock(space);
    int32_t result = change(call, space);
    space_unlock(space);
    return result;
}

/* Within the program's limits, which count what a fixed mapping takes the place of only once. */
static bool may_map(struct address_space space, uint32_t first, uint32_t count, uint32_t prot, uint32_t flags)
{
    return limits_allow_pages(space, first, (flags & MAP_FIXED) != 0 ? count : 0, count, (prot & PROT_WRITE) != 0);
}

/* Where the flags and the wish say, else anywhere. */
static int32_t map_at(struct address_space space, uint32_t address, uint32_t count, uint32_t flags,
                      struct vm_region_attributes attributes)
{
    uint32_t hint = pages_up(address);
    uint32_t first;

    if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0) {
        return map_fixed(space, address, count, flags, attributes);
    }
    if (address != 0 && address_space_contains(hint, count) &&
        address_space_map(space, hint, count, attributes) == OK) {
        return (int32_t)(hint << PAGE_SHIFT);
    }
    enum error error = address_space_map_anywhere(space, count, attributes, &first);
    return error == OK ? (int32_t)(first << PAGE_SHIFT) : system_call_errno(error);
}

static bool is_shared(uint32_t flags)
{
    return (flags & MAP_TYPE) != MAP_PRIVATE;
}

/* A segment of its own, of zeroes. If it comes to nothing, it was never there. */
static int32_t map_segment(struct address_space space, uint32_t address, uint32_t count, uint32_t flags,
                           uint8_t protection)
{
    struct object_id object;
    enum error error = object_reserve();

    if (error == OK) {
        error = object_create((uint64_t)count << PAGE_SHIFT, &object);
    }
    if (error != OK) {
        return system_call_errno(error);
    }
    int32_t result = map_at(space, address, count, flags, address_space_view(protection, object, 0));
    if ((uint32_t)result > (uint32_t)-ERRNO_MAX) {
        object_forget(object);
    }
    return result;
}

/* What mmap() is asked for. */
struct wish {
    uint32_t address, length, prot, flags;
    struct object_id object; /* 0: zeroes */
    uint32_t offset;         /* in it, in pages */
};

static int32_t map_object(struct address_space space, const struct wish *wish, uint32_t count)
{
    uint8_t protection = protection_of(wish->prot);

    if (wish->offset >= OBJECT_PAGES || count > OBJECT_PAGES - wish->offset) {
        return -EOVERFLOW;
    }
    return map_at(space, wish->address, count, wish->flags,
                  is_shared(wish->flags) ? address_space_view(protection, wish->object, wish->offset)
                                         : address_space_private_view(protection, wish->object, wish->offset));
}

static int32_t map_in(const struct system_call *call, struct address_space space, const struct wish *wish)
{
    uint32_t address = wish->address, length = wish->length, prot = wish->prot, flags = wish->flags;
    uint32_t count = pages_up(length);
    bool grows_down = (flags & MAP_GROWSDOWN) != 0;

    if (length == 0 || (grows_down && (is_shared(flags) || wish->object.number != 0))) {
        return -EINVAL;
    }
    if (count > USER_END_PAGE || !may_map(space, address >> PAGE_SHIFT, count, prot, flags)) {
        return -ENOMEM;
    }
    if ((prot & PROT_WRITE) != 0 && (flags & MAP_NORESERVE) == 0 && !may_promise(call, count)) {
        return -ENOMEM;
    }
    if (wish->object.number != 0) {
        return map_object(space, wish, count);
    }
    if (is_shared(flags)) {
        return map_segment(space, address, count, flags, protection_of(prot));
    }
    return map_at(space, address, count, flags,
                  address_space_zeroes(protection_of(prot), grows_down ? VM_REGION_GROWS_DOWN : 0));
}

static int32_t map(const struct system_call *call, const struct wish *wish)
{
    struct address_space space = address_space_of(call->task->program_id);

    if (wish->object.number != 0) {
        object_refer(wish->object, 1); /* whoever closes the file meanwhile */
    }
    space_lock(space);
    int32_t result = map_in(call, space, wish);
    space_unlock(space);
    if (wish->object.number != 0) {
        object_refer(wish->object, -1);
    }
    return result;
}

int32_t call_mmap2(const struct system_call *call)
{
    const uint32_t *arguments = call->arguments;
    int32_t result = check_source(call, arguments[2], arguments[3], arguments[4]);

    return result != 0 ? result
                       : map(call, &(struct wish){.address = arguments[0],
                                                  .length = arguments[1],
                                                  .prot = arguments[2],
                                                  .flags = arguments[3],
                                                  .object = source_object(call, arguments[3], arguments[4]),
                                                  .offset = arguments[5]});
}

/* The old form has its arguments in memory, and a byte offset. */
int32_t call_mmap_old(const struct system_call *call)
{
    struct {
        uint32_t address, length, prot, flags, descriptor, offset;
    } arguments;
    int32_t result = copy_in(&arguments, call->arguments[0], sizeof(arguments));

    if (result == 0 && (arguments.offset & PAGE_MASK) != 0) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = check_source(call, arguments.prot, arguments.flags, arguments.descriptor);
    }
    return result != 0 ? result
                       : map(call, &(struct wish){.address = arguments.address,
                                                  .length = arguments.length,
                                                  .prot = arguments.prot,
                                                  .flags = arguments.flags,
                                                  .object = source_object(call, arguments.flags, arguments.descriptor),
                                                  .offset = arguments.offset >> PAGE_SHIFT});
}

/* Ranges of what is mapped ----------------------------------------------------------------------------------------- */

/* A page range from an aligned address and a length in bytes: 0, or -EINVAL. */
static int32_t decode_range(const struct system_call *call, uint32_t *first, uint32_t *count)
{
    *first = call->arguments[0] >> PAGE_SHIFT;
    *count = pages_up(call->arguments[1]);
    return (call->arguments[0] & PAGE_MASK) != 0 ? -EINVAL : 0;
}

static int32_t unmap(const struct system_call *call, struct address_space space)
{
    uint32_t first, count;

    if (decode_range(call, &first, &count) != 0 || count == 0 || first >= USER_END_PAGE ||
        count > USER_END_PAGE - first) {
        return -EINVAL;
    }
    if (first < USER_FIRST_PAGE) { /* nothing is ever there */
        uint32_t below = USER_FIRST_PAGE - first;
        if (count <= below) {
            return 0;
        }
        first += below;
        count -= below;
    }
    return system_call_errno(address_space_unmap(space, first, count));
}

int32_t call_munmap(const struct system_call *call)
{
    return with_map(call, unmap);
}

/* How many of `count` pages from one on are mapped, up to the first hole. */
static uint32_t count_without_hole(struct address_space space, uint32_t first, uint32_t count)
{
    uint32_t root = space_at(space)->region_root, end = first + count;
    const struct vm_region *region = vm_region_find(&region_table, root, first);
    uint32_t page = first;

    while (page < end && region != NULL) {
        page = vm_region_end(region);
        region = vm_region_find(&region_table, root, page);
    }
    return (page < end ? page : end) - first;
}

/* As on Linux, a range with a hole is changed up to there, and the error is said all the same. */
static int32_t protect(const struct system_call *call, struct address_space space)
{
    uint32_t prot = call->arguments[2];
    uint32_t first, count;

    if (decode_range(call, &first, &count) != 0 || (prot & ~(PROT_KNOWN | PROT_GROWSDOWN)) != 0) {
        return -EINVAL;
    }
    if (count == 0) {
        return 0;
    }
    if (!address_space_contains(first, count)) {
        return -ENOMEM;
    }
    if ((prot & PROT_GROWSDOWN) != 0) {
        const struct vm_region *region = vm_region_find(&region_table, space_at(space)->region_root, first);
        if (region == NULL || (region->flags & VM_REGION_GROWS_DOWN) == 0) {
            return -EINVAL;
        }
        count += first - region->first_page;
        first = region->first_page;
    }
    uint32_t mapped = count_without_hole(space, first, count);
    enum error error = mapped > 0 ? address_space_protect(space, first, mapped, protection_of(prot)) : OK;
    return error == OK && mapped < count ? -ENOMEM : system_call_errno(error);
}

int32_t call_mprotect(const struct system_call *call)
{
    return with_map(call, protect);
}

int32_t mapped_range_check(const struct system_call *call)
{
    struct address_space space = address_space_of(call->task->program_id);
    uint32_t first, count;

    if (decode_range(call, &first, &count) != 0) {
        return -EINVAL;
    }
    bool is_mapped =
        count == 0 || (address_space_contains(first, count) &&
                       vm_region_is_legitimate(&region_table, space_at(space)->region_root, first, count, 0));
    return is_mapped ? 0 : -ENOMEM;
}

/* All that is mapped of a range loses its content. May sleep between regions, and does no harm when it is done again. */
static enum error forget_mapped(struct address_space space, uint32_t first, uint32_t count)
{
    thread_may_sleep();
    uint32_t end = first + count;
    const struct vm_region *region;
    enum error error = OK;

    while (error == OK && first < end &&
           (region = vm_region_next(&region_table, space_at(space)->region_root, first)) != NULL &&
           region->first_page < end) {
        uint32_t from = region->first_page > first ? region->first_page : first;
        uint32_t part = count_without_hole(space, from, end - from);
        error = address_space_forget(space, from, part);
        first = from + part;
    }
    return error;
}

/*
 * Advice may be ignored, except that memory which is not needed reads as zeroes afterwards. As on Linux, holes are an
 * error, and what is around them is done all the same.
 */
static int32_t advise(const struct system_call *call, struct address_space space)
{
    uint32_t first, count;
    int32_t result = mapped_range_check(call);

    if ((result != 0 && result != -ENOMEM) || call->arguments[1] == 0 || call->arguments[2] != MADV_DONTNEED) {
        return result;
    }
    (void)decode_range(call, &first, &count);
    enum error error = address_space_contains(first, count) ? forget_mapped(space, first, count) : OK;
    return error == OK ? result : system_call_errno(error);
}

int32_t call_madvise(const struct system_call *call)
{
    return with_map(call, advise);
}

/* The program break ------------------------------------------------------------------------------------------------ */

static enum error move_break(const struct system_call *call, struct address_space space, uint32_t to)
{
    uint32_t old_end = pages_up(space_at(space)->break_end);
    uint32_t new_end = pages_up(to);

    if (new_end > old_end &&
        (!may_promise(call, new_end - old_end) || !limits_allow_pages(space, 0, 0, new_end - old_end, true))) {
        return ERROR_NO_MEMORY;
    }
    if (new_end > old_end) {
        return address_space_map(space, old_end, new_end - old_end,
                                 address_space_zeroes(VM_READ | VM_WRITE, VM_REGION_HEAP));
    }
    return new_end < old_end ? address_space_unmap(space, new_end, old_end - new_end) : OK;
}

/* As Linux does, answers with the break as it is, whether or not the wish was granted. */
static int32_t change_break(const struct system_call *call, struct address_space space)
{
    uint32_t wish = call->arguments[0], start = space_at(space)->break_start;

    if (start >= USER_START && wish >= start && wish <= MAPPING_END_PAGE << PAGE_SHIFT &&
        move_break(call, space, wish) == OK) {
        program_call_commit();
        space_at(space)->break_end = wish;
    }
    return (int32_t)space_at(space)->break_end;
}

int32_t call_brk(const struct system_call *call)
{
    return with_map(call, change_break);
}
