/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults: making a page of the object space present.
 *
 * What a page should be is decided in this order: the resident frame; the block a page-out wrote; the store's page map;
 * the backing of its region, which may be the same page of another space (vm_lineage.h). Access is checked against the
 * region before any I/O.
 */
#ifndef VM_FAULT_H
#define VM_FAULT_H

#include "arch/pmap.h"
#include "error.h"
#include "types.h"

struct vm_map;
struct vm_page;
struct vm_policy;

/* What a region allows of a page. */
struct vm_allowance {
    bool may_write;        /* so that a read fault may map it so */
    uint32_t pages_before; /* of the same region, below this one */
    uint32_t pages_after;  /* and above it */
    bool is_shared; /* what is seen there is `shown`; else it is the space's own page, or what that is a copy of */
    bool has_base;  /* if neither the space nor a source has a page there, `shown` is seen, to be copied if written */
    struct page_key shown;
    uint32_t shown_after; /* pages of the object above `shown`; UINT32_MAX: the object ends before it */
};

#define VM_SHOWN_NOTHING UINT32_MAX

/* What decides whether a page may be touched, given by kernel/proc: it knows the programs and their region trees. */
struct vm_fault_policy {
    /*
     * Check an access to an address of a space and extend a growing stack if that makes it right. Does not sleep.
     * - ERROR_DENIED: no region, or it does not allow the access.
     */
    enum error (*check)(struct place place, enum pmap_access access, struct vm_allowance *out);
    /*
     * A chunk that is closed since the stop is about to be opened: the last chance to complete pages of it as they were
     * at the stop. May be NULL. Does not sleep.
     */
    void (*opening)(struct place chunk);
    /*
     * A place of private memory shows nothing of the memory `at`, its own or a source's: the source above that which
     * may have what is shown; space 0: none, it is zeroes. May be NULL: there are no copies. Does not sleep.
     */
    struct space_id (*source)(struct place place, struct space_id at);
    /*
     * The space has taken more than can be kept: make the program that runs in it end, and say so. False: no program
     * does, or it cannot be ended. Does not sleep. May be NULL: nobody can be.
     */
    bool (*stop)(struct space_id space);
};

#define VM_CLUSTER_PAGES 16u /* read with one request at most */
#define VM_PAGE_OUT_MAX  64u /* written ahead at a time */

/* The neighbours of a page that one request gets together with it. */
struct vm_cluster_extent {
    bool is_zero;           /* the page itself holds nothing but zeroes: nothing is to be read */
    bool is_absent;         /* and that is because it has never been written; is_zero then too */
    uint32_t before, after; /* pages below and above it */
};

/* Where pages are that are not in memory; given by kernel/snap. All may sleep. */
struct vm_pager {
    /*
     * What is worth reading together with a page, of at most `before_max` pages below it and `after_max` above it;
     * before_max + after_max < VM_CLUSTER_PAGES. ERROR_IO, ERROR_CHECKSUM: it cannot be told.
     */
    enum error (*measure)(struct page_key page, uint32_t before_max, uint32_t after_max, struct vm_cluster_extent *out);
    /*
     * Fill page-aligned buffers with what pages [first, first + count) hold; count is 1 .. VM_CLUSTER_PAGES.
     * - out_good: for each page whether its buffer holds what was committed. A page that has moved meanwhile is not
     *   good.
     */
    void (*read)(struct page_key first, uint32_t count, void *const contents[], bool out_good[]);
    /* Fill one buffer, and say what is wrong if that cannot be done. ERROR_IO, ERROR_CHECKSUM. */
    enum error (*read_one)(struct page_key page, void *content);
    /*
     * Pages [first, first + count) of one object hold nothing any more. ERROR_NO_MEMORY, ERROR_IO: nothing has changed.
     */
    enum error (*discard)(struct page_key first, uint32_t count);
    /* The first page at or after `from` that has been written. ERROR_NOT_FOUND: none; ERROR_IO, ERROR_CHECKSUM. */
    enum error (*next)(struct page_key from, struct page_key *out);
    /*
     * Write what dirty pages hold to fresh blocks, ahead of the snapshot that commits it. Used by one thread at a time.
     * - pages: 1 .. VM_PAGE_OUT_MAX, in ascending order, DIRTY and not the snapshot's, locked by the caller, not
     *   mapped. On
     *   return each is CLEAN or DIRTY.
     * - ERROR_BUSY: so much is written ahead that a commit is due first. ERROR_NO_SPACE, ERROR_NO_MEMORY, ERROR_IO.
     */
    enum error (*page_out)(struct vm_page *const pages[], uint32_t count);
    /* Make every page clean that is dirty now. Interruptible: ERROR_INTERRUPTED; ERROR_IO, ERROR_NO_SPACE. */
    enum error (*clean)(void);
};

/*
 * The one object space of the running kernel.
 * - replacement: which pages go when frames run short (vm_policy.h); NULL: the default.
 * - ERROR_NO_MEMORY.
 */
MUST_CHECK enum error vm_fault_initialise(const struct vm_pager *pager, const struct vm_fault_policy *policy,
                                          const struct vm_policy *replacement);
struct vm_map *vm_object_space(void);

/*
 * Make a page present for an access; after OK the access succeeds unless something sleeps in between.
 * - may sleep. ERROR_DENIED, ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM (the page is quarantined).
 */
MUST_CHECK enum error vm_fault(struct place place, enum pmap_access access);

/*
 * Whether the mappings of a resident page are right: its own leads to its frame, and so do those of the spaces that
 * borrow it (vm_lineage.h), which are read-only and were never written through. For snap_check(). Does not sleep.
 */
bool vm_mappings_are_right(const struct vm_page *page);

/*
 * As vm_fault, and the page that is seen there, be it another memory's or an object's, stays resident until
 * vm_unwire(). Wires nest.
 * - out: that page, which has a record until then.
 */
MUST_CHECK enum error vm_wire(struct place place, enum pmap_access access, struct vm_page **out);
void vm_unwire(struct vm_page *page);

/* The same for a page that is wired at its own place and known by its key: the kernel's records, a pipe's. */
void vm_unwire_own(struct page_key page);

/*
 * Write to a page that the caller has wired for writing since it last slept, through its frame: whatever space the
 * processor is in. `offset` + `length` is PAGE_SIZE at most. Does not sleep.
 */
void vm_write(struct page_key page, uint32_t offset, const void *bytes, uint32_t length);

/*
 * A write of the kernel to a record in the system window that found the page protected, because of a snapshot.
 * - does not sleep. Returns false if the page is not there at all, which is a program error of the kernel.
 */
bool vm_fault_record(struct page_key page);

/*
 * The bytes of a wired page whose chunk is closed, to complete it as of the stop: behind the protection, so that the
 * running snapshot gets what is written. The page counts as dirty. Valid until something sleeps or the chunk is opened.
 */
void *vm_content_at_stop(struct page_key page);

/*
 * The bytes of a page, for the kernel to read or write them behind the mapping: of spaces that no program runs in. The
 * page counts as dirty with PMAP_WRITE, which is for a window's pages. Valid until something sleeps; NULL: vm_fault()
 * for that access is due first.
 */
void *vm_content(struct page_key page, enum pmap_access access);

/*
 * A page of an object that is no window's, for the kernel to read or write (kernel/vm_map/object_content.c): it is
 * resident until vm_unwire(), unless its content is discarded meanwhile.
 * - payer: the space that waits for memory if there is none. May sleep. Errors as vm_fault().
 */
MUST_CHECK enum error vm_object_hold(struct page_key page, struct space_id payer, struct vm_page **out);

/* The bytes of a page that is held, until something sleeps. NULL: they have been discarded; hold it again. */
const void *vm_object_bytes(const struct vm_page *page);

/*
 * The same to be written; the page counts as dirty. Views may have lost their entries. Does not sleep.
 * - ERROR_NOT_FOUND: its content has been discarded. ERROR_BUSY: not now; vm_object_wait(), and then again.
 */
MUST_CHECK enum error vm_object_write(struct vm_page *page, void **out);

/* Until that may be done. May sleep. ERROR_INTERRUPTED. */
MUST_CHECK enum error vm_object_wait(struct vm_page *page);

/*
 * How often the world has been stopped. What was prepared before a stop (a mapping that can be written) has to be
 * prepared again after it.
 */
uint32_t vm_stops(void);

/*
 * Pages [first, first + count) of one object have no content any more: unmapped, frames freed, committed content
 * deleted with the next snapshot. Waits for pages in flight; the cost follows the pages there are.
 * - count: 1 or more. All of them lie in the window of the space, if it is a space's private memory: anything else is
 *   a panic, before any page is
 *   touched.
 * - the caller has made sure that no fault brings them back meanwhile (their region denies access or is gone), and
 *   that a call which is issued again after a boot does this again.
 * - ERROR_NO_MEMORY, ERROR_IO from the pager: the frames are free all the same, so that memory comes back when there is
 *   none; but a page may have an *earlier* content again, the committed one. Nobody may see it before a call succeeds.
 */
MUST_CHECK enum error vm_discard(struct page_key first, uint32_t count);

/* The same for a range that may well have nothing; then nothing is written for it. */
MUST_CHECK enum error vm_discard_if_any(struct page_key first, uint32_t count);

/* The same for pages that somebody sees, or sees again: after an error each is empty or as it was. */
MUST_CHECK enum error vm_discard_in_use(struct page_key first, uint32_t count);

/*
 * All that a space has of its own becomes its source's, in place of what that has there; the space is as it was, and
 * has nothing of its own any more. The cost follows its pages.
 * - the source has no other child, and no program runs in the space. No region of the space is deeper than the source.
 * - may sleep, and can be called again after a failure or a boot: each page is in one place or the other.
 * - ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM, ERROR_INTERRUPTED.
 */
MUST_CHECK enum error vm_give_to_source(struct space_id space);

/*
 * The other way round, for a space that is to do without its source: it gets a page of its own for each that it has
 * borrowed of that source or could, and all its own pages count as dirty. The source stays as it is.
 * - no program runs in the space. May sleep, and can be called again. Errors as vm_give_to_source().
 */
MUST_CHECK enum error vm_take_from_source(struct space_id space);

/* How often a page was copied because a clone, or the program that was cloned, wrote to it. */
uint64_t vm_borrowed_copies(void);

/*
 * The regions of places [first, first + count) now allow less: take away what mappings there are allow beyond that.
 * - they lie in the window of one space, as for vm_discard().
 * - readable, writable: what is still allowed. More than before needs no call: the next fault gives it.
 */
void vm_restrict(struct place first, uint32_t count, bool readable, bool writable);

#endif
