/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of vm_region share: a table over memory of the exact size, and random numbers that can be repeated.
 *
 * Records the table has not committed are poisoned, so that under AddressSanitizer any touch of one is reported.
 */
#ifndef VM_REGION_FIXTURE_H
#define VM_REGION_FIXTURE_H

#include "vm_region.h"

#define TREES 3u

struct fixture {
    struct vm_region_table table; /* first: the table's callback finds the fixture by it */
    uint32_t roots[TREES];
    uint32_t commit_limit; /* more records than this cannot be committed */
    uint32_t commit_calls;
};

/* A new, empty table, all of which can be committed. */
void fixture_create(struct fixture *fixture, uint32_t capacity);
void fixture_delete(struct fixture *fixture);

/* For cmocka: a fixture of FIXTURE_CAPACITY records, all committed, in *state; validated and deleted at the end. */
#define FIXTURE_CAPACITY 64u
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Everything that can be checked between two changes. */
void fixture_validate(const struct fixture *fixture);

/* Commit all records up to the capacity, so that changes fail only when the table is full. */
void fixture_reserve_all(struct fixture *fixture);

/* The calls of vm_region on the first tree. */
enum error fixture_insert(struct fixture *fixture, uint32_t first, uint32_t count,
                          struct vm_region_attributes attributes);
enum error fixture_release(struct fixture *fixture, uint32_t first, uint32_t count);
enum error fixture_protect(struct fixture *fixture, uint32_t first, uint32_t count, uint8_t protection);
const struct vm_region *fixture_find(const struct fixture *fixture, uint32_t page);

/* Shorthand for attributes. */
struct vm_region_attributes zeroes(uint8_t protection);
struct vm_region_attributes deep(uint8_t protection, uint32_t depth);

/* A view of an object, the first of which is 0. */
struct vm_region_attributes view(uint8_t protection, uint32_t object, uint32_t offset);
struct vm_region_attributes guard(void);
struct vm_region_attributes stack(uint8_t protection);

/* The seed of this run: EIDOLON_SEED, or 1; printed, so that a failure can be repeated. */
uint64_t test_seed(void);

struct random {
    uint64_t state;
};

/* 0 .. limit - 1; limit is 1 or more. */
uint32_t random_below(struct random *random, uint32_t limit);

#endif
