/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of vm_map share: a machine with a map on it, random numbers from a printed seed, and checks.
 */
#ifndef VM_MAP_FIXTURE_H
#define VM_MAP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake/machine.h"
#include "vm_map.h"

/*
 * The seed of this run: the environment's EIDOLON_SEED or a fixed one, printed so that a failure can be repeated; and a
 * generator (xorshift64*) that starts from it.
 */
uint64_t test_seed(void);
uint64_t test_random(uint64_t *state);
uint32_t test_random_below(uint64_t *state, uint32_t limit);

/* A machine with `frames` frames and a map whose hash is seeded with `seed`. */
void map_start(struct vm_map *map, uint32_t frames, uint64_t seed);

/* The map must be empty. */
void map_stop(struct vm_map *map);

/* Fail the test if an invariant is broken. */
void map_check(const struct vm_map *map);

/* What pagers of tests share that are not about it: nothing has to be discarded, and nothing is written ahead. */
enum error pager_discard(struct page_key first, uint32_t count);
enum error pager_page_out(struct vm_page *const pages[], uint32_t count);

struct vm_page *map_create(struct vm_map *map, uint64_t key);
void map_delete(struct vm_map *map, uint64_t key);

#endif
