/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions, call by call: what each promises, at the edges of what it accepts.
 *
 * Layouts are drawn as text, a page a letter: "." is a hole, letters are regions by their order in the tree.
 */
#include "vm_region_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RW   (VM_READ | VM_WRITE)
#define LAST (VM_REGION_PAGES - 1)

/* What only these tests ask ---------------------------------------------------------------------------------------- */

static bool is_legitimate(const struct fixture *fixture, uint32_t first, uint32_t count, uint8_t protection)
{
    return vm_region_is_legitimate(&fixture->table, fixture->roots[0], first, count, protection);
}

static uint32_t depth_at(const struct fixture *fixture, uint32_t page)
{
    const struct vm_region *region = fixture_find(fixture, page);

    assert_int_equal(region->backing.kind, VM_BACKING_MEMORY);
    return region->backing.depth;
}

/* Pages [first, first + strlen(layout)) look like this, and the records in use are those of the first tree. */
static void expect_layout(const struct fixture *fixture, uint32_t first, const char *layout)
{
    const struct vm_region *previous = NULL;
    uint32_t count = 0;

    fixture_validate(fixture);
    for (uint32_t i = 0; layout[i] != 0; i++) {
        const struct vm_region *region = fixture_find(fixture, first + i);
        count += region != NULL && region != previous;
        previous = region != NULL ? region : previous;
        assert_int_equal(region == NULL ? '.' : (char)('a' + count - 1), layout[i]);
    }
    assert_int_equal(vm_region_count(&fixture->table), count);
}

/* Insertion -------------------------------------------------------------------------------------------------------- */

static void insert_range_that_is_none_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t ranges[][2] = {{0, 0},
                                         {5, 0},
                                         {VM_REGION_PAGES, 1},
                                         {LAST, 2},
                                         {0, VM_REGION_PAGES + 1},
                                         {UINT32_MAX, 1},
                                         {UINT32_MAX, 2},
                                         {1, UINT32_MAX},
                                         {VM_REGION_PAGES, UINT32_MAX - VM_REGION_PAGES + 2}};

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        uint32_t first = ranges[i][0], count = ranges[i][1];
        assert_int_equal(fixture_insert(fixture, first, count, zeroes(RW)), ERROR_RANGE);
        assert_int_equal(fixture_release(fixture, first, count), ERROR_RANGE);
        assert_int_equal(fixture_protect(fixture, first, count, RW), ERROR_RANGE);
        assert_false(is_legitimate(fixture, first, count, 0));
    }
    assert_int_equal(fixture->roots[0], 0);
}

static void insert_at_both_ends_of_the_space_succeeds(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 0, 1, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, LAST, 1, zeroes(RW)), OK);
    assert_int_equal(vm_region_end(fixture_find(fixture, LAST)), VM_REGION_PAGES);
    assert_true(is_legitimate(fixture, 0, 1, RW));
    assert_true(is_legitimate(fixture, LAST, 1, RW));
    assert_false(is_legitimate(fixture, LAST, 2, RW));
    assert_null(fixture_find(fixture, 1));
    assert_null(fixture_find(fixture, VM_REGION_PAGES));
    assert_null(fixture_find(fixture, UINT32_MAX));
}

static void insert_whole_space_is_one_region(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 0, VM_REGION_PAGES, zeroes(RW)), OK);
    assert_int_equal(vm_region_count(&fixture->table), 1);
    assert_true(is_legitimate(fixture, 0, VM_REGION_PAGES, RW));
    assert_int_equal(fixture_release(fixture, 0, VM_REGION_PAGES), OK);
    assert_int_equal(vm_region_count(&fixture->table), 0);
}

static void insert_attributes_that_mean_nothing_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct vm_region_attributes unknown_flag = zeroes(RW), guard_with_rights = guard(), unknown_kind = zeroes(RW);

    unknown_flag.flags = 4;
    guard_with_rights.protection = VM_READ;
    unknown_kind.backing.kind = VM_BACKING_OBJECT + 1;
    assert_int_equal(fixture_insert(fixture, 1, 1, zeroes(8)), ERROR_INVALID);
    assert_int_equal(fixture_insert(fixture, 1, 1, unknown_flag), ERROR_INVALID);
    assert_int_equal(fixture_insert(fixture, 1, 1, unknown_kind), ERROR_INVALID);
    assert_int_equal(fixture_insert(fixture, 1, 1, guard_with_rights), ERROR_INVALID);
    assert_int_equal(fixture_insert(fixture, 1, 1, deep(RW, SPACES_MAX)), ERROR_INVALID);
    assert_int_equal(fixture_insert(fixture, 1, 2, view(RW, 0, OBJECT_PAGES - 1)), ERROR_INVALID);
    expect_layout(fixture, 0, "...");
    assert_int_equal(fixture_insert(fixture, 1, 1, deep(RW, SPACES_MAX - 1)), OK);
    assert_int_equal(fixture_insert(fixture, 4, 1, view(RW, 0, OBJECT_PAGES - 1)), OK);
}

static void insert_backing_is_kept_in_normal_form(void **state)
{
    struct fixture *fixture = *state;
    struct vm_region_attributes loose = zeroes(RW);

    loose.backing.depth = 3;
    assert_int_equal(fixture_insert(fixture, 2, 1, loose), OK);
    assert_int_equal(depth_at(fixture, 2), 3);
    loose.backing.kind = VM_BACKING_NONE;
    loose.protection = 0;
    assert_int_equal(fixture_insert(fixture, 3, 1, loose), OK);
    assert_int_equal(fixture_find(fixture, 3)->backing.depth, 0);
    loose = view(RW, 1, 2);
    loose.backing.depth = 3;
    assert_int_equal(fixture_insert(fixture, 4, 1, loose), OK);
    assert_int_equal(fixture_find(fixture, 4)->backing.depth, 0);
    loose.backing.kind = VM_BACKING_NONE;
    loose.protection = 0;
    assert_int_equal(fixture_insert(fixture, 5, 1, loose), OK);
    assert_int_equal(fixture_find(fixture, 5)->backing.object.number, 0);
    assert_int_equal(fixture_find(fixture, 5)->backing.offset, 0);
    loose = zeroes(RW);
    loose.backing.offset = 2;
    assert_int_equal(fixture_insert(fixture, 7, 1, loose), OK);
    assert_int_equal(fixture_find(fixture, 7)->backing.offset, 0);
}

/* Which index of the object a page shows; the object is the first one. */
static uint32_t index_at(const struct fixture *fixture, uint32_t page)
{
    const struct vm_region *region = fixture_find(fixture, page);

    assert_non_null(region);
    assert_int_equal(region->backing.kind, VM_BACKING_OBJECT);
    assert_int_equal(region->backing.object.number, OBJECTS_FIRST);
    return region->backing.offset + page - region->first_page;
}

static void view_shows_the_same_pages_however_it_is_cut_and_joined(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 2, 6, view(RW, 0, 10)), OK);
    assert_int_equal(fixture_release(fixture, 4, 1), OK);
    assert_int_equal(fixture_protect(fixture, 6, 1, VM_READ), OK);
    assert_int_equal(fixture_release(fixture, 0, 3), OK);
    expect_layout(fixture, 0, "...a.bcd..");
    assert_int_equal(index_at(fixture, 3), 11);
    assert_int_equal(index_at(fixture, 5), 13);
    assert_int_equal(index_at(fixture, 6), 14);
    assert_int_equal(index_at(fixture, 7), 15);
    assert_int_equal(fixture_protect(fixture, 5, 3, RW), OK);
    assert_int_equal(fixture_insert(fixture, 4, 1, view(RW, 0, 12)), OK);
    expect_layout(fixture, 0, "...aaaaa..");
    assert_int_equal(index_at(fixture, 7), 15);
    assert_int_equal(fixture_insert(fixture, 2, 1, view(RW, 0, 10)), OK);
    expect_layout(fixture, 0, "..aaaaaa..");
    assert_int_equal(index_at(fixture, 2), 10);
}

static void views_that_do_not_go_on_stay_apart(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 2, 2, view(RW, 0, 10)), OK);
    assert_int_equal(fixture_insert(fixture, 4, 2, view(RW, 0, 10)), OK);
    assert_int_equal(fixture_insert(fixture, 6, 2, view(RW, 1, 12)), OK);
    assert_int_equal(fixture_insert(fixture, 8, 2, zeroes(RW)), OK);
    expect_layout(fixture, 0, "..aabbccdd");
}

static void insert_overlapping_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 4, 4, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 4, 4, zeroes(RW)), ERROR_EXISTS);
    assert_int_equal(fixture_insert(fixture, 3, 2, zeroes(RW)), ERROR_EXISTS);
    assert_int_equal(fixture_insert(fixture, 7, 2, zeroes(RW)), ERROR_EXISTS);
    assert_int_equal(fixture_insert(fixture, 5, 1, zeroes(RW)), ERROR_EXISTS);
    assert_int_equal(fixture_insert(fixture, 0, VM_REGION_PAGES, zeroes(RW)), ERROR_EXISTS);
    expect_layout(fixture, 0, "....aaaa..");
}

static void insert_between_alike_regions_leaves_one(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 1, 2, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 5, 2, zeroes(RW)), OK);
    expect_layout(fixture, 0, ".aa..bb.");
    assert_int_equal(fixture_insert(fixture, 3, 1, zeroes(RW)), OK);
    expect_layout(fixture, 0, ".aaa.bb.");
    assert_int_equal(fixture_insert(fixture, 4, 1, zeroes(RW)), OK);
    expect_layout(fixture, 0, ".aaaaaa.");
}

static void insert_below_alike_region_extends_it(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 3, 2, deep(RW, 7)), OK);
    assert_int_equal(fixture_insert(fixture, 1, 2, deep(RW, 7)), OK);
    assert_int_equal(fixture_insert(fixture, 0, 1, deep(RW, 8)), OK);
    expect_layout(fixture, 0, "abbbb.");
}

static void insert_copies_merge_only_with_those_of_the_same_space(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 4, 2, deep(VM_READ, 1)), OK);
    assert_int_equal(fixture_insert(fixture, 6, 2, deep(VM_READ, 1)), OK);
    assert_int_equal(fixture_insert(fixture, 2, 2, deep(VM_READ, 1)), OK);
    expect_layout(fixture, 0, "..aaaaaa..");
    assert_int_equal(fixture_insert(fixture, 8, 1, deep(VM_READ, 2)), OK);
    assert_int_equal(fixture_insert(fixture, 1, 1, deep(VM_READ, 3)), OK);
    assert_int_equal(fixture_insert(fixture, 10, 1, deep(VM_READ, 2)), OK);
    expect_layout(fixture, 0, ".abbbbbbc.d");
    assert_int_equal(fixture_insert(fixture, 9, 1, deep(VM_READ, 1)), OK);
    expect_layout(fixture, 0, ".abbbbbbcde");
    assert_int_equal(depth_at(fixture, 1), 3);
    assert_int_equal(depth_at(fixture, 2), 1);
    assert_int_equal(depth_at(fixture, 7), 1);
    assert_int_equal(depth_at(fixture, 8), 2);
    assert_int_equal(depth_at(fixture, 9), 1);
    assert_int_equal(depth_at(fixture, 10), 2);
}

static void insert_unlike_neighbours_stay_apart(void **state)
{
    struct fixture *fixture = *state;
    struct vm_region_attributes heap = zeroes(RW);

    heap.flags = VM_REGION_HEAP;
    assert_int_equal(fixture_insert(fixture, 1, 1, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 2, 1, heap), OK);
    assert_int_equal(fixture_insert(fixture, 3, 1, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 4, 1, zeroes(VM_READ)), OK);
    assert_int_equal(fixture_insert(fixture, 5, 1, guard()), OK);
    assert_int_equal(fixture_insert(fixture, 6, 1, zeroes(0)), OK);
    assert_int_equal(fixture_insert(fixture, 7, 1, deep(0, 1)), OK);
    expect_layout(fixture, 0, ".abcdefg.");
}

/* Lookup ----------------------------------------------------------------------------------------------------------- */

static void next_meets_every_region_in_order(void **state)
{
    struct fixture *fixture = *state;
    const struct vm_region *region;
    uint32_t page = 0, count = 0;

    assert_null(vm_region_next(&fixture->table, fixture->roots[0], 0));
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(fixture_insert(fixture, 3 + i * 7 % 20 * 10, 4, zeroes(RW)), OK);
    }
    while ((region = vm_region_next(&fixture->table, fixture->roots[0], page)) != NULL) {
        assert_int_equal(region->first_page, 3 + count * 10);
        assert_ptr_equal(fixture_find(fixture, region->first_page), region);
        assert_ptr_equal(fixture_find(fixture, region->first_page + 3), region);
        assert_null(fixture_find(fixture, region->first_page + 4));
        page = vm_region_end(region);
        count++;
    }
    assert_int_equal(count, 20);
}

static void legitimate_needs_every_page_and_every_right(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 2, 2, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 4, 2, zeroes(VM_READ)), OK);
    assert_int_equal(fixture_insert(fixture, 6, 1, guard()), OK);
    assert_int_equal(fixture_insert(fixture, 8, 1, zeroes(0)), OK);
    assert_true(is_legitimate(fixture, 2, 4, VM_READ));
    assert_true(is_legitimate(fixture, 2, 2, RW));
    assert_false(is_legitimate(fixture, 2, 4, VM_WRITE));
    assert_false(is_legitimate(fixture, 3, 1, VM_EXECUTE));
    assert_false(is_legitimate(fixture, 1, 2, VM_READ));
    assert_false(is_legitimate(fixture, 5, 2, VM_READ));
    assert_false(is_legitimate(fixture, 6, 1, 0));
    assert_false(is_legitimate(fixture, 7, 1, 0));
    assert_true(is_legitimate(fixture, 8, 1, 0));
    assert_false(is_legitimate(fixture, 8, 2, 0));
    assert_false(is_legitimate(fixture, 8, 1, VM_READ));
}

/* Release ---------------------------------------------------------------------------------------------------------- */

static void release_middle_splits_and_keeps_the_backing(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 2, 6, deep(VM_READ, 5)), OK);
    assert_int_equal(fixture_release(fixture, 4, 2), OK);
    expect_layout(fixture, 0, "..aa..bb..");
    assert_int_equal(depth_at(fixture, 2), 5);
    assert_int_equal(depth_at(fixture, 6), 5);
    assert_int_equal(fixture_insert(fixture, 4, 2, deep(VM_READ, 6)), OK);
    expect_layout(fixture, 0, "..aabbcc..");
    assert_int_equal(fixture_release(fixture, 4, 2), OK);
    assert_int_equal(fixture_insert(fixture, 4, 2, deep(VM_READ, 5)), OK);
    expect_layout(fixture, 0, "..aaaaaa..");
}

static void release_half_trims_without_a_record(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 2, 6, deep(VM_READ, 5)), OK);
    assert_int_equal(fixture_release(fixture, 0, 4), OK);
    expect_layout(fixture, 0, "....aaaa..");
    assert_int_equal(fixture_release(fixture, 6, 40), OK);
    expect_layout(fixture, 0, "....aa....");
    assert_int_equal(depth_at(fixture, 4), 5);
}

static void release_across_regions_and_holes_leaves_the_rest(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 0, 3, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 3, 2, zeroes(VM_READ)), OK);
    assert_int_equal(fixture_insert(fixture, 6, 1, guard()), OK);
    assert_int_equal(fixture_insert(fixture, 8, 3, deep(RW, 2)), OK);
    expect_layout(fixture, 0, "aaabb.c.ddd");
    assert_int_equal(fixture_release(fixture, 2, 7), OK);
    expect_layout(fixture, 0, "aa.......bb");
    assert_int_equal(fixture_release(fixture, 2, 7), OK);
    expect_layout(fixture, 0, "aa.......bb");
    assert_int_equal(fixture_release(fixture, 0, VM_REGION_PAGES), OK);
    expect_layout(fixture, 0, "...........");
    assert_int_equal(fixture->roots[0], 0);
}

/* Protection ------------------------------------------------------------------------------------------------------- */

static void protect_middle_splits_and_back_merges(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 2, 6, deep(RW, 5)), OK);
    assert_int_equal(fixture_protect(fixture, 4, 2, VM_READ), OK);
    expect_layout(fixture, 0, "..aabbcc..");
    assert_int_equal(fixture_find(fixture, 4)->protection, VM_READ);
    assert_int_equal(fixture_find(fixture, 6)->protection, RW);
    assert_int_equal(depth_at(fixture, 4), 5);
    assert_int_equal(depth_at(fixture, 6), 5);
    assert_int_equal(fixture_protect(fixture, 4, 2, RW), OK);
    expect_layout(fixture, 0, "..aaaaaa..");
}

static void protect_moves_the_border_between_neighbours(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 0, 2, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 2, 6, zeroes(0)), OK);
    expect_layout(fixture, 0, "aabbbbbb");
    assert_int_equal(fixture_protect(fixture, 2, 2, RW), OK);
    expect_layout(fixture, 0, "aaaabbbb");
    assert_int_equal(fixture_protect(fixture, 3, 1, 0), OK);
    expect_layout(fixture, 0, "aaabbbbb");
    assert_int_equal(fixture_protect(fixture, 0, 8, VM_READ), OK);
    expect_layout(fixture, 0, "aaaaaaaa");
}

static void protect_across_kinds_keeps_backings(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 0, 3, deep(VM_READ, 1)), OK);
    assert_int_equal(fixture_insert(fixture, 3, 3, zeroes(RW)), OK);
    assert_int_equal(fixture_protect(fixture, 2, 2, VM_READ), OK);
    expect_layout(fixture, 0, "aaabcc");
    assert_int_equal(depth_at(fixture, 2), 1);
    assert_int_equal(fixture_find(fixture, 3)->backing.kind, VM_BACKING_MEMORY);
    assert_int_equal(fixture_find(fixture, 3)->protection, VM_READ);
}

static void protect_of_what_is_not_there_changes_nothing(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 1, 3, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 5, 1, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 6, 1, guard()), OK);
    assert_int_equal(fixture_protect(fixture, 0, 2, 0), ERROR_NOT_FOUND);
    assert_int_equal(fixture_protect(fixture, 2, 4, 0), ERROR_NOT_FOUND);
    assert_int_equal(fixture_protect(fixture, 7, 1, 0), ERROR_NOT_FOUND);
    assert_int_equal(fixture_protect(fixture, 5, 2, 0), ERROR_DENIED);
    assert_int_equal(fixture_protect(fixture, 2, 1, 8), ERROR_INVALID);
    expect_layout(fixture, 0, ".aaa.bc.");
    assert_true(is_legitimate(fixture, 1, 3, RW));
    assert_true(is_legitimate(fixture, 5, 1, RW));
}

/* Growth ----------------------------------------------------------------------------------------------------------- */

static enum error grow_down(struct fixture *fixture, uint32_t page, uint32_t distance_max, uint32_t guard_pages)
{
    return vm_region_grow_down(&fixture->table, &fixture->roots[0], page, distance_max, guard_pages, 0);
}

static void grow_down_extends_only_stacks_within_distance(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(grow_down(fixture, 9, 100, 0), ERROR_NOT_FOUND);
    assert_int_equal(fixture_insert(fixture, 10, 2, stack(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 20, 2, zeroes(RW)), OK);
    assert_int_equal(grow_down(fixture, 19, 100, 0), ERROR_NOT_FOUND);
    assert_int_equal(grow_down(fixture, 30, 100, 0), ERROR_NOT_FOUND);
    assert_int_equal(grow_down(fixture, 7, 2, 0), ERROR_NOT_FOUND);
    assert_int_equal(grow_down(fixture, 9, 0, 0), ERROR_NOT_FOUND);
    assert_int_equal(grow_down(fixture, 7, 3, 0), OK);
    expect_layout(fixture, 5, "..aaaaa........bb.");
    assert_int_equal(grow_down(fixture, 0, 7, 0), OK);
    assert_int_equal(fixture_find(fixture, 0)->page_count, 12);
    assert_int_equal(grow_down(fixture, 5, 0, 0), OK);
    assert_int_equal(grow_down(fixture, 20, 5, 0), ERROR_NOT_FOUND);
}

static void grow_down_keeps_the_guard_above_the_next_region(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_insert(fixture, 0, 4, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 20, 2, stack(RW)), OK);
    assert_int_equal(grow_down(fixture, 9, 100, 6), ERROR_NOT_FOUND);
    assert_int_equal(grow_down(fixture, 10, 100, 6), OK);
    assert_int_equal(grow_down(fixture, 9, 100, UINT32_MAX), ERROR_NOT_FOUND);
    expect_layout(fixture, 0, "aaaa......bbbbbbbbbbbb.");
    assert_int_equal(grow_down(fixture, 4, 100, 0), OK);
    expect_layout(fixture, 0, "aaaabbbbbbbbbbbbbbbbbb.");
}

/* A forked stack shows what its parent had; what it grows by, its parent never had. */
static void grow_down_of_a_copy_is_as_deep_as_the_memory(void **state)
{
    struct fixture *fixture = *state;
    struct vm_region_attributes copied = deep(RW, 5);

    copied.flags = VM_REGION_GROWS_DOWN;
    assert_int_equal(fixture_insert(fixture, 10, 2, copied), OK);
    assert_int_equal(vm_region_grow_down(&fixture->table, &fixture->roots[0], 8, 100, 1, 6), OK);
    assert_int_equal(vm_region_grow_down(&fixture->table, &fixture->roots[0], 6, 100, 1, 6), OK);
    expect_layout(fixture, 5, ".aaaabb.");
    assert_int_equal(depth_at(fixture, 9), 6);
    assert_int_equal(fixture_find(fixture, 9)->protection, RW);
    assert_int_equal(depth_at(fixture, 10), 5);
}

/* Placement -------------------------------------------------------------------------------------------------------- */

static enum error allocate(struct fixture *fixture, uint32_t low, uint32_t high, uint32_t count, uint32_t *out_first)
{
    struct vm_region_attributes attributes = zeroes(VM_READ);

    return vm_region_allocate(&fixture->table, &fixture->roots[0], low, high, count, &attributes, out_first);
}

static void allocate_takes_the_highest_hole_that_fits(void **state)
{
    struct fixture *fixture = *state;
    uint32_t first;

    assert_int_equal(fixture_insert(fixture, 3, 2, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 9, 1, zeroes(RW)), OK);
    assert_int_equal(fixture_insert(fixture, 12, 3, zeroes(RW)), OK);
    expect_layout(fixture, 0, "...aa....b..ccc.");
    assert_int_equal(allocate(fixture, 0, 16, 2, &first), OK);
    assert_int_equal(first, 10);
    assert_int_equal(allocate(fixture, 0, 16, 3, &first), OK);
    assert_int_equal(first, 6);
    assert_int_equal(allocate(fixture, 0, 16, 1, &first), OK);
    assert_int_equal(first, 15);
    assert_int_equal(allocate(fixture, 0, 16, 3, &first), OK);
    assert_int_equal(first, 0);
    assert_int_equal(allocate(fixture, 0, 16, 2, &first), ERROR_NO_MEMORY);
    assert_int_equal(allocate(fixture, 0, 16, 1, &first), OK);
    assert_int_equal(first, 5);
    assert_int_equal(allocate(fixture, 0, 16, 1, &first), ERROR_NO_MEMORY);
}

static void allocate_stays_within_its_limits(void **state)
{
    struct fixture *fixture = *state;
    uint32_t first = 77;

    assert_int_equal(fixture_insert(fixture, 10, 10, zeroes(RW)), OK);
    assert_int_equal(allocate(fixture, 5, 15, 6, &first), ERROR_NO_MEMORY);
    assert_int_equal(allocate(fixture, 12, 18, 1, &first), ERROR_NO_MEMORY);
    assert_int_equal(allocate(fixture, 18, 24, 5, &first), ERROR_NO_MEMORY);
    assert_int_equal(first, 77);
    assert_int_equal(allocate(fixture, 18, 24, 4, &first), OK);
    assert_int_equal(first, 20);
    assert_int_equal(allocate(fixture, 5, 15, 5, &first), OK);
    assert_int_equal(first, 5);
    assert_int_equal(allocate(fixture, 0, VM_REGION_PAGES, 5, &first), OK);
    assert_int_equal(first, VM_REGION_PAGES - 5);
}

static void allocate_range_that_is_none_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct vm_region_attributes unknown = zeroes(8);
    uint32_t first;

    assert_int_equal(allocate(fixture, 0, 10, 0, &first), ERROR_RANGE);
    assert_int_equal(allocate(fixture, 10, 10, 1, &first), ERROR_RANGE);
    assert_int_equal(allocate(fixture, 10, 9, 1, &first), ERROR_RANGE);
    assert_int_equal(allocate(fixture, 0, VM_REGION_PAGES + 1, 1, &first), ERROR_RANGE);
    assert_int_equal(allocate(fixture, 0, VM_REGION_PAGES, UINT32_MAX, &first), ERROR_NO_MEMORY);
    assert_int_equal(vm_region_allocate(&fixture->table, &fixture->roots[0], 0, 10, 1, &unknown, &first),
                     ERROR_INVALID);
    assert_int_equal(allocate(fixture, 0, VM_REGION_PAGES, VM_REGION_PAGES, &first), OK);
    assert_int_equal(first, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(insert_range_that_is_none_is_refused),
        TEST(insert_at_both_ends_of_the_space_succeeds),
        TEST(insert_whole_space_is_one_region),
        TEST(insert_attributes_that_mean_nothing_is_refused),
        TEST(insert_backing_is_kept_in_normal_form),
        TEST(view_shows_the_same_pages_however_it_is_cut_and_joined),
        TEST(views_that_do_not_go_on_stay_apart),
        TEST(insert_overlapping_is_refused),
        TEST(insert_between_alike_regions_leaves_one),
        TEST(insert_below_alike_region_extends_it),
        TEST(insert_copies_merge_only_with_those_of_the_same_space),
        TEST(insert_unlike_neighbours_stay_apart),
        TEST(next_meets_every_region_in_order),
        TEST(legitimate_needs_every_page_and_every_right),
        TEST(release_middle_splits_and_keeps_the_backing),
        TEST(release_half_trims_without_a_record),
        TEST(release_across_regions_and_holes_leaves_the_rest),
        TEST(protect_middle_splits_and_back_merges),
        TEST(protect_moves_the_border_between_neighbours),
        TEST(protect_across_kinds_keeps_backings),
        TEST(protect_of_what_is_not_there_changes_nothing),
        TEST(grow_down_extends_only_stacks_within_distance),
        TEST(grow_down_keeps_the_guard_above_the_next_region),
        TEST(grow_down_of_a_copy_is_as_deep_as_the_memory),
        TEST(allocate_takes_the_highest_hole_that_fits),
        TEST(allocate_stays_within_its_limits),
        TEST(allocate_range_that_is_none_is_refused),
    };

    return cmocka_run_group_tests_name("vm_region", tests, NULL, NULL);
}
