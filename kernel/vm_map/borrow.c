/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Borrowing: a page that nobody has written since its space was cloned is its source's, and shares the source's frame.
 *
 * The lender is looked for from the space upwards, one page mutex after the other, and is kept locked until its frame
 * is mapped or copied; so it cannot be dropped meanwhile. Content moves in one direction only, from a space to its
 * source (settle.c), so whoever looks upwards does not miss it. What may happen while one sleeps is that a space on the
 * way ends and its number is given to another one: therefore the way is looked at again afterwards, and gone once more
 * if it leads elsewhere.
 *
 * A borrowed frame has no record of its borrowers. They are the descendants of its space that have no page of their own
 * there, at the same address: the tree says who they are.
 */
#include "borrow.h"
#include "arch/frame.h"
#include "page_in.h"
#include "vm_lineage.h"
#include "vm_reclaim.h"
#include <string.h>

static uint64_t copied;

uint64_t vm_borrowed_copies(void)
{
    return copied;
}

static struct gpn in_space(struct gpn gpn, struct space_id space)
{
    return gpn_make(space, gpn_address(gpn));
}

/* The page that an untouched one is a copy of. False: none, and `out` is as it was. */
static bool source_of(struct gpn gpn, struct gpn *out)
{
    const struct vm_fault_policy *policy = vm_fault_policy();
    struct space_id source = policy->source != NULL ? policy->source(gpn) : SPACE_SHARED;

    if (source.number == SPACE_SHARED.number) {
        return false;
    }
    *out = in_space(gpn, source);
    return true;
}

bool borrow_is_due(struct gpn gpn)
{
    struct gpn source;

    return source_of(gpn, &source);
}

bool borrow_is_mapped(const struct vm_page *page)
{
    return frame_is_none(page->frame) && pmap_query(page->gpn, NULL);
}

/* Whether `above` is where one looks, sooner or later, for the content of `gpn`. */
static bool is_on_the_way(struct gpn gpn, struct gpn above)
{
    while (gpn.number != above.number) {
        if (!source_of(gpn, &gpn)) {
            return false;
        }
    }
    return true;
}

/* Bring in a page of a source, if it has content of its own. The caller has its mutex. */
static enum error bring_in(struct vm_page *page, const struct vm_allowance *allowance, enum eidolon_count *kind)
{
    struct vm_cluster_extent extent;
    enum error error = page_in_measure(vm_fault_pager(), page, allowance, &extent);

    if (error != OK || extent.is_absent) {
        return error;
    }
    *kind = EIDOLON_FAULT_PAGE_IN;
    return page_in(vm_object_space(), vm_fault_pager(), page, &extent, allowance);
}

/*
 * The nearest source's page that has content, resident and locked. `*lender` NULL: none has; *last is then the page of
 * the last source that was asked.
 */
static enum error find_lender(struct gpn gpn, const struct vm_allowance *allowance, struct vm_page **lender,
                              struct gpn *last, enum eidolon_count *kind)
{
    struct vm_page *page;

    *lender = NULL;
    *last = gpn;
    while (source_of(*last, last)) {
        enum error error = vm_fault_lock_page(*last, &page, NULL);
        if (error == OK && frame_is_none(page->frame)) {
            error = bring_in(page, allowance, kind);
            if (error != OK || frame_is_none(page->frame)) {
                vm_page_unlock(page);
                page_in_forget(vm_object_space(), *last);
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

enum error borrow_begin_copy(struct vm_page *page, struct frame *out)
{
    enum error error = vm_frame_take(out);

    if (error == OK) {
        vm_page_begin_read(page);
    }
    return error;
}

void borrow_end_copy(struct vm_page *page, const struct vm_page *lender, struct frame frame)
{
    if (lender != NULL) {
        memcpy(frame_address(frame), frame_address(lender->frame), PAGE_SIZE);
        copied++;
    } else {
        memset(frame_address(frame), 0, PAGE_SIZE);
    }
    if (pmap_query(page->gpn, NULL)) {
        (void)pmap_remove(page->gpn);
    }
    vm_page_make_resident(vm_object_space(), page, frame);
}

void borrow_fail_copy(struct vm_page *page, struct frame frame)
{
    vm_page_fail_read(page);
    frame_free(frame);
}

static enum error share(const struct vm_page *page, const struct vm_page *lender)
{
    return pmap_query(page->gpn, NULL) ? OK : pmap_enter(page->gpn, lender->frame, PMAP_READ);
}

/* Zeroes, because nobody has the page; a frame for them is there if the page is to be written. */
static enum error take_zeroes(struct vm_page *page, struct frame frame)
{
    enum error error = page->state == VM_PAGE_READING ? OK : borrow_begin_copy(page, &frame);

    if (error == OK) {
        borrow_end_copy(page, NULL, frame);
    }
    return error;
}

/* `kind` is what it took to find the lender, or NO_FAULT. */
static enum error take(struct vm_page *page, const struct vm_page *lender, enum pmap_access access, struct frame frame,
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
    borrow_end_copy(page, lender, frame);
    return OK;
}

/* Find the lender, and take what it has; again, if sources have changed in the meantime. */
static enum error find_and_take(struct vm_page *page, enum pmap_access access, struct frame frame,
                                struct vm_allowance *allowance, enum eidolon_count *kind)
{
    const struct vm_fault_policy *policy = vm_fault_policy();
    struct vm_page *lender;
    struct gpn last;
    enum error error;

    for (;;) {
        error = find_lender(page->gpn, allowance, &lender, &last, kind);
        if (error == OK) {
            error = policy->check(page->gpn, access, allowance);
        }
        bool holds = is_on_the_way(page->gpn, last) && (lender != NULL || !borrow_is_due(last));
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

enum error borrow(struct vm_page *page, enum pmap_access access, struct vm_allowance *allowance,
                  enum eidolon_count *kind)
{
    struct frame frame = FRAME_NONE;
    enum error error = access == PMAP_WRITE ? borrow_begin_copy(page, &frame) : OK;

    *kind = NO_FAULT;
    error = error != OK ? error : find_and_take(page, access, frame, allowance, kind);
    if (page->state == VM_PAGE_READING) {
        borrow_fail_copy(page, frame);
    }
    return error;
}

/* Borrowers -------------------------------------------------------------------------------------------------------- */

/*
 * The next descendant whose page borrows the frame of `lender`; none: no more. One that has a page of its own lends to
 * those below it itself.
 */
static struct space_id next_borrower(struct gpn lender, struct space_id at)
{
    struct space_id root = gpn_space(lender);
    bool descend = true;

    while ((at = vm_lineage_next(root, at, descend)).number != 0) {
        struct gpn gpn = in_space(lender, at);
        const struct vm_page *page = vm_map_find(vm_object_space(), gpn);
        descend = page == NULL || frame_is_none(page->frame);
        if (descend && pmap_query(gpn, NULL)) {
            return at;
        }
    }
    return at;
}

bool borrowers_hold(struct gpn gpn)
{
    struct space_id at = gpn_space(gpn);

    while ((at = next_borrower(gpn, at)).number != 0) {
        const struct vm_page *page = vm_map_find(vm_object_space(), in_space(gpn, at));
        if (page != NULL && page->wire_count > 0) {
            return true;
        }
    }
    return false;
}

bool borrowers_take_accessed(struct gpn gpn)
{
    struct space_id at = gpn_space(gpn);
    bool accessed = false;

    while ((at = next_borrower(gpn, at)).number != 0) {
        accessed |= pmap_clear_accessed(in_space(gpn, at));
    }
    return accessed;
}

void borrowers_unmap(struct gpn gpn)
{
    struct space_id at = gpn_space(gpn);

    while ((at = next_borrower(gpn, at)).number != 0) {
        (void)pmap_remove(in_space(gpn, at));
    }
}

bool vm_mappings_are_right(const struct vm_page *page)
{
    struct space_id at = gpn_space(page->gpn);

    if (pmap_query(page->gpn, NULL) && pmap_frame(page->gpn).number != page->frame.number) {
        return false;
    }
    while ((at = next_borrower(page->gpn, at)).number != 0) {
        enum pmap_access access;
        struct gpn gpn = in_space(page->gpn, at);
        (void)pmap_query(gpn, &access);
        if (access != PMAP_READ || pmap_is_dirty(gpn) || pmap_frame(gpn).number != page->frame.number) {
            return false;
        }
    }
    return true;
}
