/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions against a naive model: an array that holds the attributes of each page.
 *
 * Three trees share one table; each has a small window, one of them at page 0 and one at the end of the space. Random
 * calls go to both sides. Result codes must agree, exhaustion of the table included: the model knows how many
 * records a change takes. After each call the whole window is compared page by page, and the number of regions
 * must be the number of runs that differ, so nothing stays uncoalesced and nothing changes when a call fails.
 */
#include "vm_region_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WINDOW  56u
#define OBJECTS 2u

struct page {
    bool mapped;
    struct vm_region_attributes attributes;
};

struct model {
    struct fixture fixture;
    struct page pages[TREES][WINDOW];
    struct random random;
};

static int32_t references[OBJECTS]; /* by records, as the table has told */

static void refer(struct object_id object, int32_t by)
{
    references[object.number - OBJECTS_FIRST] += by;
}

static const uint32_t bases[TREES] = {0, 0x8048, VM_REGION_PAGES - WINDOW};

/* The naive side --------------------------------------------------------------------------------------------------- */

static bool attributes_equal(const struct vm_region_attributes *a, const struct vm_region_attributes *b)
{
    return a->protection == b->protection && a->flags == b->flags && a->backing.kind == b->backing.kind &&
           a->backing.depth == b->backing.depth && a->backing.object.number == b->backing.object.number &&
           a->backing.offset == b->backing.offset;
}

/* What the page behind one shows, if both are of one region. */
static struct vm_region_attributes going_on(struct vm_region_attributes attributes, uint32_t pages)
{
    if (attributes.backing.kind == VM_BACKING_OBJECT) {
        attributes.backing.offset += pages;
    }
    return attributes;
}

/* Whether pages i - 1 and i are in one region. */
static bool joined(const struct page *pages, uint32_t i)
{
    if (i == 0 || i >= WINDOW || !pages[i - 1].mapped || !pages[i].mapped) {
        return false;
    }
    struct vm_region_attributes next = going_on(pages[i - 1].attributes, 1);
    return attributes_equal(&next, &pages[i].attributes);
}

static uint32_t region_count(const struct page *pages)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < WINDOW; i++) {
        count += pages[i].mapped && !joined(pages, i);
    }
    return count;
}

static uint32_t records_available(const struct model *model)
{
    return model->fixture.table.capacity - 1 - vm_region_count(&model->fixture.table);
}

static bool any_mapped(const struct page *pages, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        if (pages[i].mapped) {
            return true;
        }
    }
    return false;
}

static void fill(struct page *pages, uint32_t first, uint32_t count, const struct vm_region_attributes *attributes)
{
    for (uint32_t i = 0; i < count; i++) {
        pages[first + i] = (struct page){true, going_on(*attributes, i)};
    }
}

static enum error model_insert(struct model *model, struct page *pages, uint32_t first, uint32_t count,
                               const struct vm_region_attributes *attributes)
{
    struct page before[WINDOW];

    if (any_mapped(pages, first, count)) {
        return ERROR_EXISTS;
    }
    memcpy(before, pages, sizeof(before));
    fill(pages, first, count, attributes);
    if (!joined(pages, first) && !joined(pages, first + count) && records_available(model) < 1) {
        memcpy(pages, before, sizeof(before));
        return ERROR_NO_MEMORY;
    }
    return OK;
}

static enum error model_allocate(struct model *model, struct page *pages, uint32_t low, uint32_t high, uint32_t count,
                                 const struct vm_region_attributes *attributes, uint32_t *out_first)
{
    for (uint32_t first = high; first-- > low;) {
        if (count <= high - first && !any_mapped(pages, first, count)) {
            *out_first = first;
            return model_insert(model, pages, first, count, attributes);
        }
    }
    return ERROR_NO_MEMORY;
}

static enum error model_release(struct model *model, struct page *pages, uint32_t first, uint32_t count)
{
    bool splits = true;

    for (uint32_t i = first; i <= first + count; i++) {
        splits = splits && joined(pages, i);
    }
    if (splits && records_available(model) < 1) {
        return ERROR_NO_MEMORY;
    }
    memset(&pages[first], 0, count * sizeof(*pages));
    return OK;
}

static enum error model_protect(struct model *model, struct page *pages, uint32_t first, uint32_t count,
                                uint8_t protection)
{
    for (uint32_t i = first; i < first + count; i++) {
        if (!pages[i].mapped) {
            return ERROR_NOT_FOUND;
        }
        if (pages[i].attributes.backing.kind == VM_BACKING_NONE) {
            return ERROR_DENIED;
        }
    }
    uint32_t cuts = joined(pages, first) && pages[first].attributes.protection != protection ? 1 : 0;
    cuts += joined(pages, first + count) && pages[first + count].attributes.protection != protection ? 1 : 0;
    if (records_available(model) < cuts) {
        return ERROR_NO_MEMORY;
    }
    for (uint32_t i = first; i < first + count; i++) {
        pages[i].attributes.protection = protection;
    }
    return OK;
}

static enum error model_grow_down(struct model *model, struct page *pages, uint32_t page, uint32_t distance_max,
                                  uint32_t guard_pages, uint32_t depth)
{
    uint32_t above = page, below = page;

    while (above < WINDOW && !pages[above].mapped) {
        above++;
    }
    while (below > 0 && !pages[below - 1].mapped) {
        below--;
    }
    if (above == WINDOW || (pages[above].attributes.flags & VM_REGION_GROWS_DOWN) == 0) {
        return ERROR_NOT_FOUND;
    }
    if (above == page) {
        return OK;
    }
    if (above - page > distance_max || (below > 0 && page - below < guard_pages)) {
        return ERROR_NOT_FOUND;
    }
    struct vm_region_attributes attributes = pages[above].attributes;
    attributes.backing = (struct vm_backing){.kind = VM_BACKING_MEMORY, .depth = (uint16_t)depth};
    return model_insert(model, pages, page, above - page, &attributes);
}

static bool model_is_legitimate(const struct page *pages, uint32_t first, uint32_t count, uint8_t protection)
{
    for (uint32_t i = first; i < first + count; i++) {
        if (!pages[i].mapped || pages[i].attributes.backing.kind == VM_BACKING_NONE ||
            (pages[i].attributes.protection & protection) != protection) {
            return false;
        }
    }
    return true;
}

static void model_cut_depths(struct page *pages, uint32_t depth)
{
    for (uint32_t i = 0; i < WINDOW; i++) {
        if (pages[i].attributes.backing.depth > depth) {
            pages[i].attributes.backing.depth = (uint16_t)depth;
        }
    }
}

/* Comparison ------------------------------------------------------------------------------------------------------- */

static void compare_page(const struct model *model, uint32_t tree, uint32_t i)
{
    const struct vm_region_table *table = &model->fixture.table;
    const struct page *page = &model->pages[tree][i];
    const struct vm_region *region = vm_region_find(table, model->fixture.roots[tree], bases[tree] + i);

    assert_int_equal(region != NULL, page->mapped);
    if (region != NULL) {
        struct vm_region_attributes attributes = {
            .protection = region->protection, .flags = region->flags, .backing = region->backing};
        attributes = going_on(attributes, bases[tree] + i - region->first_page);
        assert_true(attributes_equal(&attributes, &page->attributes));
    }
}

/* Iteration meets each region once, in order. */
static void compare_iteration(const struct model *model, uint32_t tree)
{
    const struct vm_region *region;
    uint32_t count = 0;

    for (uint32_t page = 0; (region = vm_region_next(&model->fixture.table, model->fixture.roots[tree], page)) != NULL;
         page = vm_region_end(region)) {
        assert_true(region->first_page >= page);
        count++;
    }
    assert_int_equal(count, region_count(model->pages[tree]));
}

/* References are the regions that name an object, less those. */
static void count_out(const struct page *pages, int32_t counts[OBJECTS])
{
    for (uint32_t i = 0; i < WINDOW; i++) {
        if (pages[i].mapped && !joined(pages, i) && pages[i].attributes.backing.kind == VM_BACKING_OBJECT) {
            counts[pages[i].attributes.backing.object.number - OBJECTS_FIRST]--;
        }
    }
}

static void compare(const struct model *model)
{
    int32_t counts[OBJECTS];
    uint32_t count = 0;

    memcpy(counts, references, sizeof(counts));

    fixture_validate(&model->fixture);
    for (uint32_t tree = 0; tree < TREES; tree++) {
        for (uint32_t i = 0; i < WINDOW; i++) {
            compare_page(model, tree, i);
        }
        compare_iteration(model, tree);
        count_out(model->pages[tree], counts);
        count += region_count(model->pages[tree]);
    }
    for (uint32_t i = 0; i < OBJECTS; i++) {
        assert_int_equal(counts[i], 0);
    }
    assert_int_equal(vm_region_count(&model->fixture.table), count);
}

/* Random calls ----------------------------------------------------------------------------------------------------- */

/* Few enough values that neighbours often continue each other. */
static struct vm_region_attributes random_attributes(struct random *random)
{
    static const uint8_t protections[] = {0, VM_READ, VM_READ | VM_WRITE, VM_READ | VM_EXECUTE};
    static const uint8_t flags[] = {0, 0, 0, VM_REGION_GROWS_DOWN, VM_REGION_GROWS_DOWN, VM_REGION_HEAP};
    struct vm_region_attributes attributes = {.protection = protections[random_below(random, 4)],
                                              .flags = flags[random_below(random, 6)]};

    switch (random_below(random, 6)) {
    case 0:
        attributes.protection = 0;
        attributes.backing.kind = VM_BACKING_NONE;
        break;
    case 1 ... 2:
        attributes.backing =
            (struct vm_backing){.kind = VM_BACKING_MEMORY, .depth = (uint16_t)(7 + random_below(random, 3))};
        break;
    case 3:
        attributes.flags = 0;
        attributes.backing = (struct vm_backing){.kind = VM_BACKING_OBJECT,
                                                 .object = {OBJECTS_FIRST + random_below(random, OBJECTS)},
                                                 .offset = random_below(random, 3)};
        break;
    default:
        attributes.backing.kind = VM_BACKING_MEMORY;
        break;
    }
    return attributes;
}

static uint32_t random_count(struct random *random, uint32_t first)
{
    uint32_t count = 1 + random_below(random, random_below(random, 4) == 0 ? WINDOW : 6);

    return count <= WINDOW - first ? count : WINDOW - first;
}

static void try_allocate(struct model *model, uint32_t tree, uint32_t low, uint32_t count)
{
    uint32_t base = bases[tree], high = low + 1 + random_below(&model->random, WINDOW - low);
    struct vm_region_attributes attributes = random_attributes(&model->random);
    uint32_t expected_first = 0, first = 0;
    enum error expected = model_allocate(model, model->pages[tree], low, high, count, &attributes, &expected_first);
    enum error error = vm_region_allocate(&model->fixture.table, &model->fixture.roots[tree], base + low, base + high,
                                          count, &attributes, &first);

    assert_int_equal(error, expected);
    if (error == OK) {
        assert_int_equal(first, base + expected_first);
    }
}

/* The copy must be the original; its records are given back, so that the table is as before. */
static void try_clone(struct model *model, uint32_t tree)
{
    struct fixture *fixture = &model->fixture;
    uint32_t copy = 0, count = vm_region_count(&fixture->table);
    struct page pages[WINDOW];

    memcpy(pages, model->pages[tree], sizeof(pages));
    bool fits = region_count(pages) <= records_available(model);
    enum error error = vm_region_clone(&fixture->table, fixture->roots[tree], &copy);
    assert_int_equal(error, fits ? OK : ERROR_NO_MEMORY);
    assert_int_equal(vm_region_count(&fixture->table), count + (fits ? region_count(pages) : 0));
    assert_int_equal(vm_region_validate(&fixture->table, copy), OK);
    for (uint32_t i = 0; fits && i < WINDOW; i++) {
        const struct vm_region *region = vm_region_find(&fixture->table, copy, bases[tree] + i);
        assert_int_equal(region != NULL, pages[i].mapped);
        if (region != NULL) {
            struct vm_region_attributes attributes = {
                .protection = region->protection, .flags = region->flags, .backing = region->backing};
            attributes = going_on(attributes, bases[tree] + i - region->first_page);
            assert_true(attributes_equal(&attributes, &pages[i].attributes));
        }
    }
    vm_region_clear(&fixture->table, &copy);
    assert_int_equal(vm_region_count(&fixture->table), count);
}

static void step(struct model *model)
{
    struct vm_region_table *table = &model->fixture.table;
    struct random *random = &model->random;
    uint32_t tree = random_below(random, TREES), base = bases[tree], *root = &model->fixture.roots[tree];
    struct page *pages = model->pages[tree];
    uint32_t first = random_below(random, WINDOW), count = random_count(random, first);
    struct vm_region_attributes attributes = random_attributes(random);
    uint8_t protection = (uint8_t)random_below(random, VM_PROTECTIONS + 1);
    uint32_t distance = random_below(random, 12), guard_pages = random_below(random, 5);
    uint32_t depth = 7 + random_below(random, 3);

    switch (random_below(random, 32)) {
    case 0:
        vm_region_clear(table, root);
        memset(pages, 0, sizeof(model->pages[tree]));
        break;
    case 1:
        try_clone(model, tree);
        if (random_below(random, 4) == 0) {
            vm_region_cut_depths(table, root, depth);
            model_cut_depths(pages, depth);
        }
        break;
    case 2 ... 9:
        assert_int_equal(vm_region_release(table, root, base + first, count),
                         model_release(model, pages, first, count));
        break;
    case 10 ... 15:
        assert_int_equal(vm_region_protect(table, root, base + first, count, protection),
                         model_protect(model, pages, first, count, protection));
        break;
    case 16 ... 19:
        assert_int_equal(vm_region_grow_down(table, root, base + first, distance, guard_pages, depth),
                         model_grow_down(model, pages, first, distance, guard_pages, depth));
        break;
    case 20 ... 23:
        try_allocate(model, tree, first, count);
        break;
    case 24:
        assert_int_equal(vm_region_is_legitimate(table, *root, base + first, count, protection),
                         model_is_legitimate(pages, first, count, protection));
        break;
    default: {
        attributes = going_on(attributes, first); /* so that neighbours often go on where the others end */
        enum error expected = model_insert(model, pages, first, count, &attributes);
        assert_int_equal(vm_region_insert(table, root, base + first, count, &attributes), expected);
    }
    }
}

static void run(uint64_t seed, uint32_t capacity, uint32_t steps)
{
    struct model model = {.random = {seed}};

    memset(references, 0, sizeof(references));
    fixture_create(&model.fixture, capacity);
    model.fixture.table.refer = refer;
    fixture_reserve_all(&model.fixture);
    for (uint32_t i = 0; i < steps; i++) {
        step(&model);
        compare(&model);
    }
    fixture_delete(&model.fixture);
}

static void region_random_calls_agree_with_the_model(void **state)
{
    (void)state;
    uint64_t seed = test_seed();

    for (uint64_t i = 0; i < 10; i++) {
        run(seed + i, 1 + TREES * WINDOW, 10000);
    }
}

/* The table is full at the first record, the second, ... up to where it never is. */
static void region_table_full_at_every_record_agrees_with_the_model(void **state)
{
    (void)state;
    uint64_t seed = test_seed();

    for (uint32_t capacity = 2; capacity < 64; capacity++) {
        run(seed + capacity, capacity, 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(region_random_calls_agree_with_the_model),
        cmocka_unit_test(region_table_full_at_every_record_agrees_with_the_model),
    };

    return cmocka_run_group_tests_name("vm_region against a model", tests, NULL, NULL);
}
