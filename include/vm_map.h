/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inverted page table: page_key -> struct vm_page.
 *
 * It holds the pages that are resident, dirty, new or in flight, and nothing else; for any other page the store's page
 * map and the region's backing say what it is. So it grows with physical memory and not with the object space.
 *
 * This interface keeps the books: who a page is, what state it is in, which list it is on. It calls pmap only to gather
 * dirty bits and never calls the store; a frame that a call lets go is returned to the caller, who frees it. Apart from
 * vm_page_lock() nothing here sleeps, so each call is atomic in the kernel (see thread.h); elsewhere the caller
 * serialises all calls on one map.
 *
 * Lock key of the fields below:
 *     [t]  the table: changed only by calls of this interface, which do not sleep
 *     [p]  the page's mutex: changed by its holder, or by anyone before the page is locked for the first time
 *     [c]  constant from create to delete
 *     [r]  the policy's, and [t]: see vm_policy.h
 *
 * Invariants, all verified by vm_map_check(), VM-10 to VM-12 by their counts only in the whole check:
 *     VM-1  Every page is on the chain of the bucket its key hashes to, and on no other, and in that head's filter.
 *     VM-2  No two pages have the same key.
 *     VM-3  The number of pages on chains is `count`, and the pool's number of objects.
 *     VM-4  Every bucket head in use lies in committed memory, and mask_high covers bucket_count.
 *     VM-5  A page has a frame if and only if it is CLEAN, DIRTY or WRITING.
 *     VM-6  A DIRTY or WRITING page is on the open dirty list or the snapshot has it, and every page on the open one is
 *           DIRTY or WRITING: the list is exactly what is resident and known dirty.
 *     VM-7  Only pages that the snapshot has, on its list or the one of pages it is writing, have a copy frame. One
 *           without it is DIRTY or WRITING, and WRITING if the snapshot is writing it.
 *     VM-8  A page on a list is linked there once, and `list` names it; the lists' counts are right.
 *     VM-10 The ring of replacement holds every page that has a frame, once, and no other, but for those of the system
 *           window, which are the kernel's own and stay. Its count is right.
 *     VM-11 A page's frame is known to be its own, and no frame is known to be that of another page than has it; a copy
 *           frame is nobody's.
 *     VM-12 A map that is ordered finds each of its pages, and no other, in the order of their numbers.
 *
 * One rule binds the fault path and cannot be seen from here:
 *     VM-9  A DIRTY page that is mapped writable has its D bit set and its chunk noted as accessed, by the program's
 *           write or by pmap_mark_dirty(). Else a stop could not tell that the page must be protected when its chunk is
 *           opened.
 */
#ifndef VM_MAP_H
#define VM_MAP_H

#include "arch/arena.h"
#include "pool.h"
#include "thread.h"
#include "types.h"
#include "vm_map_hash.h"
#include "vm_policy.h"

/*
 * States of a page. A page that was never touched, or whose content is in the store and nowhere in memory, needs no
 * record: its backing or the store says what it is. The record does not say where on the disk its content is: the
 * store's layers answer for whatever was written, committed or not. All functions below need the page's mutex, but for
 * vm_page_mark_dirty and vm_snapshot_add: gathering calls them, and what the hardware has noted cannot wait.
 *
 * | state   | guaranteed                                          | left by -> to                                     |
 * |---------|-----------------------------------------------------|---------------------------------------------------|
 * | NEW     | no frame; content, if any, is known elsewhere       | vm_page_make_resident -> CLEAN (zeroes, copies)   |
 * |         |                                                     | vm_page_begin_read -> READING, vm_map_delete      |
 * | READING | no frame yet; content is on its way from the disk   | vm_page_make_resident -> CLEAN                    |
 * |         |                                                     | vm_page_fail_read -> NEW                          |
 * | CLEAN   | frame holds what the store or the backing says      | vm_page_mark_dirty, vm_snapshot_add -> DIRTY      |
 * |         |                                                     | vm_page_drop -> NEW                               |
 * | DIRTY   | frame is newer than what the store has              | vm_page_begin_write, vm_snapshot_begin_write ->   |
 * |         |                                                     | WRITING                                           |
 * | WRITING | frame is on its way to the disk, nobody writes to   | vm_page_end_write, vm_snapshot_end_write -> CLEAN |
 * |         | it                                                  | vm_page_fail_write, vm_snapshot_fail_write,       |
 * |         |                                                     | vm_snapshot_give_frame -> DIRTY                   |
 *
 * vm_page_detach takes a page to NEW from every state but READING, and but for WRITING in a page-out.
 */
enum vm_page_state { VM_PAGE_NEW, VM_PAGE_READING, VM_PAGE_CLEAN, VM_PAGE_DIRTY, VM_PAGE_WRITING };

/*
 * Lists. A page is on at most one.
 *
 *     open dirty      resident, known dirty since the last stop
 *     snapshot dirty  was open dirty at the stop, or gathered for it: still to be written
 *     writing         the snapshot is writing it
 *
 * The first two change roles at a splice, which is why it takes constant time. A snapshot's claim on a page comes
 * first: a page that is dirtied again while the snapshot has it stays where it is, and goes on the open list when the
 * snapshot lets it go.
 */
enum vm_list_id { VM_LIST_NONE, VM_LIST_DIRTY_0, VM_LIST_DIRTY_1, VM_LIST_WRITING, VM_LISTS };

struct vm_page_link {
    struct vm_page *previous, *next;
};

/* 48 bytes on a 32-bit machine: each byte is there a million times. */
struct vm_page {
    struct vm_page *hash_next;            /* [t] */
    uint32_t key_low;                     /* [c] of the key: vm_page_key() */
    uint32_t frame : 24;                  /* [p] vm_page_frame() */
    uint32_t state : 8;                   /* [p] enum vm_page_state */
    uint32_t copy_frame : 24;             /* [t] vm_page_copy_frame() */
    uint32_t list : 8;                    /* [t] enum vm_list_id */
    struct vm_page_link list_link;        /* [t] */
    struct vm_page_link replacement_link; /* [r] */
    struct mutex mutex;                   /*     see vm_page_lock() */
    uint16_t key_high;                    /* [c] */
    uint16_t age;                         /* [r] */
    uint16_t wire_count;                  /* [t] while above 0 the page is not dropped */
    uint16_t reference_count;             /* [t] while above 0 the record is not deleted */
};

_Static_assert(sizeof(void *) != 4 || sizeof(struct vm_page) == 48, "a page's record is as small as it can be");

#define VM_FRAMES_MAX (1u << 24) /* of a machine: their numbers are below */

static inline struct page_key vm_page_key(const struct vm_page *page)
{
    return (struct page_key){(uint64_t)page->key_high << 32 | page->key_low};
}

/* Whether the page is a window's, and its place there. */
static inline bool vm_page_has_place(const struct vm_page *page)
{
    return page->key_high == 0;
}

static inline struct place vm_page_place(const struct vm_page *page)
{
    return (struct place){page->key_low};
}

/* The window whose page it is; SPACE_NONE: none's. */
static inline struct space_id vm_page_window(const struct vm_page *page)
{
    return page->key_high == 0 ? (struct space_id){page->key_low >> OBJECT_PAGES_BITS} : SPACE_NONE;
}

/* FRAME_NONE when not resident. */
static inline struct frame vm_page_frame(const struct vm_page *page)
{
    return (struct frame){page->frame};
}

static inline void vm_page_set_frame(struct vm_page *page, struct frame frame)
{
    page->frame = frame.number & (VM_FRAMES_MAX - 1);
}

/* The content as the running snapshot must write it, or FRAME_NONE. */
static inline struct frame vm_page_copy_frame(const struct vm_page *page)
{
    return (struct frame){page->copy_frame};
}

static inline void vm_page_set_copy_frame(struct vm_page *page, struct frame frame)
{
    page->copy_frame = frame.number & (VM_FRAMES_MAX - 1);
}

static inline bool vm_page_is(const struct vm_page *page, struct page_key key)
{
    return page->key_low == (uint32_t)key.number && page->key_high == key.number >> 32;
}

/*
 * The head of a chain: its first page, and in the bits that the alignment of records leaves a filter of the whole
 * chain. Bit n of it is set if a page on the chain has a hash whose top two bits are n. So three misses of four end at
 * the head.
 * - bits may be left over from pages that are gone; an empty chain has none.
 */
typedef uintptr_t vm_map_head;

#define VM_MAP_FILTER 15u

_Static_assert(sizeof(struct vm_page) % (VM_MAP_FILTER + 1) == 0, "records of a pool are aligned to the filter's bits");

static inline struct vm_page *vm_map_head_first(vm_map_head head)
{
    return (struct vm_page *)(head & ~(vm_map_head)VM_MAP_FILTER);
}

static inline vm_map_head vm_map_filter_bit(uint32_t hash)
{
    return (vm_map_head)1 << (hash >> 30);
}

static inline bool vm_map_head_may_have(vm_map_head head, uint32_t hash)
{
    return (head >> (hash >> 30) & 1) != 0;
}

struct vm_list {
    struct vm_page *first, *last;
    uint32_t count;
};

/* What a frame is used for. */
struct vm_frame_use {
    struct vm_page *page;  /* [p] whose `frame` it is; NULL: no page's, or the copy that a snapshot writes */
    struct vm_link *links; /* [t] entries that lead to it, but for the one at the page's own place: VIEW-1 */
};

/* Work done beyond the chain that an operation looks at, in total; tests bound its growth for each call. */
struct vm_map_work {
    uint64_t splits;        /* buckets split while growing */
    uint64_t merges;        /* buckets merged while shrinking */
    uint64_t moved;         /* pages that changed chain in either */
    uint64_t growth_denied; /* growth steps for which no memory could be had */
};

/* All fields [t]. Opaque to users but for the counters. */
struct vm_map {
    vm_map_head *heads; /* of bucket_count chains */
    uint32_t bucket_count;
    uint32_t mask_high; /* 2^n - 1 with 2^(n-1) <= bucket_count <= 2^n, see table.c */
    uint32_t seed[4];
    uint32_t count; /* pages */
    uint32_t buckets_max;
    struct arena arena; /* behind heads */
    struct pool records;
    struct vm_frame_use *frame_uses; /* by number, below frame_end */
    uint32_t frame_end;
    struct arena frame_arena;    /* behind frame_uses, link_heads and presence_heads */
    struct pool links;           /* the entries that are not at their page's own place */
    struct vm_link **link_heads; /* of chains by place; a power of two of them */
    uint32_t link_head_mask;
    struct vm_presence_node **presence_heads; /* of chains of nodes; a power of two of them */
    uint32_t presence_head_mask;
    bool is_ordered;                        /* VM-12; else there are no nodes */
    struct vm_presence_node *presence_last; /* that was looked for and found, or NULL */
    struct pool presence_nodes;
    bool views_collected; /* what was dirty at the stop through any view is listed: VIEW-5 */
    uint32_t link_hand;   /* where the next link is taken from when there can be no more */
    bool (*key_valid)(struct page_key page);
    uint32_t open_half; /* which of the halves is open: 0 or 1 */
    struct vm_list lists[VM_LISTS];
    struct vm_replacement replacement;
    struct vm_map_work work;
};

struct vm_map_options {
    uint64_t seed[2];     /* of the hash: unpredictable, so that nobody can choose colliding pages */
    uint32_t buckets_max; /* address space to reserve, in buckets; growth ends there, creation does not */
    bool (*key_valid)(struct page_key page); /* NULL: all that there can be */
    bool is_ordered;                         /* VM-12: ranges and objects can be walked, at up to 144 bytes a page */
    const struct vm_policy *policy;          /* of replacement; NULL: the default */
    vm_take_accessed *take_accessed;         /* for it; NULL: no victim is ever asked for */
};

/*
 * Whether there can be such a page: an object's, or one within the window of its space, private or system (types.h).
 * For options.key_valid.
 */
bool vm_map_key_is_valid(struct page_key page);

/* Whether pages [first, first + count), one at least, are of one object, or lie in the window of one space. */
bool vm_map_range_is_valid(struct page_key first, uint32_t count);

/*
 * Make an empty map.
 * - ERROR_NO_MEMORY: no address range or no frame for the first buckets. ERROR_INVALID: buckets_max is 0.
 */
MUST_CHECK enum error vm_map_init(struct vm_map *map, const struct vm_map_options *options);

/* Give back the memory of a map that has no pages. ERROR_BUSY: it has. */
MUST_CHECK enum error vm_map_destroy(struct vm_map *map);

/*
 * Create the record of a page, in state NEW, unlocked, unreferenced.
 * - work: one chain, plus at most two bucket splits.
 * - ERROR_RANGE: outside the space. ERROR_EXISTS. ERROR_NO_MEMORY: no record. The map is unchanged then.
 */
MUST_CHECK enum error vm_map_create(struct vm_map *map, struct page_key key, struct vm_page **out);

/*
 * The page's record or NULL. Inline, because every fault and every gathered page begins with it.
 * - valid until the caller sleeps, and beyond that while it is locked or referenced.
 */
static inline struct vm_page *vm_map_find(const struct vm_map *map, struct page_key key)
{
    uint32_t hash = vm_map_hash(map->seed, key);
    uint32_t index = hash & map->mask_high;

    if (index >= map->bucket_count) { /* a branch: it is decided long before the head arrives */
        index &= map->mask_high >> 1;
    }
    vm_map_head head = map->heads[index];
    if (!vm_map_head_may_have(head, hash)) {
        return NULL;
    }
    struct vm_page *page = vm_map_head_first(head); /* there is one: an empty chain has no filter bits */
    while (!vm_page_is(page, key)) {
        page = page->hash_next;
        if (page == NULL) {
            return NULL;
        }
    }
    return page;
}

/*
 * Delete a record.
 * - work: one chain, plus at most two bucket merges.
 * - ERROR_NOT_FOUND. ERROR_BUSY: it is in another state than NEW, on a list, wired, locked (by the caller too) or
 *   referenced. Who finds it referenced may leave it: whoever holds the reference sees a NEW page and decides.
 */
MUST_CHECK enum error vm_map_delete(struct vm_map *map, struct page_key key);

uint32_t vm_map_count(const struct vm_map *map);

/* Where an iteration stands. Start with a zeroed one. */
struct vm_map_cursor {
    uint64_t position; /* of the next page, in an order that growth and shrinking do not change */
    uint32_t high;     /* and the least upper half of its key */
    bool done;
};

#define VM_MAP_STEP_BUCKETS 64u /* looked at by one call of vm_map_next() at most */

/*
 * The next page of an iteration, or NULL.
 * - NULL with cursor->done false: nothing in this step, call again.
 * - pages that are there from the first call to the last are returned exactly once, whatever is created or deleted
 *   in between, the returned page included; others at most once for each time they are created.
 */
struct vm_page *vm_map_next(const struct vm_map *map, struct vm_map_cursor *cursor);

/*
 * Mutex. It orders fault, snapshot write, page-out and delete of one page.
 * - lock sleeps; the page is referenced meanwhile, so it stays. Look at its state again afterwards.
 * - never held while waiting for another page's mutex: use try_lock for a second one.
 */
void vm_page_lock(struct vm_page *page);
bool vm_page_try_lock(struct vm_page *page);
void vm_page_unlock(struct vm_page *page);
bool vm_page_is_mine(const struct vm_page *page);

/* Keep a record from being deleted. Pairs nest; at most 65,535 at once. */
void vm_page_reference(struct vm_page *page);
void vm_page_release(struct vm_page *page);

/*
 * Keep a page resident, or from being dropped once it is.
 * - ERROR_RANGE: wired 65,535 times.
 */
MUST_CHECK enum error vm_page_wire(struct vm_page *page);
void vm_page_unwire(struct vm_page *page);

/*
 * Transitions; see the table of states. Calling one in another state is a program error and panics.
 */
void vm_page_begin_read(struct vm_page *page);
void vm_page_fail_read(struct vm_page *page);
void vm_page_make_resident(struct vm_map *map, struct vm_page *page, struct frame frame);

/* CLEAN -> DIRTY. A page that is DIRTY already stays so. */
void vm_page_mark_dirty(struct vm_map *map, struct vm_page *page);

/*
 * Page-out: DIRTY -> WRITING -> CLEAN, or back. The caller has seen to it that no mapping of the page can be written.
 * - for a page on the open dirty list, which it leaves when the store has been told where its content is. A page on the
 *   snapshot's list has functions of its own below, which know of copies.
 * - the mutex is held from begin to end. A stop may come in between: then vm_snapshot_has() says that the page is the
 *   snapshot's, what was written goes to the store's sealed layer, and vm_snapshot_end_write() ends it.
 */
void vm_page_begin_write(struct vm_page *page);
void vm_page_fail_write(struct vm_page *page);
void vm_page_end_write(struct vm_map *map, struct vm_page *page);

/*
 * CLEAN -> NEW. Returns the frame, which the caller unmaps first.
 * - ERROR_BUSY: wired.
 */
MUST_CHECK enum error vm_page_drop(struct vm_map *map, struct vm_page *page, struct frame *out);

/*
 * The page's content is given up (its region is gone): any state but READING -> NEW. What a running snapshot still
 * needs of it stays with the record, which then can be deleted when the snapshot has let it go.
 * - returns the frame for the caller to free, or FRAME_NONE: there is none, or the snapshot needs it.
 * - wiring does not hold it; a WRITING page must belong to the snapshot.
 */
MUST_CHECK struct frame vm_page_detach(struct vm_map *map, struct vm_page *page);

/* How many pages are on the open dirty list. */
uint32_t vm_dirty_open(const struct vm_map *map);

/* The oldest page on the open dirty list, or NULL. */
struct vm_page *vm_dirty_first(const struct vm_map *map);

/*
 * Turn the dirty bits of one chunk into list entries, if its directory entry was accessed since the last time.
 * - first: any place of the chunk.
 * - closed chunk (pmap_stop): its dirty pages belong to the running snapshot: they go on its list, lose write access
 *   one by one, and the chunk is opened.
 * - open chunk: they go on the open list and keep their access.
 * - D bits stay; they are cleared when the page is written.
 * - returns the number of entries scanned.
 */
uint32_t vm_gather_chunk(struct vm_map *map, struct place first);

/*
 * Snapshot: hand over the open list, in constant time, and start a new one. Call it in the stop.
 * - ERROR_BUSY: the last snapshot still has pages.
 */
MUST_CHECK enum error vm_snapshot_splice(struct vm_map *map);

/* The next page whose write is to begin, or NULL; and how many there are. */
struct vm_page *vm_snapshot_first(const struct vm_map *map);
uint32_t vm_snapshot_count(const struct vm_map *map);

/* Move a page to the end of the snapshot's list: for a writer that could not lock it. */
void vm_snapshot_defer(struct vm_map *map, struct vm_page *page);

/* Move a page to the front of the snapshot's list: somebody waits for it to be written. */
void vm_snapshot_expedite(struct vm_map *map, struct vm_page *page);

/* Whether the running snapshot has the page; and whether a write to it must copy first (it has, and no copy yet). */
bool vm_snapshot_has(const struct vm_map *map, const struct vm_page *page);
bool vm_snapshot_must_copy(const struct vm_map *map, const struct vm_page *page);

/* CLEAN -> DIRTY on the snapshot's list: a page whose D bit was set before the stop, found after it. */
void vm_snapshot_add(struct vm_map *map, struct vm_page *page);

/*
 * A page that must be copied before it is written: `frame` holds its content and becomes the page's; the old one,
 * possibly on its way to the disk, becomes the copy. The page is DIRTY afterwards. The caller maps anew.
 */
void vm_snapshot_give_frame(struct vm_map *map, struct vm_page *page, struct frame frame);

/*
 * Write a page of the snapshot's list. Any number may be on their way.
 * - begin takes the page off the list and returns the frame to write: the copy, or the page's own frame, which is
 *   WRITING then.
 * - the mutex may be released in between; a fault then finds WRITING and uses vm_snapshot_give_frame.
 * - end: the store has been told where the content is. The page is let go; one that was dirtied since goes on the
 *   open list. A page that is NEW then can be deleted. Returns the copy frame for the caller to free, or FRAME_NONE.
 * - fail: back to the snapshot's list.
 */
MUST_CHECK struct frame vm_snapshot_begin_write(struct vm_map *map, struct vm_page *page);
MUST_CHECK struct frame vm_snapshot_end_write(struct vm_map *map, struct vm_page *page);
void vm_snapshot_fail_write(struct vm_map *map, struct vm_page *page);

/*
 * The snapshot failed. Takes a page back from its list, so that the next snapshot has its content: a page without a
 * copy is dirty as it was, and what a copy held is superseded by what the page is now.
 * - returns the copy frame for the caller to free, or FRAME_NONE.
 */
MUST_CHECK struct frame vm_snapshot_abort(struct vm_map *map, struct vm_page *page);

/* A broken invariant. */
struct vm_map_violation {
    const char *invariant; /* "VM-1" .. */
    struct page_key page;  /* where it was seen, if `has_page` */
    bool has_page;
};

/*
 * Verify the invariants of the whole map, or of the next `buckets` buckets of it (start with *position = 0; it is 0
 * again after the last bucket).
 * - ERROR_INVALID: `out` says what is broken.
 */
MUST_CHECK enum error vm_map_check(const struct vm_map *map, struct vm_map_violation *out);
MUST_CHECK enum error vm_map_check_step(const struct vm_map *map, uint32_t *position, uint32_t buckets,
                                        struct vm_map_violation *out);

/* The length of the longest chain, and the sum over pages of the probes to find each. Walks the whole table. */
struct vm_map_chains {
    uint32_t longest;
    uint32_t buckets;
    uint64_t probes;
    uint64_t bytes; /* of memory beyond the records */
};
void vm_map_measure(const struct vm_map *map, struct vm_map_chains *out);

#endif
