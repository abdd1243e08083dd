/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole trees and the table of records: copying, clearing, reserving, running out, and coming back to the start.
 */
#include "vm_region_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define RW (VM_READ | VM_WRITE)

/* Whole trees ------------------------------------------------------------------------------------------------------ */

static void clone_copies_every_region(void **state)
{
    struct fixture *fixture = *state;

    for (uint32_t i = 0; i < 12; i++) {
        assert_int_equal(fixture_insert(fixture, i * 3, 2, deep(VM_READ, 1 + i * 5)), OK);
    }
    assert_int_equal(vm_region_reserve_clone(&fixture->table, &fixture->roots[0], 1), OK);
    assert_int_equal(vm_region_clone(&fixture->table, fixture->roots[0], &fixture->roots[1]), OK);
    fixture_validate(fixture);
    assert_int_equal(vm_region_count(&fixture->table), 24);
    for (uint32_t page = 0; page < 36; page++) {
        const struct vm_region *original = fixture_find(fixture, page);
        const struct vm_region *copy = vm_region_find(&fixture->table, fixture->roots[1], page);
        assert_int_equal(copy != NULL, original != NULL);
        if (copy != NULL) {
            assert_int_equal(copy->backing.kind, VM_BACKING_MEMORY);
            assert_int_equal(copy->backing.depth, 1 + page / 3 * 5);
        }
    }
    vm_region_clear(&fixture->table, &fixture->roots[0]);
    fixture_validate(fixture);
    assert_int_equal(vm_region_count(&fixture->table), 12);
}

/* When a memory is its source again, what was mapped since is as deep as what is left of before. */
static void cutting_depths_merges_what_becomes_alike(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 0, 3, deep(RW, 3)), OK);
    assert_int_equal(fixture_insert(fixture, 3, 3, deep(RW, 4)), OK);
    assert_int_equal(fixture_insert(fixture, 6, 1, deep(VM_READ, 4)), OK);
    assert_int_equal(fixture_insert(fixture, 7, 2, guard()), OK);
    assert_int_equal(fixture_insert(fixture, 9, 2, deep(RW, 5)), OK);
    assert_int_equal(fixture_insert(fixture, 11, 2, deep(RW, 2)), OK);
    vm_region_cut_depths(&fixture->table, &fixture->roots[0], 5);
    assert_int_equal(vm_region_count(&fixture->table), 6);
    vm_region_cut_depths(&fixture->table, &fixture->roots[0], 3);
    fixture_validate(fixture);
    assert_int_equal(vm_region_count(&fixture->table), 5);
    assert_int_equal(fixture_find(fixture, 0)->page_count, 6);
    assert_int_equal(fixture_find(fixture, 9)->backing.depth, 3);
    assert_int_equal(fixture_find(fixture, 11)->backing.depth, 2);
    vm_region_cut_depths(&fixture->table, &fixture->roots[0], 0);
    fixture_validate(fixture);
    assert_int_equal(vm_region_count(&fixture->table), 4);
    assert_int_equal(fixture_find(fixture, 9)->page_count, 4);
}

static void clone_of_an_empty_tree_is_empty(void **state)
{
    struct fixture *fixture = *state;

    fixture->roots[1] = 77;
    assert_int_equal(vm_region_reserve_clone(&fixture->table, &fixture->roots[0], 1), OK);
    assert_int_equal(vm_region_clone(&fixture->table, 0, &fixture->roots[1]), OK);
    assert_int_equal(fixture->roots[1], 0);
}

static void clone_that_fails_leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;
    uint32_t copy = 77;

    for (uint32_t i = 0; i < FIXTURE_CAPACITY / 2; i++) {
        assert_int_equal(fixture_insert(fixture, i * 2, 1, zeroes(RW)), OK);
    }
    assert_int_equal(vm_region_reserve_clone(&fixture->table, &fixture->roots[0], 1), ERROR_NO_MEMORY);
    assert_int_equal(vm_region_clone(&fixture->table, fixture->roots[0], &copy), ERROR_NO_MEMORY);
    assert_int_equal(copy, 77);
    assert_int_equal(vm_region_count(&fixture->table), FIXTURE_CAPACITY / 2);
}

static void clear_gives_every_record_back(void **state)
{
    struct fixture *fixture = *state;

    for (uint32_t count = 0; count < 40; count++) {
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(fixture_insert(fixture, i * 2, 1, zeroes(RW)), OK);
        }
        vm_region_clear(&fixture->table, &fixture->roots[0]);
        fixture_validate(fixture);
        assert_int_equal(fixture->roots[0], 0);
        assert_int_equal(vm_region_count(&fixture->table), 0);
    }
}

/* Records ---------------------------------------------------------------------------------------------------------- */

static void table_full_refuses_and_lets_go(void **state)
{
    struct fixture *fixture = *state;
    uint32_t full = (FIXTURE_CAPACITY - 1) * 2;

    for (uint32_t i = 0; i < FIXTURE_CAPACITY - 1; i++) {
        assert_int_equal(fixture_insert(fixture, i * 2, 1, zeroes(RW)), OK);
    }
    assert_int_equal(vm_region_reserve(&fixture->table), ERROR_NO_MEMORY);
    assert_int_equal(fixture_insert(fixture, full, 3, zeroes(RW)), ERROR_NO_MEMORY);
    assert_int_equal(fixture_insert(fixture, 1, 1, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, full, 3, zeroes(RW)), OK);
    assert_int_equal(fixture_release(fixture, full + 1, 1), ERROR_NO_MEMORY);
    assert_int_equal(fixture_protect(fixture, full + 1, 1, VM_READ), ERROR_NO_MEMORY);
    assert_int_equal(fixture_protect(fixture, full + 2, 1, VM_READ), ERROR_NO_MEMORY);
    assert_int_equal(fixture_find(fixture, full)->page_count, 3);
    assert_int_equal(fixture_release(fixture, 0, 20), OK);
    assert_int_equal(vm_region_reserve(&fixture->table), OK);
}

/* Whoever fills the table by what it may do can take it all away again. */
static void growth_leaves_room_to_release(void **state)
{
    struct fixture *fixture = *state;
    uint32_t count = 0;

    while (vm_region_reserve_growth(&fixture->table) == OK) {
        assert_int_equal(fixture_insert(fixture, count * 4, 3, zeroes(RW)), OK);
        count++;
    }
    assert_int_equal(count, FIXTURE_CAPACITY - 1 - 2 * VM_REGION_RESERVE + 1);
    assert_int_equal(vm_region_reserve(&fixture->table), OK);
    assert_int_equal(fixture_release(fixture, 1, 1), OK); /* splits */
    assert_int_equal(vm_region_reserve(&fixture->table), OK);
    assert_int_equal(fixture_release(fixture, 0, count * 4), OK);
    assert_int_equal(vm_region_count(&fixture->table), 0);
    assert_int_equal(vm_region_reserve_growth(&fixture->table), OK);
}

static void reserve_commits_in_steps_and_reports_failure(void **state)
{
    (void)state;
    struct fixture fixture;
    uint32_t page = 0;

    fixture_create(&fixture, 1000);
    while (fixture.table.committed < 500) {
        assert_int_equal(vm_region_reserve(&fixture.table), OK);
        assert_int_equal(fixture_insert(&fixture, page += 2, 1, zeroes(RW)), OK);
    }
    assert_in_range(fixture.commit_calls, 2, 16);
    fixture.commit_limit = fixture.table.committed;
    while (vm_region_reserve(&fixture.table) == OK) {
        assert_int_equal(fixture_insert(&fixture, page += 2, 1, zeroes(RW)), OK);
    }
    for (uint32_t i = 1; i < VM_REGION_RESERVE; i++) {
        assert_int_equal(fixture_insert(&fixture, page += 2, 1, zeroes(RW)), OK);
    }
    assert_int_equal(fixture_insert(&fixture, page + 2, 1, zeroes(RW)), ERROR_NO_MEMORY);
    fixture.commit_limit = 1000;
    assert_int_equal(vm_region_reserve(&fixture.table), OK);
    assert_int_equal(fixture_insert(&fixture, page + 2, 1, zeroes(RW)), OK);
    fixture_validate(&fixture);
    fixture_delete(&fixture);
}

static void endless_random_use_returns_to_the_start(void **state)
{
    struct fixture *fixture = *state;
    struct random random = {test_seed()};
    struct vm_region_attributes attributes = zeroes(RW);
    uint32_t first;

    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < 200; i++) {
            uint32_t page = random_below(&random, 400), count = 1 + random_below(&random, 20);
            enum error error = random_below(&random, 2) == 0
                                   ? vm_region_allocate(&fixture->table, &fixture->roots[0], page, page + 100, count,
                                                        &attributes, &first)
                                   : fixture_release(fixture, page, count);
            assert_true(error == OK || error == ERROR_NO_MEMORY);
        }
        fixture_validate(fixture);
        assert_int_equal(fixture_release(fixture, 0, VM_REGION_PAGES), OK);
        assert_int_equal(vm_region_count(&fixture->table), 0);
        assert_int_equal(fixture->roots[0], 0);
    }
    assert_int_equal(fixture->table.records[0].header.free_count, fixture->table.records[0].header.high_water - 1);
}

/* Giving memory back ----------------------------------------------------------------------------------------------- */

#define MANY 2000u

/* What each page of each tree is, as one number. */
static void take_picture(const struct fixture *fixture, uint32_t picture[TREES][MANY])
{
    for (uint32_t tree = 0; tree < TREES; tree++) {
        for (uint32_t page = 0; page < MANY; page++) {
            const struct vm_region *region = vm_region_find(&fixture->table, fixture->roots[tree], page);
            picture[tree][page] = region == NULL ? 0 : 1u + region->protection + 8u * region->backing.depth;
        }
    }
}

static void change_at_random(struct fixture *fixture, struct random *random, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        uint32_t *root = &fixture->roots[random_below(random, TREES)];
        uint32_t page = random_below(random, MANY - 20), count = 1 + random_below(random, 4);
        struct vm_region_attributes attributes = deep((uint8_t)random_below(random, 8), random_below(random, 40));
        assert_int_equal(vm_region_reserve(&fixture->table), OK);
        assert_int_equal(vm_region_release(&fixture->table, root, page, count), OK);
        assert_int_equal(vm_region_insert(&fixture->table, root, page, count, &attributes), OK);
    }
}

/* What is above what is left is gone, as if its pages had been taken away. */
static void shrink(struct fixture *fixture, uint32_t spare)
{
    uint32_t kept = vm_region_shrink(&fixture->table, spare);

    assert_int_equal(kept, fixture->table.committed);
    assert_true(kept <= vm_region_count(&fixture->table) + 1 + spare);
    for (uint32_t i = kept; i < fixture->table.capacity; i++) {
        fixture->table.records[i] = (struct vm_region){.parent = UINT32_MAX, .state = VM_REGION_USED, .level = 77};
    }
    fixture->commit_limit = fixture->table.capacity;
}

static void compacted_table_is_the_same_and_has_no_free_record(void **state)
{
    static uint32_t before[TREES][MANY], after[TREES][MANY];
    struct random random = {test_seed()};
    struct fixture fixture;

    (void)state;
    fixture_create(&fixture, 3 * MANY);
    fixture_reserve_all(&fixture);
    for (uint32_t round = 0; round < 60; round++) {
        change_at_random(&fixture, &random, random_below(&random, 600));
        for (uint32_t tree = 0; tree < TREES; tree++) {
            uint32_t page = random_below(&random, MANY), count = 1 + random_below(&random, MANY - page);
            assert_int_equal(vm_region_release(&fixture.table, &fixture.roots[tree], page, count), OK);
        }
        take_picture(&fixture, before);
        uint32_t used = vm_region_count(&fixture.table);
        vm_region_compact(&fixture.table);
        for (uint32_t tree = 0; tree < TREES; tree++) {
            fixture.roots[tree] = vm_region_root_after_compact(&fixture.table, fixture.roots[tree]);
        }
        assert_int_equal(fixture.table.records[0].header.high_water, used + 1);
        assert_int_equal(fixture.table.records[0].header.free_count, 0);
        shrink(&fixture, random_below(&random, 100));
        fixture_validate(&fixture);
        take_picture(&fixture, after);
        assert_memory_equal(before, after, sizeof(before));
    }
    fixture_delete(&fixture);
}

static void compacting_an_empty_table_leaves_its_header(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 5, 1, zeroes(RW)), OK);
    assert_int_equal(fixture_release(fixture, 5, 1), OK);
    vm_region_compact(&fixture->table);
    assert_int_equal(vm_region_root_after_compact(&fixture->table, fixture->roots[0]), 0);
    assert_int_equal(vm_region_shrink(&fixture->table, 0), 1);
    assert_int_equal(vm_region_reserve(&fixture->table), OK);
    assert_int_equal(fixture_insert(fixture, 7, 2, zeroes(RW)), OK);
}

/* A program with many regions leaves some to others; clones leave some to those that have few. */
static void reserving_leaves_the_margins_that_it_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    uint32_t page = 0;

    while (vm_region_reserve_leaving(&fixture->table, 20) == OK) {
        assert_int_equal(fixture_insert(fixture, page += 2, 1, zeroes(RW)), OK);
    }
    assert_int_equal(vm_region_surplus(&fixture->table), 20 + VM_REGION_RESERVE - 1);
    fixture->table.clone_margin = 10;
    struct vm_region_attributes attributes = zeroes(VM_READ);
    assert_int_equal(vm_region_insert(&fixture->table, &fixture->roots[1], 0, 1, &attributes), OK);
    assert_int_equal(vm_region_reserve_clone(&fixture->table, &fixture->roots[1], 12), OK);
    assert_int_equal(vm_region_reserve_clone(&fixture->table, &fixture->roots[1], 13), ERROR_NO_MEMORY);
    assert_int_equal(vm_region_reserve_growth(&fixture->table), OK);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(clone_copies_every_region),
        TEST(cutting_depths_merges_what_becomes_alike),
        TEST(clone_of_an_empty_tree_is_empty),
        TEST(clone_that_fails_leaves_nothing_behind),
        TEST(clear_gives_every_record_back),
        TEST(table_full_refuses_and_lets_go),
        TEST(growth_leaves_room_to_release),
        cmocka_unit_test(reserve_commits_in_steps_and_reports_failure),
        TEST(endless_random_use_returns_to_the_start),
        cmocka_unit_test(compacted_table_is_the_same_and_has_no_free_record),
        TEST(compacting_an_empty_table_leaves_its_header),
        TEST(reserving_leaves_the_margins_that_it_is_asked_for),
    };

    return cmocka_run_group_tests_name("vm_region, tables", tests, NULL, NULL);
}
