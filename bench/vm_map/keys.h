/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Families of keys, and orders to visit them in.
 */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * dense     consecutive pages
 * random    scattered over the whole space
 * strided   1,024 apart: one for each page table
 * crafted   chosen so that a single multiplication by the golden ratio, and vm_map's hash with a seed of zeroes, put
 *           them into few buckets
 */
enum key_family { KEYS_DENSE, KEYS_RANDOM, KEYS_STRIDED, KEYS_CRAFTED, KEY_FAMILIES };
extern const char *const key_family_names[KEY_FAMILIES];

/* `count` different keys, then as many that are not among them. */
uint32_t *keys_make(enum key_family family, uint32_t count, uint64_t seed);

/* 0 .. count - 1 in random order. */
uint32_t *order_make(uint32_t count, uint64_t seed);

uint64_t next_random(uint64_t *state);

#ifdef __cplusplus
}
#endif

#endif
