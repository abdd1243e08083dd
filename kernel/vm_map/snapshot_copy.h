/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: copies of pages that the running snapshot still needs as they were at the stop.
 */
#ifndef VM_SNAPSHOT_COPY_H
#define VM_SNAPSHOT_COPY_H

#include "error.h"
#include "types.h"

struct vm_page;

/* As after a boot. */
void vm_copy_clear(void);

/*
 * Give a page that the snapshot still needs a frame of its own with a copy, mapped writable at a place, and nowhere
 * else any more. The caller has its mutex. Does not sleep.
 * - ERROR_NO_MEMORY: no page table. ERROR_BUSY: there are as many copies as may be; see vm_copy_wait().
 */
MUST_CHECK enum error vm_copy_for_snapshot(struct vm_page *page, struct place place);

/* The same without a mapping: it is mapped nowhere then. */
MUST_CHECK enum error vm_copy_frame_for_snapshot(struct vm_page *page);

/* Wait until the snapshot has got further, if it still needs the page; it writes this one next. ERROR_INTERRUPTED. */
MUST_CHECK enum error vm_copy_wait(struct page_key key);

#endif
