/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs with different ways to use memory, each of which knows what must come out.
 *
 *     sort   quicksort of sixteen keys a page: a window that halves again and again, read and written
 *     scan   ten times from the first page to the last, reading only: worse than useless to keep what came last
 *     focus  small windows at random places, one after the other, with stores among the loads; and a scan at the end
 *     zipf   a page of rank r is touched in proportion to 1 / r; one access of eight writes
 *     mix    zipf with a scan of all pages every now and then, as of a back-up or a collector
 */
#include "lab.h"
#include <string.h>

#define KEYS_A_PAGE    16u
#define SCANS          10u
#define WORDS_SCANNED  16u /* of each page */
#define FOCUSES        60u
#define FOCUS_ACCESSES 400u
#define ZIPF_ACCESSES  20000u
#define MIX_TURNS      8u

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u; /* Numerical Recipes; the high bits are the good ones */
    return *state;
}

static uint32_t random_below(uint32_t *state, uint32_t limit)
{
    return (uint32_t)((uint64_t)next_random(state) * limit >> 32);
}

uint32_t lab_initial_word(uint32_t word)
{
    word *= 0x9E3779B9u;
    return word ^ word >> 15;
}

static uint32_t load(const struct lab_memory *memory, uint32_t word)
{
    return memory->load(memory->context, word);
}

static void store(const struct lab_memory *memory, uint32_t word, uint32_t value)
{
    memory->store(memory->context, word, value);
}

/* Sort ------------------------------------------------------------------------------------------------------------- */

static uint32_t key_word(uint32_t key)
{
    return key * (LAB_PAGE_WORDS / KEYS_A_PAGE);
}

static void swap(const struct lab_memory *memory, uint32_t a, uint32_t b)
{
    uint32_t value = load(memory, key_word(a));

    store(memory, key_word(a), load(memory, key_word(b)));
    store(memory, key_word(b), value);
}

/* Keys [first, last] around the middle one; returns the last of the lower part. Hoare 1961. */
static uint32_t partition(const struct lab_memory *memory, uint32_t first, uint32_t last)
{
    uint32_t pivot = load(memory, key_word(first + (last - first) / 2));

    for (;;) {
        while (load(memory, key_word(first)) < pivot) {
            first++;
        }
        while (load(memory, key_word(last)) > pivot) {
            last--;
        }
        if (first >= last) {
            return last;
        }
        swap(memory, first++, last--);
    }
}

/* The smaller part by recursion, so that its depth is the logarithm of the number of keys. */
static void sort_keys(const struct lab_memory *memory, uint32_t first, uint32_t last)
{
    while (first < last) {
        uint32_t middle = partition(memory, first, last);
        if (middle - first < last - middle - 1) {
            sort_keys(memory, first, middle);
            first = middle + 1;
        } else {
            sort_keys(memory, middle + 1, last);
            last = middle;
        }
    }
}

static bool sort(const struct lab_memory *memory)
{
    uint32_t keys = memory->pages * KEYS_A_PAGE;
    uint32_t sum = 0, previous = 0;
    bool right = true;

    sort_keys(memory, 0, keys - 1);
    for (uint32_t key = 0; key < keys; key++) {
        uint32_t value = load(memory, key_word(key));
        right = right && value >= previous;
        previous = value;
        sum += value - lab_initial_word(key_word(key));
    }
    return right && sum == 0;
}

/* Scan ------------------------------------------------------------------------------------------------------------- */

/* Whether the sum of some words of each page is what it was at the start. */
static bool scan_once(const struct lab_memory *memory, uint32_t words)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < memory->pages * words; i++) {
        uint32_t word = i * (LAB_PAGE_WORDS / words) + 1; /* the others are written by nobody */
        sum += load(memory, word) - lab_initial_word(word);
    }
    return sum == 0;
}

static bool scan(const struct lab_memory *memory)
{
    bool right = true;

    for (uint32_t i = 0; i < SCANS; i++) {
        right = scan_once(memory, WORDS_SCANNED) && right;
    }
    return right;
}

/* Focus and zipf: counters at the head of each page ---------------------------------------------------------------- */

static void count(const struct lab_memory *memory, uint32_t page)
{
    store(memory, page * LAB_PAGE_WORDS, load(memory, page * LAB_PAGE_WORDS) + 1);
}

/* Whether the counters have gone up by so much in all. */
static bool has_counted(const struct lab_memory *memory, uint32_t times)
{
    uint32_t sum = 0;

    for (uint32_t page = 0; page < memory->pages; page++) {
        sum += load(memory, page * LAB_PAGE_WORDS) - lab_initial_word(page * LAB_PAGE_WORDS);
    }
    return sum == times;
}

static bool focus(const struct lab_memory *memory)
{
    uint32_t random = LAB_SEED, window = memory->pages / 8, counted = 0;

    for (uint32_t i = 0; i < FOCUSES; i++) {
        uint32_t start = random_below(&random, memory->pages - window + 1);
        for (uint32_t j = 0; j < FOCUS_ACCESSES; j++) {
            uint32_t page = start + random_below(&random, window);
            if (random_below(&random, 4) == 0) {
                count(memory, page);
                counted++;
            } else {
                (void)load(memory, page * LAB_PAGE_WORDS + random_below(&random, LAB_PAGE_WORDS));
            }
        }
    }
    return has_counted(memory, counted);
}

/* Pages in order of rank, and the sum of 1 / r up to each. */
static struct {
    uint32_t page[LAB_PAGES_MAX];
    uint32_t sum[LAB_PAGES_MAX];
} ranks;

static void rank_pages(uint32_t pages, uint32_t *random)
{
    for (uint32_t i = 0; i < pages; i++) {
        ranks.page[i] = i;
        ranks.sum[i] = (i > 0 ? ranks.sum[i - 1] : 0) + (1u << 24) / (i + 1);
    }
    for (uint32_t i = pages; i > 1; i--) { /* Fisher and Yates */
        uint32_t other = random_below(random, i), page = ranks.page[other];
        ranks.page[other] = ranks.page[i - 1];
        ranks.page[i - 1] = page;
    }
}

static uint32_t draw_page(uint32_t pages, uint32_t *random)
{
    uint32_t drawn = random_below(random, ranks.sum[pages - 1]), low = 0, high = pages - 1;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (ranks.sum[middle] > drawn) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return ranks.page[low];
}

/* Returns how often a counter went up. */
static uint32_t walk(const struct lab_memory *memory, uint32_t accesses, uint32_t *random)
{
    uint32_t counted = 0;

    for (uint32_t i = 0; i < accesses; i++) {
        uint32_t page = draw_page(memory->pages, random);
        if (random_below(random, 8) == 0) {
            count(memory, page);
            counted++;
        } else {
            (void)load(memory, page * LAB_PAGE_WORDS + random_below(random, LAB_PAGE_WORDS));
        }
    }
    return counted;
}

static bool zipf(const struct lab_memory *memory)
{
    uint32_t random = LAB_SEED;

    rank_pages(memory->pages, &random);
    uint32_t counted = walk(memory, ZIPF_ACCESSES, &random);
    return has_counted(memory, counted);
}

static bool mix(const struct lab_memory *memory)
{
    uint32_t random = LAB_SEED, counted = 0;
    bool right = true;

    rank_pages(memory->pages, &random);
    for (uint32_t i = 0; i < MIX_TURNS; i++) {
        counted += walk(memory, ZIPF_ACCESSES / MIX_TURNS, &random);
        right = scan_once(memory, 1) && right;
    }
    return has_counted(memory, counted) && right;
}

static const struct lab_program programs[] = {
    {"sort", sort}, {"scan", scan}, {"focus", focus}, {"zipf", zipf}, {"mix", mix},
};

#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

const struct lab_program *lab_program_at(uint32_t index)
{
    return index < PROGRAMS ? &programs[index] : NULL;
}

const struct lab_program *lab_program_find(const char *name)
{
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        if (strcmp(programs[i].name, name) == 0) {
            return &programs[i];
        }
    }
    return NULL;
}
