/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Borrowing: a page that nobody has written since its space was cloned is its source's, and shares the source's frame;
 * one that nobody has written since an object was mapped there is the object's, the base.
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

bool vm_borrow_has_source(struct place place)
{
    struct page_key at = place_key(place);

    return vm_go_up(place, &at);
}

bool vm_borrow_is_due(struct place place, const struct vm_allowance *allowance)
{
    return !allowance->is_shared && (allowance->has_base || vm_borrow_has_source(place));
}

bool vm_borrow_is_mapped(const struct vm_page *page)
{
    return frame_is_none(vm_page_frame(page)) && pmap_query(vm_page_place(page), NULL);
}

/* Whether a search for what a place shows comes by `above`. */
static bool is_on_the_way(struct place place, struct page_key above)
{
    for (struct page_key at = place_key(place); at.number != above.number;) {
        if (!vm_go_up(place, &at)) {
            return false;
        }
    }
    return true;
}

/*
 * Bring in a page of somebody else, if it has content of its own; a base's page is one of zeroes otherwise, which is lent
 * to be read: whoever writes to it later is seen. The caller has its mutex.
 */
static enum error bring_in(struct vm_page *page, const struct vm_allowance *allowance, bool wants_zeroes,
                           enum eidolon_count *kind)
{
    struct vm_cluster_extent extent;
    enum error error = vm_page_in_measure(vm_objects.pager, page, allowance, &extent);

    if (error != OK || (extent.is_absent && !wants_zeroes)) {
        return error;
    }
    *kind = extent.is_zero ? EIDOLON_FAULT_ZERO : EIDOLON_FAULT_PAGE_IN;
    return vm_page_in(&vm_objects.map, vm_objects.pager, page, &extent, allowance);
}

/* Who has what a place shows, and who was asked. */
struct lender {
    struct vm_page *page; /* with content, resident and locked; NULL: nobody has any */
    struct page_key last; /* the last page asked of the space and its sources */
    struct page_key base; /* and that of an object, 0: none */
};

/* A page, resident and locked, or NULL if it has no content. */
static enum error ask(struct page_key key, const struct vm_allowance *allowance, bool wants_zeroes,
                      struct vm_page **out, enum eidolon_count *kind)
{
    struct vm_page *page;
    enum error error = vm_map_lock_page(&vm_objects.map, key, &page, NULL);

    *out = NULL;
    if (error != OK) {
        return error;
    }
    if (!vm_page_is_resident(page)) {
        error = bring_in(page, allowance, wants_zeroes, kind);
    }
    if (error == OK && vm_page_is_resident(page)) {
        *out = page;
        return OK;
    }
    vm_page_unlock(page);
    vm_map_forget(&vm_objects.map, page);
    return error;
}

static enum error ask_base(const struct vm_allowance *allowance, enum pmap_access access, struct lender *lender,
                           enum eidolon_count *kind)
{
    struct vm_allowance of_object = *allowance;

    if (allowance->shown_after == VM_SHOWN_NOTHING) {
        return ERROR_RANGE;
    }
    if (of_object.pages_after > allowance->shown_after) {
        of_object.pages_after = allowance->shown_after;
    }
    lender->base = allowance->shown;
    return ask(allowance->shown, &of_object, access == PMAP_READ, &lender->page, kind);
}

/*
 * The nearest source's page with content, else the base's. The mutexes are locked upwards (LINEAGE-3).
 * - ERROR_RANGE: the base ends before that page.
 */
static enum error find_lender(struct place place, enum pmap_access access, const struct vm_allowance *allowance,
                              struct lender *lender, enum eidolon_count *kind)
{
    enum error error = OK;

    *lender = (struct lender){.last = place_key(place)};
    while (error == OK && lender->page == NULL && vm_go_up(place, &lender->last)) {
        error = ask(lender->last, allowance, false, &lender->page, kind);
    }
    if (error == OK && lender->page == NULL && allowance->has_base) {
        error = ask_base(allowance, access, lender, kind);
    }
    return error;
}

/* Whether a search would end where it has ended: the region was looked at again, and nothing has slept since. */
static bool holds(struct place place, const struct vm_allowance *allowance, const struct lender *lender)
{
    struct page_key at = lender->last;

    if (!is_on_the_way(place, at)) {
        return false;
    }
    if (lender->page != NULL && vm_page_is(lender->page, at)) {
        return true;
    }
    struct page_key base = allowance->has_base ? allowance->shown : (struct page_key){0};
    return !vm_go_up(place, &at) && lender->base.number == base.number &&
           (!allowance->has_base || allowance->shown_after != VM_SHOWN_NOTHING);
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

/* Find the lender and take what it has; again if sources or the base changed in the meantime. */
static enum error find_and_take(struct vm_page *page, enum pmap_access access, struct frame frame,
                                struct vm_allowance *allowance, enum eidolon_count *kind)
{
    struct place place = vm_page_place(page);
    struct lender lender;
    enum error error;
    bool is_over;

    do {
        error = find_lender(place, access, allowance, &lender, kind);
        if (error == OK) {
            error = vm_fault_look(page, place, access, allowance);
        }
        is_over = error != OK || holds(place, allowance, &lender);
        if (error == OK && is_over) {
            error = take(page, lender.page, access, frame, kind);
        }
        if (lender.page != NULL) {
            vm_page_unlock(lender.page);
        }
    } while (!is_over);
    return error;
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
