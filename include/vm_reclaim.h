/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for pages, and getting them back when they run short.
 *
 * Some frames are kept for the kernel (FRAME reserve): records of the system window that a snapshot protects, the
 * store's metadata, page tables. A program's page is given none of those; whoever wants one waits until others were
 * reclaimed.
 */
#ifndef VM_RECLAIM_H
#define VM_RECLAIM_H

#include "arch/frame.h"
#include "error.h"
#include "types.h"
#include "vm_reserve.h"

/*
 * A frame for the content of a page, without sleeping.
 * - ERROR_NO_MEMORY: none above the reserve, even after looking for clean pages to drop. See vm_reclaim_wait().
 */
MUST_CHECK enum error vm_frame_take(struct frame *out);

/*
 * Wait until there may be frames again: a batch of pages is written out; where that cannot be, dirty pages become clean
 * with the next snapshot. The caller holds no page.
 * - space: for which the frames are. With a full disk somebody has to make room (vm_growth.h), and it may be this one.
 * - ERROR_NO_MEMORY: everything that is resident is wired or could not be made clean; or it is this space that has to
 *   do
 *   without. ERROR_INTERRUPTED.
 */
MUST_CHECK enum error vm_reclaim_wait(struct space_id space);

/*
 * Before a space is promised `count` pages that do not exist yet: whether it is to do without. May sleep.
 * - ERROR_NO_MEMORY: the disk is full, memory has not so many frames to spare, and it is this space that has taken
 *   most.
 *   Of a large promise only the first VM_PROMISE_PAGES_MAX pages are looked at.
 */
#define VM_PROMISE_PAGES_MAX 1024u
MUST_CHECK enum error vm_may_promise(struct space_id space, uint32_t count);

/* How often a page was dropped to get its frame, and how many of these were written out for it. */
uint64_t vm_reclaim_dropped(void);
uint64_t vm_paged_out(void);

#endif
