/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page map on the real machine: the stress of its mutexes with the kernel's own threads, and what a large map
 * costs.
 */
#include "arch/clock.h"
#include "arch/frame.h"
#include "log.h"
#include "selftest.h"
#include "thread.h"
#include "vm_map.h"
#include "vm_map_stress.h"

#define MS              1000000ull
#define STRESS_TURNS    400u
#define PAGES_MAX       1048576u
#define BYTES_A_PAGE    72u /* record and table together: what a page may cost */
#define CHAIN_MAX       12u
#define CHECKED_BUCKETS 4096u

static void let_others_run(void (*work)(void *), void *context)
{
    thread_yield();
    work(context);
    thread_yield();
}

SELFTEST(vm_map_pages_stay_whole_under_contention)
{
    struct vm_map_stress_options options = {
        .seed = clock_entropy() | 1, .turns = STRESS_TURNS, .outside = let_others_run};
    struct vm_map_stress_result result;

    vm_map_stress(&options, &result);
    if (result.failure != NULL) {
        log_line("selftest: seed %llu, stress.c:%d: expected %s", options.seed, result.line, result.failure);
    }
    SELFTEST_EXPECT(result.failure == NULL);
    SELFTEST_EXPECT(result.reads > 0 && result.writes > 0 && result.copies > 0 && result.contended > 0);
    SELFTEST_EXPECT(result.page_outs > 0 && result.drops > 0 && result.discards > 0 && result.deletes > 0);
    SELFTEST_EXPECT(result.commits > 0 && result.aborts > 0);
    SELFTEST_EXPECT(thread_sleep_until(clock_boot_ns() + MS) == OK); /* the threads' stacks go */
}

/* Scattered over the whole space, each number once. */
static struct page_key key_of(uint32_t index)
{
    return (struct page_key){index * 2654435761u};
}

static uint32_t create_pages(struct vm_map *map, uint32_t count)
{
    struct vm_page *page;
    uint32_t created = 0;

    while (created < count && vm_map_create(map, key_of(created), &page) == OK) {
        created++;
    }
    return created;
}

static void expect_sound(const struct vm_map *map)
{
    struct vm_map_violation violation;
    uint32_t position = 0;

    do {
        SELFTEST_EXPECT(vm_map_check_step(map, &position, CHECKED_BUCKETS, &violation) == OK);
    } while (position != 0);
}

static void expect_each_page_once(const struct vm_map *map, uint32_t count)
{
    struct vm_map_cursor cursor = {0};
    uint32_t seen = 0, found = 0;

    while (!cursor.done) {
        seen += vm_map_next(map, &cursor) != NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        found += vm_map_find(map, key_of(i)) != NULL;
    }
    SELFTEST_EXPECT(seen == count && found == count);
}

/* With a million pages where there is memory for them, else with as many as three quarters of it can describe. */
SELFTEST(vm_map_page_costs_less_than_72_bytes)
{
    uint32_t fit = frame_count(FRAME_FREE) / 4 * 3 * (PAGE_SIZE / BYTES_A_PAGE);
    uint32_t count = fit < PAGES_MAX ? fit : PAGES_MAX;
    struct vm_map_options options = {.seed = {clock_entropy(), clock_entropy()}, .buckets_max = PAGES_MAX};
    struct vm_map_chains chains;
    struct vm_map map;

    if (vm_map_init(&map, &options) != OK) {
        SELFTEST_EXPECT(false);
        return;
    }
    SELFTEST_EXPECT(create_pages(&map, count) == count);
    vm_map_measure(&map, &chains);
    uint64_t bytes = (uint64_t)map.records.frames_used * PAGE_SIZE + chains.bytes;
    SELFTEST_EXPECT(bytes < (uint64_t)count * BYTES_A_PAGE);
    SELFTEST_EXPECT(chains.longest <= CHAIN_MAX);
    expect_sound(&map);
    expect_each_page_once(&map, count);
    for (uint32_t i = 0; i < count; i++) {
        SELFTEST_EXPECT(vm_map_delete(&map, key_of(i)) == OK);
    }
    SELFTEST_EXPECT(map.records.frames_used == 0 && vm_map_destroy(&map) == OK);
}
