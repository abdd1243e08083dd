/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Branches: an earlier generation is opened and committed upon. What was newer goes, unless it is pinned; what is
 * pinned stays as it was, whatever branch the image takes; nothing is lost and, in the end, nothing is left behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk_format.h"
#include "store_fixture.h"

#define PAGES 60u

static struct fake_disk disk;
static struct world world;

static void start(uint64_t seed)
{
    fake_machine_start(8192);
    fake_disk_start(&disk, 2 * STORE_BLOCKS_MIN);
    disk.is_recording = false;
    world_start(&world, &disk, PAGES, seed);
    world.tuning = (struct store_tuning){.history = 4, .log_records = 4, .log_entries = 60, .cache_nodes = 8};
    world_open(&world);
}

static void stop(void)
{
    world_close(&world);
    world_stop(&world);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static void some_snapshots(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        world_write(&world, 10);
        world_delete(&world);
        assert_int_equal(world_snapshot(&world, false), OK);
    }
}

static uint64_t newest(void)
{
    return store_committed(world.store).number;
}

/* As the disk has it. */
static void newest_root(struct disk_root *root)
{
    struct disk_root other;
    memcpy(root, fake_disk_block(&disk, DISK_ROOT_BLOCK), sizeof(*root));
    memcpy(&other, fake_disk_block(&disk, DISK_ROOT_BLOCK + 1), sizeof(other));
    *root = other.sequence > root->sequence ? other : *root;
}

static struct store_check_result checked(const char *when)
{
    char why[200] = "";
    struct store_check_options options = {.read_pages = false};
    struct store_check_result result;
    if (!store_is_sound(world.store, true, why, sizeof(why))) {
        fail_msg("%s, generation %llu: %s", when, (unsigned long long)newest(), why);
    }
    assert_int_equal(store_check(world.store, &options, &result), OK);
    return result;
}

/* The kept generation holds what it held when it was committed. */
static void expect_generation(uint64_t number, const char *when)
{
    char why[200] = "";
    struct store_open_options options = {.read_only = true, .generation = {number}};
    struct store_report report;
    struct store *store;
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    if (!world_equals(&world, store, world_generation(&world, number), why, sizeof(why))) {
        fail_msg("%s, generation %llu: %s", when, (unsigned long long)number, why);
    }
    assert_int_equal(store_close(store), OK);
}

static void expect_pins(const char *when)
{
    struct generation pinned;
    char name[STORE_NAME_BYTES];
    for (uint32_t i = 0; store_pin_at(world.store, i, &pinned, name) == OK; i++) {
        expect_generation(pinned.number, when);
    }
}

static bool is_kept(uint64_t number)
{
    struct store_kept kept = {0};
    while (store_kept_before(world.store, kept.generation, &kept) == OK) {
        if (kept.generation.number == number) {
            return true;
        }
    }
    return false;
}

static void pin_newest(const char *name)
{
    assert_int_equal(store_pin(world.store, store_committed(world.store), name), OK);
}

static void store_branch_replaces_newer_generations_but_the_pinned(void **state)
{
    (void)state;
    start(1);
    some_snapshots(8);
    pin_newest("pinned");
    some_snapshots(2);
    uint64_t last = newest();
    world_branch(&world, last - 3);
    assert_true(is_kept(last) && is_kept(last - 1) && is_kept(last - 2)); /* nothing is replaced yet */
    world_close(&world);
    world_open(&world);
    assert_int_equal(newest(), last); /* nor ever, without a commit */
    world_branch(&world, last - 3);
    some_snapshots(1);
    assert_int_equal(newest(), last + 1);
    assert_true(!is_kept(last) && !is_kept(last - 1) && is_kept(last - 2) && is_kept(last - 3));
    expect_pins("after the first commit of a branch");
    checked("after the first commit of a branch");
    some_snapshots(20);
    assert_true(!is_kept(last - 3));
    expect_pins("when the branch has got on");
    stop();
}

/* The fallback is older than a pin of the branch that was left. */
static void store_branch_onto_a_pin_alone_has_a_generation_to_fall_back_to(void **state)
{
    (void)state;
    start(2);
    some_snapshots(3);
    pin_newest("pinned");
    uint64_t pinned = newest();
    some_snapshots(20);
    pin_newest("other");
    world_branch(&world, pinned);
    some_snapshots(1);
    world_close(&world);
    struct disk_root root;
    newest_root(&root);
    fake_disk_flip(&disk, root.window[0].block, 7, 1);
    fake_disk_flip(&disk, root.window[0].copy, 7, 1);
    world_open(&world);
    assert_int_equal(newest(), pinned);
    expect_generation(pinned, "instead of a damaged one");
    for (uint32_t i = 0; i < 200; i++) { /* until allocation has come around the disk */
        world_write(&world, PAGES);
        world_page_out(&world, PAGES);
    }
    expect_pins("before the first commit after the fallback");
    some_snapshots(3);
    checked("after the fallback");
    stop();
}

/* Two branches from one point, both pinned, and blocks that only what lay between needed. */
static void store_pins_of_other_branches_withhold_what_a_rebuild_frees(void **state)
{
    (void)state;
    start(3);
    world_write(&world, 3 * PAGES);
    some_snapshots(3);
    pin_newest("fork");
    uint64_t fork = newest();
    world_write(&world, 3 * PAGES);
    some_snapshots(3);
    pin_newest("left");
    world_branch(&world, fork);
    assert_int_equal(store_unpin(world.store, "fork"), OK);
    world_write(&world, 3 * PAGES);
    some_snapshots(20);
    assert_true(checked("with a pin of another branch").map_is_due);
    expect_pins("of another branch");
    struct store_statistics statistics;
    store_statistics(world.store, &statistics);
    uint64_t used = statistics.blocks_used;
    world_close(&world);
    world_open(&world);
    store_statistics(world.store, &statistics);
    assert_true(statistics.blocks_used < used);
    some_snapshots(1);
    assert_false(checked("after a rebuild").map_is_due);
    expect_pins("after a rebuild");
    stop();
}

static void something_happens(void)
{
    switch (world_below(&world, 8)) {
    case 0:
        world_close(&world);
        world_open(&world);
        break;
    case 1:
    case 2:
    case 3:
        world_pin(&world);
        break;
    case 4:
    case 5:
        world_branch(&world, world_kept(&world));
        break;
    default:
        break;
    }
}

static void unpin_all(void)
{
    struct generation pinned;
    char name[STORE_NAME_BYTES];
    while (store_pin_at(world.store, 0, &pinned, name) == OK) {
        assert_int_equal(store_unpin(world.store, name), OK);
    }
}

static void store_pins_survive_random_branches(void **state)
{
    (void)state;
    uint32_t branches = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        char when[40];
        snprintf(when, sizeof(when), "seed %llu", (unsigned long long)seed);
        start(seed);
        for (uint32_t i = 0; i < 60; i++) {
            some_snapshots(1 + world_below(&world, 3));
            something_happens();
            expect_pins(when);
            branches += checked(when).map_is_due;
        }
        unpin_all();
        some_snapshots(6);
        assert_false(checked(when).map_is_due);
        stop();
    }
    assert_true(branches > 0);
}

static uint64_t retired_count(void)
{
    return checked("with a retired block").retired;
}

/* One that goes on from a generation before the block was retired, which the newest has in its log, or in its tree. */
static void store_branch_keeps_blocks_retired(void **state)
{
    (void)state;
    for (uint32_t later = 1; later < 30; later += 4) {
        start(60 + later);
        some_snapshots(2);
        pin_newest("before");
        uint64_t before = newest();
        struct extent extent;
        assert_int_equal(store_allocate(world.store, 1, &extent), OK);
        store_retire(world.store, extent);
        some_snapshots(later);
        assert_int_equal(retired_count(), 1);
        world_branch(&world, before);
        assert_int_equal(retired_count(), 1);
        some_snapshots(1);
        assert_int_equal(retired_count(), 1);
        world_close(&world);
        world_open(&world);
        some_snapshots(20);
        assert_int_equal(retired_count(), 1);
        expect_generation(newest(), "on a branch with a retired block");
        stop();
    }
}

/* The head of the newest record, as the disk has it. */
static void newest_head(struct disk_head *head)
{
    struct disk_root root;
    newest_root(&root);
    memcpy(head, fake_disk_block(&disk, root.window[0].block), sizeof(*head));
}

/* A merge gets to the free-space tree in the first commit of the branch, and cannot read it. */
static void store_branch_with_a_damaged_free_space_tree_lives_on(void **state)
{
    (void)state;
    struct disk_head head;
    start(8);
    do {
        some_snapshots(1);
        newest_head(&head);
        assert_true(head.generation < 1000);
    } while (head.merge_end == 0 || head.space_tree.block == 0);
    pin_newest("before");
    some_snapshots(20);
    world_close(&world);
    fake_disk_flip(&disk, head.space_tree.block, 100, 1);
    world_open(&world);
    world_branch(&world, head.generation);
    world_write(&world, 3 * PAGES);
    some_snapshots(40);
    assert_int_equal(store_unpin(world.store, "before"), OK);
    some_snapshots(2);
    expect_generation(newest(), "with a new free-space tree");
    checked("with a new free-space tree");
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_branch_replaces_newer_generations_but_the_pinned),
        cmocka_unit_test(store_branch_onto_a_pin_alone_has_a_generation_to_fall_back_to),
        cmocka_unit_test(store_pins_of_other_branches_withhold_what_a_rebuild_frees),
        cmocka_unit_test(store_pins_survive_random_branches),
        cmocka_unit_test(store_branch_keeps_blocks_retired),
        cmocka_unit_test(store_branch_with_a_damaged_free_space_tree_lives_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
