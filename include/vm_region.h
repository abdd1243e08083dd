/*
 * Regions and tickets: what should be where in a space.
 *
 * Each space has an ordered tree of regions that do not overlap. A region is a range of pages with one protection and
 * one ticket, which says what an untouched page of it becomes. So a range of any length costs one record.
 *
 * Records are persistent and index-based: they live in a table in the system window, the links are indices, index 0 is
 * "none". A tree is named by the index of its root, kept by its owner (a program record). After a boot a tree is
 * validated before it is used.
 *
 *     REGION-1  Regions of a tree are ordered by first_page, do not overlap, and lie in [low, high) given at insertion.
 *     REGION-2  The tree is balanced: find, insert, remove are O(log n).
 *     REGION-3  No two neighbours could be one region (same attributes, tickets that continue each other).
 *     REGION-4  A record is in exactly one tree or on the free list.
 *
 * Nothing here sleeps except where the table grows (table->commit); nothing here locks: the caller serialises changes
 * to one table, which kernel code does by not sleeping between find and use.
 */
#ifndef VM_REGION_H
#define VM_REGION_H

#include "error.h"
#include "types.h"

#define VM_READ    1u
#define VM_WRITE   2u
#define VM_EXECUTE 4u

#define VM_REGION_GROWS_DOWN 1u /* a fault within its guard distance below extends it */
#define VM_REGION_HEAP       2u /* the program break; kept apart from its neighbours */

enum vm_ticket_kind {
    VM_TICKET_NONE,  /* nothing may be here: a guard */
    VM_TICKET_ZERO,  /* zeroes */
    VM_TICKET_IMAGE, /* bytes of a program image: `object` names it, `offset_pages` of the region's first page */
    VM_TICKET_COPY,  /* copy-on-write of the page at the same address in space `object` */
};

struct vm_ticket {
    uint32_t kind; /* enum vm_ticket_kind */
    uint32_t object;
    uint32_t offset_pages;
};

/* A persistent record; written only by vm_region.c. */
struct vm_region {
    uint32_t first_page; /* page number within the space */
    uint32_t page_count; /* 1 or more */
    struct vm_ticket ticket;
    uint8_t protection; /* VM_READ ... */
    uint8_t flags;      /* VM_REGION_... */
    uint8_t level;      /* of the tree balance */
    uint8_t state;      /* free or used */
    uint32_t left, right;
    uint32_t gap_pages; /* largest hole within this subtree's span, for O(log n) placement */
    uint32_t span_first, span_end;
};

/* A table of regions shared by all spaces. The header is volatile; the records and the root of free ones persist. */
struct vm_region_table {
    struct vm_region *records; /* [0] is the table's own: free list, high-water mark, count */
    uint32_t capacity;         /* records, including [0] */
    /*
     * Make records [0, count) usable memory; may sleep. ERROR_NO_MEMORY.
     */
    enum error (*commit)(struct vm_region_table *table, uint32_t count);
};

/* The attributes of a range. */
struct vm_region_attributes {
    uint8_t protection;
    uint8_t flags;
    struct vm_ticket ticket;
};

/* Start an empty table over zeroed memory, or adopt one that persisted: ERROR_FORMAT_DAMAGED if its header is not sound. */
MUST_CHECK enum error vm_region_table_create(struct vm_region_table *table);
MUST_CHECK enum error vm_region_table_adopt(struct vm_region_table *table);

/*
 * Records that will surely be there for the next change: take them first, where sleeping is allowed. A change to a
 * tree needs at most VM_REGION_RESERVE of them and does not sleep when that many are free and committed.
 * - ERROR_NO_MEMORY: the table is full.
 */
#define VM_REGION_RESERVE 4u
MUST_CHECK enum error vm_region_reserve(struct vm_region_table *table);

/* The region that holds `page`, or NULL. Valid until the next change to the table. */
const struct vm_region *vm_region_find(const struct vm_region_table *table, uint32_t root, uint32_t page);

/* The first region that ends above `page`, or NULL: iteration is next(0), next(end of that), ... */
const struct vm_region *vm_region_next(const struct vm_region_table *table, uint32_t root, uint32_t page);

/*
 * Insert pages [first, first + count), merging with neighbours it continues.
 * - ERROR_RANGE: empty, wrapping, or outside pages 0 .. 2^20; ERROR_EXISTS: overlap; ERROR_NO_MEMORY. Unchanged then.
 */
MUST_CHECK enum error vm_region_insert(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t count,
                                       const struct vm_region_attributes *attributes);

/*
 * Find room for `count` pages within [low, high), as high as possible, and insert there.
 * - out_first: where. ERROR_NO_MEMORY: no hole is large enough, or no record.
 */
MUST_CHECK enum error vm_region_allocate(struct vm_region_table *table, uint32_t *root, uint32_t low, uint32_t high,
                                         uint32_t count, const struct vm_region_attributes *attributes,
                                         uint32_t *out_first);

/*
 * Remove whatever regions cover any of [first, first + count), splitting those that stick out. Holes are fine.
 * - ERROR_RANGE; ERROR_NO_MEMORY: a split needs a record. Unchanged then.
 */
MUST_CHECK enum error vm_region_release(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t count);

/*
 * Change the protection of [first, first + count), splitting and merging as needed.
 * - ERROR_NOT_FOUND: a page of the range is in no region; ERROR_RANGE; ERROR_NO_MEMORY. Unchanged then.
 */
MUST_CHECK enum error vm_region_protect(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t count,
                                        uint8_t protection);

/* Whether every page of the range is in a region that allows all of `protection`. O(log n + regions in the range). */
bool vm_region_is_legitimate(const struct vm_region_table *table, uint32_t root, uint32_t first, uint32_t count,
                             uint8_t protection);

/*
 * Extend a VM_REGION_GROWS_DOWN region downwards so that it holds `page`, if `page` is at most `distance_max` pages
 * below it and at least `guard_pages` unmapped pages remain above the next region below.
 * - ERROR_NOT_FOUND: no such region above, or not allowed.
 */
MUST_CHECK enum error vm_region_grow_down(struct vm_region_table *table, uint32_t *root, uint32_t page,
                                          uint32_t distance_max, uint32_t guard_pages);

/* Copy a whole tree (fork): `convert` may change each copy's attributes. ERROR_NO_MEMORY: nothing is left behind. */
MUST_CHECK enum error vm_region_clone(struct vm_region_table *table, uint32_t root, uint32_t *out_root,
                                      void (*convert)(struct vm_region_attributes *attributes, void *context),
                                      void *context);

/* Remove all regions of a tree; *root becomes 0. */
void vm_region_clear(struct vm_region_table *table, uint32_t *root);

/*
 * Verify REGION-1 to REGION-3 of one tree without trusting any index in it; bounded by the capacity.
 * - ERROR_FORMAT_DAMAGED.
 */
MUST_CHECK enum error vm_region_validate(const struct vm_region_table *table, uint32_t root);

/* Records in use. */
uint32_t vm_region_count(const struct vm_region_table *table);

#endif
