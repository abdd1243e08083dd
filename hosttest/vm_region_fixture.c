/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of regions for tests, over memory of its exact size.
 */
#include "vm_region_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sanitizer/asan_interface.h>

static enum error commit(struct vm_region_table *table, uint32_t count)
{
    struct fixture *fixture = (struct fixture *)table;

    fixture->commit_calls++;
    assert_true(count <= table->capacity);
    if (count > fixture->commit_limit) {
        return ERROR_NO_MEMORY;
    }
    ASAN_UNPOISON_MEMORY_REGION(table->records, count * sizeof(struct vm_region));
    return OK;
}

void fixture_create(struct fixture *fixture, uint32_t capacity)
{
    *fixture = (struct fixture){.commit_limit = capacity};
    fixture->table.records = calloc(capacity, sizeof(struct vm_region));
    fixture->table.capacity = capacity;
    fixture->table.commit = commit;
    assert_non_null(fixture->table.records);
    ASAN_POISON_MEMORY_REGION(fixture->table.records, capacity * sizeof(struct vm_region));
    assert_int_equal(vm_region_table_create(&fixture->table), OK);
}

void fixture_delete(struct fixture *fixture)
{
    ASAN_UNPOISON_MEMORY_REGION(fixture->table.records, fixture->table.capacity * sizeof(struct vm_region));
    free(fixture->table.records);
}

void fixture_validate(const struct fixture *fixture)
{
    assert_int_equal(vm_region_table_validate(&fixture->table), OK);
    for (uint32_t i = 0; i < TREES; i++) {
        assert_int_equal(vm_region_validate(&fixture->table, fixture->roots[i]), OK);
    }
}

void fixture_reserve_all(struct fixture *fixture)
{
    assert_int_equal(fixture->table.commit(&fixture->table, fixture->table.capacity), OK);
    fixture->table.committed = fixture->table.capacity;
}

int fixture_set_up(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    fixture_create(fixture, FIXTURE_CAPACITY);
    fixture_reserve_all(fixture);
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;

    fixture_validate(fixture);
    fixture_delete(fixture);
    free(fixture);
    return 0;
}

enum error fixture_insert(struct fixture *fixture, uint32_t first, uint32_t count,
                          struct vm_region_attributes attributes)
{
    return vm_region_insert(&fixture->table, &fixture->roots[0], first, count, &attributes);
}

enum error fixture_release(struct fixture *fixture, uint32_t first, uint32_t count)
{
    return vm_region_release(&fixture->table, &fixture->roots[0], first, count);
}

enum error fixture_protect(struct fixture *fixture, uint32_t first, uint32_t count, uint8_t protection)
{
    return vm_region_protect(&fixture->table, &fixture->roots[0], first, count, protection);
}

const struct vm_region *fixture_find(const struct fixture *fixture, uint32_t page)
{
    return vm_region_find(&fixture->table, fixture->roots[0], page);
}

struct vm_region_attributes zeroes(uint8_t protection)
{
    return (struct vm_region_attributes){.protection = protection, .backing = {.kind = VM_BACKING_MEMORY}};
}

struct vm_region_attributes deep(uint8_t protection, uint32_t depth)
{
    return (struct vm_region_attributes){.protection = protection,
                                         .backing = {.kind = VM_BACKING_MEMORY, .depth = (uint16_t)depth}};
}

struct vm_region_attributes view(uint8_t protection, uint32_t object, uint32_t offset)
{
    return (struct vm_region_attributes){
        .protection = protection,
        .backing = {.kind = VM_BACKING_OBJECT, .object = {OBJECTS_FIRST + object}, .offset = offset}};
}

struct vm_region_attributes guard(void)
{
    return (struct vm_region_attributes){.backing = {.kind = VM_BACKING_NONE}};
}

struct vm_region_attributes stack(uint8_t protection)
{
    return (struct vm_region_attributes){
        .protection = protection, .flags = VM_REGION_GROWS_DOWN, .backing = {.kind = VM_BACKING_MEMORY}};
}

uint64_t test_seed(void)
{
    const char *text = getenv("EIDOLON_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 1;

    print_message("EIDOLON_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014). */
static uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

uint32_t random_below(struct random *random, uint32_t limit)
{
    return (uint32_t)(random_next(random) % limit);
}
