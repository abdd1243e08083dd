/*
 * Faults: making a page of the object space present.
 *
 * What a page should be is decided in this order: the resident frame; the block a page-out wrote; the store's page
 * map; the ticket of its region. Access is checked against the region before any I/O.
 */
#ifndef VM_FAULT_H
#define VM_FAULT_H

#include "arch/pmap.h"
#include "error.h"
#include "types.h"

struct vm_map;

/* What a region allows of a page. */
struct vm_allowance {
    bool may_write;          /* so that a read fault may map it so */
    uint32_t pages_following; /* of the same region, above this one */
};

/* What decides whether a page may be touched, given by kernel/proc: it knows the programs and their region trees. */
struct vm_fault_policy {
    /*
     * Check an access to an address of a space and extend a growing stack if that makes it right. Does not sleep.
     * - ERROR_DENIED: no region, or it does not allow the access.
     */
    enum error (*check)(struct gpn page, enum pmap_access access, struct vm_allowance *out);
};

#define VM_READ_AHEAD_PAGES 16u

/* Where pages are that are not in memory; given by kernel/snap. All may sleep. */
struct vm_pager {
    /*
     * How many pages from `first` on, at most `count_max`, are worth reading together because one request gets them all. 0: the
     * first holds nothing but zeroes. ERROR_IO, ERROR_CHECKSUM: it cannot be told.
     */
    enum error (*measure)(struct gpn first, uint32_t count_max, uint32_t *out_count);
    /*
     * Fill page-aligned buffers with what pages [first, first + count) hold; count is 1 .. VM_READ_AHEAD_PAGES.
     * - out_count: how many, 1 or more; fewer than asked if a later one has moved or does not prove itself.
     * - ERROR_IO, ERROR_CHECKSUM: of the first.
     */
    enum error (*read)(struct gpn first, uint32_t count, void *const contents[], uint32_t *out_count);
    /* Pages [first, first + count) of one space hold nothing any more. ERROR_NO_MEMORY, ERROR_IO: nothing has changed. */
    enum error (*discard)(struct gpn first, uint32_t count);
    /* Make every page clean that is dirty now. Interruptible: ERROR_INTERRUPTED; ERROR_IO, ERROR_NO_SPACE. */
    enum error (*clean)(void);
};

/* The one object space of the running kernel. ERROR_NO_MEMORY. */
MUST_CHECK enum error vm_fault_initialise(const struct vm_pager *pager, const struct vm_fault_policy *policy);
struct vm_map *vm_object_space(void);

/*
 * Make a page present for an access; after OK the access succeeds unless something sleeps in between.
 * - may sleep. ERROR_DENIED, ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM (the page is quarantined).
 */
MUST_CHECK enum error vm_fault(struct gpn page, enum pmap_access access);

/* As vm_fault, and the page stays resident until vm_unwire(). Wires nest. */
MUST_CHECK enum error vm_wire(struct gpn page, enum pmap_access access);
void vm_unwire(struct gpn page);

/*
 * A write of the kernel to a record in the system window that found the page protected, because of a snapshot.
 * - does not sleep. Returns false if the page is not there at all, which is a program error of the kernel.
 */
bool vm_fault_record(struct gpn page);

/*
 * How often the world has been stopped. What was prepared before a stop (a mapping that can be written) has to be
 * prepared again after it.
 */
uint32_t vm_stops(void);

/*
 * Pages [first, first + count) of one space have no content any more: unmapped, frames freed, committed content deleted
 * with the next snapshot. Waits for pages in flight; the cost follows the pages there are.
 * - the caller has made sure that no fault brings them back meanwhile (their region denies access or is gone), and
 *   that a call which is issued again after a boot does this again.
 * - ERROR_NO_MEMORY, ERROR_IO from the pager: pages handled so far stay discarded.
 */
MUST_CHECK enum error vm_discard(struct gpn first, uint32_t count);

/*
 * The regions of pages [first, first + count) now allow less: take away what mappings there are allow beyond that.
 * - readable, writable: what is still allowed. More than before needs no call: the next fault gives it.
 */
void vm_restrict(struct gpn first, uint32_t count, bool readable, bool writable);

#endif
