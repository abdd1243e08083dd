/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Iteration: each page once, in bounded steps, while the table grows and shrinks around it.
 */
#include "vm_map_fixture.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 20000u

static uint32_t scattered(uint32_t index)
{
    return index * 2654435761u + 77;
}

static uint32_t index_of(uint32_t key)
{
    return (key - 77) * 244002641u; /* the inverse of 2654435761 */
}

static void iteration_of_an_empty_map_ends(void **unused)
{
    (void)unused;
    struct vm_map map;
    struct vm_map_cursor cursor = {0};
    uint32_t steps = 0;

    map_start(&map, 64, 1);
    while (!cursor.done) {
        assert_null(vm_map_next(&map, &cursor));
        steps++;
    }
    assert_int_equal(steps, PAGE_SIZE / sizeof(void *) / VM_MAP_STEP_BUCKETS);
    assert_null(vm_map_next(&map, &cursor));
    map_stop(&map);
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

/* Two keys that differ in the upper half alone and have the same hash: they stand at the same place of the order. */
static void find_twins(const struct vm_map *map, struct page_key twins[2])
{
    static uint64_t all[UINT16_MAX + 1u]; /* hash above upper half */

    for (uint32_t low = 1;; low++) {
        for (uint32_t high = 0; high <= UINT16_MAX; high++) {
            all[high] = (uint64_t)vm_map_hash(map->seed, (struct page_key){(uint64_t)high << 32 | low}) << 32 | high;
        }
        qsort(all, UINT16_MAX + 1u, sizeof(all[0]), compare);
        for (uint32_t i = 0; i < UINT16_MAX; i++) {
            if (all[i] >> 32 == all[i + 1] >> 32) {
                twins[0].number = (all[i] & UINT16_MAX) << 32 | low;
                twins[1].number = (all[i + 1] & UINT16_MAX) << 32 | low;
                return;
            }
        }
    }
}

static void iteration_returns_both_pages_that_stand_at_one_place(void **unused)
{
    (void)unused;
    struct vm_map map;
    struct vm_map_cursor cursor = {0};
    struct page_key twins[2];
    uint32_t seen[2] = {0};

    map_start(&map, 64, 1);
    find_twins(&map, twins);
    map_create(&map, twins[0].number);
    map_create(&map, twins[1].number);
    while (!cursor.done) {
        const struct vm_page *page = vm_map_next(&map, &cursor);
        seen[0] += page != NULL && vm_page_is(page, twins[0]);
        seen[1] += page != NULL && vm_page_is(page, twins[1]);
    }
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 1);
    assert_true(vm_map_find(&map, twins[0]) != vm_map_find(&map, twins[1]));
    map_delete(&map, twins[1].number);
    assert_non_null(vm_map_find(&map, twins[0]));
    assert_null(vm_map_find(&map, twins[1]));
    map_delete(&map, twins[0].number);
    map_stop(&map);
}

static void iteration_at_rest_returns_each_page_once(void **unused)
{
    (void)unused;
    /* Sizes at, below and above powers of two, and none. */
    const uint32_t sizes[] = {1, 2, 511, 512, 513, 1023, 1024, 1025, 1500, 2047, 2048, 2049, 10000, KEYS};
    static uint8_t seen[KEYS];

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        struct vm_map map;
        struct vm_map_cursor cursor = {0};
        uint32_t count = 0;

        map_start(&map, 4096, s);
        memset(seen, 0, sizeof(seen));
        for (uint32_t i = 0; i < sizes[s]; i++) {
            map_create(&map, scattered(i));
        }
        while (!cursor.done) {
            struct vm_page *page = vm_map_next(&map, &cursor);
            if (page != NULL) {
                assert_int_equal(seen[index_of(page->key_low)]++, 0);
                count++;
            }
        }
        assert_int_equal(count, sizes[s]);
        for (uint32_t i = 0; i < sizes[s]; i++) {
            map_delete(&map, scattered(i));
        }
        map_stop(&map);
    }
}

static void iteration_can_delete_all_it_returns(void **unused)
{
    (void)unused;
    struct vm_map map;
    struct vm_map_cursor cursor = {0};

    map_start(&map, 4096, 9);
    for (uint32_t i = 0; i < KEYS; i++) {
        map_create(&map, scattered(i));
    }
    while (!cursor.done) {
        struct vm_page *page = vm_map_next(&map, &cursor);
        if (page != NULL) {
            map_delete(&map, vm_page_key(page).number);
        }
    }
    assert_int_equal(vm_map_count(&map), 0);
    map_stop(&map);
}

/*
 * Keys below `stay` are there all the time. Those above come and go between the steps, so that the table grows and
 * shrinks by a factor of about KEYS / stay while the iteration runs.
 */
static void iterate_while_pages_come_and_go(uint64_t random, uint32_t stay)
{
    static uint8_t seen[KEYS], present[KEYS];
    struct vm_map map;
    struct vm_map_cursor cursor = {0};
    bool growing = true;
    uint32_t next = stay;

    map_start(&map, 4096, random);
    memset(seen, 0, sizeof(seen));
    memset(present, 0, sizeof(present));
    for (uint32_t i = 0; i < stay; i++) {
        map_create(&map, scattered(i));
    }
    while (!cursor.done) {
        struct vm_page *page = vm_map_next(&map, &cursor);

        if (page != NULL) {
            uint32_t index = index_of(page->key_low);
            assert_true(index < stay || present[index]);
            assert_int_equal(seen[index]++, 0);
        }
        for (uint32_t changes = test_random_below(&random, 40); changes > 0; changes--) {
            if (growing && next < KEYS) {
                seen[next] = 0; /* each time it is created it may be returned once */
                present[next] = 1;
                map_create(&map, scattered(next++));
            } else if (!growing && next > stay) {
                map_delete(&map, scattered(--next));
                present[next] = 0;
            } else {
                growing = !growing;
            }
        }
    }
    map_check(&map);
    for (uint32_t i = 0; i < stay; i++) {
        assert_int_equal(seen[i], 1);
    }
    while (next > 0) {
        map_delete(&map, scattered(--next));
    }
    map_stop(&map);
}

static void iteration_while_pages_come_and_go_misses_and_repeats_none(void **unused)
{
    (void)unused;
    uint64_t random = test_seed();

    for (uint32_t round = 0; round < 20; round++) {
        iterate_while_pages_come_and_go(test_random(&random), 100 + test_random_below(&random, KEYS / 2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iteration_of_an_empty_map_ends),
        cmocka_unit_test(iteration_returns_both_pages_that_stand_at_one_place),
        cmocka_unit_test(iteration_at_rest_returns_each_page_once),
        cmocka_unit_test(iteration_can_delete_all_it_returns),
        cmocka_unit_test(iteration_while_pages_come_and_go_misses_and_repeats_none),
    };

    return cmocka_run_group_tests_name("vm_map_cursor", tests, NULL, NULL);
}
