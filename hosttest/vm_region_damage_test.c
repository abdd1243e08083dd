/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions read back from a damaged or hostile image.
 *
 * A sound table of three trees and some free records is damaged and adopted again. Either adoption refuses it, or
 * whatever is called on it afterwards stays within the table and keeps it sound. The table's memory has its exact size,
 * so AddressSanitizer sees any step outside; an alarm sees a walk that does not end.
 */
#include "vm_region_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CAPACITY 64u
#define RECORDS  40u /* below the high-water mark of the sound table, about */

struct image {
    struct vm_region records[CAPACITY];
    uint32_t roots[TREES];
};

static struct image sound;

/* Three trees of different size, some records free. */
static int build_sound_image(void **state)
{
    (void)state;
    struct fixture fixture;

    fixture_create(&fixture, CAPACITY);
    fixture_reserve_all(&fixture);
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t tree = i % 5 % TREES;
        struct vm_region_attributes attributes = i % 2 == 0 ? zeroes(VM_READ | VM_WRITE) : deep(VM_READ, i);
        assert_int_equal(vm_region_insert(&fixture.table, &fixture.roots[tree], i * 4, 2, &attributes), OK);
    }
    for (uint32_t i = 0; i < RECORDS; i += 6) {
        assert_int_equal(vm_region_release(&fixture.table, &fixture.roots[i % 5 % TREES], i * 4, 2), OK);
    }
    fixture_validate(&fixture);
    memcpy(sound.records, fixture.table.records, sizeof(sound.records));
    memcpy(sound.roots, fixture.roots, sizeof(sound.roots));
    fixture_delete(&fixture);
    return 0;
}

/* A boot over an image: adopt the table and then every tree. */
static enum error boot(struct fixture *fixture, const struct image *image)
{
    memcpy(fixture->table.records, image->records, sizeof(image->records));
    memcpy(fixture->roots, image->roots, sizeof(image->roots));
    fixture->table.committed = 0;

    enum error error = vm_region_table_adopt(&fixture->table);
    for (uint32_t i = 0; error == OK && i < TREES; i++) {
        error = vm_region_adopt(&fixture->table, fixture->roots[i]);
    }
    return error;
}

static void begin(struct fixture *fixture)
{
    fixture_create(fixture, CAPACITY);
    fixture_reserve_all(fixture);
}

static void expect(const struct image *image, enum error expected)
{
    struct fixture fixture;

    begin(&fixture);
    assert_int_equal(boot(&fixture, image), expected);
    fixture_delete(&fixture);
}

/* Images that must be taken ---------------------------------------------------------------------------------------- */

static void adopt_sound_image_succeeds_again_and_again(void **state)
{
    (void)state;
    struct fixture fixture;
    struct image image = sound;

    begin(&fixture);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(boot(&fixture, &image), OK);
        assert_true(vm_region_table_is_whole(&fixture.table));
        fixture_validate(&fixture);
        memcpy(image.records, fixture.table.records, sizeof(image.records));
    }
    fixture_delete(&fixture);
}

static void adopt_leaves_work_that_goes_on_as_before(void **state)
{
    (void)state;
    struct fixture fixture;

    begin(&fixture);
    assert_int_equal(boot(&fixture, &sound), OK);
    uint32_t count = vm_region_count(&fixture.table);
    struct vm_region_attributes attributes = zeroes(VM_READ);
    assert_int_equal(vm_region_insert(&fixture.table, &fixture.roots[0], 1000, 1, &attributes), OK);
    assert_int_equal(vm_region_count(&fixture.table), count + 1);
    fixture_validate(&fixture);
    fixture_delete(&fixture);
}

/* Images that must be refused -------------------------------------------------------------------------------------- */

static void adopt_zeroed_header_is_refused(void **state)
{
    (void)state;
    struct image image = sound;

    memset(&image.records[0], 0, sizeof(image.records[0]));
    expect(&image, ERROR_FORMAT_DAMAGED);
}

static void adopt_mark_beyond_the_table_is_refused(void **state)
{
    (void)state;
    struct image image = sound;

    image.records[0].header.high_water = CAPACITY + 1;
    expect(&image, ERROR_FORMAT_DAMAGED);
    image.records[0].header.high_water = UINT32_MAX;
    expect(&image, ERROR_FORMAT_DAMAGED);

    /* and no memory is asked for on its word */
    struct fixture fixture;
    fixture_create(&fixture, 4 * CAPACITY);
    fixture.commit_limit = CAPACITY;
    fixture.table.committed = 0;
    fixture.table.records[0].header.high_water = 4 * CAPACITY + 1;
    assert_int_equal(vm_region_table_adopt(&fixture.table), ERROR_FORMAT_DAMAGED);
    fixture_delete(&fixture);
}

static void adopt_free_list_that_lies_is_refused(void **state)
{
    (void)state;
    struct image image = sound;
    uint32_t first = image.records[0].header.free_first;

    image.records[image.records[first].parent].parent = first; /* a cycle */
    expect(&image, ERROR_FORMAT_DAMAGED);

    image = sound;
    image.records[0].header.free_count++;
    expect(&image, ERROR_FORMAT_DAMAGED);
    image.records[0].header.free_count -= 2;
    expect(&image, ERROR_FORMAT_DAMAGED);
    image.records[0].header.free_count = UINT32_MAX;
    expect(&image, ERROR_FORMAT_DAMAGED);

    image = sound;
    image.records[0].header.free_first = sound.roots[0]; /* a record in use */
    expect(&image, ERROR_FORMAT_DAMAGED);
    image.records[0].header.free_first = CAPACITY;
    expect(&image, ERROR_FORMAT_DAMAGED);
}

static void adopt_root_that_is_none_is_refused(void **state)
{
    (void)state;
    const uint32_t roots[] = {sound.records[sound.roots[0]].child[VM_REGION_BELOW], sound.records[0].header.free_first,
                              sound.records[0].header.high_water, CAPACITY, UINT32_MAX};

    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
        struct image image = sound;
        image.roots[0] = roots[i];
        expect(&image, ERROR_FORMAT_DAMAGED);
    }
}

static void adopt_root_given_twice_is_refused(void **state)
{
    (void)state;
    struct image image = sound;

    image.roots[1] = image.roots[0];
    expect(&image, ERROR_FORMAT_DAMAGED);
}

static void adopt_shared_subtree_is_refused(void **state)
{
    (void)state;
    struct image image = sound;
    struct vm_region *a = &image.records[image.roots[0]], *b = &image.records[image.roots[1]];

    a->child[VM_REGION_ABOVE] = b->child[VM_REGION_ABOVE];
    expect(&image, ERROR_FORMAT_DAMAGED);

    image = sound;
    a->child[VM_REGION_ABOVE] = a->child[VM_REGION_BELOW];
    expect(&image, ERROR_FORMAT_DAMAGED);
}

static void adopt_cycle_is_refused(void **state)
{
    (void)state;
    struct image image = sound;
    uint32_t root = image.roots[0], child = image.records[root].child[VM_REGION_BELOW];

    image.records[child].child[VM_REGION_BELOW] = root;
    expect(&image, ERROR_FORMAT_DAMAGED);
    image.records[root].parent = child;
    expect(&image, ERROR_FORMAT_DAMAGED);

    image = sound;
    image.records[child].child[VM_REGION_ABOVE] = child;
    image.records[child].parent = child;
    expect(&image, ERROR_FORMAT_DAMAGED);
}

static void adopt_record_lost_from_the_free_list_is_refused(void **state)
{
    (void)state;
    struct image image = sound;
    struct vm_region_header *header = &image.records[0].header;

    header->free_first = image.records[header->free_first].parent;
    header->free_count--;
    expect(&image, ERROR_FORMAT_DAMAGED);
}

static void validate_after_damage_to_the_header_in_use_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;

    begin(&fixture);
    assert_int_equal(boot(&fixture, &sound), OK);
    fixture.table.records[0].header.high_water = CAPACITY + 100;
    assert_int_equal(vm_region_table_validate(&fixture.table), ERROR_FORMAT_DAMAGED);
    assert_int_equal(vm_region_validate(&fixture.table, fixture.roots[0]), ERROR_FORMAT_DAMAGED);
    fixture_delete(&fixture);
}

/* Images made by hand, sound but for one thing --------------------------------------------------------------------- */

/* The record of a leaf that holds zeroes. */
static struct vm_region leaf(uint32_t parent, uint32_t first, uint32_t count)
{
    return (struct vm_region){.first_page = first,
                              .page_count = count,
                              .backing = {.kind = VM_BACKING_MEMORY},
                              .level = 1,
                              .state = VM_REGION_USED,
                              .parent = parent,
                              .span_first = first,
                              .span_end = first + count};
}

/* A table of one tree: records 1 .. count, the root first. */
static struct image craft(const struct vm_region *records, uint32_t count)
{
    struct image image = {.roots = {1}};

    image.records[0].header.high_water = count + 1;
    memcpy(&image.records[1], records, count * sizeof(*records));
    return image;
}

static void expect_leaf(struct vm_region record, enum error expected)
{
    struct image image = craft(&record, 1);

    expect(&image, expected);
}

static void adopt_range_that_is_none_is_refused(void **state)
{
    (void)state;
    expect_leaf(leaf(0, 0, VM_REGION_PAGES), OK);
    expect_leaf(leaf(0, 4, 0), ERROR_FORMAT_DAMAGED);
    expect_leaf(leaf(0, VM_REGION_PAGES, 1), ERROR_FORMAT_DAMAGED);
    expect_leaf(leaf(0, 1, VM_REGION_PAGES), ERROR_FORMAT_DAMAGED);
    expect_leaf(leaf(0, 8, UINT32_MAX), ERROR_FORMAT_DAMAGED);
}

static void adopt_attributes_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    struct vm_region record = leaf(0, 4, 2);

    record.protection = VM_PROTECTIONS;
    expect_leaf(record, OK);
    record.protection = VM_PROTECTIONS + 1;
    expect_leaf(record, ERROR_FORMAT_DAMAGED);

    record = leaf(0, 4, 2);
    record.flags = VM_REGION_FLAGS + 1;
    expect_leaf(record, ERROR_FORMAT_DAMAGED);

    record = leaf(0, 4, 2);
    record.state = VM_REGION_CLAIMED + 1;
    expect_leaf(record, ERROR_FORMAT_DAMAGED);

    record = leaf(0, 4, 2);
    record.backing.depth = SPACES_MAX - 1;
    expect_leaf(record, OK);
    record.backing.depth = SPACES_MAX;
    expect_leaf(record, ERROR_FORMAT_DAMAGED);
    record.backing = (struct vm_backing){.kind = VM_BACKING_NONE};
    expect_leaf(record, OK);
    record.backing.depth = 1;
    expect_leaf(record, ERROR_FORMAT_DAMAGED);
    record.backing.depth = 0;
    record.protection = VM_READ;
    expect_leaf(record, ERROR_FORMAT_DAMAGED);
}

/* What an object does not have, or a kind has no use for. */
static void adopt_object_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct vm_backing shared = {.kind = VM_BACKING_OBJECT, .object = {OBJECTS_FIRST}, .offset = OBJECT_PAGES - 2};
    static const struct vm_backing bad[] = {
        {.kind = VM_BACKING_OBJECT, .object = {OBJECTS_FIRST - 1}},
        {.kind = VM_BACKING_OBJECT, .object = {OBJECTS_MAX}},
        {.kind = VM_BACKING_OBJECT, .object = {OBJECTS_FIRST}, .offset = OBJECT_PAGES - 1},
        {.kind = VM_BACKING_OBJECT, .object = {OBJECTS_FIRST}, .offset = OBJECT_PAGES},
        {.kind = VM_BACKING_OBJECT, .object = {OBJECTS_FIRST}, .offset = UINT32_MAX},
        {.kind = VM_BACKING_OBJECT, .object = {OBJECTS_FIRST}, .depth = 1},
        {.kind = VM_BACKING_MEMORY, .object = {OBJECTS_FIRST - 1}},
        {.kind = VM_BACKING_MEMORY, .object = {OBJECTS_MAX}},
        {.kind = VM_BACKING_MEMORY, .object = {OBJECTS_FIRST}, .offset = OBJECT_PAGES - 1},
        {.kind = VM_BACKING_MEMORY, .offset = 1},
        {.kind = VM_BACKING_NONE, .object = {OBJECTS_FIRST}},
        {.kind = VM_BACKING_NONE, .offset = 1},
    };
    struct vm_region record = leaf(0, 4, 2);

    record.backing = shared;
    expect_leaf(record, OK);
    record.flags = VM_REGION_GROWS_DOWN;
    expect_leaf(record, ERROR_FORMAT_DAMAGED);
    record.backing.kind = VM_BACKING_MEMORY;
    expect_leaf(record, ERROR_FORMAT_DAMAGED);
    record.flags = 0;
    record.backing.depth = SPACES_MAX - 1;
    expect_leaf(record, OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        record = leaf(0, 4, 2);
        record.backing = bad[i];
        expect_leaf(record, ERROR_FORMAT_DAMAGED);
    }
}

/* Every number that is no kind, as far as one byte and at the end of the word. */
static void adopt_backing_of_no_kind_is_refused(void **state)
{
    (void)state;
    struct vm_region record = leaf(0, 4, 2);

    for (uint16_t kind = 0; kind <= UINT8_MAX; kind++) {
        record.backing.kind = kind;
        bool is_kind = kind <= VM_BACKING_OBJECT;
        record.backing.object.number = kind == VM_BACKING_OBJECT ? OBJECTS_FIRST : 0;
        expect_leaf(record, is_kind ? OK : ERROR_FORMAT_DAMAGED);
    }
    record.backing.object.number = 0;
    record.backing.kind = UINT16_MAX;
    expect_leaf(record, ERROR_FORMAT_DAMAGED);
}

/* A root whose child lies below it, summed up as the arithmetic of sound trees would. */
static struct image craft_pair(uint32_t child_first, uint32_t child_count, uint32_t first)
{
    struct vm_region records[] = {leaf(0, first, 2), leaf(1, child_first, child_count)};

    records[0].child[VM_REGION_BELOW] = 2;
    records[0].level = 2;
    records[0].span_first = child_first;
    records[0].gap_pages = first - (child_first + child_count);
    return craft(records, 2);
}

static void adopt_overlap_is_refused(void **state)
{
    (void)state;
    struct image image = craft_pair(4, 3, 8);

    expect(&image, OK);
    image = craft_pair(4, 5, 8);
    expect(&image, ERROR_FORMAT_DAMAGED);
    image = craft_pair(12, 2, 8);
    expect(&image, ERROR_FORMAT_DAMAGED);
}

static void adopt_neighbours_that_could_be_one_are_refused(void **state)
{
    (void)state;
    struct image image = craft_pair(4, 4, 8);

    expect(&image, ERROR_FORMAT_DAMAGED);
    image.records[2].protection = VM_READ;
    expect(&image, OK);

    image = craft_pair(4, 4, 8);
    image.records[1].backing = image.records[2].backing = (struct vm_backing){VM_BACKING_MEMORY, 3, {0}, 0};
    expect(&image, ERROR_FORMAT_DAMAGED);
    image.records[2].backing.depth = 4;
    expect(&image, OK);

    image = craft_pair(4, 4, 8);
    image.records[1].backing = image.records[2].backing = (struct vm_backing){VM_BACKING_OBJECT, 0, {OBJECTS_FIRST}, 3};
    expect(&image, OK); /* it does not go on where the other ends */
    image.records[1].backing.offset = 3 + 4;
    expect(&image, ERROR_FORMAT_DAMAGED);
    image.records[1].backing.kind = image.records[2].backing.kind = VM_BACKING_MEMORY;
    expect(&image, ERROR_FORMAT_DAMAGED);
    image.records[1].backing.offset = 3;
    expect(&image, OK);
}

static void adopt_tree_without_balance_is_refused(void **state)
{
    (void)state;
    struct vm_region records[] = {leaf(0, 4, 1), leaf(1, 8, 1), leaf(2, 12, 1)};

    for (uint32_t i = 0; i < 2; i++) {
        records[i].child[VM_REGION_ABOVE] = i + 2;
        records[i].level = (uint8_t)(3 - i);
        records[i].span_end = 13;
        records[i].gap_pages = 3;
    }
    struct image image = craft(records, 3);
    expect(&image, ERROR_FORMAT_DAMAGED);
}

/* The last of the free list has no link, as a root has none, and the rest of it may be anything. */
static void adopt_free_record_as_a_root_is_refused(void **state)
{
    (void)state;
    struct vm_region record = leaf(0, 4, 2);
    struct image image = craft(&record, 1);

    image.records[1].state = VM_REGION_FREE;
    image.records[0].header.free_first = 1;
    image.records[0].header.free_count = 1;
    expect(&image, ERROR_FORMAT_DAMAGED);
    image.roots[0] = 0;
    expect(&image, OK);
}

/* Images that lack something, and machines that do ----------------------------------------------------------------- */

static void adopt_lost_tree_is_noticed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct image image = sound;

    begin(&fixture);
    image.roots[2] = 0;
    assert_int_equal(boot(&fixture, &image), OK);
    assert_false(vm_region_table_is_whole(&fixture.table));
    fixture_delete(&fixture);
}

static void adopt_without_memory_is_an_error(void **state)
{
    (void)state;
    struct fixture fixture;

    begin(&fixture);
    memcpy(fixture.table.records, sound.records, sizeof(sound.records));
    fixture.table.committed = 0;
    fixture.commit_limit = 0;
    assert_int_equal(vm_region_table_adopt(&fixture.table), ERROR_NO_MEMORY);
    fixture_delete(&fixture);
}

/* Random damage ---------------------------------------------------------------------------------------------------- */

static void damage_bit(struct image *image, uint32_t bit)
{
    ((uint8_t *)image->records)[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* What an attacker would do: a link or a count that looks like one. */
static void damage_word(struct image *image, struct random *random)
{
    uint32_t record = random_below(random, RECORDS + 4), word = random_below(random, sizeof(struct vm_region) / 4);
    uint32_t value = random_below(random, RECORDS + 4);

    memcpy((uint8_t *)&image->records[record] + 4 * word, &value, sizeof(value));
}

/* Any result will do, as long as it is one and the table stays sound. */
static void use(struct fixture *fixture, struct random *random)
{
    struct vm_region_table *table = &fixture->table;

    for (uint32_t i = 0; i < 40; i++) {
        uint32_t *root = &fixture->roots[random_below(random, TREES)];
        uint32_t first = random_below(random, 200), count = 1 + random_below(random, 20), page;
        struct vm_region_attributes attributes = zeroes((uint8_t)random_below(random, 4));
        enum error results[] = {vm_region_insert(table, root, first, count, &attributes),
                                vm_region_release(table, root, first + 7, 1 + count / 2),
                                vm_region_protect(table, root, first, 1 + count / 4, VM_READ),
                                vm_region_allocate(table, root, first, first + 90, count, &attributes, &page)};
        for (uint32_t j = 0; j < 4; j++) {
            assert_true(results[j] <= OK);
        }
        fixture_validate(fixture);
    }
    for (uint32_t i = 0; i < TREES; i++) {
        vm_region_clear(table, &fixture->roots[i]);
        fixture_validate(fixture);
    }
}

static bool boot_and_use(const struct image *image, struct random *random)
{
    struct fixture fixture;

    alarm(60);
    begin(&fixture);
    bool adopted = boot(&fixture, image) == OK;
    if (adopted) {
        use(&fixture, random);
    }
    fixture_delete(&fixture);
    return adopted;
}

static void adopt_every_flipped_bit_is_refused_or_harmless(void **state)
{
    (void)state;
    struct random random = {test_seed()};
    uint32_t adopted = 0, bits = sizeof(sound.records) * 8;

    for (uint32_t bit = 0; bit < bits; bit++) {
        struct image image = sound;
        damage_bit(&image, bit);
        adopted += boot_and_use(&image, &random);
    }
    print_message("%u of %u flipped bits adopted\n", adopted, bits);
    assert_in_range(adopted, 1, bits - 1);
}

static void adopt_random_damage_is_refused_or_harmless(void **state)
{
    (void)state;
    struct random random = {test_seed()};
    const uint32_t rounds = 20000;
    uint32_t adopted = 0;

    for (uint32_t round = 0; round < rounds; round++) {
        struct image image = sound;
        for (uint32_t i = 1 + random_below(&random, 3); i > 0; i--) {
            if (random_below(&random, 3) == 0) {
                damage_bit(&image, random_below(&random, sizeof(image.records) * 8));
            } else {
                damage_word(&image, &random);
            }
        }
        adopted += boot_and_use(&image, &random);
    }
    print_message("%u of %u damaged images adopted\n", adopted, rounds);
    assert_in_range(adopted, 1, rounds - 1);
}

static void adopt_noise_is_refused_or_harmless(void **state)
{
    (void)state;
    struct random random = {test_seed()};

    for (uint32_t round = 0; round < 2000; round++) {
        struct image image;
        for (uint32_t i = 0; i < sizeof(image) / 4; i++) {
            uint32_t value = random_below(&random, random_below(&random, 2) == 0 ? CAPACITY : UINT32_MAX);
            memcpy((uint8_t *)&image + 4 * i, &value, sizeof(value));
        }
        boot_and_use(&image, &random);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adopt_sound_image_succeeds_again_and_again),
        cmocka_unit_test(adopt_leaves_work_that_goes_on_as_before),
        cmocka_unit_test(adopt_zeroed_header_is_refused),
        cmocka_unit_test(adopt_mark_beyond_the_table_is_refused),
        cmocka_unit_test(adopt_free_list_that_lies_is_refused),
        cmocka_unit_test(adopt_root_that_is_none_is_refused),
        cmocka_unit_test(adopt_root_given_twice_is_refused),
        cmocka_unit_test(adopt_shared_subtree_is_refused),
        cmocka_unit_test(adopt_cycle_is_refused),
        cmocka_unit_test(adopt_record_lost_from_the_free_list_is_refused),
        cmocka_unit_test(validate_after_damage_to_the_header_in_use_is_refused),
        cmocka_unit_test(adopt_range_that_is_none_is_refused),
        cmocka_unit_test(adopt_attributes_that_mean_nothing_are_refused),
        cmocka_unit_test(adopt_backing_of_no_kind_is_refused),
        cmocka_unit_test(adopt_object_that_cannot_be_is_refused),
        cmocka_unit_test(adopt_overlap_is_refused),
        cmocka_unit_test(adopt_neighbours_that_could_be_one_are_refused),
        cmocka_unit_test(adopt_tree_without_balance_is_refused),
        cmocka_unit_test(adopt_free_record_as_a_root_is_refused),
        cmocka_unit_test(adopt_lost_tree_is_noticed),
        cmocka_unit_test(adopt_without_memory_is_an_error),
        cmocka_unit_test(adopt_every_flipped_bit_is_refused_or_harmless),
        cmocka_unit_test(adopt_random_damage_is_refused_or_harmless),
        cmocka_unit_test(adopt_noise_is_refused_or_harmless),
    };

    return cmocka_run_group_tests_name("vm_region, damaged", tests, build_sound_image, NULL);
}
