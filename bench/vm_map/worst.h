/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The longest single operation, without whatever else the machine did meanwhile: growth and shrinking are repeated
 * identically, the least time of each operation over the passes is kept, and of these the most is the answer. An
 * interruption would have to meet the same operation in every pass. Part of driver.h.
 */
static void keep_least(uint32_t *least, uint64_t ticks)
{
    *least = ticks < *least ? (uint32_t)ticks : *least;
}

static void time_growth(const struct bench *bench, uint32_t *least)
{
    for (uint32_t i = 0; i < bench->count; i++) {
        uint64_t start = __rdtsc();
        create(bench->keys[i]);
        keep_least(&least[i], __rdtsc() - start);
    }
}

static void time_shrinking(const struct bench *bench, uint32_t *least)
{
    for (uint32_t i = 0; i < bench->count; i++) {
        uint64_t start = __rdtsc();
        table_delete(bench->shuffled[i]);
        keep_least(&least[i], __rdtsc() - start);
    }
}

/* Nanoseconds. */
static double worst(struct bench *bench, uint32_t passes, bool of_delete)
{
    size_t bytes = (size_t)bench->count * sizeof(uint32_t);
    uint32_t *least = (uint32_t *)malloc(bytes);
    uint32_t most = 0;

    memset(least, 0xFF, bytes);
    for (uint32_t pass = 0; pass < passes; pass++) {
        do_open(bench);
        if (of_delete) {
            do_insert(bench, 0, bench->count);
            time_shrinking(bench, least);
        } else {
            time_growth(bench, least);
            do_delete(bench, 0, bench->count);
        }
        table_close();
    }
    for (uint32_t i = 0; i < bench->count; i++) {
        most = least[i] > most ? least[i] : most;
    }
    free(least);
    return most * bench->ns_per_tick;
}
