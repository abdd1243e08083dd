/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The limits of programs: what they are at first, and what is held to them.
 */
#include "limits.h"
#include "atomic.h"
#include "address_space.h"
#include "space.h"
#include "linux/linux_abi.h"
#include "log.h"

#define MESSAGE_BYTES 819200u /* of all message queues, as on Linux */

void limits_set_defaults(struct program_record *program)
{
    for (uint32_t resource = 0; resource < RLIMITS; resource++) {
        program->limits[resource] = (struct limit){RLIMIT_NONE_64, RLIMIT_NONE_64};
    }
    program->limits[RLIMIT_STACK].soft = (uint64_t)STACK_PAGES_MAX << PAGE_SHIFT;
    program->limits[RLIMIT_CORE].soft = 0;
    program->limits[RLIMIT_NOFILE] = (struct limit){PROGRAM_FILES_MAX, PROGRAM_FILES_MAX};
    program->limits[RLIMIT_MSGQUEUE] = (struct limit){MESSAGE_BYTES, MESSAGE_BYTES};
    program->limits[RLIMIT_NICE] = program->limits[RLIMIT_RTPRIO] = (struct limit){0, 0};
}

bool limits_are_sound(const struct program_record *program)
{
    for (uint32_t resource = 0; resource < RLIMITS; resource++) {
        if (program->limits[resource].soft > program->limits[resource].hard) {
            return false;
        }
    }
    return program->limits[RLIMIT_NOFILE].hard <= PROGRAM_FILES_MAX;
}

uint32_t limits_files(const struct program_record *program)
{
    return (uint32_t)program->limits[RLIMIT_NOFILE].soft;
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

static bool is_data(const struct vm_region *region)
{
    return (region->protection & VM_WRITE) != 0 && (region->flags & VM_REGION_GROWS_DOWN) == 0;
}

/* Pages of [first, end) that are mapped, of all kinds or of data. */
static uint32_t count_mapped(struct address_space space, uint32_t first, uint32_t end, bool data_only)
{
    const struct vm_region *region;
    uint32_t count = 0;

    while (first < end && (region = vm_region_next(&region_table, space_at(space)->region_root, first)) != NULL &&
           region->first_page < end) {
        uint32_t from = region->first_page > first ? region->first_page : first;
        uint32_t to = vm_region_end(region) < end ? vm_region_end(region) : end;
        if (region->backing.kind != VM_BACKING_NONE && (!data_only || is_data(region))) {
            count += to - from;
        }
        first = to;
    }
    return count;
}

static bool fits(struct address_space space, const struct limit *limit, uint32_t first, uint32_t replaced,
                 uint32_t count, bool data_only)
{
    if (limit->soft == RLIMIT_NONE_64) {
        return true;
    }
    uint32_t mapped =
        count_mapped(space, 0, USER_END_PAGE, data_only) - count_mapped(space, first, first + replaced, data_only);
    return (uint64_t)mapped + count <= limit->soft >> PAGE_SHIFT;
}

bool limits_allow_pages(struct address_space space, uint32_t first, uint32_t replaced, uint32_t count, bool is_data)
{
    DOES_NOT_SLEEP();
    const struct limit *limits = program_at(space_owner(space))->limits;

    return fits(space, &limits[RLIMIT_AS], first, replaced, count, false) &&
           (!is_data || fits(space, &limits[RLIMIT_DATA], first, replaced, count, true));
}

/* A stack may be several regions: what was added after a clone is no copy of a source. */
bool limits_allow_stack(struct address_space space, uint32_t page)
{
    const struct vm_region *region = vm_region_next(&region_table, space_at(space)->region_root, page);
    uint32_t end = region != NULL ? vm_region_end(region) : page;

    while ((region = vm_region_find(&region_table, space_at(space)->region_root, end)) != NULL &&
           (region->flags & VM_REGION_GROWS_DOWN) != 0) {
        end = vm_region_end(region);
    }
    return end - page <= program_at(space_owner(space))->limits[RLIMIT_STACK].soft >> PAGE_SHIFT;
}
