/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checked access of the kernel to the memory of programs: of the running one, and of one that is about to be started.
 *
 * All pages of a range are faulted in and wired first, which may sleep and may fail; then they are read or written at
 * their user addresses without any further fault. So a system call decodes, prepares, and only then changes anything.
 */
#ifndef USER_MEMORY_H
#define USER_MEMORY_H

#include "arch/pmap.h"
#include "error.h"
#include "types.h"

#define USER_RANGE_MAX (64u * 1024u) /* bytes; longer transfers go in pieces */

struct vm_page;

#define USER_RANGE_PAGES (USER_RANGE_MAX / PAGE_SIZE + 1)

struct user_range {
    struct place first;
    uint32_t page_count;
    struct vm_page *pages[USER_RANGE_PAGES]; /* that are wired: what is seen at these places */
    void *address;                           /* usable by the kernel until released, as long as it does not sleep */
};

/*
 * Prepare [address, address + length) of the current program.
 * - length: 0 .. USER_RANGE_MAX. ERROR_DENIED: some of it may not be accessed so (EFAULT); ERROR_NO_MEMORY; ERROR_IO;
 *   ERROR_INTERRUPTED: the program is about to end.
 * - may sleep; on failure nothing stays wired.
 */
MUST_CHECK enum error user_prepare(struct user_range *range, struct vaddr address, uint32_t length,
                                   enum pmap_access access);
void user_release(struct user_range *range);

/*
 * The same for a moment, in a bracket (atomic.h) that user_end() ends: what is there already, as nearly everything is
 * nearly always, is not held.
 * - may sleep before it begins. Errors as user_prepare(), and then nothing has begun.
 */
MUST_CHECK enum error user_begin(struct user_range *range, struct vaddr address, uint32_t length,
                                 enum pmap_access access);
void user_end(struct user_range *range);

/*
 * The same without a sleep, for what is there already, as nearly everything is nearly always: whether the range may be
 * accessed so until something sleeps. There is nothing to release.
 */
bool user_is_present(struct vaddr address, uint32_t length, enum pmap_access access);

/*
 * Prepare, copy, release. Any length up to USER_RANGE_MAX.
 * - user_copy_in(): may sleep, before the first byte is copied. Errors as user_prepare().
 * - user_copy_out(): may sleep, before the first byte is copied. Errors as user_prepare().
 */
MUST_CHECK enum error user_copy_in(void *destination, struct vaddr source, uint32_t length);
MUST_CHECK enum error user_copy_out(struct vaddr destination, const void *source, uint32_t length);

/*
 * The same to several places at one instant: either all are written or none. For what a call has also read there, and
 * would read again if it were issued again.
 * - count: 1 .. USER_OUTPUTS_MAX. May sleep, before the first byte is copied. Errors as user_prepare().
 */
#define USER_OUTPUTS_MAX 3u
struct user_output {
    struct vaddr destination;
    const void *source;
    uint32_t length;
};
MUST_CHECK enum error user_copy_out_all(const struct user_output *outputs, uint32_t count);

/*
 * The same into the memory of a program that has no task yet: the private window of its space. Any length.
 * - may sleep between pages, and some may have been written after an error. Errors as user_prepare().
 */
MUST_CHECK enum error user_copy_into(struct space_id space, struct vaddr destination, const void *source,
                                     uint32_t length);

/* A string with its zero byte. ERROR_RANGE: longer than capacity; ERROR_DENIED. */
MUST_CHECK enum error user_copy_string(char *destination, struct vaddr source, uint32_t capacity);

#endif
