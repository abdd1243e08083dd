/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What calls on regions cost, counted and not timed.
 *
 * The objects under test are compiled so that every basic block they execute calls __sanitizer_cov_trace_pc(), which is
 * here. A block stands for a bounded number of instructions, so the count is work whatever the machine, and includes
 * what a counter of visited nodes would overlook. The bounds are in blocks for each level the tree may have.
 */
#include "vm_region_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MANY    200000u
#define SAMPLES 20000u

static uint64_t blocks;

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

/* The most levels of an AVL tree: the sparsest one of n levels has a node and the sparsest of n - 1 and n - 2. */
static uint32_t levels_max(uint32_t count)
{
    uint32_t levels = 0, sparsest = 0, next = 1;

    while (next <= count) {
        uint32_t after = next + sparsest + 1;
        sparsest = next;
        next = after;
        levels++;
    }
    return levels;
}

/* Regions are two pages each with holes of three between them; they come in random order. */
static uint32_t page_of(uint32_t region)
{
    return region * 5 + 3;
}

static void populate(struct fixture *fixture, struct random *random, uint32_t count)
{
    struct vm_region_attributes attributes = stack(VM_READ | VM_WRITE);
    uint32_t *order = malloc(count * sizeof(*order));

    fixture_create(fixture, count + 1 + VM_REGION_RESERVE);
    fixture_reserve_all(fixture);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = random_below(random, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(vm_region_insert(&fixture->table, &fixture->roots[0], page_of(order[i]), 2, &attributes), OK);
    }
    free(order);
}

/* Calls on one region out of `count`; what they change they put back ----------------------------------------------- */

static void call_find(struct fixture *fixture, uint32_t region, uint32_t count)
{
    (void)count;
    assert_non_null(vm_region_find(&fixture->table, fixture->roots[0], page_of(region) + 1));
}

static void call_next(struct fixture *fixture, uint32_t region, uint32_t count)
{
    (void)count;
    assert_non_null(vm_region_next(&fixture->table, fixture->roots[0], page_of(region) - 1));
}

static void call_is_legitimate(struct fixture *fixture, uint32_t region, uint32_t count)
{
    (void)count;
    assert_true(vm_region_is_legitimate(&fixture->table, fixture->roots[0], page_of(region), 2, VM_READ));
}

static void call_insert_and_release(struct fixture *fixture, uint32_t region, uint32_t count)
{
    struct vm_region_attributes attributes = zeroes(VM_READ);
    (void)count;

    assert_int_equal(vm_region_insert(&fixture->table, &fixture->roots[0], page_of(region) - 2, 1, &attributes), OK);
    assert_int_equal(vm_region_release(&fixture->table, &fixture->roots[0], page_of(region) - 2, 1), OK);
}

static void call_release_and_insert(struct fixture *fixture, uint32_t region, uint32_t count)
{
    struct vm_region_attributes attributes = stack(VM_READ | VM_WRITE);
    (void)count;

    assert_int_equal(vm_region_release(&fixture->table, &fixture->roots[0], page_of(region), 2), OK);
    assert_int_equal(vm_region_insert(&fixture->table, &fixture->roots[0], page_of(region), 2, &attributes), OK);
}

static void call_grow_and_trim(struct fixture *fixture, uint32_t region, uint32_t count)
{
    (void)count;
    assert_int_equal(vm_region_grow_down(&fixture->table, &fixture->roots[0], page_of(region) - 2, 2, 1, 0), OK);
    assert_int_equal(vm_region_release(&fixture->table, &fixture->roots[0], page_of(region) - 2, 2), OK);
}

static void call_protect_and_back(struct fixture *fixture, uint32_t region, uint32_t count)
{
    uint8_t protection = VM_READ | VM_WRITE;
    (void)count;

    assert_int_equal(vm_region_protect(&fixture->table, &fixture->roots[0], page_of(region), 1, VM_READ), OK);
    assert_int_equal(vm_region_protect(&fixture->table, &fixture->roots[0], page_of(region), 1, protection), OK);
}

/* A hole of eight pages where the region was is the only one for seven. */
static void call_allocate_the_only_fit(struct fixture *fixture, uint32_t region, uint32_t count)
{
    struct vm_region_attributes attributes = zeroes(VM_READ), original = stack(VM_READ | VM_WRITE);
    uint32_t first;

    assert_int_equal(vm_region_release(&fixture->table, &fixture->roots[0], page_of(region), 2), OK);
    assert_int_equal(
        vm_region_allocate(&fixture->table, &fixture->roots[0], 0, page_of(count - 1), 7, &attributes, &first), OK);
    assert_int_equal(first, page_of(region) - 2);
    assert_int_equal(vm_region_release(&fixture->table, &fixture->roots[0], first, 7), OK);
    assert_int_equal(vm_region_insert(&fixture->table, &fixture->roots[0], page_of(region), 2, &original), OK);
}

static void call_allocate_where_nothing_fits(struct fixture *fixture, uint32_t region, uint32_t count)
{
    struct vm_region_attributes attributes = zeroes(VM_READ);
    uint32_t first;
    (void)count;

    assert_int_equal(
        vm_region_allocate(&fixture->table, &fixture->roots[0], 0, page_of(region) + 2, 4, &attributes, &first),
        ERROR_NO_MEMORY);
}

struct measured_call {
    const char *name;
    void (*make)(struct fixture *fixture, uint32_t region, uint32_t count);
    uint32_t blocks_per_level;
};

static const struct measured_call calls[] = {
    {"find", call_find, 8},
    {"next", call_next, 8},
    {"is legitimate", call_is_legitimate, 12},
    {"insert, release", call_insert_and_release, 120},
    {"release, insert", call_release_and_insert, 120},
    {"grow down, trim", call_grow_and_trim, 120},
    {"protect, and back", call_protect_and_back, 250},
    {"allocate the only fit", call_allocate_the_only_fit, 250},
    {"allocate where nothing fits", call_allocate_where_nothing_fits, 20},
};

static uint64_t worst(struct fixture *fixture, struct random *random, const struct measured_call *call, uint32_t count)
{
    uint64_t most = 0;

    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint32_t region = i == 0 ? 1 : 1 + random_below(random, count - 2);
        blocks = 0;
        call->make(fixture, region, count);
        most = blocks > most ? blocks : most;
    }
    return most;
}

static void cost_of_every_call_follows_the_levels(void **state)
{
    (void)state;
    struct random random = {test_seed()};
    static const uint32_t counts[] = {10, 1000, 20000, MANY};

    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct fixture fixture;
        uint32_t levels = levels_max(counts[i]);

        populate(&fixture, &random, counts[i]);
        assert_in_range(fixture.table.records[fixture.roots[0]].level, 1, levels);
        print_message("%u regions, %u of %u levels; blocks at most:\n", counts[i],
                      fixture.table.records[fixture.roots[0]].level, levels);
        for (uint32_t j = 0; j < sizeof(calls) / sizeof(calls[0]); j++) {
            uint64_t most = worst(&fixture, &random, &calls[j], counts[i]);
            print_message("  %-28s %5llu\n", calls[j].name, (unsigned long long)most);
            assert_true(most > levels / 2);
            assert_in_range(most, 1, (uint64_t)calls[j].blocks_per_level * (levels + 2));
        }
        fixture_validate(&fixture);
        fixture_delete(&fixture);
    }
}

/* Regions in ascending order are what a tree without balance would turn into a list. */
static void cost_of_an_ordered_tree_is_no_higher(void **state)
{
    (void)state;
    struct fixture fixture;
    struct vm_region_attributes attributes = zeroes(VM_READ);

    fixture_create(&fixture, VM_REGION_PAGES / 2 + 1);
    fixture_reserve_all(&fixture);
    for (uint32_t page = 0; page < VM_REGION_PAGES; page += 2) {
        blocks = 0;
        assert_int_equal(vm_region_insert(&fixture.table, &fixture.roots[0], page, 1, &attributes), OK);
        assert_in_range(blocks, 1, 120 * (levels_max(VM_REGION_PAGES / 2) + 2));
    }
    assert_in_range(fixture.table.records[fixture.roots[0]].level, 20, levels_max(VM_REGION_PAGES / 2));
    fixture_validate(&fixture);
    fixture_delete(&fixture);
}

/* The bound that vm_region.h states. */
static void levels_of_a_full_window_are_28_at_most(void **state)
{
    (void)state;
    assert_int_equal(levels_max(VM_REGION_PAGES), 28);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cost_of_every_call_follows_the_levels),
        cmocka_unit_test(cost_of_an_ordered_tree_is_no_higher),
        cmocka_unit_test(levels_of_a_full_window_are_28_at_most),
    };

    return cmocka_run_group_tests_name("vm_region, counted", tests, NULL, NULL);
}
