/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash table: linear hashing with chains through the pages.
 *
 * There are bucket_count heads, and mask_high is the smallest 2^n - 1 that covers them. A hash names the bucket of its
 * low n bits or, if there is no such bucket yet, that of its low n - 1 bits. Growing by one bucket therefore
 * moves pages out of exactly one older bucket, its sibling without the top bit, and shrinking by one puts them back:
 *
 *     heads  | 0 | 1 | 2 | 3 | 4 | 5 |          6 buckets: mask_high = 7
 *              ^   ^   .   .   split             hashes ..110 and ..111 are still in 2 and 3;
 *                                                the next bucket, 6, takes those of ..110 out of 2
 *
 * The table keeps one bucket a page (load factor 1) by growing with each create, and by shrinking with deletes
 * once it has 1/64 more buckets than pages. Each does at most WORK_STEPS such steps, so there is never a pause. The
 * heads are one array in an arena, so growing copies nothing; memory for heads is asked for one frame at a time, and
 * when there is none the table goes on with longer chains and tries again with the next create.
 *
 * Each head has a filter of its chain in the four low bits that aligned records leave (vm_map.h). A split writes both
 * filters anew, from hashes it has to compute anyway. A delete leaves its page's bit, which may be another page's too;
 * a create that the filter sends through the chain, whose every page it has to look at, makes the filter exact again.
 * So of misses, 78 % end at the head in a table that has only grown, and 70 % where pages come and go for ever. An
 * exact delete would have to look at the pages behind its own, which costs it 40 %.
 *
 * Source of the idea: W. Litwin, "Linear hashing: a new tool for file and table addressing", VLDB 1980.
 */
#include "frame_use.h"
#include "internal.h"
#include "presence.h"

#include <string.h>

#define WORK_STEPS     2u /* splits or merges of one operation: one keeps up, the second catches up */
#define HEADS_PER_PAGE ((uint32_t)(PAGE_SIZE / sizeof(vm_map_head)))
#define BUCKETS_MIN    HEADS_PER_PAGE
#define SHRINK_SLACK   64u

bool vm_map_key_is_valid(struct page_key page)
{
    if (!page_key_has_place(page)) {
        return page.number < PAGE_KEYS;
    }
    uint32_t space = page_key_window(page).number;
    uint32_t address = page_key_address(page).value;

    if (space == SPACE_NONE.number) {
        return false;
    }
    if (space == SPACE_SYSTEM.number) {
        return address >= SYSTEM_START && address < SYSTEM_END;
    }
    return address >= USER_START && address < USER_END;
}

bool vm_map_range_is_valid(struct page_key first, uint32_t count)
{
    struct page_key last = {first.number + (count - 1)};

    return count > 0 && page_key_object(last).number == page_key_object(first).number && vm_map_key_is_valid(first) &&
           vm_map_key_is_valid(last);
}

enum error vm_map_init(struct vm_map *map, const struct vm_map_options *options)
{
    struct vm_map new = {.key_valid = options->key_valid, .is_ordered = options->is_ordered};
    enum error error;

    if (options->buckets_max == 0) {
        return ERROR_INVALID;
    }
    uint32_t pages = (options->buckets_max - 1) / HEADS_PER_PAGE + 1;
    error = arena_reserve(&new.arena, pages, FRAME_TABLE);
    if (error != OK) {
        return error;
    }
    error = arena_grow(&new.arena);
    if (error == OK) {
        error = vm_frame_uses_init(&new);
    }
    if (error != OK) {
        arena_release(&new.arena);
        return error;
    }
    new.heads = new.arena.base;
    new.bucket_count = BUCKETS_MIN;
    new.mask_high = BUCKETS_MIN - 1;
    new.buckets_max = pages *HEADS_PER_PAGE;
    vm_map_hash_seed(new.seed, options->seed);
    vm_replacement_init(&new.replacement, options->policy, options->take_accessed, new.seed[0]);
    pool_init(&new.records, sizeof(struct vm_page), FRAME_RECORDS);
    *map = new;
    return OK;
}

enum error vm_map_destroy(struct vm_map *map)
{
    if (map->count != 0) {
        return ERROR_BUSY;
    }
    vm_frame_uses_release(map);
    arena_release(&map->arena);
    memset(map, 0, sizeof(*map));
    return OK;
}

/* A chain while it is put together. */
struct chain {
    struct vm_page *first;
    struct vm_page **end;
    vm_map_head filter;
};

static inline void chain_add(struct chain *chain, struct vm_page *page, uint32_t hash)
{
    *chain->end = page;
    chain->end = &page->hash_next;
    chain->filter |= vm_map_filter_bit(hash);
}

static inline vm_map_head chain_finish(struct chain *chain)
{
    *chain->end = NULL;
    return (vm_map_head)chain->first | chain->filter;
}

/* Move the pages that belong to the new last bucket out of its sibling. The new head is committed memory. */
static void split(struct vm_map *map)
{
    uint32_t new = map->bucket_count;

    if (new > map->mask_high) {
        map->mask_high = map->mask_high << 1 | 1;
    }
    uint32_t sibling = new & map->mask_high >> 1;
    struct chain keep = {.end = &keep.first};
    struct chain move = {.end = &move.first};

    for (struct vm_page *page = vm_map_head_first(map->heads[sibling]); page != NULL; page = page->hash_next) {
        uint32_t hash = vm_map_hash(map->seed, vm_page_key(page));
        if ((hash & map->mask_high) == new) {
            chain_add(&move, page, hash);
            map->work.moved++;
        } else {
            chain_add(&keep, page, hash);
        }
    }
    map->heads[sibling] = chain_finish(&keep);
    map->heads[new] = chain_finish(&move);
    map->bucket_count = new + 1;
    map->work.splits++;
}

/* Put the pages of the last bucket back in front of its sibling's. */
static void merge(struct vm_map *map)
{
    uint32_t last = map->bucket_count - 1;
    vm_map_head *sibling = &map->heads[last & map->mask_high >> 1];
    struct vm_page *page = vm_map_head_first(map->heads[last]);

    if (page != NULL) {
        vm_map_head filters = (map->heads[last] | *sibling) & VM_MAP_FILTER;
        struct vm_page *first = page;
        while (map->work.moved++, page->hash_next != NULL) {
            page = page->hash_next;
        }
        page->hash_next = vm_map_head_first(*sibling);
        *sibling = (vm_map_head)first | filters;
    }
    map->heads[last] = 0;
    map->bucket_count = last;
    if (last - 1 <= map->mask_high >> 1) {
        map->mask_high >>= 1;
    }
    map->work.merges++;
}

/*
 * Bring in what the next splits will look at. They go through the table in order: the first page of a chain can be
 * asked for six creates ahead, and three ahead, when that has arrived, the one behind it. Inlined by force: a compiler
 * may take a function that only prefetches for one without an effect.
 */
static inline __attribute__((always_inline)) void prefetch_splits(const struct vm_map *map)
{
    const vm_map_head *sibling = &map->heads[map->bucket_count & map->mask_high >> 1];
    const struct vm_page *near = vm_map_head_first(sibling[3]);

    __builtin_prefetch(vm_map_head_first(sibling[6]));
    if (near != NULL) {
        __builtin_prefetch(near->hash_next);
    }
}

static void grow(struct vm_map *map)
{
    for (uint32_t i = 0; i < WORK_STEPS && map->count > map->bucket_count; i++) {
        if (map->bucket_count == map->arena.committed_pages * HEADS_PER_PAGE) {
            if (map->bucket_count == map->buckets_max || arena_grow(&map->arena) != OK) {
                map->work.growth_denied++;
                return;
            }
        }
        split(map);
    }
}

static void shrink(struct vm_map *map)
{
    for (uint32_t i = 0; i < WORK_STEPS; i++) {
        if (map->bucket_count == BUCKETS_MIN || map->bucket_count <= map->count + map->count / SHRINK_SLACK) {
            return;
        }
        merge(map);
        if (map->bucket_count == (map->arena.committed_pages - 1) * HEADS_PER_PAGE) {
            arena_shrink(&map->arena);
        }
    }
}

/*
 * Whether a page is on the chain that the filter sends it to. If not, all of the chain was looked at, and the filter is
 * made exact.
 */
static bool chain_has(struct vm_map *map, vm_map_head *head, struct page_key key)
{
    vm_map_head filter = 0;

    for (const struct vm_page *page = vm_map_head_first(*head); page != NULL; page = page->hash_next) {
        if (vm_page_is(page, key)) {
            return true;
        }
        filter |= vm_map_filter_bit(vm_map_hash(map->seed, vm_page_key(page)));
    }
    *head = (*head & ~(vm_map_head)VM_MAP_FILTER) | filter;
    return false;
}

enum error vm_map_create(struct vm_map *map, struct page_key key, struct vm_page **out)
{
    uint32_t hash = vm_map_hash(map->seed, key);
    vm_map_head *head = &map->heads[vm_bucket(map, hash)];
    void *record;
    enum error error;

    if (map->key_valid != NULL && !map->key_valid(key)) {
        return ERROR_RANGE;
    }
    prefetch_splits(map);
    if (vm_map_head_may_have(*head, hash) && chain_has(map, head, key)) {
        return ERROR_EXISTS;
    }
    error = pool_allocate(&map->records, &record);
    if (error != OK) {
        return error;
    }
    if (map->is_ordered && vm_presence_add(map, key) != OK) {
        pool_free(&map->records, record);
        return ERROR_NO_MEMORY;
    }
    map->count++;
    grow(map);

    struct vm_page *page = record;

    head = &map->heads[vm_bucket(map, hash)];
    page->key_low = (uint32_t)key.number;
    page->key_high = (uint16_t)(key.number >> 32);
    page->state = VM_PAGE_NEW;
    page->hash_next = vm_map_head_first(*head);
    *head = (vm_map_head)page | (*head & VM_MAP_FILTER) | vm_map_filter_bit(hash);
    *out = page;
    return OK;
}

static bool can_be_deleted(const struct vm_page *page)
{
    return page->state == VM_PAGE_NEW && page->list == VM_LIST_NONE && page->wire_count == 0 &&
           page->reference_count == 0 && mutex_is_free(&page->mutex);
}

enum error vm_map_delete(struct vm_map *map, struct page_key key)
{
    vm_map_head *head = &map->heads[vm_bucket(map, vm_map_hash(map->seed, key))];
    struct vm_page *page = vm_map_head_first(*head);
    struct vm_page *before = NULL;

    while (page != NULL && !vm_page_is(page, key)) {
        before = page;
        page = page->hash_next;
    }
    if (page == NULL) {
        return ERROR_NOT_FOUND;
    }
    if (!can_be_deleted(page)) {
        return ERROR_BUSY;
    }
    if (before != NULL) {
        before->hash_next = page->hash_next;
    } else if (page->hash_next != NULL) {
        *head = (vm_map_head)page->hash_next | (*head & VM_MAP_FILTER);
    } else {
        *head = 0;
    }
    if (map->is_ordered) {
        vm_presence_remove(map, key);
    }
    map->count--;
    pool_free(&map->records, page);
    shrink(map);
    return OK;
}

void vm_map_forget(struct vm_map *map, struct vm_page *page)
{
    if (page->state == VM_PAGE_NEW) {
        enum error error = vm_map_delete(map, vm_page_key(page));
        ASSERT(error == OK || error == ERROR_BUSY);
    }
}

uint32_t vm_map_count(const struct vm_map *map)
{
    return map->count;
}

void vm_map_measure(const struct vm_map *map, struct vm_map_chains *out)
{
    struct vm_map_chains chains = {.buckets = map->bucket_count,
                                   .bytes = (uint64_t)map->arena.committed_pages * PAGE_SIZE};

    for (uint32_t i = 0; i < map->bucket_count; i++) {
        uint32_t length = 0;

        for (const struct vm_page *page = vm_map_head_first(map->heads[i]); page != NULL; page = page->hash_next) {
            length++;
            chains.probes += length;
        }
        chains.longest = length > chains.longest ? length : chains.longest;
    }
    *out = chains;
}
