/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growth and shrinking: the work of each operation is bounded, memory follows the number of pages in both directions,
 * and without memory for heads the table works on at any load factor and catches up afterwards.
 */
#include "vm_map_fixture.h"

#include "arch/frame.h"

#include <stdlib.h>

#define HEADS_PER_PAGE (PAGE_SIZE / sizeof(void *))
#define STEPS_MAX      2u /* splits or merges of one operation */

/* An upper bound for the pages that one operation moves: two chains of at most this length. */
static uint32_t longest_chain(const struct vm_map *map)
{
    struct vm_map_chains chains;

    vm_map_measure(map, &chains);
    return chains.longest;
}

static uint32_t scattered(uint32_t index)
{
    return index * 2654435761u;
}

/* Run one operation and check what it did against the bound. `merging`: it may merge, else it may split. */
static void assert_bounded(const struct vm_map_work *before, const struct vm_map_work *after, bool merging,
                           uint32_t chain_max)
{
    assert_true(after->splits - before->splits <= (merging ? 0 : STEPS_MAX));
    assert_true(after->merges - before->merges <= (merging ? STEPS_MAX : 0));
    assert_true(after->moved - before->moved <= (uint64_t)STEPS_MAX * chain_max);
}

static void create_bounded(struct vm_map *map, uint32_t key, uint32_t chain_max)
{
    struct vm_map_work before = map->work;

    map_create(map, key);
    assert_bounded(&before, &map->work, false, chain_max);
}

static void delete_bounded(struct vm_map *map, uint32_t key, uint32_t chain_max)
{
    struct vm_map_work before = map->work;

    map_delete(map, key);
    assert_bounded(&before, &map->work, true, chain_max);
}

static void growth_and_shrinking_do_bounded_work_an_operation(void **unused)
{
    (void)unused;
    const uint32_t count = 200000;
    struct vm_map map;

    map_start(&map, 20000, 1);
    for (uint32_t i = 0; i < count; i++) {
        create_bounded(&map, scattered(i), 16);
    }
    assert_true(map.bucket_count >= count);
    assert_true(longest_chain(&map) <= 12);
    assert_int_equal(map.work.growth_denied, 0);
    for (uint32_t i = 0; i < count; i++) {
        delete_bounded(&map, scattered(i), 16);
    }
    assert_int_equal(map.bucket_count, HEADS_PER_PAGE);
    map_stop(&map);
}

static void find_and_iteration_do_no_such_work(void **unused)
{
    (void)unused;
    struct vm_map map;
    struct vm_map_cursor cursor = {0};

    map_start(&map, 4096, 2);
    for (uint32_t i = 0; i < 5000; i++) {
        map_create(&map, scattered(i));
    }
    struct vm_map_work before = map.work;
    for (uint32_t i = 0; i < 10000; i++) {
        (void)vm_map_find(&map, (struct page_key){scattered(i)});
    }
    while (!cursor.done) {
        (void)vm_map_next(&map, &cursor);
    }
    assert_memory_equal(&before, &map.work, sizeof(before));
    for (uint32_t i = 0; i < 5000; i++) {
        map_delete(&map, scattered(i));
    }
    map_stop(&map);
}

static void memory_for_heads_follows_the_pages_both_ways(void **unused)
{
    (void)unused;
    const uint32_t count = 150000;
    struct vm_map map;

    map_start(&map, 20000, 3);
    const uint32_t others = frame_count(FRAME_TABLE) - 1; /* of the uses of frames */
    for (uint32_t i = 0; i < count; i++) {
        map_create(&map, scattered(i));
        uint32_t needed = (uint32_t)((i + HEADS_PER_PAGE) / HEADS_PER_PAGE);
        assert_int_equal(frame_count(FRAME_TABLE) - others, needed);
    }
    for (uint32_t i = count; i-- > 0;) {
        map_delete(&map, scattered(i));
        /* Up to 1/64 more buckets than pages, and the frame they end in. */
        assert_true(frame_count(FRAME_TABLE) - others <= (i + i / 64 + 3) / HEADS_PER_PAGE + 1);
    }
    assert_int_equal(frame_count(FRAME_TABLE) - others, 1);
    assert_int_equal(frame_count(FRAME_RECORDS), 0);
    map_stop(&map);
}

static void pages_that_come_and_go_at_one_size_move_nothing(void **unused)
{
    (void)unused;
    struct vm_map map;

    map_start(&map, 4096, 4);
    for (uint32_t i = 0; i < 2 * HEADS_PER_PAGE; i++) {
        map_create(&map, scattered(i));
    }
    struct vm_map_work before = map.work;
    for (uint32_t i = 0; i < 1000; i++) {
        map_create(&map, 0xFFFF0000u + i);
        map_delete(&map, 0xFFFF0000u + i);
    }
    assert_true(map.work.splits - before.splits <= 1);
    assert_int_equal(map.work.merges, before.merges);
    for (uint32_t i = 0; i < 2 * HEADS_PER_PAGE; i++) {
        map_delete(&map, scattered(i));
    }
    map_stop(&map);
}

/* Per mille of all misses that end at a head: the bits of filters that are clear. */
static uint32_t misses_at_heads(const struct vm_map *map)
{
    uint64_t clear = 0;

    if (map->bucket_count == 0) {
        fail();
        return 0;
    }
    for (uint32_t i = 0; i < map->bucket_count; i++) {
        clear += 4 - (uint32_t)__builtin_popcount((unsigned)(map->heads[i] & VM_MAP_FILTER));
    }
    return (uint32_t)(clear * 1000 / (4ull * map->bucket_count));
}

/*
 * With one page a bucket an exact filter has e^(-1/4) of its bits clear. Deletes leave some; what they and creates find
 * out on their way keeps that in bounds, however long pages come and go.
 */
static void filter_stays_sharp_while_pages_come_and_go(void **unused)
{
    (void)unused;
    const uint32_t count = 65536;
    uint64_t random = test_seed();
    uint32_t *present = malloc(count * sizeof(*present));
    struct vm_map map;
    uint32_t next = 0;

    map_start(&map, 20000, 11);
    for (; next < count; next++) {
        present[next] = scattered(next);
        map_create(&map, present[next]);
    }
    assert_in_range(misses_at_heads(&map), 770, 790);
    for (uint32_t turn = 0; turn < 10 * count; turn++) {
        uint32_t index = test_random_below(&random, count);

        map_delete(&map, present[index]);
        present[index] = scattered(next++);
        map_create(&map, present[index]);
    }
    assert_true(misses_at_heads(&map) >= 680);
    map_check(&map);
    for (uint32_t i = 0; i < count; i++) {
        map_delete(&map, present[i]);
    }
    map_stop(&map);
    free(present);
}

static void address_space_used_up_lengthens_chains_and_loses_nothing(void **unused)
{
    (void)unused;
    const uint32_t count = 100000; /* a load factor of about 200 */
    struct vm_map_options options = {.seed = {7, 8}, .buckets_max = 1};
    struct vm_map map;

    fake_machine_start(20000);
    assert_int_equal(vm_map_init(&map, &options), OK);
    for (uint32_t i = 0; i < count; i++) {
        create_bounded(&map, scattered(i), 0);
    }
    assert_int_equal(map.bucket_count, HEADS_PER_PAGE);
    assert_true(map.work.growth_denied > 0);
    map_check(&map);
    for (uint32_t i = 0; i < count; i++) {
        assert_non_null(vm_map_find(&map, (struct page_key){scattered(i)}));
    }
    for (uint32_t i = 0; i < count; i++) {
        delete_bounded(&map, scattered(i), 0);
    }
    map_stop(&map);
}

static void shortage_of_memory_is_caught_up_with_at_two_steps_a_create(void **unused)
{
    (void)unused;
    const uint32_t count = 60000;
    struct vm_map map;
    uint32_t created = 0;

    map_start(&map, 20000, 5);
    fake_fail_owner(FRAME_TABLE);
    for (; created < count; created++) {
        create_bounded(&map, scattered(created), 200);
    }
    assert_int_equal(map.bucket_count, HEADS_PER_PAGE);
    uint32_t chain_max = longest_chain(&map);
    fake_fail_owner(FRAME_FREE);
    while (map.bucket_count < map.count) {
        uint32_t buckets = map.bucket_count;

        create_bounded(&map, scattered(created++), chain_max);
        assert_true(map.bucket_count == buckets + STEPS_MAX || map.bucket_count == map.count);
    }
    assert_true(created <= 2 * count + STEPS_MAX);
    assert_true(longest_chain(&map) <= 12);
    map_check(&map);
    while (created-- > 0) {
        map_delete(&map, scattered(created));
    }
    map_stop(&map);
}

static void deletes_during_a_shortage_never_need_memory(void **unused)
{
    (void)unused;
    const uint32_t count = 30000;
    struct vm_map map;

    map_start(&map, 20000, 6);
    for (uint32_t i = 0; i < count; i++) {
        map_create(&map, scattered(i));
    }
    fake_fail_allocations(0, UINT64_MAX);
    uint64_t attempts = fake_allocations();
    for (uint32_t i = 0; i < count; i++) {
        map_delete(&map, scattered(i));
    }
    assert_int_equal(fake_allocations(), attempts);
    map_stop(&map);
}

static void growth_and_shrinking_at_random_keep_the_table_sound(void **unused)
{
    (void)unused;
    uint64_t random = test_seed();
    struct vm_map map;
    uint32_t low = 0; /* keys [low, high) are there */
    uint32_t high = 0;

    map_start(&map, 20000, random);
    for (uint32_t round = 0; round < 100; round++) {
        uint32_t steps = test_random_below(&random, 4000);

        fake_fail_owner(test_random_below(&random, 3) == 0 ? FRAME_TABLE : FRAME_FREE);
        if (test_random_below(&random, 2) == 0) {
            for (; steps > 0; steps--) {
                map_create(&map, scattered(high++));
            }
        } else {
            for (; steps > 0 && low < high; steps--) {
                map_delete(&map, scattered(low++));
            }
        }
        map_check(&map);
        assert_int_equal(vm_map_count(&map), high - low);
        for (uint32_t i = low; i < high; i++) {
            assert_non_null(vm_map_find(&map, (struct page_key){scattered(i)}));
        }
    }
    while (low < high) {
        map_delete(&map, scattered(low++));
    }
    map_stop(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growth_and_shrinking_do_bounded_work_an_operation),
        cmocka_unit_test(find_and_iteration_do_no_such_work),
        cmocka_unit_test(memory_for_heads_follows_the_pages_both_ways),
        cmocka_unit_test(pages_that_come_and_go_at_one_size_move_nothing),
        cmocka_unit_test(filter_stays_sharp_while_pages_come_and_go),
        cmocka_unit_test(address_space_used_up_lengthens_chains_and_loses_nothing),
        cmocka_unit_test(shortage_of_memory_is_caught_up_with_at_two_steps_a_create),
        cmocka_unit_test(deletes_during_a_shortage_never_need_memory),
        cmocka_unit_test(growth_and_shrinking_at_random_keep_the_table_sound),
    };

    return cmocka_run_group_tests_name("vm_map_growth", tests, NULL, NULL);
}
