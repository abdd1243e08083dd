/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power cuts. See store_crash.h.
 */
#include "store_crash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BLOCKS STORE_BLOCKS_MIN

struct scenario {
    struct crash_run *run;
    struct fake_disk base, disk, crashed, recrash_base;
    struct world world;
    uint64_t seed;
};

/* Small logs and short histories, so that merges begin and end and generations go within few snapshots. */
static void tuning_choose(struct world *world)
{
    world->tuning = (struct store_tuning){
        .history = 2 + world_below(world, 5),
        .log_records = 2 + world_below(world, 6),
        .log_entries = 4 + world_below(world, 60),
        .cache_nodes = 8,
    };
}

/* Every third scenario runs on a disk on which now and then a write or a flush fails. */
static void faults_choose(struct scenario *scenario)
{
    struct world *world = &scenario->world;
    bool is_faulty = world_below(world, 3) == 0;
    scenario->disk.random = world_random(world);
    scenario->disk.chance[BLOCK_WRITE] = is_faulty && world_below(world, 2) == 0 ? 20 + world_below(world, 100) : 0;
    scenario->disk.chance[BLOCK_FLUSH] = is_faulty ? 4 + world_below(world, 10) : 0;
}

static void faults_end(struct scenario *scenario)
{
    memset(scenario->disk.chance, 0, sizeof(scenario->disk.chance));
}

/* On a faulty disk a snapshot may fail, but no two things may go wrong at once: closing and opening are spared. */
static void scenario_run(struct scenario *scenario)
{
    struct world *world = &scenario->world;
    tuning_choose(world);
    world_open(world);
    if (world_below(world, 2) == 0) {
        world_ladder(world);
    }
    uint32_t snapshots = 3 + world_below(world, 24);
    for (uint32_t i = 0; i < snapshots; i++) {
        world_write(world, 1 + world_below(world, world_below(world, 4) == 0 ? 60 : 6));
        if (world_below(world, 3) == 0) {
            world_delete(world);
        }
        world_page_out(world, world_below(world, 6));
        faults_choose(scenario);
        enum error error = world_snapshot(world, world_below(world, 2) == 0);
        bool was_faulty = scenario->disk.chance[BLOCK_FLUSH] != 0;
        faults_end(scenario);
        if (was_faulty && error == ERROR_IO) {
            error = world_snapshot(world, false);
        }
        assert_int_equal(error, OK);
        switch (world_below(world, 12)) {
        case 0:
            world_close(world);
            world_open(world);
            break;
        case 1:
        case 2:
            world_pin(world);
            break;
        case 3:
            world_branch(world, world_kept(world));
            break;
        case 4:
            for (uint32_t left = 4; left > 0 && !store_is_compact(world->store); left--) {
                assert_int_equal(world_compact(world), OK);
            }
            break;
        default:
            break;
        }
    }
    world_close(world);
}

/* What is kept besides the newest generation can be opened, too. */
static bool history_is_right(const struct world *world, struct fake_disk *disk, struct store *store, char *why,
                             size_t room)
{
    struct store_kept kept = {0};
    while (store_kept_before(store, kept.generation, &kept) == OK) {
        struct store_open_options options = {.read_only = true, .generation = kept.generation};
        struct store_report report;
        struct store *earlier;
        enum error error = store_open(&disk->device, &options, &earlier, &report);
        if (error != OK) {
            snprintf(why, room, "kept generation %llu: %s", (unsigned long long)kept.generation.number,
                     error_text(error));
            return false;
        }
        const struct world_generation *generation = world_generation(world, kept.generation.number);
        bool equal = generation != NULL && world_equals(world, earlier, generation, why, room);
        if (store_close(earlier) != OK || !equal) {
            return false;
        }
    }
    return true;
}

/* The image lives on: one more commit, and everything is still in order. */
static bool commit_is_right(struct fake_disk *disk, struct store *store, char *why, size_t room)
{
    (void)disk;
    enum error error = store_delete(store, (struct page_key){5}, 1);
    if (error == OK) {
        error = store_snapshot_seal(store);
    }
    if (error == OK) {
        error = store_snapshot_commit(store, "x", 1, 77);
    }
    if (error != OK) {
        snprintf(why, room, "commit after recovery: %s", error_text(error));
    }
    return error == OK && store_is_sound(store, true, why, room);
}

static void complain(const struct scenario *scenario, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A mutated disk is expected to fail; that needs no words. */
static void complain(const struct scenario *scenario, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!scenario->run->is_quiet) {
        vprintf(format, arguments);
    }
    va_end(arguments);
}

/* Open what a crash has left and compare. `depth`: how much else to look at. */
static bool state_is_right(struct scenario *scenario, struct fake_disk *disk, uint32_t cut, uint32_t depth,
                           const char *id)
{
    char why[200] = "";
    const struct world *world = &scenario->world;
    struct store_open_options options = {.user = 7, .tuning = world->tuning};
    struct store_report report;
    struct store *store;
    enum error error = store_open(&disk->device, &options, &store, &report);
    if (error != OK) {
        complain(scenario, "state %s: open: %s (%s)\n", id, error_text(error), report.reason);
        return false;
    }
    uint64_t confirmed = 0;
    for (uint32_t i = 0; i < world->generation_count; i++) {
        if (world->generations[i].confirmed_at <= cut) {
            confirmed = world->generations[i].number;
        }
    }
    const struct world_generation *match = world_generation(world, report.generation.number);
    bool right = match != NULL && match->started_at <= cut && match->number >= confirmed &&
                 world_equals(world, store, match, why, sizeof(why));
    right = right && (depth % 4 != 0 || store_is_sound(store, depth % 8 == 0, why, sizeof(why)));
    right = right && (depth % 16 != 0 || history_is_right(world, disk, store, why, sizeof(why)));
    right = right && (depth % 16 != 8 || commit_is_right(disk, store, why, sizeof(why)));
    if (!right) {
        complain(scenario, "state %s: generation %llu, confirmed %llu: %s\n", id,
                 (unsigned long long)report.generation.number, (unsigned long long)confirmed, why);
    }
    if (store_close(store) != OK) {
        complain(scenario, "state %s: close failed\n", id);
        right = false;
    }
    return right;
}

/* Cut the recovery that has just run on `crashed` again. */
static bool recovery_is_right(struct scenario *scenario, uint32_t cut, uint32_t variant)
{
    static struct fake_disk again;
    struct fake_disk_cut second;
    bool right = true;
    fake_disk_start(&again, DISK_BLOCKS);
    again.is_recording = false;
    fake_disk_cut_start(&second, &scenario->recrash_base, &scenario->crashed);
    do {
        uint32_t variants = fake_disk_variants(&second, 2);
        for (uint32_t v = 0; v < variants && right; v++) {
            char id[120];
            snprintf(id, sizeof(id), "%llu:%u:%u:%u:%u", (unsigned long long)scenario->seed, cut, variant, second.cut,
                     v);
            fake_disk_crash(&again, &second, v);
            right = state_is_right(scenario, &again, cut, second.cut + v, id);
            scenario->run->states++;
        }
    } while (right && fake_disk_cut_next(&second));
    fake_disk_cut_stop(&second);
    fake_disk_stop(&again);
    return right;
}

static bool variant_is_right(struct scenario *scenario, const struct fake_disk_cut *cut, uint32_t variant)
{
    char id[120];
    snprintf(id, sizeof(id), "%llu:%u:%u", (unsigned long long)scenario->seed, cut->cut, variant);
    if (scenario->run->only != NULL && strncmp(scenario->run->only, id, strlen(id)) != 0) {
        return true;
    }
    bool twice = (cut->cut * 31 + variant) % 97 == 0 || scenario->run->only != NULL;
    fake_disk_crash(&scenario->crashed, cut, variant);
    if (twice) {
        memcpy(scenario->recrash_base.blocks, scenario->crashed.blocks,
               DISK_BLOCKS * sizeof(*scenario->crashed.blocks));
    }
    scenario->crashed.is_recording = twice;
    scenario->run->states++;
    bool right = state_is_right(scenario, &scenario->crashed, cut->cut, twice ? 4 : cut->cut + variant, id);
    return right && (!twice || recovery_is_right(scenario, cut->cut, variant));
}

bool crash_scenario(struct crash_run *run, uint64_t seed)
{
    static struct scenario scenario;
    scenario.run = run;
    scenario.seed = seed;
    fake_machine_start(4096);
    fake_disk_start(&scenario.base, DISK_BLOCKS);
    fake_disk_start(&scenario.disk, DISK_BLOCKS);
    fake_disk_start(&scenario.crashed, DISK_BLOCKS);
    fake_disk_start(&scenario.recrash_base, DISK_BLOCKS);
    scenario.base.is_recording = false;

    world_start(&scenario.world, &scenario.disk, 48, seed);
    fake_disk_copy(&scenario.base, &scenario.disk);
    fake_disk_settle(&scenario.disk);
    scenario_run(&scenario);
    fake_disk_mutate(&scenario.disk, run->mutation);

    struct fake_disk_cut cut;
    bool right = true;
    fake_disk_cut_start(&cut, &scenario.base, &scenario.disk);
    do {
        uint32_t variants = fake_disk_variants(&cut, 6);
        uint32_t step = variants > 24 && run->only == NULL ? variants / 24 : 1;
        for (uint32_t v = 0; v < variants && right; v += v < 2 ? 1 : step) {
            right = variant_is_right(&scenario, &cut, v);
        }
    } while (right && fake_disk_cut_next(&cut));
    fake_disk_cut_stop(&cut);

    world_stop(&scenario.world);
    fake_disk_stop(&scenario.recrash_base);
    fake_disk_stop(&scenario.crashed);
    fake_disk_stop(&scenario.disk);
    fake_disk_stop(&scenario.base);
    fake_machine_stop();
    return right;
}
