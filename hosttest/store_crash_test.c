/*
 * Power cuts: every scenario is cut before every event of its disk, and each cut is combined with losses, reorderings
 * and torn sectors of what was not durable. What is then recovered must be, byte for byte, a committed generation that
 * is not older than the last confirmed one. Some of the states are cut again during their recovery and first commit.
 *
 * A failing state prints its id, SCENARIO:CUT:VARIANT[:CUT:VARIANT]; the program given that id as argument runs only
 * it. EIDOLON_CRASH_STATES sets the number of states to look at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_fixture.h"

#define DISK_BLOCKS STORE_BLOCKS_MIN

static uint64_t states_wanted = 100000;
static uint64_t states_seen;
static const char *only;

struct scenario {
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

static void scenario_run(struct scenario *scenario)
{
    struct world *world = &scenario->world;
    tuning_choose(world);
    world_open(world);
    uint32_t snapshots = 3 + world_below(world, 24);
    for (uint32_t i = 0; i < snapshots; i++) {
        world_write(world, 1 + world_below(world, world_below(world, 4) == 0 ? 60 : 6));
        if (world_below(world, 3) == 0) {
            world_delete(world);
        }
        world_page_out(world, world_below(world, 6));
        assert_int_equal(world_snapshot(world, world_below(world, 2) == 0), OK);
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
    enum error error = store_delete(store, (struct gpn){5}, 1);
    error = error != OK ? error : store_snapshot_seal(store);
    error = error != OK ? error : store_snapshot_commit(store, "x", 1, 77);
    if (error != OK) {
        snprintf(why, room, "commit after recovery: %s", error_text(error));
    }
    return error == OK && store_is_sound(store, true, why, room);
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
        printf("state %s: open: %s (%s)\n", id, error_text(error), report.reason);
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
        printf("state %s: generation %llu, confirmed %llu: %s\n", id, (unsigned long long)report.generation.number,
               (unsigned long long)confirmed, why);
    }
    if (store_close(store) != OK) {
        printf("state %s: close failed\n", id);
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
            states_seen++;
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
    if (only != NULL && strncmp(only, id, strlen(id)) != 0) {
        return true;
    }
    bool twice = (cut->cut * 31 + variant) % 97 == 0 || only != NULL;
    fake_disk_crash(&scenario->crashed, cut, variant);
    if (twice) {
        memcpy(scenario->recrash_base.blocks, scenario->crashed.blocks,
               DISK_BLOCKS * sizeof(*scenario->crashed.blocks));
    }
    scenario->crashed.is_recording = twice;
    states_seen++;
    bool right = state_is_right(scenario, &scenario->crashed, cut->cut, twice ? 4 : cut->cut + variant, id);
    return right && (!twice || recovery_is_right(scenario, cut->cut, variant));
}

static bool scenario_is_right(uint64_t seed)
{
    static struct scenario scenario;
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

    struct fake_disk_cut cut;
    bool right = true;
    fake_disk_cut_start(&cut, &scenario.base, &scenario.disk);
    do {
        uint32_t variants = fake_disk_variants(&cut, 6);
        uint32_t step = variants > 24 && only == NULL ? variants / 24 : 1;
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

static void store_power_cut_anywhere_recovers_a_committed_generation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; states_seen < states_wanted; seed++) {
        assert_true(scenario_is_right(only != NULL ? strtoull(only, NULL, 10) : seed));
        if (only != NULL) {
            break;
        }
    }
    printf("%llu crash states\n", (unsigned long long)states_seen);
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    if (getenv("EIDOLON_CRASH_STATES") != NULL) {
        states_wanted = strtoull(getenv("EIDOLON_CRASH_STATES"), NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_power_cut_anywhere_recovers_a_committed_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
