/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapping a resident page for an access: the part of a fault that does not sleep.
 *
 * A write fault may be the work of a snapshot rather than of a missing page: the chunk is closed since the stop, or the
 * page is still to be written. The first opens the chunk, the second makes a copy.
 */
#include "fault_map.h"
#include "arch/pmap.h"
#include "internal.h"
#include "links.h"
#include "object_space.h"
#include "snapshot_copy.h"
#include "thread.h"
#include "views.h"
#include "vm_snapshot.h"

/*
 * A page that is known dirty and can be written has its D bit set, always: the next stop finds what it must protect by
 * that bit alone.
 */
enum error vm_fault_map(struct vm_page *page, struct place place, enum pmap_access access, bool may_write,
                        enum eidolon_count *kind)
{
    DOES_NOT_SLEEP();
    enum pmap_access present;

    *kind = NO_FAULT;
    if (access == PMAP_WRITE && pmap_is_closed(place)) {
        vm_open_chunk(place);
        *kind = EIDOLON_FAULT_PROTECTION;
    }
    if (may_write && !vm_objects.map.views_collected) {
        vm_collect(&vm_objects.map, page); /* VIEW-5 */
    }
    bool must_copy = vm_snapshot_must_copy(&vm_objects.map, page);
    enum pmap_access wanted = may_write && !must_copy ? PMAP_WRITE : PMAP_READ;
    if (access == PMAP_WRITE && must_copy) {
        *kind = EIDOLON_FAULT_SNAPSHOT_COPY;
        return vm_copy_for_snapshot(page, place);
    }
    if (!pmap_query(place, &present)) {
        enum error error = vm_enter_page(&vm_objects.map, place, page, wanted);
        if (error != OK) {
            return error;
        }
        *kind = EIDOLON_FAULT_MAP;
        if (vm_is_replaceable(page)) {
            vm_replacement_mapped(&vm_objects.map.replacement, page);
        }
    } else if (present == PMAP_READ && wanted == PMAP_WRITE) {
        pmap_protect(place, PMAP_WRITE);
        *kind = EIDOLON_FAULT_PROTECTION;
    } else {
        return OK;
    }
    if (wanted == PMAP_WRITE && page->state == VM_PAGE_DIRTY) {
        pmap_mark_dirty(place);
    }
    return OK;
}
