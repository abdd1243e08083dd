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
#include "vm_fault.h"
#include "arch/clock.h"
#include "log.h"
#include "page_in.h"
#include "vm_account.h"
#include "vm_map.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"
#include <string.h>

#define MAP_BUCKETS_MAX (4u * 1024u * 1024u)
#define NO_FAULT        EIDOLON_COUNTS_KNOWN /* the access would have succeeded: nothing to account for */

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
    return vm_map_init(&object_space, &options);
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
        if (policy->opening != NULL) {
            policy->opening(page);
        }
        (void)vm_gather_chunk(&object_space, page);
        pmap_open(page);
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
 * Map a resident page so that the access succeeds. The caller has its mutex; does not sleep.
 * - kind: what was to be done, or NO_FAULT.
 *
 * A page that is known dirty and can be written has its D bit set, always: the next stop finds what it must protect by
 * that bit alone.
 */
static enum error map_resident(struct vm_page *page, enum pmap_access access, bool may_write, enum eidolon_count *kind)
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

/* The page's record, made if there is none, with its mutex. */
static enum error lock_page(struct gpn gpn, struct vm_page **out, bool *slept)
{
    struct vm_page *page = vm_map_find(&object_space, gpn);

    if (page == NULL) {
        enum error error = vm_map_create(&object_space, gpn, &page);
        if (error != OK) {
            return error;
        }
    }
    *slept = !vm_page_try_lock(page);
    if (*slept) {
        vm_page_lock(page);
    }
    *out = page;
    return OK;
}

/* Make a page resident. Each step may sleep, so what the region allows is looked at again after it. */
static enum error fetch(struct vm_page *page, enum pmap_access access, struct vm_allowance *allowance,
                        enum eidolon_count *kind)
{
    struct vm_cluster_extent extent;
    enum error error = page_in_measure(pager, page, allowance, &extent);

    if (error == OK) {
        *kind = extent.is_zero ? EIDOLON_FAULT_ZERO : EIDOLON_FAULT_PAGE_IN;
        error = policy->check(page->gpn, access, allowance);
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
}

/*
 * The mutex is kept from the first look at the page to the last: whoever waited for it has been handed it, and letting
 * go of it to start over would hand it to the next one who waits, round and round.
 */
static enum error try_fault(struct gpn gpn, enum pmap_access access)
{
    struct vm_allowance allowance;
    struct vm_page *page;
    bool slept;
    enum eidolon_count fetched = NO_FAULT, mapped = NO_FAULT;
    enum error error = policy->check(gpn, access, &allowance);

    if (error == OK) {
        error = lock_page(gpn, &page, &slept);
    }
    if (error != OK) {
        return error;
    }
    if (slept) {
        error = policy->check(gpn, access, &allowance);
    }
    if (error == OK && !is_resident(page)) {
        error = fetch(page, access, &allowance, &fetched);
    }
    if (error == OK) {
        error = map_resident(page, access, allowance.may_write, &mapped);
    }
    vm_page_unlock(page);
    if (error != OK) {
        page_in_forget(&object_space, gpn);
    } else {
        account_for(gpn, fetched != NO_FAULT ? fetched : mapped);
    }
    return error;
}

/* The snapshot writes this page next, and then it need not be copied any more. */
static enum error wait_for_snapshot(struct gpn gpn)
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

enum error vm_fault(struct gpn gpn, enum pmap_access access)
{
    enum error error = try_fault(gpn, access);

    while (error == ERROR_NO_MEMORY || error == ERROR_BUSY) {
        error = error == ERROR_BUSY ? wait_for_snapshot(gpn) : vm_reclaim_wait();
        if (error != OK) {
            return error;
        }
        error = try_fault(gpn, access);
    }
    if (error == ERROR_DENIED) {
        vm_account_count(gpn, EIDOLON_FAULT_DENIED);
    }
    return error;
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
    enum error error = map_resident(page, PMAP_WRITE, true, &kind);
    vm_page_unlock(page);
    account_for(gpn, kind);
    return error == OK;
}

enum error vm_wire(struct gpn gpn, enum pmap_access access)
{
    enum error error = vm_fault(gpn, access);

    return error == OK ? vm_page_wire(vm_map_find(&object_space, gpn)) : error;
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

/* Taking away ------------------------------------------------------------------------------------------------------ */

/* A stop may have come before the mutex did: what was written before it is the snapshot's, and its chunk says so. */
static void discard_page(struct vm_page *page)
{
    struct gpn gpn = page->gpn;

    vm_page_lock(page);
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

static bool in_range(struct gpn page, struct gpn first, uint32_t count)
{
    return page.number - first.number < count;
}

enum error vm_discard(struct gpn first, uint32_t count)
{
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
 * its way to the disk has already.
 */
static void unmap_keeping_dirtiness(struct gpn gpn)
{
    struct vm_page *page = vm_map_find(&object_space, gpn);

    ASSERT(page != NULL);
    if (pmap_remove(gpn) && page->state == VM_PAGE_CLEAN) {
        vm_page_mark_dirty(&object_space, page);
    }
}

static void restrict_page(struct gpn gpn, bool readable, bool writable)
{
    if (!pmap_query(gpn, NULL)) {
        return;
    }
    vm_open_chunk(gpn);
    if (!readable) {
        unmap_keeping_dirtiness(gpn);
    } else if (!writable) {
        pmap_protect(gpn, PMAP_READ);
    }
}

void vm_restrict(struct gpn first, uint32_t count, bool readable, bool writable)
{
    struct gpn chunk = first;

    while (in_range(chunk, first, count) && pmap_next_chunk(chunk, &chunk)) {
        struct gpn end = {(chunk.number | (PMAP_CHUNK_PAGES - 1)) + 1};
        struct gpn page = chunk.number < first.number ? first : chunk;
        for (; page.number != end.number && in_range(page, first, count); page.number++) {
            restrict_page(page, readable, writable);
        }
        chunk = end;
    }
}
