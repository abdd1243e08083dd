/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults: making a page of the object space present, and taking it away again.
 *
 * A fault decides without sleeping as long as the page is resident. When it must sleep (for the page's mutex, a frame
 * or the disk) it asks again afterwards, so that a mapping always follows a check with no sleep in between: a region
 * that went away meanwhile, or a stop, is seen.
 *
 * A write fault may be the work of a snapshot rather than of a missing page: the chunk is closed since the stop, or the
 * page is still to be written. The first opens the chunk, the second gives the program a copy and leaves the old frame
 * to the snapshot, which may have it on its way to the disk already.
 */
#include "thread.h"
#include "vm_fault.h"
#include "arch/clock.h"
#include "borrow.h"
#include "internal.h"
#include "log.h"
#include "page_in.h"
#include "page_out.h"
#include "vm_account.h"
#include "vm_growth.h"
#include "vm_lineage.h"
#include "vm_map.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"
#include <string.h>

#define MAP_BUCKETS_MAX (4u * 1024u * 1024u)

static struct vm_map object_space;
static const struct vm_pager *pager;
static const struct vm_fault_policy *policy;
static uint32_t stops;
static uint64_t copies;
static struct wait_queue progress; /* of the running snapshot: who must not copy any more sleeps here */

struct vm_map *vm_object_space(void)
{
    return &object_space;
}

enum error vm_fault_initialise(const struct vm_pager *page_source, const struct vm_fault_policy *fault_policy,
                               const struct vm_policy *replacement)
{
    struct vm_map_options options = {
        .seed = {clock_entropy(), clock_entropy()},
        .buckets_max = MAP_BUCKETS_MAX,
        .gpn_valid = vm_map_gpn_in_window,
        .policy = replacement,
    };

    pager = page_source;
    policy = fault_policy;
    stops = 0;
    copies = 0;
    progress = (struct wait_queue){0};
    vm_lineage_clear();
    vm_growth_clear();
    return vm_map_init(&object_space, &options);
}

const struct vm_pager *vm_fault_pager(void)
{
    return pager;
}

const struct vm_fault_policy *vm_fault_policy(void)
{
    return policy;
}

enum error vm_page_out(uint32_t *freed)
{
    return page_out_some(&object_space, pager, freed);
}

enum error vm_clean_pages(void)
{
    return pager->clean();
}

uint32_t vm_stops(void)
{
    return stops;
}

uint64_t vm_copies(void)
{
    return copies;
}

/* The stop and its consequences ------------------------------------------------------------------------------------ */

enum error vm_stop(void)
{
    enum error error = vm_snapshot_splice(&object_space);

    if (error == OK) {
        pmap_stop();
        stops++;
    }
    return error;
}

void vm_open_chunk(struct gpn page)
{
    if (pmap_is_closed(page)) {
        atomic_begin();
        if (policy->opening != NULL) {
            policy->opening(page);
        }
        (void)vm_gather_chunk(&object_space, page);
        pmap_open(page);
        atomic_end();
    }
}

void *vm_content_at_stop(struct gpn gpn)
{
    struct vm_page *page = vm_map_find(&object_space, gpn);

    ASSERT(page != NULL && page->wire_count > 0 && pmap_is_closed(gpn));
    pmap_mark_dirty(gpn);
    return frame_address(page->frame);
}

/* A frame to copy a page to. The kernel's own records must not wait for one, so they take of the reserve. */
static enum error take_copy_frame(struct gpn gpn, struct frame *out)
{
    if (gpn_space(gpn).number == SPACE_SYSTEM.number) {
        return frame_allocate(FRAME_PAGE, out);
    }
    if (frame_count(FRAME_COPY) >= vm_copies_max() || vm_frame_take(out) != OK) {
        return ERROR_BUSY;
    }
    return OK;
}

/*
 * The page is about to be written while the running snapshot still needs its content.
 * - ERROR_BUSY: there are as many copies as may be; wait_for_snapshot() then.
 */
static enum error copy_for_snapshot(struct vm_page *page)
{
    struct frame fresh;
    enum error error = take_copy_frame(page->gpn, &fresh);

    if (error != OK) {
        return error;
    }
    memcpy(frame_address(fresh), frame_address(page->frame), PAGE_SIZE);
    if (pmap_query(page->gpn, NULL)) {
        (void)pmap_remove(page->gpn);
    }
    frame_set_owner(page->frame, FRAME_COPY);
    vm_snapshot_give_frame(&object_space, page, fresh);
    copies++;
    error = pmap_enter(page->gpn, fresh, PMAP_WRITE);
    if (error == OK) {
        pmap_mark_dirty(page->gpn);
    }
    return error;
}

/* Mapping ---------------------------------------------------------------------------------------------------------- */

/*
 * A page that is known dirty and can be written has its D bit set, always: the next stop finds what it must protect by
 * that bit alone.
 */
enum error vm_fault_map(struct vm_page *page, enum pmap_access access, bool may_write, enum eidolon_count *kind)
{
    enum pmap_access present;

    *kind = NO_FAULT;
    if (access == PMAP_WRITE && pmap_is_closed(page->gpn)) {
        vm_open_chunk(page->gpn);
        *kind = EIDOLON_FAULT_PROTECTION;
    }
    bool must_copy = vm_snapshot_must_copy(&object_space, page);
    enum pmap_access wanted = may_write && !must_copy ? PMAP_WRITE : PMAP_READ;
    if (access == PMAP_WRITE && must_copy) {
        *kind = EIDOLON_FAULT_SNAPSHOT_COPY;
        return copy_for_snapshot(page);
    }
    if (!pmap_query(page->gpn, &present)) {
        enum error error = pmap_enter(page->gpn, page->frame, wanted);
        if (error != OK) {
            return error;
        }
        *kind = EIDOLON_FAULT_MAP;
        if (vm_is_replaceable(page)) {
            vm_replacement_mapped(&object_space.replacement, page);
        }
    } else if (present == PMAP_READ && wanted == PMAP_WRITE) {
        pmap_protect(page->gpn, PMAP_WRITE);
        *kind = EIDOLON_FAULT_PROTECTION;
    } else {
        return OK;
    }
    if (wanted == PMAP_WRITE && page->state == VM_PAGE_DIRTY) {
        pmap_mark_dirty(page->gpn);
    }
    return OK;
}

void vm_allow_write(const struct vm_page *page)
{
    struct vm_allowance allowance;

    if (policy->check(page->gpn, PMAP_WRITE, &allowance) == OK) {
        pmap_protect(page->gpn, PMAP_WRITE);
    }
}

static bool is_resident(const struct vm_page *page)
{
    return !frame_is_none(page->frame);
}

enum error vm_fault_lock_page(struct gpn gpn, struct vm_page **out, bool *slept)
{
    struct vm_page *page = vm_map_find(&object_space, gpn);
    bool is_free;

    if (page == NULL) {
        enum error error = vm_map_create(&object_space, gpn, &page);
        if (error != OK) {
            return error;
        }
    }
    is_free = vm_page_try_lock(page);
    if (!is_free) {
        vm_page_lock(page);
    }
    if (slept != NULL) {
        *slept = !is_free;
    }
    *out = page;
    return OK;
}

/*
 * Make a page resident, or borrow it. Each step may sleep, so what the region allows is looked at again after it. A
 * page that is borrowed already is known to have nothing of its own.
 */
static enum error fetch(struct vm_page *page, enum pmap_access access, struct vm_allowance *allowance,
                        enum eidolon_count *kind)
{
    struct vm_cluster_extent extent = {.is_absent = borrow_is_mapped(page)};
    enum error error = extent.is_absent ? OK : page_in_measure(pager, page, allowance, &extent);

    if (error == OK) {
        *kind = extent.is_zero ? EIDOLON_FAULT_ZERO : EIDOLON_FAULT_PAGE_IN;
        error = policy->check(page->gpn, access, allowance);
    }
    if (error == OK && extent.is_absent && borrow_is_due(page->gpn)) {
        return borrow(page, access, allowance, kind);
    }
    if (error == OK) {
        error = page_in(&object_space, pager, page, &extent, allowance);
    }
    if (error == OK) {
        error = policy->check(page->gpn, access, allowance);
    }
    return error;
}

static void account_for(struct gpn gpn, enum eidolon_count kind)
{
    if (kind != NO_FAULT) {
        vm_account_count(gpn, kind);
    }
    if (kind == EIDOLON_FAULT_ZERO || kind == EIDOLON_FAULT_COPY) {
        vm_growth_count(gpn_space(gpn));
    }
}

/* A page whose mutex the caller has, and which may be accessed so. */
static enum error make_present(struct vm_page *page, enum pmap_access access, struct vm_allowance *allowance,
                               enum eidolon_count *kind)
{
    enum eidolon_count fetched = NO_FAULT, mapped = NO_FAULT;
    enum error error = OK;

    if (!is_resident(page) && (access == PMAP_WRITE || !borrow_is_mapped(page))) {
        error = fetch(page, access, allowance, &fetched);
    }
    if (error == OK && is_resident(page)) {
        error = vm_fault_map(page, access, allowance->may_write, &mapped);
    }
    *kind = fetched != NO_FAULT ? fetched : mapped;
    return error;
}

/*
 * The mutex is kept from the first look at the page to the last: whoever waited for it has been handed it, and letting
 * go of it to start over would hand it to the next one who waits, round and round.
 */
static enum error try_fault(struct gpn gpn, enum pmap_access access, bool wire)
{
    struct vm_allowance allowance;
    struct vm_page *page;
    bool slept;
    enum eidolon_count kind = NO_FAULT;
    enum error error = policy->check(gpn, access, &allowance);

    if (error == OK) {
        error = vm_fault_lock_page(gpn, &page, &slept);
    }
    if (error != OK) {
        return error;
    }
    if (slept) {
        error = policy->check(gpn, access, &allowance);
    }
    if (error == OK) {
        error = make_present(page, access, &allowance, &kind);
    }
    if (error == OK && wire) {
        error = vm_page_wire(page);
    }
    vm_page_unlock(page);
    page_in_forget(&object_space, gpn); /* if there is nothing, or what there is is borrowed */
    if (error == OK) {
        account_for(gpn, kind);
    }
    return error;
}

/* The snapshot writes this page next, and then it need not be copied any more. */
enum error vm_fault_wait_for_snapshot(struct gpn gpn)
{
    struct vm_page *page = vm_map_find(&object_space, gpn);

    if (page == NULL || !vm_snapshot_must_copy(&object_space, page)) {
        return OK;
    }
    if (page->state != VM_PAGE_WRITING) {
        vm_snapshot_expedite(&object_space, page);
    }
    return wait_queue_sleep(&progress, DEADLINE_NEVER, true);
}

void vm_snapshot_progressed(void)
{
    wait_queue_wake(&progress, UINT32_MAX);
}

static enum error fault(struct gpn gpn, enum pmap_access access, bool wire)
{
    thread_may_sleep();
    enum error error = vm_growth_stands_back(gpn_space(gpn)) ? ERROR_NO_MEMORY : try_fault(gpn, access, wire);

    while (error == ERROR_NO_MEMORY || error == ERROR_BUSY) {
        error = error == ERROR_BUSY ? vm_fault_wait_for_snapshot(gpn) : vm_reclaim_wait(gpn_space(gpn));
        if (error != OK) {
            return error;
        }
        error = try_fault(gpn, access, wire);
    }
    if (error == ERROR_DENIED) {
        vm_account_count(gpn, EIDOLON_FAULT_DENIED);
    }
    return error;
}

enum error vm_fault(struct gpn gpn, enum pmap_access access)
{
    return fault(gpn, access, false);
}

bool vm_fault_record(struct gpn gpn)
{
    struct vm_page *page = vm_map_find(&object_space, gpn);

    if (page == NULL || !is_resident(page)) {
        return false;
    }
    if (!vm_page_try_lock(page)) {
        return false;
    }
    enum eidolon_count kind;
    atomic_begin(); /* whoever writes to a record is in the middle of something */
    enum error error = vm_fault_map(page, PMAP_WRITE, true, &kind);
    atomic_end();
    vm_page_unlock(page);
    account_for(gpn, kind);
    return error == OK;
}

enum error vm_wire(struct gpn gpn, enum pmap_access access)
{
    return fault(gpn, access, true);
}

void vm_unwire(struct gpn gpn)
{
    struct vm_page *page = vm_map_find(&object_space, gpn);

    ASSERT(page != NULL);
    vm_page_unwire(page);
    if (page->state == VM_PAGE_NEW) {
        page_in_forget(&object_space, gpn); /* its content was discarded meanwhile */
    }
}

void vm_write(struct gpn gpn, uint32_t offset, const void *bytes, uint32_t length)
{
    struct vm_page *page = vm_map_find(&object_space, gpn);
    enum pmap_access allowed;

    ASSERT(page != NULL && page->wire_count > 0 && offset <= PAGE_SIZE && length <= PAGE_SIZE - offset);
    ASSERT(pmap_query(gpn, &allowed) && allowed == PMAP_WRITE && !pmap_is_closed(gpn));
    memcpy((uint8_t *)frame_address(page->frame) + offset, bytes, length);
    pmap_mark_dirty(gpn);
}

void *vm_content(struct gpn gpn, enum pmap_access access)
{
    const struct vm_page *page = vm_map_find(&object_space, gpn);
    enum pmap_access allowed;

    if (page == NULL || !is_resident(page)) {
        return NULL;
    }
    if (access == PMAP_WRITE) {
        if (!pmap_query(gpn, &allowed) || allowed != PMAP_WRITE || pmap_is_closed(gpn)) {
            return NULL;
        }
        pmap_mark_dirty(gpn);
    }
    return frame_address(page->frame);
}

/* Taking away ------------------------------------------------------------------------------------------------------ */

static bool in_range(struct gpn page, struct gpn first, uint32_t count)
{
    return page.number - first.number < count;
}

/* Every page of the range that is mapped; the cost follows the chunks that have page tables. */
static void visit_mapped(struct gpn first, uint32_t count, void (*visit)(struct gpn page))
{
    struct gpn chunk = first;

    while (in_range(chunk, first, count) && pmap_next_chunk(chunk, &chunk)) {
        struct gpn end = {(chunk.number | (PMAP_CHUNK_PAGES - 1)) + 1};
        struct gpn page = chunk.number < first.number ? first : chunk;
        for (; page.number != end.number && in_range(page, first, count); page.number++) {
            if (pmap_query(page, NULL)) {
                visit(page);
            }
        }
        chunk = end;
    }
}

static void unmap_borrowed(struct gpn gpn)
{
    const struct vm_page *page = vm_map_find(&object_space, gpn);

    if (page == NULL || frame_is_none(page->frame)) {
        (void)pmap_remove(gpn);
    }
}

/*
 * The caller has the page's mutex, and loses it. A stop may have come before the mutex did: what was written before it
 * is the snapshot's, and its chunk says so.
 */
void vm_fault_discard_page(struct vm_page *page)
{
    struct gpn gpn = page->gpn;

    vm_open_chunk(gpn);
    if (pmap_query(gpn, NULL)) {
        (void)pmap_remove(gpn);
    }
    struct frame frame = vm_page_detach(&object_space, page);
    if (!frame_is_none(frame)) {
        frame_free(frame);
    } else if (!frame_is_none(page->copy_frame)) {
        frame_set_owner(page->copy_frame, FRAME_COPY);
    }
    vm_page_unlock(page);
    page_in_forget(&object_space, gpn);
}

static void discard_page(struct vm_page *page)
{
    vm_page_lock(page);
    vm_fault_discard_page(page);
}

/* Frames that the range has borrowed; no record tells of them. */
static void give_back_borrowed(struct gpn first, uint32_t count)
{
    if (vm_lineage_source(gpn_space(first)).number != 0) {
        visit_mapped(first, count, unmap_borrowed);
    }
}

enum error vm_discard(struct gpn first, uint32_t count)
{
    thread_may_sleep();
    ASSERT(vm_map_range_in_window(first, count));
    give_back_borrowed(first, count);
    if (count > vm_map_count(&object_space)) {
        struct vm_map_cursor cursor = {0};
        while (!cursor.done) {
            struct vm_page *page = vm_map_next(&object_space, &cursor);
            if (page != NULL && in_range(page->gpn, first, count)) {
                discard_page(page);
            }
        }
    } else {
        for (uint32_t i = 0; i < count; i++) {
            struct vm_page *page = vm_map_find(&object_space, (struct gpn){first.number + i});
            if (page != NULL) {
                discard_page(page);
            }
        }
    }
    return pager->discard(first, count);
}

/*
 * Unmap a page that may be dirty: what the mapping knew of that goes into the record, which a page that is DIRTY or on
 * its way to the disk has already. A borrowed page is never dirty.
 */
static void unmap_keeping_dirtiness(struct gpn gpn)
{
    struct vm_page *page = vm_map_find(&object_space, gpn);

    if (pmap_remove(gpn)) {
        ASSERT(page != NULL);
        if (page->state == VM_PAGE_CLEAN) {
            vm_page_mark_dirty(&object_space, page);
        }
    }
}

static void forbid_access(struct gpn gpn)
{
    vm_open_chunk(gpn);
    unmap_keeping_dirtiness(gpn);
}

/* Whether or not the chunk is closed: what was written before the stop is found by its D bit, which stays. */
static void forbid_writing(struct gpn gpn)
{
    pmap_protect(gpn, PMAP_READ);
}

void vm_restrict(struct gpn first, uint32_t count, bool readable, bool writable)
{
    ASSERT(vm_map_range_in_window(first, count));
    if (!readable) {
        visit_mapped(first, count, forbid_access);
    } else if (!writable) {
        visit_mapped(first, count, forbid_writing);
    }
}
