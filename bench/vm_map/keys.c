/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See keys.h.
 */
#include "keys.h"
#include "vm_map_hash.h"

#include <stdlib.h>
#include <string.h>

const char *const key_family_names[KEY_FAMILIES] = {"dense", "random", "strided", "crafted"};

uint64_t next_random(uint64_t *state)
{
    *state += 0x9E3779B97F4A7C15u;
    uint64_t x = *state;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static void shuffle(uint32_t *values, uint32_t count, uint64_t seed)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)((next_random(&seed) >> 32) * i >> 32);
        uint32_t value = values[i - 1];

        values[i - 1] = values[j];
        values[j] = value;
    }
}

uint32_t *order_make(uint32_t count, uint64_t seed)
{
    uint32_t *order = malloc((size_t)count * sizeof(*order));

    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    shuffle(order, count, seed);
    return order;
}

/* Different pseudo-random numbers: a permutation of 32 bits applied to 0, 1, 2 .. */
static uint32_t scatter(uint32_t x, uint64_t seed)
{
    uint32_t a = (uint32_t)seed | 1;
    uint32_t b = (uint32_t)(seed >> 32);

    x = x * a + b;
    x ^= x >> 16;
    x *= 0x7FEB352Du;
    x ^= x >> 15;
    x *= 0x846CA68Bu;
    return x ^ x >> 16;
}

/*
 * Keys that collide under the unseeded golden-ratio multiplication (its high bits are mostly zero), every second one,
 * and under the seedless form of vm_map's hash (low bits zero), the others.
 */
static void make_crafted(uint32_t *keys, uint32_t count)
{
    const uint64_t zeroes[2] = {0, 0};
    const uint32_t golden_inverse = 0x144CBC89u; /* times 0x9E3779B9 is 1 */
    uint32_t mask = 0xFFFFFFFFu / count / 4;
    uint32_t seed[4];
    uint32_t key = 0;

    vm_map_hash_seed(seed, zeroes);
    for (uint32_t i = 0; i < count; i += 2) {
        keys[i] = (i / 2 + 1) * golden_inverse;
    }
    for (uint32_t bit = 31; bit > 0; bit--) {
        mask |= mask >> 1;
    }
    for (uint32_t i = 1; i < count; i += 2) {
        do {
            key++;
        } while ((vm_map_hash(seed, (struct page_key){key}) & mask & 0xFFFu) != 0 || key * 0x9E3779B9u < 2 * count);
        keys[i] = key;
    }
}

uint32_t *keys_make(enum key_family family, uint32_t count, uint64_t seed)
{
    uint32_t *keys = malloc((size_t)count * 2 * sizeof(*keys));
    uint64_t state = seed;
    uint64_t random = next_random(&state);

    for (uint32_t i = 0; i < count * 2; i++) {
        switch (family) {
        case KEYS_DENSE:
            keys[i] = 0x00100000u + i;
            break;
        case KEYS_STRIDED:
            /* 2^22 strides fill the space; then the next page of each table */
            keys[i] = (i << 10) + (i >> 22);
            break;
        default:
            keys[i] = scatter(i, random);
        }
    }
    if (family == KEYS_CRAFTED) {
        make_crafted(keys, count);
        for (uint32_t i = 0; i < count; i++) {
            keys[count + i] = (i + count) * 0x144CBC89u;
        }
    }
    return keys;
}
