/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page-out, for the files of this folder that run out of frames.
 */
#ifndef VM_PAGE_OUT_H
#define VM_PAGE_OUT_H

#include "error.h"
#include "types.h"

struct vm_map;
struct vm_page;
struct vm_pager;

/* For replacement: a resident page, dirty or not, that nobody has to do with, nor the running snapshot. */
bool page_out_may_go(const struct vm_page *page);

/*
 * Free some frames by writing dirty pages to the disk, unless there are enough by the time it is the caller's turn.
 * - freed: how many frames; 0 with OK: either there are enough, or no page may go.
 * - the caller holds no page. Sleeps. Errors as vm_pager.page_out; some pages may have gone all the same.
 */
MUST_CHECK enum error page_out_some(struct vm_map *map, const struct vm_pager *pager, uint32_t *freed);

#endif
