/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hashes for page numbers, compared: what chains they make and what they cost, each in a table of one bucket a page.
 *
 *     hashes FAMILY COUNT     FAMILY: a family of keys.h, or `attack`
 *
 * Answers with a line for each hash: name, longest chain, probes a page, nanoseconds a hash, nanoseconds a find. The
 * chains are the worst over SEEDS seeds, as a kernel that boots often meets all of them; the times are those of the
 * first. `attack` has keys of its own for each hash: found by trying all keys in turn against its unseeded form, which
 * anybody can read in the source, so that they fall into few of its buckets. A seed is worth what it does to those.
 */
#include "keys.h"
#include "vm_map_hash.h"

#define XXH_INLINE_ALL
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#define SEEDS        100u
#define CHAIN_AIM    2048u /* an attack fills COUNT / CHAIN_AIM buckets */
#define COUNT_MAX    (1u << 20)
#define FIND_PROBES  50000000u /* of all finds that are timed, about */
#define TIMED_PASSES 5u
#define GOLDEN_RATIO 0x9E3779B9u

struct node {
    struct node *next;
    uint32_t key;
    char rest[sizeof(void *) == 4 ? 40 : 68]; /* a page's record */
};

struct parameters {
    uint32_t mask;      /* buckets - 1, a power of two less one */
    uint32_t shift;     /* 32 - its bits */
    uint32_t prime;     /* the largest that is not more than the buckets */
    uint32_t random[2]; /* the seed, zeroes: unseeded */
    uint32_t seed[4];   /* what vm_map_hash_seed() makes of one */
};

static volatile uint32_t sink;

static inline uint32_t bucket_modulus(const struct parameters *p, uint32_t key)
{
    return key % p->prime; /* has no seed */
}

static inline uint32_t bucket_multiply(const struct parameters *p, uint32_t key)
{
    return key * GOLDEN_RATIO >> p->shift; /* has no seed */
}

static inline uint32_t bucket_multiply_seeded(const struct parameters *p, uint32_t key)
{
    return (key ^ p->random[0]) * (GOLDEN_RATIO ^ (p->random[1] & ~1u)) >> p->shift;
}

static inline uint32_t bucket_xxh32(const struct parameters *p, uint32_t key)
{
    return XXH32(&key, sizeof(key), p->random[0]) & p->mask;
}

static inline uint32_t bucket_xxh3(const struct parameters *p, uint32_t key)
{
    uint64_t seed = (uint64_t)p->random[1] << 32 | p->random[0];

    return (uint32_t)XXH3_64bits_withSeed(&key, sizeof(key), seed) & p->mask;
}

static inline uint32_t bucket_vm_map(const struct parameters *p, uint32_t key)
{
    return vm_map_hash(p->seed, (struct page_key){key}) & p->mask;
}

/* vm_map's hash of groups of 16 neighbours, which lie in 16 buckets that are neighbours too. */
static inline uint32_t bucket_vm_map_grouped(const struct parameters *p, uint32_t key)
{
    return (vm_map_hash(p->seed, (struct page_key){key >> 4}) + (key & 15)) & p->mask;
}

/* Loops with each hash inlined, as a table would have it. */
struct candidate {
    const char *name;
    void (*fill)(const struct parameters *p, const uint32_t *keys, uint32_t count, uint32_t *buckets);
    uint32_t (*find)(const struct parameters *p, const uint32_t *keys, uint32_t count, struct node *const *heads);
};

#define CANDIDATE(hash)                                                                                                \
    static void fill_##hash(const struct parameters *p, const uint32_t *keys, uint32_t count, uint32_t *buckets)       \
    {                                                                                                                  \
        for (uint32_t i = 0; i < count; i++) {                                                                         \
            uint32_t bucket = bucket_##hash(p, keys[i]);                                                               \
            __asm__ volatile("" : "+r"(bucket)); /* one at a time, as pages come */                                    \
            buckets[i] = bucket;                                                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static uint32_t find_##hash(const struct parameters *p, const uint32_t *keys, uint32_t count,                      \
                                struct node *const *heads)                                                             \
    {                                                                                                                  \
        uint32_t sum = 0;                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                                         \
            const struct node *node = heads[bucket_##hash(p, keys[i])];                                                \
            while (node->key != keys[i]) {                                                                             \
                node = node->next;                                                                                     \
            }                                                                                                          \
            sum += (uint8_t)node->rest[0];                                                                             \
        }                                                                                                              \
        return sum;                                                                                                    \
    }

CANDIDATE(modulus)
CANDIDATE(multiply)
CANDIDATE(multiply_seeded)
CANDIDATE(xxh32)
CANDIDATE(xxh3)
CANDIDATE(vm_map)
CANDIDATE(vm_map_grouped)

#define ENTRY(hash)                                                                                                    \
    {                                                                                                                  \
#hash, fill_##hash, find_##hash                                                                                \
    }
static const struct candidate candidates[] = {ENTRY(modulus), ENTRY(multiply), ENTRY(multiply_seeded), ENTRY(xxh32),
                                              ENTRY(xxh3),    ENTRY(vm_map),   ENTRY(vm_map_grouped)};

static bool is_prime(uint32_t n)
{
    for (uint32_t i = 2; i <= n / i; i++) {
        if (n % i == 0) {
            return false;
        }
    }
    return true;
}

/* Seed number 0 is none. */
static struct parameters parameters_make(uint32_t buckets, uint32_t seed_number)
{
    struct parameters p = {.mask = buckets - 1, .shift = 32, .prime = buckets};
    uint64_t state = seed_number;
    uint64_t random[2] = {0, 0};

    for (uint32_t n = buckets; n > 1; n >>= 1) {
        p.shift--;
    }
    while (!is_prime(p.prime)) {
        p.prime--;
    }
    if (seed_number != 0) {
        random[0] = next_random(&state);
        random[1] = next_random(&state);
    }
    p.random[0] = (uint32_t)random[0];
    p.random[1] = (uint32_t)(random[0] >> 32);
    vm_map_hash_seed(p.seed, random);
    return p;
}

static void *allocate(size_t bytes)
{
    void *memory = calloc(1, bytes);

    if (memory == NULL) {
        fprintf(stderr, "hashes: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    return memory;
}

/*
 * Keys for the first few buckets of an unseeded hash, in the order of their numbers. One key in CHAIN_AIM is of use, so
 * with up to 2^20 buckets there are enough of them.
 */
static void attack(const struct candidate *hash, uint32_t *keys, uint32_t count)
{
    struct parameters p = parameters_make(count, 0);
    uint32_t tried[4096], buckets[4096];
    uint32_t found = 0;

    for (uint32_t first = 0; found < count; first += 4096) {
        for (uint32_t i = 0; i < 4096; i++) {
            tried[i] = first + i;
        }
        hash->fill(&p, tried, 4096, buckets);
        for (uint32_t i = 0; i < 4096 && found < count; i++) {
            if (buckets[i] < count / CHAIN_AIM) {
                keys[found++] = tried[i];
            }
        }
    }
}

struct result {
    uint32_t longest;
    double probes;
    double hash_ns, find_ns;
};

static void measure_chains(const uint32_t *buckets, uint32_t count, uint32_t *lengths, struct result *result)
{
    double probes = 0;

    memset(lengths, 0, count * sizeof(*lengths));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = ++lengths[buckets[i]];

        probes += length;
        result->longest = length > result->longest ? length : result->longest;
    }
    result->probes = probes / count > result->probes ? probes / count : result->probes;
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure_times(const struct candidate *hash, const uint32_t *keys, uint32_t count, uint32_t *buckets,
                          struct result *result)
{
    struct parameters p = parameters_make(count, 1);
    struct node **heads = allocate(count * sizeof(*heads));
    struct node *nodes = allocate(count * sizeof(*nodes));
    uint32_t *order = order_make(count, 1);
    uint32_t found = (double)count * result->probes < FIND_PROBES ? count : (uint32_t)(FIND_PROBES / result->probes);

    result->hash_ns = result->find_ns = 1e12;
    hash->fill(&p, keys, count, buckets);
    for (uint32_t i = 0; i < count; i++) {
        nodes[i].key = keys[i];
        nodes[i].next = heads[buckets[i]];
        heads[buckets[i]] = &nodes[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = keys[order[i]];
    }
    for (uint32_t pass = 0; pass < TIMED_PASSES; pass++) {
        double start = now_ns();
        hash->fill(&p, keys, count, buckets);
        double between = now_ns();
        sink = hash->find(&p, order, found, heads);
        double end = now_ns();

        result->hash_ns = (between - start) / count < result->hash_ns ? (between - start) / count : result->hash_ns;
        result->find_ns = (end - between) / found < result->find_ns ? (end - between) / found : result->find_ns;
    }
    free(heads);
    free(nodes);
    free(order);
}

int main(int argc, char **argv)
{
    uint32_t count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
    uint32_t *keys = NULL;

    if (argc != 3 || count < CHAIN_AIM || count > COUNT_MAX || (count & (count - 1)) != 0) {
        fprintf(stderr, "usage: %s FAMILY COUNT; COUNT is a power of two, %u to %u\n", argv[0], CHAIN_AIM, COUNT_MAX);
        return 2;
    }
    for (int i = 0; i < KEY_FAMILIES; i++) {
        if (strcmp(argv[1], key_family_names[i]) == 0) {
            keys = keys_make((enum key_family)i, count, 1);
        }
    }
    bool attacks = keys == NULL;
    keys = attacks ? allocate(count * sizeof(*keys)) : keys;
    uint32_t *buckets = allocate(count * sizeof(*buckets));
    uint32_t *lengths = allocate(count * sizeof(*lengths));

    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        struct result result = {0};

        if (attacks) {
            attack(&candidates[i], keys, count);
        }
        for (uint32_t seed = 1; seed <= SEEDS; seed++) {
            struct parameters p = parameters_make(count, seed);

            candidates[i].fill(&p, keys, count, buckets);
            measure_chains(buckets, count, lengths, &result);
        }
        measure_times(&candidates[i], keys, count, buckets, &result);
        printf("%s %u %.3f %.2f %.2f\n", candidates[i].name, result.longest, result.probes, result.hash_ns,
               result.find_ns);
        fflush(stdout);
    }
    return 0;
}
