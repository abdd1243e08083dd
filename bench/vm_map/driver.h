/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures the table that this file is included into; see table.h for what it needs. run.py starts one process a table
 * and gives them their work in small pieces, in turn, so that what else the machine does meets all of them alike.
 *
 *     bench_<table> FAMILY COUNT SEED
 *
 * Commands come on stdin, one a line, and are answered with one number a line: nanoseconds of processor time, unless
 * said otherwise.
 *
 *     open, close                  an empty table; the end of it, after which keys are created again
 *     insert FIRST COUNT           create keys [FIRST, FIRST + COUNT)
 *     find FIRST COUNT             look keys up and read their records, in random order
 *     find_sequential FIRST COUNT  in the order of their creation
 *     find_dependent FIRST COUNT   in random order, each next key from the record just found
 *     miss FIRST COUNT             look up keys that are not there
 *     delete FIRST COUNT           in random order
 *     iterate                      all pages once
 *     bytes                        memory beyond the records
 *     lost                         how many of the keys created are not found, or have another record's content
 *     left                         how many are found after all have been deleted
 *     worst_insert PASSES          the longest single create and delete while growing and shrinking; see worst.h
 *     worst_delete PASSES
 */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include "keys.h"
#include "table.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define HEAP_BYTES_A_KEY 120u

static const struct timespec no_time = {0, 0};
static volatile uint32_t sink;

struct bench {
    uint32_t count;
    uint32_t *keys;     /* then `count` that are not there */
    uint32_t *shuffled; /* the same keys in another order */
    uint64_t bytes_before;
    uint32_t dependent_key;
    double ns_per_tick;
};

static double processor_ns(void)
{
    struct timespec now = no_time;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd + table_bytes();
}

static void do_open(struct bench *bench)
{
    bench->bytes_before = bytes_in_use();
    table_open();
}

static uint32_t content(uint32_t key)
{
    return key ^ 0x5Au;
}

static void create(uint32_t key)
{
    struct record *record = table_create(key);

    if (record != NULL) {
        record->payload = content(key);
    }
}

static void do_insert(struct bench *bench, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        create(bench->keys[i]);
    }
}

static void find_all(const uint32_t *keys, uint32_t count)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct record *record = table_find(keys[i]);

        if (record != NULL) {
            sum += record->payload;
        }
    }
    sink = sum;
}

static void prepare_dependent(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->count; i++) {
        struct record *record = table_find(bench->shuffled[i]);

        if (record != NULL) {
            record->payload = bench->shuffled[i + 1 == bench->count ? 0 : i + 1];
        }
    }
    bench->dependent_key = bench->shuffled[0];
}

static void do_find_dependent(struct bench *bench, uint32_t first, uint32_t count)
{
    uint32_t key = bench->dependent_key;

    for (uint32_t i = first; i < first + count; i++) {
        struct record *record = table_find(key);

        key = record != NULL ? record->payload : bench->shuffled[i];
    }
    bench->dependent_key = key;
}

static void do_delete(struct bench *bench, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        table_delete(bench->shuffled[i]);
    }
}

static uint32_t count_lost(const struct bench *bench)
{
    uint32_t lost = 0;

    for (uint32_t i = 0; i < bench->count; i++) {
        uint32_t key = bench->keys[i];
        const struct record *record = table_find(key);

        lost += record == NULL || record->key != key || record->payload != content(key);
    }
    return lost;
}

static uint32_t count_left(const struct bench *bench)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < bench->count; i++) {
        left += table_find(bench->keys[i]) != NULL;
    }
    return left;
}

#include "worst.h"

static double calibrate(void)
{
    struct timespec pause = no_time;
    struct timespec start, end;

    pause.tv_nsec = 20000000;
    clock_gettime(CLOCK_MONOTONIC, &start);
    uint64_t ticks = __rdtsc();
    nanosleep(&pause, NULL);
    ticks = __rdtsc() - ticks;
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / (double)ticks;
}

/* Work that takes a range. False: not one of these. */
static bool do_range(struct bench *bench, const char *command, uint32_t first, uint32_t count)
{
    if (strcmp(command, "insert") == 0) {
        do_insert(bench, first, count);
    } else if (strcmp(command, "find") == 0) {
        find_all(bench->shuffled + first, count);
    } else if (strcmp(command, "find_sequential") == 0) {
        find_all(bench->keys + first, count);
    } else if (strcmp(command, "miss") == 0) {
        find_all(bench->keys + bench->count + first, count);
    } else if (strcmp(command, "find_dependent") == 0) {
        do_find_dependent(bench, first, count);
    } else if (strcmp(command, "delete") == 0) {
        do_delete(bench, first, count);
    } else if (strcmp(command, "iterate") == 0) {
        sink = table_iterate();
    } else {
        return false;
    }
    return true;
}

static double answer(struct bench *bench, const char *command, uint32_t first, uint32_t count)
{
    if (strcmp(command, "find_dependent") == 0 && first == 0) {
        prepare_dependent(bench);
    }
    double start = processor_ns();
    if (do_range(bench, command, first, count)) {
        return processor_ns() - start;
    }
    if (strcmp(command, "open") == 0) {
        do_open(bench);
        return 0;
    }
    if (strcmp(command, "close") == 0) {
        table_close();
        return 0;
    }
    if (strcmp(command, "bytes") == 0) {
        return (double)(bytes_in_use() - bench->bytes_before);
    }
    if (strcmp(command, "lost") == 0) {
        return count_lost(bench);
    }
    if (strcmp(command, "left") == 0) {
        return count_left(bench);
    }
    if (strcmp(command, "link_bytes") == 0) {
        return (double)table_link_bytes;
    }
    if (strcmp(command, "worst_insert") == 0 || strcmp(command, "worst_delete") == 0) {
        return worst(bench, first, strcmp(command, "worst_delete") == 0);
    }
    fprintf(stderr, "%s: unknown command %s\n", table_name, command);
    exit(2);
}

/* Have the heap in memory before anything is measured, and let it stay there. */
static void fault_in_heap(size_t bytes)
{
    mallopt(M_ARENA_MAX, 1); /* so that mallinfo2 sees what other threads allocate */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, 0x7FFFFFFF);
    mallopt(M_TOP_PAD, 64 << 20);
    void *heap = malloc(bytes);
    if (heap != NULL) {
        madvise((void *)(((size_t)heap + 4095) & ~(size_t)4095), bytes - 8192, MADV_HUGEPAGE);
        memset(heap, 1, bytes);
    }
    free(heap);
}

int main(int argc, char **argv)
{
    struct bench bench;
    enum key_family family = KEYS_RANDOM;
    char line[128];
    char command[32];

    memset(&bench, 0, sizeof(bench));
    if (argc != 4) {
        fprintf(stderr, "usage: %s FAMILY COUNT SEED\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < KEY_FAMILIES; i++) {
        family = strcmp(argv[1], key_family_names[i]) == 0 ? (enum key_family)i : family;
    }
    bench.count = (uint32_t)strtoul(argv[2], NULL, 0);
    uint64_t seed = strtoull(argv[3], NULL, 0);

    fault_in_heap((size_t)bench.count * HEAP_BYTES_A_KEY + (16u << 20));
    records_start(sizeof(struct record), bench.count);
    bench.keys = keys_make(family, bench.count, seed);
    bench.shuffled = order_make(bench.count, seed + 1);
    for (uint32_t i = 0; i < bench.count; i++) {
        bench.shuffled[i] = bench.keys[bench.shuffled[i]];
    }
    bench.ns_per_tick = calibrate();
    while (fgets(line, sizeof(line), stdin) != NULL) {
        uint32_t first = 0;
        uint32_t count = 0;

        if (sscanf(line, "%31s %u %u", command, &first, &count) >= 1) {
            printf("%.1f\n", answer(&bench, command, first, count));
            fflush(stdout);
        }
    }
    return 0;
}

#endif
