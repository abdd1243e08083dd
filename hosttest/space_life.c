/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world's life at random: boots with three programs, faults of disk and memory in every third world, and an end that
 * is orderly or not, after which the power cuts are looked at.
 */
#include "space_fixture.h"

#define PROGRAMS 3u /* threads of them */

/* Let a request or an allocation fail now and then. */
static void inject_faults(void)
{
    struct fake_disk_fault *fault = &space_world.slow.disk->fault;

    if (space_chance(40)) {
        bool is_read = space_chance(4); /* which is tried again, up to twice */
        *fault = (struct fake_disk_fault){
            .armed = true,
            .operation = is_read           ? BLOCK_READ
                         : space_chance(3) ? BLOCK_FLUSH
                                           : BLOCK_WRITE,
            .first = space_below(30),
            .count = 1 + space_below(is_read ? 2 : 3),
            .error = ERROR_IO,
            .is_done_anyway = space_chance(2),
        };
    }
    if (space_chance(20)) {
        fake_fail_allocations(space_below(30), 1 + space_below(4));
    }
}

static void live_one_boot(const struct space_life *life, bool has_faults, uint32_t turns)
{
    struct space_world *world = &space_world;
    struct thread *programs[PROGRAMS];

    space_boot();
    world->has_faults = has_faults;
    if (life->mutate != NULL) {
        life->mutate();
    }
    for (uint32_t i = 0; i < PROGRAMS; i++) {
        programs[i] = space_start_program(1 + i % SPACE_PROGRAMS);
    }
    if (life->start != NULL) {
        life->start();
    }
    for (uint32_t turn = 0; turn < turns; turn++) {
        if (has_faults) {
            inject_faults();
        }
        if (space_chance(50)) {
            thread_interrupt(programs[space_below(PROGRAMS)]);
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

/* Every other world keeps little history, merges its log often and has few nodes of the store's trees in memory. */
static struct store_tuning tuning(uint32_t seed)
{
    if (seed % 2 == 0) {
        return (struct store_tuning){0};
    }
    return (struct store_tuning){
        .history = 2 + seed % 6,
        .log_records = 2 + seed % 7,
        .log_entries = 16 + seed % 100,
        .cache_nodes = 8,
    };
}

void space_live(const struct space_life *life)
{
    struct space_options options = {
        .extension = life->extension,
        .seed = life->seed,
        .frames = space_frames(life->seed % 5 == 4 ? 1000 : 40 + (uint32_t)(life->seed * 37 % 160)),
        .blocks = life->seed % 7 == 5 ? STORE_BLOCKS_MIN : SPACE_DISK_BLOCKS,
        .interval_ms = (uint32_t)(life->seed % 4) * 7,
        .tuning = tuning((uint32_t)life->seed),
        .is_random = true,
    };

    space_world_start(&options);
    for (uint32_t i = 0; i < life->boots; i++) {
        live_one_boot(life, life->seed % 3 == 0, life->turns / 2 + space_below(life->turns));
        space_crash(life->cut_one_in, 2);
    }
    space_world_free();
}
