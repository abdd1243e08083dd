/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store against a naive model: random programs over the pages of a world, with snapshots, deletes, page-outs, pins,
 * branches and reopenings, and after each step everything that can be looked at is compared and checked.
 */
#include <stdio.h>
#include <stdlib.h>

#include "store_fixture.h"

static void expect_sound(struct world *world, uint64_t seed, uint32_t step)
{
    char why[200] = "";
    const struct world_generation *generation = world_generation(world, store_committed(world->store).number);
    if (!store_is_sound(world->store, true, why, sizeof(why))) {
        fail_msg("seed %llu, step %u, generation %llu: %s", (unsigned long long)seed, step,
                 (unsigned long long)generation->number, why);
    }
}

static void expect_equal(struct world *world, uint64_t seed, uint32_t step)
{
    char why[200] = "";
    const struct world_generation *generation = world_generation(world, store_committed(world->store).number);
    if (!world_equals(world, world->store, generation, why, sizeof(why))) {
        fail_msg("seed %llu, step %u, generation %llu: %s", (unsigned long long)seed, step,
                 (unsigned long long)generation->number, why);
    }
}

static void run(uint64_t seed, uint32_t steps, uint32_t pages)
{
    static struct world world;
    static struct fake_disk disk;
    fake_machine_start(8192);
    fake_disk_start(&disk, 2 * STORE_BLOCKS_MIN);
    disk.is_recording = false;
    world_start(&world, &disk, pages, seed);
    world.tuning = (struct store_tuning){
        .history = 2 + world_below(&world, 5),
        .log_records = 2 + world_below(&world, 6),
        .log_entries = 4 + world_below(&world, 60),
        .cache_nodes = 8,
    };
    world_open(&world);
    if (seed % 2 == 0) {
        world_ladder(&world);
    }
    for (uint32_t i = 0; i < steps; i++) {
        world_write(&world, 1 + world_below(&world, world_below(&world, 4) == 0 ? 60 : 6));
        if (world_below(&world, 3) == 0) {
            world_delete(&world);
        }
        world_page_out(&world, world_below(&world, 6));
        assert_int_equal(world_snapshot(&world, false), OK);
        expect_equal(&world, seed, i);
        expect_sound(&world, seed, i);
        uint32_t what = world_below(&world, 12);
        if (what == 0) {
            world_close(&world);
            world_open(&world);
        } else if (what <= 2) {
            world_pin(&world);
        } else if (what == 3) {
            world_branch(&world, world_kept(&world));
        }
        if (what <= 3) {
            if (what != 1 && what != 2) {
                expect_equal(&world, seed, i);
            }
            expect_sound(&world, seed, i);
        }
    }
    world_close(&world);
    world_stop(&world);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static void store_random_programs_agree_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        run(seed, 60, 48);
    }
}

static void store_large_maps_agree_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1000; seed < 1006; seed++) {
        run(seed, 60, 1000);
    }
}

/* A record of many blocks in which every put follows a delete of its page: what was put must be there. */
static void store_puts_after_deletes_survive_in_long_records(void **state)
{
    (void)state;
    static struct world world;
    static struct fake_disk disk;
    fake_machine_start(8192);
    fake_disk_start(&disk, 16 * STORE_BLOCKS_MIN);
    disk.is_recording = false;
    world_start(&world, &disk, WORLD_PAGES_MAX, 77);
    world_open(&world);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < WORLD_PAGES_MAX; i++) {
            struct page_key page = {world.keys[i]};
            if (i % 3 != 0) {
                assert_int_equal(store_delete(world.store, page, 1), OK);
                world.now[i] = 0;
            }
            if (i % 3 != 1) {
                world.now[i] = world.next_content++;
                world.dirty[i] = true;
            }
        }
        assert_int_equal(world_snapshot(&world, false), OK);
        expect_equal(&world, 77, round);
        world_close(&world);
        world_open(&world);
        expect_equal(&world, 77, round);
        expect_sound(&world, 77, round);
    }
    world_close(&world);
    world_stop(&world);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

#define FEW_PAGES 600u

static struct world merging_world;
static void (*plain_wait)(struct block_device *device, struct block_request *request);

/* While somebody waits for a node, a commit merges the log into the tree. */
static void wait_while_the_log_is_merged(struct block_device *device, struct block_request *request)
{
    plain_wait(device, request);
    if (request->operation == BLOCK_READ) {
        device->wait = plain_wait;
        assert_int_equal(world_compact(&merging_world), OK);
    }
}

/* The lowest page is in the log alone. The commit takes it from there into a tree that the search has no root of. */
static void store_next_finds_what_a_commit_merges_meanwhile(void **state)
{
    (void)state;
    struct world *world = &merging_world;
    static struct fake_disk disk;
    struct store_entry entry;
    struct page_key found;
    fake_machine_start(8192);
    fake_disk_start(&disk, 4 * STORE_BLOCKS_MIN);
    disk.is_recording = false;
    world_start(world, &disk, FEW_PAGES, 5);
    world->tuning = (struct store_tuning){.log_entries = 4, .cache_nodes = 8};
    world_open(world);
    for (uint32_t i = 1; i < FEW_PAGES; i++) {
        world->now[i] = world->next_content++;
        world->dirty[i] = true;
    }
    assert_int_equal(world_snapshot(world, false), OK);
    while (!store_is_compact(world->store)) {
        assert_int_equal(world_compact(world), OK);
    }
    for (uint32_t i = 0; i < FEW_PAGES; i += 50) {
        world->now[i] = world->next_content++;
        world->dirty[i] = true;
    }
    assert_int_equal(world_snapshot(world, false), OK);
    assert_false(store_is_compact(world->store));
    world_close(world);
    world_open(world);
    plain_wait = disk.device.wait;
    disk.device.wait = wait_while_the_log_is_merged;
    assert_int_equal(store_next(world->store, (struct page_key){0}, &found, &entry), OK);
    assert_ptr_equal(disk.device.wait, plain_wait); /* a node was read, so the log was merged */
    assert_true(store_is_compact(world->store));
    assert_int_equal(found.number, world->keys[0]);
    world_close(world);
    world_stop(world);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_random_programs_agree_with_the_model),
        cmocka_unit_test(store_large_maps_agree_with_the_model),
        cmocka_unit_test(store_puts_after_deletes_survive_in_long_records),
        cmocka_unit_test(store_next_finds_what_a_commit_merges_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
