/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs at random over the whole stack, and power cuts: whatever the moment, the next boot finds one instant of all
 * programs, byte for byte, and one that is not older than what sync() confirmed.
 *
 * Programs share spaces and frames are short, so faults, copies, reclaiming, munmap and mprotect meet the running
 * snapshot at all its places; requests fail and memory runs out in every third world. Each world boots several times,
 * from what a cut at random left behind. Every fourth is short, and cut before every event of its disk.
 *
 * A failure names its seed. Arguments: the seed to start with, and how many worlds to run from there on: one if only a
 * seed is given, forever if it is 0. Without arguments EIDOLON_SEED is the first seed, and EIDOLON_SOAK makes them
 * many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "campaign.h"
#include "space_fixture.h"

#define WORLDS      10u
#define WORLDS_SOAK 3000u

static uint64_t first = 1;
static uint64_t worlds = WORLDS;

/* Sums over all worlds, in memory shared with their processes. */
static struct space_counters *sums;

static void add_counters(const struct space_counters *from)
{
    const uint64_t *values = (const uint64_t *)from;
    uint64_t *totals = (uint64_t *)sums;

    for (uint32_t i = 0; i < sizeof(*from) / sizeof(*values); i++) {
        totals[i] += values[i];
    }
}

static void run_world(void *context)
{
    uint64_t seed = *(const uint64_t *)context;
    struct space_life long_life = {.seed = seed, .boots = 4, .turns = 2000, .cut_one_in = 32};
    struct space_life short_life = {.seed = seed, .boots = 3, .turns = 800, .cut_one_in = 1};

    space_live(seed % 4 == 1 ? &short_life : &long_life);
    add_counters(&space_world.counters);
}

static void print_sums(void)
{
    print_message("%llu stores, %llu loads, %llu record writes, %llu faults, %llu refused\n",
                  (unsigned long long)sums->stores, (unsigned long long)sums->loads, (unsigned long long)sums->records,
                  (unsigned long long)sums->faults, (unsigned long long)sums->refusals);
    print_message("%llu discards, %llu protections, %llu syncs, %llu of them failed\n",
                  (unsigned long long)sums->discards, (unsigned long long)sums->restrictions,
                  (unsigned long long)sums->syncs, (unsigned long long)sums->syncs_failed);
    print_message("%llu snapshots, %llu failed, %llu copies for them, %llu pages reclaimed, %llu paged out\n",
                  (unsigned long long)sums->snapshots, (unsigned long long)sums->snapshots_failed,
                  (unsigned long long)sums->copies, (unsigned long long)sums->drops,
                  (unsigned long long)sums->page_outs);
    print_message("%llu waits interrupted, %llu crash states\n", (unsigned long long)sums->interruptions,
                  (unsigned long long)sums->states);
}

static void space_power_cut_anywhere_recovers_one_instant(void **state)
{
    (void)state;
    memset(sums, 0, sizeof(*sums));
    for (uint64_t seed = first; worlds == 0 || seed < first + worlds; seed++) {
        if (!space_in_child(run_world, &seed, false)) {
            fail_msg("world of seed %llu", (unsigned long long)seed);
        }
        if (seed % 100 == 99) {
            print_sums();
        }
    }
    print_sums();
    assert_true(sums->copies > 0 && sums->snapshots > 0 && sums->page_outs > 0);
    assert_true(worlds < WORLDS || (sums->drops > 0 && sums->snapshots_failed > 0 && sums->syncs > 0));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_power_cut_anywhere_recovers_one_instant),
    };

    first = campaign_seed(first);
    worlds = campaign_length(worlds, WORLDS_SOAK);
    if (argc > 1) {
        first = strtoull(argv[1], NULL, 0);
        worlds = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    }
    sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return sums == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
