/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Borrowing: a page that nobody has written since its space was cloned is its source's, and shares the source's frame.
 *
 * The search for the lender goes upwards from the space, one page mutex after the other. The lender stays locked until
 * its frame is mapped or copied, so it cannot be dropped meanwhile. Content moves in one direction only, from a space
 * to its source (collapse.c), so a search upwards does not miss it. But while the search sleeps, a space on the way may
 * end and its number go to another one. So the way is checked again at the end, and searched once more if it leads
 * elsewhere.
 */
#include "borrow.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "fault_map.h"
#include "internal.h"
#include "links.h"
#include "object_space.h"
#include "page_in.h"
#include "vm_reclaim.h"
#include <string.h>

static uint64_t copied;

uint64_t vm_borrowed_copies(void)
{
    return copied;
}

static struct page_key in_space(struct page_key key, struct space_id space)
{
    return page_key_at(space, page_key_address(key));
}

/* Go on to the source above a page that shows nothing at a place. False: there is none, and `at` is as it was. */
static bool source_of(struct place place, struct page_key *at)
{
    struct space_id source =
        vm_objects.policy->source != NULL ? vm_objects.policy->source(place, page_key_window(*at)) : SPACE_NONE;

    if (source.number == SPACE_NONE.number) {
        return false;
    }
    *at = in_space(*at, source);
    return true;
}

bool vm_borrow_is_due(struct place place)
{
    struct page_key at = place_key(place);

    return source_of(place, &at);
}

bool vm_borrow_is_mapped(const struct vm_page *page)
{
    return frame_is_none(vm_page_frame(page)) && pmap_query(vm_page_place(page), NULL);
}

/* Whether a search for what a place shows comes by `above`. */
static bool is_on_the_way(struct place place, struct page_key above)
{
    for (struct page_key at = place_key(place); at.number != above.number;) {
        if (!source_of(place, &at)) {
            return false;
        }
    }
    return true;
}

/* Bring in a page of a source, if it has content of its own. The caller has its mutex. */
static enum error bring_in(struct vm_page *page, const struct vm_allowance *allowance, enum eidolon_count *kind)
{
    struct vm_cluster_extent extent;
    enum error error = vm_page_in_measure(vm_objects.pager, page, allowance, &extent);

    if (error != OK || extent.is_absent) {
        return error;
    }
    *kind = EIDOLON_FAULT_PAGE_IN;
    return vm_page_in(&vm_objects.map, vm_objects.pager, page, &extent, allowance);
}

/*
 * The nearest source's page with content, resident and locked. `*lender` NULL: none has any; *last is then the page of
 * the last source asked. The mutexes are locked upwards (LINEAGE-3).
 */
static enum error find_lender(struct place place, const struct vm_allowance *allowance, struct vm_page **lender,
                              struct page_key *last, enum eidolon_count *kind)
{
    struct vm_page *page;

    *lender = NULL;
    *last = place_key(place);
    while (source_of(place, last)) {
        enum error error = vm_map_lock_page(&vm_objects.map, *last, &page, NULL);
        if (error == OK && frame_is_none(vm_page_frame(page))) {
            error = bring_in(page, allowance, kind);
            if (error != OK || frame_is_none(vm_page_frame(page))) {
                vm_page_unlock(page);
                vm_map_forget(&vm_objects.map, page);
                page = NULL;
            }
        }
        if (error != OK || page != NULL) {
            *lender = error == OK ? page : NULL;
            return error;
        }
    }
    return OK;
}

enum error vm_borrow_begin_copy(struct vm_page *page, struct frame *out)
{
    enum error error = vm_frame_take(out);

    if (error == OK) {
        vm_page_begin_read(page);
    }
    return error;
}

void vm_borrow_end_copy(struct vm_page *page, const struct vm_page *lender, struct frame frame)
{
    if (lender != NULL) {
        memcpy(frame_address(frame), frame_address(vm_page_frame(lender)), PAGE_SIZE);
        copied++;
    } else {
        memset(frame_address(frame), 0, PAGE_SIZE);
    }
    (void)vm_unmap(&vm_objects.map, vm_page_place(page)); /* what was lent */
    vm_page_make_resident(&vm_objects.map, page, frame);
}

void vm_borrow_fail_copy(struct vm_page *page, struct frame frame)
{
    vm_page_fail_read(page);
    frame_free(frame);
}

static enum error share(const struct vm_page *page, struct vm_page *lender)
{
    struct place place = vm_page_place(page);

    return pmap_query(place, NULL) ? OK : vm_link_enter(&vm_objects.map, place, lender);
}

/* Zeroes, because no source has the page. If it is to be written, its frame is there already. */
static enum error take_zeroes(struct vm_page *page, struct frame frame)
{
    enum error error = page->state == VM_PAGE_READING ? OK : vm_borrow_begin_copy(page, &frame);

    if (error == OK) {
        vm_borrow_end_copy(page, NULL, frame);
    }
    return error;
}

/* `kind`: what it took to find the lender, or NO_FAULT. */
static enum error take(struct vm_page *page, struct vm_page *lender, enum pmap_access access, struct frame frame,
                       enum eidolon_count *kind)
{
    if (lender == NULL) {
        *kind = EIDOLON_FAULT_ZERO;
        return take_zeroes(page, frame);
    }
    if (access == PMAP_READ) {
        *kind = *kind == NO_FAULT ? EIDOLON_FAULT_SHARED : *kind;
        return share(page, lender);
    }
    *kind = EIDOLON_FAULT_COPY;
    vm_borrow_end_copy(page, lender, frame);
    return OK;
}

/* Find the lender and take what it has; again if sources changed in the meantime. */
static enum error find_and_take(struct vm_page *page, enum pmap_access access, struct frame frame,
                                struct vm_allowance *allowance, enum eidolon_count *kind)
{
    struct place place = vm_page_place(page);
    struct vm_page *lender;
    struct page_key last;
    enum error error;

    for (;;) {
        error = find_lender(place, allowance, &lender, &last, kind);
        if (error == OK) {
            error = vm_fault_look(page, place, access, allowance);
        }
        bool holds = is_on_the_way(place, last) && (lender != NULL || !source_of(place, &last));
        if (error == OK && holds) {
            error = take(page, lender, access, frame, kind);
        }
        if (lender != NULL) {
            vm_page_unlock(lender);
        }
        if (error != OK || holds) {
            return error;
        }
    }
}

enum error vm_borrow(struct vm_page *page, enum pmap_access access, struct vm_allowance *allowance,
                     enum eidolon_count *kind)
{
    struct frame frame = FRAME_NONE;
    enum error error = access == PMAP_WRITE ? vm_borrow_begin_copy(page, &frame) : OK;

    *kind = NO_FAULT;
    if (error == OK) {
        error = find_and_take(page, access, frame, allowance, kind);
    }
    if (page->state == VM_PAGE_READING) {
        vm_borrow_fail_copy(page, frame);
    }
    return error;
}
