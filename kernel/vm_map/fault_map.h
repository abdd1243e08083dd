/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: mapping a page that is resident.
 */
#ifndef VM_FAULT_MAP_H
#define VM_FAULT_MAP_H

#include "arch/pmap.h"
#include "vm_account.h"

struct vm_page;

/*
 * Map a resident page so that the access succeeds; the caller has its mutex. Does not sleep.
 * - kind: what was to be done, or NO_FAULT. ERROR_NO_MEMORY; ERROR_BUSY: see vm_copy_wait().
 */
MUST_CHECK enum error vm_fault_map(struct vm_page *page, enum pmap_access access, bool may_write,
                                   enum eidolon_count *kind);

#endif
