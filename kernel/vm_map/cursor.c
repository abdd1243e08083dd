/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Iteration that survives growth and shrinking.
 *
 * A bucket of linear hashing holds the hashes that agree in their low bits. Read backwards, those are the high bits:
 * the bucket is an interval of bit-reversed hashes; a split cuts it in two, a merge joins two neighbours. So the order
 * of (bit-reversed hash, lower half of the key, upper half) does not depend on the table's size. The cursor is a place
 * in that order. Each step looks at the bucket whose interval holds the place, and returns the first page at or behind
 * it; if there is none, the place moves to the end of the interval, where another bucket's begins.
 *
 * Neighbours in this order lie far apart in memory, buckets as well as pages. So each step prefetches what the next
 * ones will look at: the heads, then the first pages of chains, then the second.
 */
#include "internal.h"

static uint32_t reverse_bits(uint32_t x)
{
    x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
    x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
    x = (x & 0x0F0F0F0Fu) << 4 | (x >> 4 & 0x0F0F0F0Fu);
    return __builtin_bswap32(x);
}

/* Two pages have the same place if they have the same hash and differ in the upper half of the key alone. */
static uint64_t place_of(const struct vm_map *map, const struct vm_page *page)
{
    return (uint64_t)reverse_bits(vm_map_hash(map->seed, vm_page_key(page))) << 32 | page->key_low;
}

static bool is_before(uint64_t place, uint32_t high, uint64_t other_place, uint32_t other_high)
{
    return place != other_place ? place < other_place : high < other_high;
}

/* The place behind the interval of bucket `index`; 0 when that is the end of the order. */
static uint64_t interval_end(const struct vm_map *map, uint32_t index)
{
    uint32_t half = map->mask_high >> 1;
    /* Buckets that have a sibling are told apart by all bits of mask_high, the others by one bit less. */
    bool has_sibling = index > half || index + half + 1 < map->bucket_count;
    uint32_t last = reverse_bits(index) | ~reverse_bits(has_sibling ? map->mask_high : half);

    return ((uint64_t)last + 1) << 32;
}

#define AHEAD_HEAD   24u /* intervals */
#define AHEAD_FIRST  16u
#define AHEAD_SECOND 8u

/* Bring in what the steps from the interval at `place` on will need. Inlined by force, as prefetch_splits() is. */
static inline __attribute__((always_inline)) void prefetch_intervals(const struct vm_map *map, uint32_t place)
{
    uint32_t width = ~reverse_bits(map->mask_high) + 1;
    uint32_t head = vm_bucket(map, reverse_bits(place + AHEAD_HEAD * width));
    uint32_t first = vm_bucket(map, reverse_bits(place + AHEAD_FIRST * width));
    uint32_t second = vm_bucket(map, reverse_bits(place + AHEAD_SECOND * width));
    const struct vm_page *page = vm_map_head_first(map->heads[second]);

    __builtin_prefetch(&map->heads[head]);
    __builtin_prefetch(vm_map_head_first(map->heads[first]));
    if (page != NULL) {
        __builtin_prefetch(page->hash_next);
    }
}

struct vm_page *vm_map_next(const struct vm_map *map, struct vm_map_cursor *cursor)
{
    for (uint32_t step = 0; step < VM_MAP_STEP_BUCKETS && !cursor->done; step++) {
        uint32_t index = vm_bucket(map, reverse_bits((uint32_t)(cursor->position >> 32)));
        struct vm_page *best = NULL;
        uint64_t best_place = 0;

        for (struct vm_page *page = vm_map_head_first(map->heads[index]); page != NULL; page = page->hash_next) {
            uint64_t place = place_of(map, page);

            if (!is_before(place, page->key_high, cursor->position, cursor->high) &&
                (best == NULL || is_before(place, page->key_high, best_place, best->key_high))) {
                best = page;
                best_place = place;
            }
        }
        if (best != NULL) {
            cursor->position = best_place;
            cursor->high = best->key_high + 1u;
            return best;
        }
        cursor->position = interval_end(map, index);
        cursor->high = 0;
        cursor->done = cursor->position == 0;
        prefetch_intervals(map, (uint32_t)(cursor->position >> 32));
    }
    return NULL;
}
