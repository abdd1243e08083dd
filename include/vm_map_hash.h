/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash of the inverted page table: 48 bits of key to 32 bits, keyed by four seed words.
 *
 * Two multiplications of 32 by 32 bits, each folded: both halves of the product are kept, so that every bit of the key
 * reaches the low bits, which choose the bucket. The upper half of the key, which is 0 for the pages of windows, is
 * spread by an odd factor in between. Without the seed words nobody can tell which pages collide. It needs nothing but
 * the one-operand multiplication that i386 has. docs/performance.md compares it with others.
 */
#ifndef VM_MAP_HASH_H
#define VM_MAP_HASH_H

#include "types.h"

#define VM_MAP_HASH_SPREAD 0x9E3779B1u /* any odd number whose bits look random */

static inline uint32_t vm_map_hash_fold(uint32_t a, uint32_t b)
{
    uint64_t product = (uint64_t)a * b;

    return (uint32_t)product ^ (uint32_t)(product >> 32);
}

static inline uint32_t vm_map_hash(const uint32_t seed[4], struct page_key key)
{
    uint32_t low = (uint32_t)key.number, high = (uint32_t)(key.number >> 32);

    return vm_map_hash_fold(vm_map_hash_fold(low ^ seed[0], seed[1]) ^ high * VM_MAP_HASH_SPREAD ^ seed[2], seed[3]);
}

/* Seed words from 128 unpredictable bits: the multipliers are made odd and dense enough to mix. */
static inline void vm_map_hash_seed(uint32_t seed[4], const uint64_t random[2])
{
    seed[0] = (uint32_t)random[0];
    seed[1] = (uint32_t)(random[0] >> 32) | 0x80000001u;
    seed[2] = (uint32_t)random[1];
    seed[3] = (uint32_t)(random[1] >> 32) | 0x80000001u;
}

#endif
