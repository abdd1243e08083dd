/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions and backings: what should be where in a space.
 *
 * Each space has an ordered tree of regions that do not overlap. A region is a range of pages with one protection and
 * one backing, which says what an untouched page of it becomes. So a range of any length costs one record.
 *
 * What a place of private memory shows is the memory's own page; else that of the sources it is a copy of, upwards,
 * while they are at least as deep as the region (vm_lineage_depth()); else the page of its base, an object, from the
 * region's offset on; without a base, zeroes. So a region keeps out of sight what sources had there before it was made,
 * and a clone changes no region. What a place of a shared region shows is the page of its object.
 *
 * Records are persistent and index-based: they live in a table in the system window, the links are indices, index 0 is
 * "none". A tree is named by the index of its root, kept by its owner (a program record). After a boot the table and
 * its trees are input like any other: they are adopted, which proves every link in them, before they are used.
 *
 *     REGION-1  Regions of a tree are ordered by first_page, do not overlap, and lie within pages 0 .. 2^20.
 *     REGION-2  The tree is an AVL tree: find, insert, remove and placement visit O(log n) records.
 *     REGION-3  No two neighbours could be one region: if nothing is between them, their attributes differ.
 *     REGION-4  A record below the high-water mark is in exactly one tree or on the free list.
 *     REGION-5  Attributes mean something: known bits only, backings in their normal form, guards allow nothing, what is
 *               shown of an object lies in it.
 *     DEPTH-1   A source is as deep as there are sources above it, and what is copied of it one deeper; no region is
 *               deeper than its space's memory. (memory.h keeps that.)
 *
 * A change needs records only for the regions it cuts in two or adds. It takes stock first: either it succeeds whole,
 * or it fails and nothing has changed. Nothing here recurses; the stack needed does not depend on the tree.
 *
 * Only what says so below sleeps. Nothing locks: the caller serialises changes to one table, which kernel code does by
 * not sleeping between find and use.
 */
#ifndef VM_REGION_H
#define VM_REGION_H

#include "error.h"
#include "types.h"

#define VM_READ        1u
#define VM_WRITE       2u
#define VM_EXECUTE     4u
#define VM_PROTECTIONS (VM_READ | VM_WRITE | VM_EXECUTE)

#define VM_REGION_GROWS_DOWN 1u /* a fault within its guard distance below extends it */
#define VM_REGION_HEAP       2u /* the program break: differs from its neighbours, so it never merges with them */
#define VM_REGION_FLAGS      (VM_REGION_GROWS_DOWN | VM_REGION_HEAP)

#define VM_REGION_PAGES (1u << 20) /* of a space: page numbers are below this */

/* The numbers are stored, so they stay. */
enum vm_backing_kind {
    VM_BACKING_NONE = 0,   /* nothing may be here: a guard; its protection is 0 */
    VM_BACKING_MEMORY = 1, /* the memory's own pages and its sources', else those of its base, else zeroes */
    VM_BACKING_OBJECT = 2  /* an object's pages, which others may see and write, too */
};

/* In normal form what a kind has no use for is 0; insertion brings it about. */
struct vm_backing {
    uint16_t kind;           /* enum vm_backing_kind */
    uint16_t depth;          /* MEMORY: that of the memory when the range was mapped, grown or emptied (DEPTH-1) */
    struct object_id object; /* OBJECT: which one; MEMORY: the base, 0: none */
    uint32_t offset;         /* the index in it of the page that the region's first one shows */
};

/* Whether pages of an object may be seen there. */
static inline bool vm_backing_has_object(const struct vm_backing *backing)
{
    return backing->object.number != 0;
}

enum vm_region_state {
    VM_REGION_FREE,   /* zero but for `parent`, the next free record */
    VM_REGION_USED,   /* in a tree */
    VM_REGION_CLAIMED /* in a tree, and its root when that tree was adopted */
};

/* The sides of a node: the subtrees at lower and at higher addresses. */
enum vm_region_side { VM_REGION_BELOW, VM_REGION_ABOVE };

/* What record 0 holds: the table's own state. */
struct vm_region_header {
    uint32_t high_water; /* records [1, high_water) have been in use; those above never were */
    uint32_t free_first; /* list of free records below the mark, linked through `parent` */
    uint32_t free_count;
};

/* A persistent record; written only by kernel/vm_map/vm_region*.c. */
struct vm_region {
    union {
        struct {
            uint32_t first_page; /* page number within the space */
            uint32_t page_count; /* 1 or more */
            struct vm_backing backing;
            uint8_t protection;            /* VM_READ ... */
            uint8_t flags;                 /* VM_REGION_... */
            uint8_t level;                 /* height of this subtree; a leaf has 1, a full window at most 28 */
            uint8_t state;                 /* enum vm_region_state */
            uint32_t child[2];             /* by enum vm_region_side */
            uint32_t parent;               /* 0: the root */
            uint32_t span_first, span_end; /* [first, end) of all regions of this subtree */
            uint32_t gap_pages;            /* largest hole between two neighbours within that span */
        };
        struct vm_region_header header;
    };
};
_Static_assert(sizeof(struct vm_region) == 48, "region records are 48 bytes");
_Static_assert(offsetof(struct vm_region, protection) == 20, "region records are laid out without holes");
_Static_assert(offsetof(struct vm_region, span_first) == 36, "region records are laid out without holes");

/* A table of regions shared by all spaces. This struct is volatile; the records persist. */
struct vm_region_table {
    struct vm_region *records; /* [0] holds the header */
    uint32_t capacity;         /* records, including [0]; 2 or more */
    /*
     * Make records [0, count) usable memory; may sleep; asking again for what is usable does nothing.
     * - ERROR_NO_MEMORY, ERROR_IO.
     */
    enum error (*commit)(struct vm_region_table *table, uint32_t count);

    /* A record names an object that did not before (1), or does so no more (-1). May be NULL. Does not sleep. */
    void (*refer)(struct object_id object, int32_t by);

    uint32_t clone_margin; /* records that vm_region_reserve_clone() leaves free beyond those it reserves */

    uint32_t committed; /* kept by the table: records [0, committed) are usable */
    uint32_t adopted;   /* kept by the table: records in trees adopted so far */
};

/* The attributes of a range. */
struct vm_region_attributes {
    uint8_t protection;
    uint8_t flags;
    struct vm_backing backing;
};

/* The page behind a region's last. */
static inline uint32_t vm_region_end(const struct vm_region *region)
{
    return region->first_page + region->page_count;
}

/* Tables ----------------------------------------------------------------------------------------------------------- */

/*
 * Start an empty table over zeroed memory. `records`, `capacity` and `commit` are set, the rest is zero.
 * - may sleep. Errors of table->commit.
 */
MUST_CHECK enum error vm_region_table_create(struct vm_region_table *table);

/*
 * Begin to use a table that persisted: its header, its free list and the states of all records are proved.
 * - may sleep. ERROR_FORMAT_DAMAGED; errors of table->commit. The table is not to be used then.
 */
MUST_CHECK enum error vm_region_table_adopt(struct vm_region_table *table);

/*
 * Begin to use one tree of an adopted table: vm_region_validate(), and it shares no record with a tree adopted before.
 * All trees are adopted before any is changed.
 * - root: 0, an empty tree, is sound. ERROR_FORMAT_DAMAGED.
 */
MUST_CHECK enum error vm_region_adopt(struct vm_region_table *table, uint32_t root);

/* Once all trees are adopted, before any change: whether every record in use belongs to one of them. */
bool vm_region_table_is_whole(const struct vm_region_table *table);

/*
 * Verify the header, the free list and the state of every record, without trusting any of them (REGION-4, but for what
 * concerns trees). O(high-water mark).
 * - ERROR_FORMAT_DAMAGED.
 */
MUST_CHECK enum error vm_region_table_validate(const struct vm_region_table *table);

/*
 * Verify REGION-1 to REGION-5 of one tree without trusting any index in it; bounded by the capacity.
 * - ERROR_FORMAT_DAMAGED.
 */
MUST_CHECK enum error vm_region_validate(const struct vm_region_table *table, uint32_t root);

/* Records in use. */
uint32_t vm_region_count(const struct vm_region_table *table);

/* Records that can be taken without sleeping. */
uint32_t vm_region_records_available(const struct vm_region_table *table);

/*
 * Records that will surely be there for the next changes, as long as the caller does not sleep in between. One change
 * needs two at most, so this is enough for two changes (release what is in the way, then insert).
 * - may sleep. ERROR_NO_MEMORY: the table is full; changes that need no record still succeed. Errors of table->commit.
 */
#define VM_REGION_RESERVE 4u
MUST_CHECK enum error vm_region_reserve(struct vm_region_table *table);

/*
 * The same for a change that a program can do without, because it has more regions after it: it is refused while there
 * would still be enough for the next vm_region_reserve(), so that who has filled the table can unmap again.
 */
MUST_CHECK enum error vm_region_reserve_growth(struct vm_region_table *table);

/* The same, and it leaves at least `margin` records for others. */
MUST_CHECK enum error vm_region_reserve_leaving(struct vm_region_table *table, uint32_t margin);

/* The same for `copies` calls of vm_region_clone() of the tree at *root, as that tree is on return. */
MUST_CHECK enum error vm_region_reserve_clone(struct vm_region_table *table, const uint32_t *root, uint32_t copies);

/* Giving memory back ----------------------------------------------------------------------------------------------- */

/* Records that are usable and not in use. */
uint32_t vm_region_surplus(const struct vm_region_table *table);

/*
 * Move the records in use together, so that none below the high-water mark is free. Every root that is kept anywhere,
 * in an adopted table, has to be replaced by vm_region_root_after_compact() before anything else is done with the
 * table. Does not sleep; O(records that have been in use).
 */
void vm_region_compact(struct vm_region_table *table);
uint32_t vm_region_root_after_compact(const struct vm_region_table *table, uint32_t root);

/*
 * Leave `spare` usable records above the high-water mark, at most; those above them are not touched any more unless
 * they are committed again. Returns how many records are usable now.
 */
uint32_t vm_region_shrink(struct vm_region_table *table, uint32_t spare);

/* Lookup ----------------------------------------------------------------------------------------------------------- */

/* The region that holds `page`, or NULL. Valid until the next change to the table. */
const struct vm_region *vm_region_find(const struct vm_region_table *table, uint32_t root, uint32_t page);

/*
 * The first region that ends above `page`, or NULL: iteration is next(0), next(end of that), ... It may begin below
 * `page`, also in an iteration that changes what it has passed: that merges with what follows.
 */
const struct vm_region *vm_region_next(const struct vm_region_table *table, uint32_t root, uint32_t page);

/*
 * Whether every page of the range is in a region that allows all of `protection` and is not a guard. False for ranges
 * that are empty, wrap or leave the space. O(log n + regions in the range).
 */
bool vm_region_is_legitimate(const struct vm_region_table *table, uint32_t root, uint32_t first, uint32_t count,
                             uint8_t protection);

/* Changes. Each may return ERROR_NO_MEMORY when a record is needed and none is free and committed. -------- */

/*
 * Insert pages [first, first + count), merging with neighbours it continues.
 * - ERROR_RANGE: empty, wrapping, or outside pages 0 .. 2^20; ERROR_INVALID: attributes that mean nothing;
 *   ERROR_EXISTS: overlap; ERROR_NO_MEMORY: it does not merge and needs a record. Unchanged then.
 */
MUST_CHECK enum error vm_region_insert(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t count,
                                       const struct vm_region_attributes *attributes);

/*
 * Find room for `count` pages within [low, high), as high as possible, and insert there.
 * - out_first: where. ERROR_NO_MEMORY: no hole is large enough, or no record; ERROR_RANGE, ERROR_INVALID.
 */
MUST_CHECK enum error vm_region_allocate(struct vm_region_table *table, uint32_t *root, uint32_t low, uint32_t high,
                                         uint32_t count, const struct vm_region_attributes *attributes,
                                         uint32_t *out_first);

/*
 * Remove whatever regions cover any of [first, first + count), splitting one that sticks out on both sides. Holes are
 * fine. O((1 + regions removed) log n).
 * - ERROR_RANGE; ERROR_NO_MEMORY: a split needs a record. Unchanged then.
 */
MUST_CHECK enum error vm_region_release(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t count);

/*
 * Change the protection of [first, first + count), splitting and merging as needed. O((1 + regions in it) log n).
 * - ERROR_NOT_FOUND: a page of the range is in no region; ERROR_DENIED: or in a guard, which allows nothing;
 *   ERROR_RANGE; ERROR_INVALID: unknown protection bits; ERROR_NO_MEMORY: no record for each region it cuts, even if
 *   merging would give it back. Unchanged then.
 */
MUST_CHECK enum error vm_region_protect(struct vm_region_table *table, uint32_t *root, uint32_t first, uint32_t count,
                                        uint8_t protection);

/*
 * Extend a VM_REGION_GROWS_DOWN region downwards so that `page` is held, if `page` is at most `distance_max` pages
 * below it and at least `guard_pages` unmapped pages remain above the next region below. The new pages are as deep as
 * `depth`: they merge with the region if it is, too, else they need a record. A page that such a region holds already
 * needs nothing.
 * - ERROR_NOT_FOUND: no such region above, or not allowed; ERROR_NO_MEMORY. Unchanged then.
 */
MUST_CHECK enum error vm_region_grow_down(struct vm_region_table *table, uint32_t *root, uint32_t page,
                                          uint32_t distance_max, uint32_t guard_pages, uint32_t depth);

/*
 * Copy a whole tree (fork). Does not sleep: see vm_region_reserve_clone().
 * - ERROR_NO_MEMORY: nothing is left behind.
 */
MUST_CHECK enum error vm_region_clone(struct vm_region_table *table, uint32_t root, uint32_t *out_root);

/* No region is deeper than that from now on; what has become alike is merged. Does not sleep. O(n). */
void vm_region_cut_depths(struct vm_region_table *table, uint32_t *root, uint32_t depth);

/* Remove all regions of a tree; *root becomes 0. O(n). */
void vm_region_clear(struct vm_region_table *table, uint32_t *root);

#endif
