/*
 * Frames for pages, and getting them back when they run short.
 *
 * Some frames are kept for the kernel (FRAME reserve): records of the system window that a snapshot protects, the store's
 * metadata, page tables. A program's page is given none of those; whoever wants one waits until others were reclaimed.
 */
#ifndef VM_RECLAIM_H
#define VM_RECLAIM_H

#include "arch/frame.h"
#include "error.h"

/*
 * A frame for the content of a page, without sleeping.
 * - ERROR_NO_MEMORY: none above the reserve, even after looking for clean pages to drop. See vm_reclaim_wait().
 */
MUST_CHECK enum error vm_frame_take(struct frame *out);

/*
 * Wait until there may be frames again: a batch of pages is written out; where that cannot be, dirty pages become clean
 * with the next snapshot. The caller holds no page. With a full disk that lasts until there is room on it again.
 * - ERROR_NO_MEMORY: everything that is resident is wired or could not be made clean. ERROR_INTERRUPTED.
 */
MUST_CHECK enum error vm_reclaim_wait(void);

/* Frames that only the kernel may take. Set once at boot, from the size of memory. */
uint32_t vm_frame_reserve(void);

/* Frames that copies for a running snapshot may take, apart from those of the kernel's own records. */
uint32_t vm_copies_max(void);

/* How often a page was dropped to get its frame, and how many of these were written out for it. */
uint64_t vm_reclaim_dropped(void);
uint64_t vm_paged_out(void);

#endif
