/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See vm_map_fixture.h.
 */
#include "vm_map_fixture.h"

#include <stdlib.h>

#define DEFAULT_SEED 0x45494444u
#define BUCKETS_MAX  (8u << 20)

uint64_t test_seed(void)
{
    const char *text = getenv("EIDOLON_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : DEFAULT_SEED;

    print_message("EIDOLON_SEED=%llu\n", (unsigned long long)seed);
    return seed * 0x9E3779B97F4A7C15u + 1;
}

uint64_t test_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}

uint32_t test_random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((test_random(state) >> 32) * limit >> 32);
}

void map_start(struct vm_map *map, uint32_t frames, uint64_t seed)
{
    uint64_t state = seed * 2 + 1;
    struct vm_map_options options = {.buckets_max = BUCKETS_MAX};

    options.seed[0] = test_random(&state);
    options.seed[1] = test_random(&state);
    fake_machine_start(frames);
    assert_int_equal(vm_map_init(map, &options), OK);
}

void map_stop(struct vm_map *map)
{
    map_check(map);
    assert_int_equal(vm_map_destroy(map), OK);
    fake_machine_stop();
}

void map_check(const struct vm_map *map)
{
    struct vm_map_violation violation;

    if (vm_map_check(map, &violation) != OK) {
        fail_msg("%s is broken at page %llx", violation.invariant, (unsigned long long)violation.page.number);
    }
}

struct vm_page *map_create(struct vm_map *map, uint64_t key)
{
    struct vm_page *page;

    assert_int_equal(vm_map_create(map, (struct page_key){key}, &page), OK);
    return page;
}

void map_delete(struct vm_map *map, uint64_t key)
{
    assert_int_equal(vm_map_delete(map, (struct page_key){key}), OK);
}

enum error pager_discard(struct page_key first, uint32_t count)
{
    (void)first;
    (void)count;
    return OK;
}

enum error pager_page_out(struct vm_page *const pages[], uint32_t count)
{
    (void)pages;
    (void)count;
    return ERROR_BUSY;
}
