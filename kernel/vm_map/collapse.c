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
#include "thread.h"
#include "vm_lineage.h"
#include "vm_reclaim.h"
#include "vm_snapshot.h"
#include <string.h>

static struct page_key source_page(struct page_key key)
{
    return page_key_at(vm_lineage_source(page_key_window(key)), page_key_address(key));
}

/* Make a locked page resident if it has content of its own. */
static enum error bring_in(struct vm_page *page)
{
    const struct vm_allowance alone = {.may_write = true};
    struct vm_cluster_extent extent;

    if (!frame_is_none(vm_page_frame(page))) {
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
    const void *bytes = frame_address(vm_page_frame(content));
    enum eidolon_count kind;

    if (frame_is_none(vm_page_frame(target))) {
        memcpy(frame_address(frame), bytes, PAGE_SIZE);
        (void)vm_unmap(&vm_objects.map, vm_page_place(target)); /* what it borrowed itself before it was a source */
        vm_page_make_resident(&vm_objects.map, target, frame);
        vm_page_mark_dirty(&vm_objects.map, target);
        return OK;
    }
    enum error error = vm_fault_map(target, vm_page_place(target), PMAP_WRITE, true, &kind);
    if (error == OK) {
        memcpy(frame_address(vm_page_frame(target)), bytes, PAGE_SIZE);
        vm_page_mark_dirty(&vm_objects.map, target);
        pmap_mark_dirty(vm_page_place(target));
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
        error = vm_objects.pager->discard(vm_page_key(page), 1);
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
    enum error error = frame_is_none(vm_page_frame(target)) ? vm_borrow_begin_copy(target, &frame) : OK;

    if (error == OK) {
        error = bring_in(page);
    }
    if (error == OK && !frame_is_none(vm_page_frame(page))) {
        error = write_over(target, page, frame);
    }
    if (target->state == VM_PAGE_READING) {
        vm_borrow_fail_copy(target, frame);
    }
    return error;
}

static enum error try_give_page(struct space_id unused, struct page_key key)
{
    struct vm_page *page, *target;
    (void)unused;
    enum error error = vm_map_lock_page(&vm_objects.map, key, &page, NULL);

    if (error != OK) {
        return error;
    }
    error = vm_map_lock_page(&vm_objects.map, source_page(key), &target, NULL);
    if (error == OK) {
        error = copy_to_source(page, target);
        vm_page_unlock(target);
        vm_map_forget(&vm_objects.map, target);
    }
    if (error == OK && !frame_is_none(vm_page_frame(page))) {
        return end_page(page);
    }
    vm_page_unlock(page);
    vm_map_forget(&vm_objects.map, page);
    return error;
}

/* Taking ----------------------------------------------------------------------------------------------------------- */

/* A page of the space's own is no longer what its backing says, written or not. */
static void mark_dirty(struct vm_page *page)
{
    vm_open_chunk(vm_page_place(page));
    if (page->state == VM_PAGE_CLEAN) {
        vm_page_mark_dirty(&vm_objects.map, page);
    }
    if (page->state == VM_PAGE_DIRTY && pmap_query(vm_page_place(page), NULL)) {
        pmap_mark_dirty(vm_page_place(page));
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
    error = vm_map_lock_page(&vm_objects.map, source_page(vm_page_key(page)), &lender, NULL);
    if (error == OK) {
        error = bring_in(lender);
        if (error == OK && !frame_is_none(vm_page_frame(lender))) {
            vm_borrow_end_copy(page, lender, frame);
        }
        vm_page_unlock(lender);
        vm_map_forget(&vm_objects.map, lender);
    }
    if (page->state == VM_PAGE_READING) {
        vm_borrow_fail_copy(page, frame);
    }
    return error;
}

/* `key` is a page of the source. */
static enum error try_take_page(struct space_id space, struct page_key key)
{
    struct page_key own = page_key_at(space, page_key_address(key));
    struct vm_page *page;

    if (!vm_borrow_has_source(page_key_place(own))) {
        return OK;
    }
    enum error error = vm_map_lock_page(&vm_objects.map, own, &page, NULL);
    if (error != OK) {
        return error;
    }
    if (frame_is_none(vm_page_frame(page))) {
        const struct vm_allowance alone = {.may_write = true};
        struct vm_cluster_extent extent;
        error = vm_page_in_measure(vm_objects.pager, page, &alone, &extent);
        if (error == OK && extent.is_absent) {
            error = copy_from_source(page);
        }
    }
    if (error == OK && !frame_is_none(vm_page_frame(page))) {
        mark_dirty(page);
    }
    vm_page_unlock(page);
    vm_map_forget(&vm_objects.map, page);
    return error;
}

/* All pages of a space --------------------------------------------------------------------------------------------- */

/* What is done to one page, for `space`. ERROR_NO_MEMORY, ERROR_BUSY: again, after a wait. */
typedef enum error visit_page(struct space_id space, struct page_key key);

static enum error persist(visit_page *visit, struct space_id space, struct page_key key)
{
    enum error error = visit(space, key);

    while (error == ERROR_NO_MEMORY || error == ERROR_BUSY) {
        error = error == ERROR_BUSY ? vm_copy_wait(source_page(key)) : vm_reclaim_wait(space);
        if (error != OK) {
            return error;
        }
        error = visit(space, key);
    }
    return error;
}

static enum error visit_resident(visit_page *visit, struct space_id space, struct space_id from)
{
    struct page_key at = {from.number << 20}, last = {from.number << 20 | (OBJECT_PAGES - 1)};
    enum error error = OK;

    while (error == OK && vm_presence_next(&vm_objects.map, at, last, &at)) {
        error = persist(visit, space, at);
        thread_give_way();
        at.number++; /* the last page of a space is in no window */
    }
    return error;
}

static enum error visit_stored(visit_page *visit, struct space_id space, struct space_id from)
{
    struct page_key page = page_key_at(from, (struct vaddr){0});
    enum error error;

    while ((error = vm_objects.pager->next(page, &page)) == OK && page_key_object(page).number == from.number) {
        error = persist(visit, space, page);
        if (error != OK) {
            return error;
        }
        thread_give_way();
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
