/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/vm_map: mapping a page that is resident.
 */
#ifndef VM_FAULT_MAP_H
#define VM_FAULT_MAP_H

#include "arch/pmap.h"
#include "internal.h"
#include "object_space.h"
#include "vm_account.h"

/*
 * Look at a place's region once more (EPOCH-3), for a page that was found there before a sleep. Does not sleep.
 * - ERROR_DENIED; ERROR_BUSY: another page is seen there by now; the fault starts over.
 */
MUST_CHECK static inline enum error vm_fault_look(const struct vm_page *page, struct place place,
                                                  enum pmap_access access, struct vm_allowance *allowance)
{
    enum error error = vm_objects.policy->check(place, access, allowance);

    return error == OK && !vm_page_is(page, vm_shown(place, allowance)) ? ERROR_BUSY : error;
}

/*
 * Map a resident page at a place so that the access succeeds; the caller has its mutex. Does not sleep.
 * - kind: what was to be done, or NO_FAULT. ERROR_NO_MEMORY; ERROR_BUSY: see vm_copy_wait().
 */
MUST_CHECK enum error vm_fault_map(struct vm_page *page, struct place place, enum pmap_access access, bool may_write,
                                   enum eidolon_count *kind);

#endif
