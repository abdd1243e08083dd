/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash in the table: chains stay short for every family of keys and every seed tried, for keys that were crafted to
 * collide under another seed, too.
 *
 * With one page a bucket, a chain of more than 12 has a chance of about 1 in 10^10 a bucket for a perfect hash. Between
 * powers of two the buckets that are still to be split carry up to twice the load, and the chance is up to 3 in 10^8.
 * The sizes and seeds here are fixed; what is tested is that the hash is no worse than a perfect one.
 */
#include "vm_map_fixture.h"

#include "vm_map_hash.h"

#include <stdlib.h>

#define COUNT     65536u
#define CHAIN_MAX 12u
#define SEEDS     (getenv("EIDOLON_SOAK") != NULL ? 200u : 10u)

#define KNOWN_SEED 1000000u /* none of the SEEDS */

typedef uint64_t key_family(uint32_t index);

static uint64_t dense(uint32_t index)
{
    return 0x00100000u + index;
}

static uint64_t scattered(uint32_t index)
{
    index ^= index >> 16;
    index *= 0x7FEB352Du;
    index ^= index >> 15;
    index *= 0x846CA68Bu;
    return index ^ index >> 16;
}

static uint64_t strided_by_table(uint32_t index)
{
    return index << 10;
}

static uint64_t strided_by_space(uint32_t index)
{
    return index << 20 | index >> 12;
}

static uint64_t stacks_and_heaps(uint32_t index)
{
    /* 16 pages at the bottom and 16 at the top of each of many spaces */
    return (index >> 5) << 20 | ((index & 16) != 0 ? 0x7FFF0u : 0x08050u) | (index & 15);
}

/* A page each, and the first few pages, of many objects: half of them in the same lower half of the key. */
static uint64_t first_pages(uint32_t index)
{
    return page_key_make((struct object_id){OBJECTS_FIRST + index}, 0).number;
}

static uint64_t small_files(uint32_t index)
{
    return page_key_make((struct object_id){OBJECTS_FIRST * (1 + index / 8)}, index % 8).number;
}

/* Multiples of the inverse of the golden ratio: an unseeded multiplication puts all of them into one bucket. */
static uint64_t against_multiplication(uint32_t index)
{
    return (index + 1) * 0x144CBC89u;
}

/*
 * Keys that the hash itself puts into few buckets while it has no seed: the low eight bits of each hash are the same.
 * Each call finds the next one, so they are asked for in order.
 */
static uint64_t against_the_unseeded_hash(uint32_t index)
{
    static const uint64_t no_seed[2] = {0, 0};
    static uint32_t key;
    uint32_t seed[4];

    vm_map_hash_seed(seed, no_seed);
    key = index == 0 ? 0 : key + 1;
    while ((vm_map_hash(seed, (struct page_key){key}) & 0xFFu) != 0x5Au) {
        key++;
    }
    return key;
}

static key_family *const families[] = {
    dense,       scattered,   strided_by_table,       strided_by_space,         stacks_and_heaps,
    first_pages, small_files, against_multiplication, against_the_unseeded_hash};

/* Fill a map, hand its chains to `check`, empty it. */
static void with_map(uint64_t seed, const uint64_t *keys, uint32_t count, struct vm_map_chains *chains)
{
    struct vm_map map;

    map_start(&map, 8192, seed);
    for (uint32_t i = 0; i < count; i++) {
        map_create(&map, keys[i]);
    }
    vm_map_measure(&map, chains);
    map_check(&map);
    for (uint32_t i = 0; i < count; i++) {
        map_delete(&map, keys[i]);
    }
    map_stop(&map);
}

static void hash_keeps_chains_short_for_each_family_and_seed(void **unused)
{
    (void)unused;
    uint64_t *keys = malloc(COUNT * sizeof(*keys));
    struct vm_map_chains chains;

    for (size_t family = 0; family < sizeof(families) / sizeof(families[0]); family++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            keys[i] = families[family](i);
        }
        for (uint32_t seed = 0; seed < SEEDS; seed++) {
            with_map(seed, keys, COUNT, &chains);
            assert_int_equal(chains.buckets, COUNT);
            if (chains.longest > CHAIN_MAX || chains.probes > COUNT * 153ull / 100) {
                fail_msg("family %zu, seed %u: chain of %u, %llu probes", family, seed, chains.longest,
                         (unsigned long long)chains.probes);
            }
        }
    }
    free(keys);
}

static void hash_keeps_chains_short_between_powers_of_two(void **unused)
{
    (void)unused;
    const uint32_t counts[] = {40000, 50000, 60000, 100000, 110000, 130000};
    uint64_t *keys = malloc(130000 * sizeof(*keys));
    struct vm_map_chains chains;

    for (size_t family = 0; family < sizeof(families) / sizeof(families[0]); family++) {
        for (uint32_t i = 0; i < 130000; i++) {
            keys[i] = families[family](i);
        }
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
            with_map(i, keys, counts[i], &chains);
            assert_true(chains.longest <= CHAIN_MAX);
            assert_true(chains.probes <= counts[i] * 160ull / 100);
        }
    }
    free(keys);
}

/* Anybody who knows the seed can find keys for one bucket; they are worth nothing under another seed. */
static void hash_keys_crafted_for_one_seed_are_harmless_for_others(void **unused)
{
    (void)unused;
    const uint32_t crafted = 4096;
    uint64_t *keys = malloc(crafted * sizeof(*keys));
    struct vm_map_chains chains;
    uint32_t seed_words[4];
    uint64_t state = 2 * KNOWN_SEED + 1; /* as map_start() makes the words of a seed */
    uint64_t random[2];
    uint32_t found = 0;

    random[0] = test_random(&state);
    random[1] = test_random(&state);
    vm_map_hash_seed(seed_words, random);
    for (uint32_t key = 0; found < crafted; key++) {
        if ((vm_map_hash(seed_words, (struct page_key){key}) & 0xFFFu) == 0) {
            keys[found++] = key;
        }
    }
    with_map(KNOWN_SEED, keys, crafted, &chains);
    assert_int_equal(chains.longest, crafted);
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        with_map(seed, keys, crafted, &chains);
        assert_true(chains.longest <= CHAIN_MAX);
    }
    free(keys);
}

static void hash_multipliers_are_odd_and_large_whatever_the_seed(void **unused)
{
    (void)unused;
    const uint64_t zeroes[2] = {0, 0};
    uint32_t seed[4];

    vm_map_hash_seed(seed, zeroes);
    assert_true((seed[1] & 1) != 0 && seed[1] >> 31 != 0);
    assert_true((seed[3] & 1) != 0 && seed[3] >> 31 != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_keeps_chains_short_for_each_family_and_seed),
        cmocka_unit_test(hash_keeps_chains_short_between_powers_of_two),
        cmocka_unit_test(hash_keys_crafted_for_one_seed_are_harmless_for_others),
        cmocka_unit_test(hash_multipliers_are_odd_and_large_whatever_the_seed),
    };

    return cmocka_run_group_tests_name("vm_map_hash", tests, NULL, NULL);
}
