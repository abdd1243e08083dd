/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults: making a page of the object space present.
 *
 *     vm_fault, vm_wire
 *     '- fault
 *        |- policy->check: no region, or it forbids the access ....... ERROR_DENIED
 *        |- another program has to be let through first .............. vm_reclaim_wait, again
 *        '- make_present
 *           |- not resident:
 *           |  |- lent already, and only to be read .................. done
 *           |  |- fetch: never written, and its region shows sources or a base
 *           |  |  |    vm_borrow                                       borrow.c
 *           |  |  |- one of them has it, to be read: its frame, read-only, done
 *           |  |  |- one of them has it, to be written: a copy of it
 *           |  |  |- the base is not so large ....................... ERROR_RANGE
 *           |  |  '- none has it: zeroes
 *           |  '- fetch: all else
 *           |     |    vm_page_in                                      page_in.c
 *           |     |- never written, or all zeroes: zeroes
 *           |     '- read from the store, neighbours with it
 *           '- resident by now: vm_fault_map                           fault_map.c
 *              |- written in a chunk that is closed: vm_open_chunk     stop.c
 *              |- written, and the snapshot needs it as it is:
 *              |       vm_copy_for_snapshot                            snapshot_copy.c
 *              |- not mapped: mapped
 *              |- mapped read-only, and may be written now: writable
 *              '- mapped already: somebody was faster
 *
 *     no frame (ERROR_NO_MEMORY) ..................................... vm_reclaim_wait, again    reclaim.c
 *     too many copies for the snapshot (ERROR_BUSY) .................. vm_copy_wait, again       snapshot_copy.c
 *
 * A fault decides without sleeping as long as the page is resident. When it must sleep (for the page's mutex, a frame
 * or the disk) it asks again afterwards, so that a mapping always follows a check with no sleep in between: a region
 * that went away meanwhile, or a stop, is seen.
 */
#include "vm_fault.h"
#include "arch/clock.h"
#include "arch/pmap.h"
#include "borrow.h"
#include "fault_map.h"
#include "frame_use.h"
#include "internal.h"
#include "log.h"
#include "object_space.h"
#include "page_in.h"
#include "snapshot_copy.h"
#include "thread.h"
#include "vm_account.h"
#include "vm_growth.h"
#include "vm_lineage.h"
#include "vm_reclaim.h"
#include "views.h"
#include "vm_snapshot.h"

#define MAP_BUCKETS_MAX (4u * 1024u * 1024u)

enum error vm_fault_initialise(const struct vm_pager *pager, const struct vm_fault_policy *policy,
                               const struct vm_policy *replacement)
{
    struct vm_map_options options = {
        .seed = {clock_entropy(), clock_entropy()},
        .buckets_max = MAP_BUCKETS_MAX,
        .key_valid = vm_map_key_is_valid,
        .is_ordered = true,
        .policy = replacement,
        .take_accessed = vm_page_take_accessed,
    };

    vm_objects.pager = pager;
    vm_objects.policy = policy;
    vm_stop_clear();
    vm_copy_clear();
    vm_lineage_clear();
    vm_growth_clear();
    return vm_map_init(&vm_objects.map, &options);
}

/*
 * Make a page resident, or borrow it. Each step may sleep, so what the region allows is looked at again after it. A
 * page that is borrowed already is known to have nothing of its own.
 */
static enum error fetch(struct vm_page *page, struct place place, enum pmap_access access,
                        struct vm_allowance *allowance, enum eidolon_count *kind)
{
    thread_may_sleep();
    bool is_borrowed = !allowance->is_shared && vm_borrow_is_mapped(page);
    struct vm_cluster_extent extent = {.is_absent = is_borrowed};
    enum error error = extent.is_absent ? OK : vm_page_in_measure(vm_objects.pager, page, allowance, &extent);

    if (error == OK) {
        *kind = extent.is_zero ? EIDOLON_FAULT_ZERO : EIDOLON_FAULT_PAGE_IN;
        error = vm_fault_look(page, place, access, allowance);
    }
    if (error == OK && extent.is_absent && vm_borrow_is_due(place, allowance)) {
        return vm_borrow(page, access, allowance, kind);
    }
    if (error == OK) {
        error = vm_page_in(&vm_objects.map, vm_objects.pager, page, &extent, allowance);
    }
    if (error == OK) {
        error = vm_fault_look(page, place, access, allowance);
    }
    return error;
}

static void account_for(struct place place, enum eidolon_count kind)
{
    if (kind != NO_FAULT) {
        vm_account_count(place_space(place), kind);
    }
    if (kind == EIDOLON_FAULT_ZERO || kind == EIDOLON_FAULT_COPY) {
        vm_growth_count(place_space(place));
    }
}

/* A page whose mutex the caller has, and which may be accessed so. */
static enum error make_present(struct vm_page *page, struct place place, enum pmap_access access,
                               struct vm_allowance *allowance, enum eidolon_count *kind)
{
    enum eidolon_count fetched = NO_FAULT, mapped = NO_FAULT;
    enum error error = OK;

    if (!vm_page_is_resident(page) && (access == PMAP_WRITE || allowance->is_shared || !vm_borrow_is_mapped(page))) {
        error = fetch(page, place, access, allowance, &fetched);
    }
    if (error == OK && vm_page_is_resident(page)) {
        error = vm_fault_map(page, place, access, allowance->may_write, &mapped);
    }
    *kind = fetched != NO_FAULT ? fetched : mapped;
    return error;
}

/*
 * The mutex is kept from the first look at the page to the last: whoever waited for it has been handed it, and letting
 * go of it to start over would hand it to the next one who waits, round and round.
 */
static enum error try_fault(struct place place, enum pmap_access access, struct vm_page **wired, struct page_key *shown)
{
    struct vm_allowance allowance;
    struct vm_page *page;
    bool slept;
    enum eidolon_count kind = NO_FAULT;
    enum error error = vm_objects.policy->check(place, access, &allowance);

    if (error == OK) {
        *shown = vm_shown(place, &allowance);
        error = vm_map_lock_page(&vm_objects.map, *shown, &page, &slept);
    }
    if (error != OK) {
        return error;
    }
    if (slept) {
        error = vm_fault_look(page, place, access, &allowance);
    }
    if (error == OK) {
        error = make_present(page, place, access, &allowance, &kind);
    }
    if (error == OK && wired != NULL) {
        *wired = vm_frame_page(&vm_objects.map, pmap_frame(place)); /* which is lent, perhaps */
        error = vm_page_wire(*wired);
    }
    vm_page_unlock(page);
    vm_map_forget(&vm_objects.map, page); /* if there is nothing, or what there is is borrowed */
    if (error == OK) {
        account_for(place, kind);
    }
    return error;
}

static enum error fault(struct place place, enum pmap_access access, struct vm_page **wired)
{
    thread_may_sleep();
    struct space_id space = place_space(place);
    struct page_key shown = place_key(place);
    enum error error = vm_growth_stands_back(space) ? ERROR_NO_MEMORY : try_fault(place, access, wired, &shown);

    while (error == ERROR_NO_MEMORY || error == ERROR_BUSY) {
        error = error == ERROR_BUSY ? vm_copy_wait(shown) : vm_reclaim_wait(space);
        if (error != OK) {
            return error;
        }
        error = try_fault(place, access, wired, &shown);
    }
    if (error == ERROR_DENIED) {
        vm_account_count(place_space(place), EIDOLON_FAULT_DENIED);
    }
    return error;
}

enum error vm_fault(struct place place, enum pmap_access access)
{
    thread_may_sleep();
    return fault(place, access, NULL);
}

bool vm_fault_record(struct page_key key)
{
    DOES_NOT_SLEEP();
    struct vm_page *page = vm_map_find(&vm_objects.map, key);

    if (page == NULL || !vm_page_is_resident(page)) {
        return false;
    }
    if (!vm_page_try_lock(page)) {
        return false;
    }
    enum eidolon_count kind;
    atomic_begin(); /* whoever writes to a record is in the middle of something */
    enum error error = vm_fault_map(page, page_key_place(key), PMAP_WRITE, true, &kind);
    atomic_end();
    vm_page_unlock(page);
    account_for(page_key_place(key), kind);
    return error == OK;
}

enum error vm_wire(struct place place, enum pmap_access access, struct vm_page **out)
{
    return fault(place, access, out);
}

void vm_unwire(struct vm_page *page)
{
    vm_page_unwire(page);
    vm_map_forget(&vm_objects.map, page); /* if its content was discarded meanwhile */
}

void vm_unwire_own(struct page_key key)
{
    struct vm_page *page = vm_map_find(&vm_objects.map, key);

    ASSERT(page != NULL);
    vm_unwire(page);
}
