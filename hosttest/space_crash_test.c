/*
 * Programs at random over the whole stack, and power cuts: whatever the moment, the next boot finds one instant of all
 * programs, byte for byte, and one that is not older than what sync() confirmed.
 *
 * Programs share spaces and frames are short, so faults, copies, reclaiming, munmap and mprotect meet the running
 * snapshot at all its places; requests fail and memory runs out in every third world. Each world boots several times,
 * from what a cut at random left behind.
 *
 * A failure names its seed; the program given that seed runs only it. EIDOLON_SPACE_WORLDS sets how many are run.
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

#include "space_fixture.h"

#define BOOTS 4u

static uint64_t only;
static uint64_t worlds = 16;

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

/* Let a request or an allocation fail now and then. */
static void inject_faults(void)
{
    struct fake_disk_fault *fault = &space_world.slow.disk->fault;

    if (space_chance(40)) {
        *fault = (struct fake_disk_fault){
            .armed = true,
            .operation = space_chance(3) ? BLOCK_FLUSH : BLOCK_WRITE,
            .first = space_below(30),
            .count = 1 + space_below(3),
            .error = ERROR_IO,
            .is_done_anyway = space_chance(2),
        };
    }
    if (space_chance(20)) {
        fake_fail_allocations(space_below(30), 1 + space_below(4));
    }
}

static void run_boot(bool has_faults, uint32_t turns)
{
    struct space_world *world = &space_world;

    space_boot();
    world->has_faults = has_faults;
    for (uint32_t i = 0; i < 3; i++) {
        space_start_program(1 + i % SPACE_PROGRAMS);
    }
    for (uint32_t turn = 0; turn < turns; turn++) {
        if (has_faults) {
            inject_faults();
        }
        fake_clock_advance(space_below(4000000));
        thread_yield();
    }
    bool is_orderly = space_chance(3);
    world->is_ending = is_orderly;
    world->slow.is_off = !is_orderly;
    space_wait_programs();
    if (is_orderly) {
        space_shut_down();
    } else {
        space_power_off();
    }
}

static void run_world(void *context)
{
    uint64_t seed = *(const uint64_t *)context;
    struct space_options options = {
        .seed = seed,
        .frames = space_frames(40 + (uint32_t)(seed * 37 % 160)),
        .interval_ms = (uint32_t)(seed % 4) * 7,
        .is_random = true,
    };

    space_world_start(&options);
    for (uint32_t i = 0; i < BOOTS; i++) {
        run_boot(seed % 3 == 0, 400 + space_below(400));
        space_crash(32, 2);
    }
    space_world_free();
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
    print_message("%llu snapshots, %llu failed, %llu copies for them, %llu pages reclaimed\n",
                  (unsigned long long)sums->snapshots, (unsigned long long)sums->snapshots_failed,
                  (unsigned long long)sums->copies, (unsigned long long)sums->drops);
    print_message("%llu crash states\n", (unsigned long long)sums->states);
}

static void space_power_cut_anywhere_recovers_one_instant(void **state)
{
    (void)state;
    memset(sums, 0, sizeof(*sums));
    for (uint64_t i = 1; i <= worlds; i++) {
        uint64_t seed = only != 0 ? only : i;
        if (!space_in_child(run_world, &seed, false)) {
            fail_msg("world of seed %llu", (unsigned long long)seed);
        }
        if (only != 0) {
            break;
        }
    }
    print_sums();
    assert_true(sums->copies > 0 && sums->snapshots > 0);
    assert_true(only != 0 || (sums->drops > 0 && sums->snapshots_failed > 0 && sums->syncs > 0));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_power_cut_anywhere_recovers_one_instant),
    };

    only = space_seed(argc, argv);
    if (getenv("EIDOLON_SPACE_WORLDS") != NULL) {
        worlds = strtoull(getenv("EIDOLON_SPACE_WORLDS"), NULL, 10);
    }
    sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return sums == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
