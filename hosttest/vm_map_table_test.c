/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table: against a naive model (an array that says for each key whether it is there), with bad input, and with
 * memory that runs out at every possible moment.
 */
#include "vm_map_fixture.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 6000u

/* Keys of the model are spread over the space: dense runs, strides and scattered ones. */
static uint32_t number_at(uint32_t index)
{
    switch (index % 3) {
    case 0:
        return index;
    case 1:
        return index << 10;
    default:
        return index * 2654435761u;
    }
}

static void compare_with_model(const struct vm_map *map, const uint8_t *present, uint32_t count)
{
    map_check(map);
    assert_int_equal(vm_map_count(map), count);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct vm_page *page = vm_map_find(map, (struct page_key){number_at(i)});

        assert_int_equal(page != NULL, present[i]);
        assert_true(page == NULL || vm_page_key(page).number == number_at(i));
    }
}

static void table_random_operations_agree_with_model(void **unused)
{
    (void)unused;
    uint64_t random = test_seed();
    uint8_t present[KEYS] = {0};
    uint32_t count = 0;
    struct vm_map map;

    map_start(&map, 4096, random);
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t bias = test_random_below(&random, 100); /* percent of creations */

        for (uint32_t i = 0; i < 2000; i++) {
            uint32_t index = test_random_below(&random, KEYS);
            struct page_key key = {number_at(index)};
            struct vm_page *page = NULL;

            if (test_random_below(&random, 100) < bias) {
                assert_int_equal(vm_map_create(&map, key, &page), present[index] ? ERROR_EXISTS : OK);
                assert_int_equal(page == NULL, present[index]);
                count += !present[index];
                present[index] = 1;
            } else {
                assert_int_equal(vm_map_delete(&map, key), present[index] ? OK : ERROR_NOT_FOUND);
                count -= present[index];
                present[index] = 0;
            }
        }
        compare_with_model(&map, present, count);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        if (present[i]) {
            map_delete(&map, number_at(i));
        }
    }
    map_stop(&map);
}

static void table_covers_the_whole_space(void **unused)
{
    (void)unused;
    const uint32_t keys[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFF000, 0xFFFFFFFE, 0xFFFFFFFF};
    struct vm_map map;

    map_start(&map, 64, 3);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_null(vm_map_find(&map, (struct page_key){keys[i]}));
        struct vm_page *page = map_create(&map, keys[i]);
        assert_int_equal(vm_page_key(page).number, keys[i]);
        assert_int_equal(page->state, VM_PAGE_NEW);
        assert_ptr_equal(vm_map_find(&map, (struct page_key){keys[i]}), page);
    }
    map_check(&map);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        map_delete(&map, keys[i]);
        assert_null(vm_map_find(&map, (struct page_key){keys[i]}));
    }
    map_stop(&map);
}

static void create_of_what_exists_changes_nothing(void **unused)
{
    (void)unused;
    struct vm_map map;
    struct vm_page *other = NULL;

    map_start(&map, 64, 4);
    struct vm_page *page = map_create(&map, 5);
    assert_int_equal(vm_map_create(&map, (struct page_key){5}, &other), ERROR_EXISTS);
    assert_null(other);
    assert_int_equal(vm_map_count(&map), 1);
    assert_ptr_equal(vm_map_find(&map, (struct page_key){5}), page);
    map_check(&map);
    map_delete(&map, 5);
    map_stop(&map);
}

static void delete_of_what_is_not_there_changes_nothing(void **unused)
{
    (void)unused;
    struct vm_map map;

    map_start(&map, 64, 5);
    map_create(&map, 5);
    assert_int_equal(vm_map_delete(&map, (struct page_key){6}), ERROR_NOT_FOUND);
    assert_int_equal(vm_map_count(&map), 1);
    map_check(&map);
    map_delete(&map, 5);
    assert_int_equal(vm_map_delete(&map, (struct page_key){5}), ERROR_NOT_FOUND);
    map_stop(&map);
}

static void create_outside_the_windows_is_refused(void **unused)
{
    (void)unused;
    struct vm_map map;
    struct vm_map_options options = {.buckets_max = 1024, .key_valid = vm_map_key_is_valid};
    struct {
        uint32_t space, address;
        bool valid;
    } cases[] = {
        {0, 0x00010000, false},
        {0, USER_END - 1, false},
        {1, 0, false},
        {1, USER_START - 1, false},
        {1, USER_START, true},
        {4094, USER_END - 1, true},
        {1, USER_END, false},
        {2, USER_END, false},
        {3, 0xFFFFFFFF, false},
        {4095, 0x10000, false},
        {4095, SYSTEM_START - 1, false},
        {4095, SYSTEM_START, true},
        {4095, SYSTEM_END - 1, true},
        {4095, SYSTEM_END, false},
    };

    fake_machine_start(64);
    assert_int_equal(vm_map_init(&map, &options), OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct page_key key = page_key_at((struct space_id){cases[i].space}, (struct vaddr){cases[i].address});
        struct vm_page *page = NULL;
        enum error error = vm_map_create(&map, key, &page);

        assert_int_equal(error, cases[i].valid ? OK : ERROR_RANGE);
        assert_int_equal(page != NULL, cases[i].valid);
        assert_int_equal(vm_map_count(&map), cases[i].valid);
        if (cases[i].valid) {
            map_delete(&map, key.number);
        }
    }
    struct page_key last = page_key_make((struct object_id){OBJECTS_MAX - 1}, OBJECT_PAGES - 1);
    struct page_key first = page_key_make((struct object_id){OBJECTS_FIRST}, 0);
    struct vm_page *page;
    assert_int_equal(vm_map_create(&map, (struct page_key){last.number + 1}, &page), ERROR_RANGE);
    assert_true(page_key_has_place((struct page_key){first.number - 1}) && !page_key_has_place(first));
    map_delete(&map, vm_page_key(map_create(&map, first.number)).number);
    map_delete(&map, vm_page_key(map_create(&map, last.number)).number);
    assert_true(vm_map_range_is_valid(first, OBJECT_PAGES) && !vm_map_range_is_valid(first, OBJECT_PAGES + 1));
    map_stop(&map);
}

static void init_with_no_buckets_is_refused(void **unused)
{
    (void)unused;
    struct vm_map map;
    struct vm_map_options options = {.buckets_max = 0};

    fake_machine_start(64);
    assert_int_equal(vm_map_init(&map, &options), ERROR_INVALID);
    fake_machine_stop();
}

static void destroy_of_a_map_with_pages_is_refused(void **unused)
{
    (void)unused;
    struct vm_map map;

    map_start(&map, 64, 6);
    map_create(&map, 5);
    assert_int_equal(vm_map_destroy(&map), ERROR_BUSY);
    map_check(&map);
    map_delete(&map, 5);
    map_stop(&map);
}

/* Fill a map with `count` pages and empty it again; every attempt to get memory from `fail` on fails `times` times. */
static void fill_and_empty(uint64_t fail, uint64_t times, uint32_t count, uint64_t *attempts)
{
    struct vm_map_options options = {.seed = {1, 2}, .buckets_max = 1 << 20};
    struct vm_map map;
    uint32_t created = 0;

    fake_machine_start(4096);
    fake_fail_allocations(fail, times);
    enum error error = vm_map_init(&map, &options);
    if (error != OK) {
        assert_int_equal(error, ERROR_NO_MEMORY);
        *attempts = fake_allocations();
        fake_machine_stop();
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct vm_page *page = NULL;
        error = vm_map_create(&map, (struct page_key){number_at(i)}, &page);

        assert_true(error == OK || error == ERROR_NO_MEMORY);
        if (error != OK) {
            assert_null(page);
            assert_null(vm_map_find(&map, (struct page_key){number_at(i)}));
            map_check(&map);
            /* Whoever comes next may succeed, and must get this far. */
            error = vm_map_create(&map, (struct page_key){number_at(i)}, &page);
        }
        created += error == OK;
        assert_int_equal(vm_map_count(&map), created);
    }
    map_check(&map);
    for (uint32_t i = 0; i < count; i++) {
        error = vm_map_delete(&map, (struct page_key){number_at(i)});
        assert_true(error == OK || error == ERROR_NOT_FOUND);
        created -= error == OK;
    }
    assert_int_equal(created, 0);
    *attempts = fake_allocations();
    map_stop(&map);
}

static void table_each_allocation_failing_in_turn_loses_nothing(void **unused)
{
    (void)unused;
    uint64_t total;

    fill_and_empty(UINT64_MAX / 2, 0, 3000, &total);
    for (uint64_t fail = 0; fail < total; fail++) {
        uint64_t attempts;
        fill_and_empty(fail, 1, 3000, &attempts);
    }
}

static void table_without_any_more_memory_works_on(void **unused)
{
    (void)unused;
    uint64_t total;

    fill_and_empty(UINT64_MAX / 2, 0, 3000, &total);
    for (uint64_t fail = 0; fail < total; fail++) {
        uint64_t attempts;
        fill_and_empty(fail, UINT64_MAX, 3000, &attempts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_random_operations_agree_with_model),
        cmocka_unit_test(table_covers_the_whole_space),
        cmocka_unit_test(create_of_what_exists_changes_nothing),
        cmocka_unit_test(delete_of_what_is_not_there_changes_nothing),
        cmocka_unit_test(create_outside_the_windows_is_refused),
        cmocka_unit_test(init_with_no_buckets_is_refused),
        cmocka_unit_test(destroy_of_a_map_with_pages_is_refused),
        cmocka_unit_test(table_each_allocation_failing_in_turn_loses_nothing),
        cmocka_unit_test(table_without_any_more_memory_works_on),
    };

    return cmocka_run_group_tests_name("vm_map_table", tests, NULL, NULL);
}
