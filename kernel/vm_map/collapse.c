/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collapse: the only child of a source gives it every page it has written since, and the two can be one space again.
 * The other way round, a space with too many sources above it takes a copy of every page it borrows from the nearest,
 * and can do without it.
 *
 * Both go page by page, those in memory first, then those that only the store has. To give a page, its content is
 * written into the source's page as any program would write it (a running snapshot may need what was there), and then
 * the space's own page ends. A reader finds the content in one place or the other.
 */
#include "arch/frame.h"
#include "atomic.h"
#include "arch/pmap.h"
#include "borrow.h"
#include "discard.h"
#include "fault_map.h"
#include "internal.h"
#include "links.h"
#include "log.h"
#include "object_space.h"
#include "page_in.h"
#include "presence.h"
#include "snapshot_copy.h"
#include "vm_lineage.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"
#include <string.h>

static struct gpn source_page(struct gpn gpn)
{
    return gpn_make(vm_lineage_source(gpn_space(gpn)), gpn_address(gpn));
}

/* Make a locked page resident if it has content of its own. */
static enum error bring_in(struct vm_page *page)
{
    const struct vm_allowance alone = {.may_write = true};
    struct vm_cluster_extent extent;

    if (!frame_is_none(page->frame)) {
        return OK;
    }
    enum error error = vm_page_in_measure(vm_objects.pager, page, &alone, &extent);
    if (error == OK && !extent.is_absent) {
        error = vm_page_in(&vm_objects.map, vm_objects.pager, page, &extent, &alone);
    }
    return error;
}

/* Giving ----------------------------------------------------------------------------------------------------------- */

/*
 * Write a page over another one, which is locked. What that held before need not be read; if it has no frame, it gets
 * `frame`. Nothing has changed after an error. Nobody borrows it: its only child has a page of its own there.
 */
static enum error write_over(struct vm_page *target, const struct vm_page *content, struct frame frame)
{
    const void *bytes = frame_address(content->frame);
    enum eidolon_count kind;

    if (frame_is_none(target->frame)) {
        memcpy(frame_address(frame), bytes, PAGE_SIZE);
        (void)vm_unmap(&vm_objects.map, gpn_place(target->gpn)); /* what it borrowed itself before it was a source */
        vm_page_make_resident(&vm_objects.map, target, frame);
        vm_page_mark_dirty(&vm_objects.map, target);
        return OK;
    }
    enum error error = vm_fault_map(target, gpn_place(target->gpn), PMAP_WRITE, true, &kind);
    if (error == OK) {
        memcpy(frame_address(target->frame), bytes, PAGE_SIZE);
        vm_page_mark_dirty(&vm_objects.map, target);
        pmap_mark_dirty(gpn_place(target->gpn));
    }
    return error;
}

/*
 * The source has the content, so the page ends. What the pager knows of it goes first, since that can fail, and once
 * more if a stop came meanwhile: the snapshot would bring it back.
 */
static enum error end_page(struct vm_page *page)
{
    enum error error;
    uint32_t stops;

    do {
        stops = vm_stops();
        error = vm_objects.pager->discard(page->gpn, 1);
    } while (error == OK && stops != vm_stops());
    if (error == OK) {
        vm_discard_page(page);
    } else {
        vm_page_unlock(page);
    }
    return error;
}

/* Bring in a page and write it over the source's, which has its frame by then. */
static enum error copy_to_source(struct vm_page *page, struct vm_page *target)
{
    struct frame frame = FRAME_NONE;
    enum error error = frame_is_none(target->frame) ? vm_borrow_begin_copy(target, &frame) : OK;

    if (error == OK) {
        error = bring_in(page);
    }
    if (error == OK && !frame_is_none(page->frame)) {
        error = write_over(target, page, frame);
    }
    if (target->state == VM_PAGE_READING) {
        vm_borrow_fail_copy(target, frame);
    }
    return error;
}

static enum error try_give_page(struct space_id unused, struct gpn gpn)
{
    struct vm_page *page, *target;
    (void)unused;
    enum error error = vm_map_lock_page(&vm_objects.map, gpn, &page, NULL);

    if (error != OK) {
        return error;
    }
    error = vm_map_lock_page(&vm_objects.map, source_page(gpn), &target, NULL);
    if (error == OK) {
        error = copy_to_source(page, target);
        vm_page_unlock(target);
        vm_map_forget(&vm_objects.map, source_page(gpn));
    }
    if (error == OK && !frame_is_none(page->frame)) {
        return end_page(page);
    }
    vm_page_unlock(page);
    vm_map_forget(&vm_objects.map, gpn);
    return error;
}

/* Taking ----------------------------------------------------------------------------------------------------------- */

/* A page of the space's own is no longer what its backing says, written or not. */
static void mark_dirty(struct vm_page *page)
{
    vm_open_chunk(gpn_place(page->gpn));
    if (page->state == VM_PAGE_CLEAN) {
        vm_page_mark_dirty(&vm_objects.map, page);
    }
    if (page->state == VM_PAGE_DIRTY && pmap_query(gpn_place(page->gpn), NULL)) {
        pmap_mark_dirty(gpn_place(page->gpn));
    }
}

static enum error copy_from_source(struct vm_page *page)
{
    struct vm_page *lender;
    struct frame frame;
    enum error error = vm_borrow_begin_copy(page, &frame);

    if (error != OK) {
        return error;
    }
    error = vm_map_lock_page(&vm_objects.map, source_page(page->gpn), &lender, NULL);
    if (error == OK) {
        error = bring_in(lender);
        if (error == OK && !frame_is_none(lender->frame)) {
            vm_borrow_end_copy(page, lender, frame);
        }
        vm_page_unlock(lender);
        vm_map_forget(&vm_objects.map, source_page(page->gpn));
    }
    if (page->state == VM_PAGE_READING) {
        vm_borrow_fail_copy(page, frame);
    }
    return error;
}

/* `gpn` is a page of the source. */
static enum error try_take_page(struct space_id space, struct gpn gpn)
{
    struct gpn own = gpn_make(space, gpn_address(gpn));
    struct vm_page *page;

    if (!vm_borrow_is_due(own)) {
        return OK;
    }
    enum error error = vm_map_lock_page(&vm_objects.map, own, &page, NULL);
    if (error != OK) {
        return error;
    }
    if (frame_is_none(page->frame)) {
        const struct vm_allowance alone = {.may_write = true};
        struct vm_cluster_extent extent;
        error = vm_page_in_measure(vm_objects.pager, page, &alone, &extent);
        if (error == OK && extent.is_absent) {
            error = copy_from_source(page);
        }
    }
    if (error == OK && !frame_is_none(page->frame)) {
        mark_dirty(page);
    }
    vm_page_unlock(page);
    vm_map_forget(&vm_objects.map, own);
    return error;
}

/* All pages of a space --------------------------------------------------------------------------------------------- */

/* What is done to one page, for `space`. ERROR_NO_MEMORY, ERROR_BUSY: again, after a wait. */
typedef enum error visit_page(struct space_id space, struct gpn gpn);

static enum error persist(visit_page *visit, struct space_id space, struct gpn gpn)
{
    enum error error = visit(space, gpn);

    while (error == ERROR_NO_MEMORY || error == ERROR_BUSY) {
        error = error == ERROR_BUSY ? vm_copy_wait(source_page(gpn)) : vm_reclaim_wait(space);
        if (error != OK) {
            return error;
        }
        error = visit(space, gpn);
    }
    return error;
}

static enum error visit_resident(visit_page *visit, struct space_id space, struct space_id from)
{
    struct gpn at = {from.number << 20}, last = {from.number << 20 | (OBJECT_PAGES - 1)};
    enum error error = OK;

    while (error == OK && vm_presence_next(&vm_objects.map, at, last, &at)) {
        error = persist(visit, space, at);
        at.number++; /* the last page of a space is in no window */
    }
    return error;
}

static enum error visit_stored(visit_page *visit, struct space_id space, struct space_id from)
{
    struct gpn page = gpn_make(from, (struct vaddr){0});
    enum error error;

    while ((error = vm_objects.pager->next(page, &page)) == OK && gpn_space(page).number == from.number) {
        error = persist(visit, space, page);
        if (error != OK) {
            return error;
        }
        page.number++;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

enum error vm_give_to_source(struct space_id space)
{
    thread_may_sleep();
    ASSERT(vm_lineage_children(vm_lineage_source(space)) == 1 && vm_lineage_children(space) == 0); /* LINEAGE-1 */
    enum error error = visit_resident(try_give_page, space, space);

    return error == OK ? visit_stored(try_give_page, space, space) : error;
}

enum error vm_take_from_source(struct space_id space)
{
    thread_may_sleep();
    struct space_id source = vm_lineage_source(space);

    ASSERT(source.number != 0 && vm_lineage_children(space) == 0);
    enum error error = visit_resident(try_take_page, space, source);
    return error == OK ? visit_stored(try_take_page, space, source) : error;
}
