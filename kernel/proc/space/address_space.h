/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: changes to a space, regions and pages together.
 *
 * Whoever changes the space that it runs in has its map mutex (space_map.h).
 *
 * Pages are counted from address 0. All functions may sleep, and are safe to do again from the start after a boot: each
 * leaves a state in which its own repetition ends the same way (CALL-2).
 */
#ifndef ADDRESS_SPACE_H
#define ADDRESS_SPACE_H

#include "error.h"
#include "record.h"
#include "regions.h"
#include "task/task.h"
#include "types.h"
#include "vm_region.h"

#define USER_FIRST_PAGE (USER_START >> PAGE_SHIFT)
#define USER_END_PAGE   (USER_END >> PAGE_SHIFT)

/*
 * The stack grows down from STACK_END_PAGE to at most STACK_PAGES_MAX, and keeps STACK_GAP_PAGES free above whatever
 * lies below it. Mappings without a wish are placed below what it may need. The last page of the window stays empty, so
 * that nothing runs from it into the kernel.
 */
#define STACK_END_PAGE   (USER_END_PAGE - 1u)
#define STACK_PAGES_MAX  2048u /* 8 MiB, as Linux has it by default */
#define STACK_GAP_PAGES  16u
#define MAPPING_END_PAGE (USER_END_PAGE - 2u * STACK_PAGES_MAX)

/* The space that a program runs in: its own, or its lender's. */
struct address_space address_space_of(struct program_id program);

/* The same of a task's program, at little cost: faults ask. */
static inline struct address_space address_space_of_task(const struct task *task)
{
    return task->program->lender.number == 0 ? task->program->space : address_space_of(task->program_id);
}

/* Whether [first, first + count) lies in the private window and is not empty. */
bool address_space_contains(uint32_t first, uint32_t count);

/* Untouched memory with a protection. */
struct vm_region_attributes address_space_zeroes(uint8_t protection, uint8_t flags);

/* The pages of an object from `offset` on, a page index, as others see them. */
struct vm_region_attributes address_space_view(uint8_t protection, struct object_id object, uint32_t offset);

/* The same, to be copied when it is written. */
struct vm_region_attributes address_space_private_view(uint8_t protection, struct object_id object, uint32_t offset);

/* What a region is from one of its pages on. */
struct vm_region_attributes address_space_same(const struct vm_region *region, uint32_t page);

/*
 * Map a range where nothing is mapped. ERROR_EXISTS: something is; ERROR_NO_MEMORY. Unchanged then.
 */
MUST_CHECK enum error address_space_map(struct address_space space, uint32_t first, uint32_t count,
                                        struct vm_region_attributes attributes);

/* The same, in place of whatever is there. On failure the range may be inaccessible. */
MUST_CHECK enum error address_space_replace(struct address_space space, uint32_t first, uint32_t count,
                                            struct vm_region_attributes attributes);

/* Map `count` pages where there is room, high up. ERROR_NO_MEMORY: nowhere. */
MUST_CHECK enum error address_space_map_anywhere(struct address_space space, uint32_t count,
                                                 struct vm_region_attributes attributes, uint32_t *out_first);

/*
 * Take a range away: content, then regions. Holes are fine. May sleep.
 * - ERROR_NO_MEMORY: nothing has changed, or the program is to end for want of memory. ERROR_INTERRUPTED: call it
 *   again.
 */
MUST_CHECK enum error address_space_unmap(struct address_space space, uint32_t first, uint32_t count);

/*
 * A range that is mapped without holes loses its content: it is as if mapped anew, zeroes or its base's pages. Of shared
 * views nothing goes. ERROR_NO_MEMORY, ERROR_IO: some of it may have been lost.
 */
MUST_CHECK enum error address_space_forget(struct address_space space, uint32_t first, uint32_t count);

/* Change the protection of a range; takes effect at once. ERROR_NOT_FOUND: there is a hole; ERROR_NO_MEMORY. */
MUST_CHECK enum error address_space_protect(struct address_space space, uint32_t first, uint32_t count,
                                            uint8_t protection);

#endif
