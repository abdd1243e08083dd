/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: those who borrow the frame of a page (vm_lineage.h).
 */
#ifndef VM_BORROWERS_H
#define VM_BORROWERS_H

#include "types.h"

struct vm_page;

/* Whether one of those who borrow a page's frame has wired it; and whether one has used it since the last call. */
bool vm_borrowers_hold(struct gpn gpn);
bool vm_borrowers_take_accessed(struct gpn gpn);

/* Take the frame from those who borrow it. */
void vm_borrowers_unmap(struct gpn gpn);

/* The hardware's note of use, for replacement: by the page's own space or by one that borrows its frame. */
bool vm_page_take_accessed(const struct vm_page *page);

#endif
