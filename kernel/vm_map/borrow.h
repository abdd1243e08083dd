/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: pages that are their source's (vm_lineage.h) or their base's until they are written.
 */
#ifndef BORROW_H
#define BORROW_H

#include "vm_account.h"
#include "vm_fault.h"
#include "vm_map.h"

/* Whether what a place shows may be a source's, if it is untouched; or a source's or its base's. */
bool vm_borrow_has_source(struct place place);
bool vm_borrow_is_due(struct place place, const struct vm_allowance *allowance);

/* Whether a page without a frame is mapped: then it is its lender's frame, and the page has no content of its own. */
bool vm_borrow_is_mapped(const struct vm_page *page);

/*
 * A page that has no content of its own, and a source or a base: for PMAP_READ it is mapped to its lender's frame, for
 * PMAP_WRITE it gets a frame with a copy. It becomes a page of zeroes if no source has it and there is no base.
 * - kind: what kind of fault that was. The caller has its mutex; the state is NEW. Sleeps; the region has been looked
 * at since the last sleep on return.
 * - ERROR_DENIED, ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM; ERROR_RANGE: the base ends before it.
 */
MUST_CHECK enum error vm_borrow(struct vm_page *page, enum pmap_access access, struct vm_allowance *allowance,
                                enum eidolon_count *kind);

/*
 * A copy for a page that has no frame. Its frame is taken before the lender is brought in, which may take another one.
 * The other way round, a fault that waits for its second frame could be given the lender's, its first, again and again.
 * The page counts as being read until its content is there. The caller has its mutex, and the lender's when the copy
 * ends; none of these sleeps.
 * - vm_borrow_end_copy: lender NULL: zeroes.
 * - ERROR_NO_MEMORY.
 */
MUST_CHECK enum error vm_borrow_begin_copy(struct vm_page *page, struct frame *out);
void vm_borrow_end_copy(struct vm_page *page, const struct vm_page *lender, struct frame frame);
void vm_borrow_fail_copy(struct vm_page *page, struct frame frame);

#endif
