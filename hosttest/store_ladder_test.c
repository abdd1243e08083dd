/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ladder of history: which generations stay over a month, with wall clocks that jump; what giving one up frees and
 * costs; the bound on what the ladder holds; and what is left when its list is damaged. Power cuts while generations
 * are given up are in store_crash_test.c, whose scenarios have ladders, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_internal.h"
#include "store_fixture.h"
#include "store_reach.h"

#define SECOND    UINT64_C(1000000000)
#define MINUTE    (60 * SECOND)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)
#define TIMES_MAX 20000u

static struct world world;
static struct fake_disk disk;
static uint64_t times[TIMES_MAX]; /* of generations, by number */

static void start(uint32_t blocks, uint32_t pages, struct store_rules rules)
{
    fake_machine_start(16384);
    fake_disk_start(&disk, blocks);
    disk.is_recording = false;
    world_start(&world, &disk, pages, 5);
    world.tuning = (struct store_tuning){.log_records = 8, .log_entries = 100, .cache_nodes = 16};
    world.clock_ns = 20000 * DAY + 7 * HOUR;
    world_open(&world);
    assert_int_equal(store_rules_set(world.store, &rules), OK);
    if (rules.newest != 0) {
        world_close(&world);
        world_open(&world);
    }
}

static void stop(void)
{
    world_close(&world);
    world_stop(&world);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static uint64_t newest(void)
{
    return store_committed(world.store).number;
}

static void snapshot(uint64_t later_ns, uint32_t pages)
{
    world.clock_ns += later_ns;
    world_write(&world, pages);
    enum error error = world_snapshot(&world, false);
    if (error != OK) {
        fail_msg("snapshot after generation %llu: %s", (unsigned long long)newest(), error_text(error));
    }
    assert_true(newest() < TIMES_MAX);
    times[newest()] = world.clock_ns;
}

static uint32_t rungs(void)
{
    struct store_statistics statistics;
    store_statistics(world.store, &statistics);
    return statistics.rungs;
}

static bool is_kept(uint64_t number)
{
    return store_kept_find(world.store, number) != NULL;
}

static void expect_sound(const char *when)
{
    char why[200] = "";
    if (!store_is_sound(world.store, true, why, sizeof(why))) {
        fail_msg("%s, generation %llu: %s", when, (unsigned long long)newest(), why);
    }
}

/* Each kept generation holds what it held when it was committed. */
static void expect_contents(const char *when)
{
    struct store_kept kept = {0};
    while (store_kept_before(world.store, kept.generation, &kept) == OK) {
        char why[200] = "";
        struct store_open_options options = {.read_only = true, .generation = kept.generation};
        struct store_report report;
        struct store *store;
        assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
        const struct world_generation *generation = world_generation(&world, kept.generation.number);
        assert_non_null(generation);
        if (!world_equals(&world, store, generation, why, sizeof(why))) {
            fail_msg("%s, generation %llu: %s", when, (unsigned long long)kept.generation.number, why);
        }
        assert_int_equal(store_close(store), OK);
    }
}

/* Which stay ------------------------------------------------------------------------------------------------------- */

/*
 * Of the generations up to `last`, those that begin another unit of time than the one before them was of: the newest
 * `count` of these are to stay.
 */
static void mark_firsts(bool *stays, uint64_t last, uint64_t unit_ns, uint32_t count)
{
    for (uint64_t number = last; number > 0 && count > 0; number--) {
        if (number == 1 || times[number] / unit_ns != times[number - 1] / unit_ns) {
            stays[number] = true;
            count--;
        }
    }
}

static void expect_ladder(const struct store_rules *rules)
{
    static bool stays[TIMES_MAX], kept[TIMES_MAX];
    const struct disk_record_ref *ref;
    uint64_t last = newest() > 16 ? newest() - 16 : 0;
    memset(stays, 0, sizeof(stays));
    for (uint64_t number = last + 1; number <= newest(); number++) {
        stays[number] = true;
    }
    mark_firsts(stays, last, MINUTE, rules->minutes);
    mark_firsts(stays, last, HOUR, rules->hours);
    mark_firsts(stays, last, DAY, rules->days);
    memset(kept, 0, sizeof(kept));
    for (uint32_t i = 0; (ref = store_kept_at(world.store, i)) != NULL; i++) {
        kept[ref->generation] = true;
    }
    for (uint64_t number = 1; number <= newest(); number++) {
        if (kept[number] != stays[number]) {
            fail_msg("generation %llu of %llu, at %llu s, is %s", (unsigned long long)number,
                     (unsigned long long)newest(), (unsigned long long)(times[number] / SECOND),
                     stays[number] ? "given up" : "kept");
        }
    }
}

/* What the wall clock does between two commits, on the days on which something happens to it. */
static int64_t clock_mishap(uint32_t day, uint32_t commit)
{
    if (commit != 50) {
        return 0;
    }
    return day == 10   ? -90 * (int64_t)MINUTE
           : day == 14 ? -(int64_t)DAY - 5 * (int64_t)HOUR
           : day == 20 ? 400 * (int64_t)DAY
           : day == 26 ? -400 * (int64_t)DAY
                       : 0;
}

static void store_ladder_over_a_month_has_minutes_hours_and_days(void **state)
{
    struct store_rules rules = STORE_RULES_DEFAULT;
    (void)state;
    rules.percent = 80;
    start(32 * STORE_BLOCKS_MIN, 60, rules);
    for (uint32_t day = 1; day <= 36; day++) {
        bool is_busy = day % 9 == 0;
        for (uint32_t i = 0; i < 144; i++) {
            world.clock_ns += (uint64_t)clock_mishap(day, i);
            snapshot(10 * MINUTE, 1 + world_below(&world, 4));
            expect_ladder(&rules);
            for (uint32_t k = 0; is_busy && i > 100 && i < 112 && k < 40; k++) {
                snapshot(15 * SECOND, 1);
                expect_ladder(&rules);
            }
        }
        expect_sound("at the end of a day");
        if (day % 12 == 0) {
            expect_contents("at the end of a day");
        }
        world_close(&world);
        world_open(&world);
    }
    assert_in_range(rungs(), 80, 114);
    stop();
}

static void store_ladder_takes_the_first_generation_of_what_is_kept_at_all(void **state)
{
    static const struct store_rules rules[] = {{0, 5, 0, 0, 50}, {0, 0, 4, 0, 50}, {0, 0, 0, 3, 50}, {0, 3, 0, 2, 50}};
    (void)state;
    for (uint32_t r = 0; r < sizeof(rules) / sizeof(rules[0]); r++) {
        start(4 * STORE_BLOCKS_MIN, 40, rules[r]);
        for (uint32_t i = 0; i < 600; i++) {
            snapshot(i % 40 == 0 ? 5 * HOUR : 25 * SECOND, 2);
            expect_ladder(&rules[r]);
        }
        expect_sound("with some of minutes, hours and days");
        stop();
    }
}

static void store_image_without_rules_has_no_ladder(void **state)
{
    (void)state;
    start(STORE_BLOCKS_MIN, 40, (struct store_rules){0});
    for (uint32_t i = 0; i < 60; i++) {
        snapshot(MINUTE, 3);
    }
    assert_int_equal(rungs(), 0);
    assert_int_equal(world.store->root->write_features, 0);
    expect_ladder(&(struct store_rules){0});
    stop();
}

static void store_rules_stay_in_the_image_and_a_short_window_counts(void **state)
{
    struct store_rules found;
    (void)state;
    start(STORE_BLOCKS_MIN, 40, (struct store_rules){3, 4, 0, 0, 50});
    for (uint32_t i = 0; i < 20; i++) {
        snapshot(MINUTE, 3);
    }
    world_close(&world);
    world_open(&world);
    store_rules_get(world.store, &found);
    assert_memory_equal(&found, (&(struct store_rules){3, 4, 0, 0, 50}), sizeof(found));
    for (uint64_t number = 1; number <= newest(); number++) {
        assert_int_equal(is_kept(number), number > newest() - 7);
    }
    stop();
}

static void store_rules_that_cannot_be_kept_to_are_refused(void **state)
{
    static const struct store_rules wrong[] = {
        {1, 0, 0, 0, 0},  {17, 0, 0, 0, 0},         {0, STORE_RUNGS_MAX, 1, 0, 5},
        {0, 0, 0, 0, 91}, {0, UINT32_MAX, 2, 0, 5}, {0, 0, 0, STORE_RUNGS_MAX + 1, 5},
    };
    struct store_rules found, most = {16, STORE_RUNGS_MAX - 1, 0, 1, 90};
    (void)state;
    start(STORE_BLOCKS_MIN, 40, most);
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(store_rules_set(world.store, &wrong[i]), ERROR_RANGE);
    }
    store_rules_get(world.store, &found);
    assert_memory_equal(&found, &most, sizeof(found));
    for (uint32_t i = 0; i < 160; i++) {
        snapshot(MINUTE, 1);
    }
    assert_int_equal(rungs(), STORE_RUNGS_MAX);
    expect_ladder(&most);
    expect_sound("with as many rungs as there may be");
    stop();
}

static void store_rules_for_less_are_done_a_few_generations_at_a_time(void **state)
{
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 60, (struct store_rules){0, 60, 0, 0, 50});
    for (uint32_t i = 0; i < 90; i++) {
        snapshot(MINUTE, 5);
    }
    assert_int_equal(rungs(), 60);
    assert_int_equal(store_rules_set(world.store, &(struct store_rules){0, 10, 0, 0, 50}), OK);
    for (uint32_t left = 60; left > 10;) {
        snapshot(SECOND, 1);
        assert_in_range(left - rungs(), 1, 4);
        left = rungs();
    }
    expect_sound("after the rules asked for less");
    assert_int_equal(store_rules_set(world.store, &(struct store_rules){0}), OK);
    for (uint32_t i = 0; i < 5; i++) {
        snapshot(SECOND, 1);
    }
    assert_int_equal(rungs(), 0);
    assert_int_equal(world.store->root->ladder.block, 0);
    expect_sound("after the rules asked for none");
    stop();
}

/* What it holds ---------------------------------------------------------------------------------------------------- */

static enum error load_reserved(struct store *store, uint32_t chunk, void *bits)
{
    (void)store;
    *(uint8_t *)bits = chunk == 0 ? (1u << DISK_RESERVED) - 1 : 0;
    return OK;
}

static enum error pass(void *context, const struct reach_item *item)
{
    (void)context;
    (void)item;
    return OK;
}

static uint32_t reached(bool with_ladder)
{
    struct space seen;
    struct reach_visitor visitor = {.item = pass};
    assert_int_equal(store_space_initialise(&seen, world.store, load_reserved, world.store->block_count, DISK_RESERVED),
                     OK);
    assert_int_equal(store_reach(world.store, UINT64_MAX, with_ladder, &seen, &visitor), OK);
    uint32_t used = seen.used;
    store_space_clear(&seen);
    return used;
}

static uint32_t held(void)
{
    return world.store->root->ladder_blocks;
}

static void store_ladder_holds_no_more_than_its_share_of_the_disk(void **state)
{
    (void)state;
    for (uint32_t percent = 0; percent <= 12; percent += 4) {
        uint32_t most = 0, blocks = 4 * STORE_BLOCKS_MIN;
        start(blocks, 400, (struct store_rules){2, 60, 24, 30, percent});
        for (uint32_t i = 0; i < 150; i++) {
            snapshot(i % 10 == 0 ? 2 * HOUR : 40 * SECOND, 1 + world_below(&world, 50));
            if (i % 5 == 0) {
                world_delete(&world);
            }
            assert_int_equal(held(), reached(true) - reached(false));
            assert_true(held() <= blocks * percent / 100);
            most = held() > most ? held() : most;
        }
        expect_sound("with a bounded ladder");
        assert_true(most >= blocks * percent / 150); /* it is the share that bounds it */
        stop();
    }
}

static void store_ladder_gives_way_when_the_disk_is_short_of_room(void **state)
{
    uint32_t most = 0;
    (void)state;
    start(2 * STORE_BLOCKS_MIN, 400, (struct store_rules){2, 60, 24, 30, 90});
    for (uint32_t i = 0; i < 40; i++) {
        world_write(&world, 40);
        snapshot(MINUTE, 20);
        most = rungs() > most ? rungs() : most;
    }
    assert_true(most > 5);
    for (uint32_t i = 0; i < 6;
         i++) { /* programs write to everything: there is room for that, if not for history, too */
        world_write(&world, 1200);
        enum error error = world_snapshot(&world, false);
        if (error == ERROR_NO_SPACE) {
            assert_int_equal(store_reclaim(world.store, world.clock_ns), OK);
            error = world_snapshot(&world, false);
        }
        assert_int_equal(error, OK);
        expect_sound("on a disk that is short of room");
    }
    assert_true(rungs() < 5);
    stop();
}

static void store_reclaim_gives_up_all_of_the_ladder(void **state)
{
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 60, (struct store_rules){0, 10, 0, 0, 50});
    for (uint32_t i = 0; i < 40; i++) {
        snapshot(MINUTE, 10);
    }
    assert_int_equal(rungs(), 10);
    assert_int_equal(store_reclaim(world.store, world.clock_ns), OK);
    assert_int_equal(rungs(), 0);
    assert_int_equal(store_reclaim(world.store, world.clock_ns), ERROR_NO_SPACE);
    expect_sound("without history");
    stop();
}

/* Blocks read by a commit that gives up one rung of an image with so many pages, of which few change a minute. */
static uint64_t cost(uint32_t pages)
{
    start(32 * STORE_BLOCKS_MIN, pages, (struct store_rules){2, 20, 0, 0, 50});
    world_write(&world, 3 * pages);
    for (uint32_t i = 0; i < 120; i++) {
        snapshot(20 * SECOND, 6);
    }
    uint64_t most = 0;
    for (uint32_t i = 0; i < 12; i++) {
        uint64_t before = disk.reads;
        snapshot(20 * SECOND, 6);
        most = disk.reads - before > most ? disk.reads - before : most;
    }
    assert_int_equal(rungs(), 20);
    stop();
    return most;
}

static void store_giving_up_a_rung_costs_what_changed(void **state)
{
    (void)state;
    uint64_t small = cost(300), large = cost(4000);
    printf("blocks read for a commit that gives up a rung: %llu of 300 pages, %llu of 4000\n",
           (unsigned long long)small, (unsigned long long)large);
    assert_true(large < 2 * small + 50);
}

/* Beside pins and branches ----------------------------------------------------------------------------------------- */

static void minutes(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        snapshot(MINUTE, 8);
    }
}

static void store_pinned_rung_stays_when_the_ladder_gives_it_up(void **state)
{
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 100, (struct store_rules){2, 6, 0, 0, 50});
    minutes(20);
    uint64_t pinned = newest() - 4;
    assert_true(is_kept(pinned));
    assert_int_equal(store_pin(world.store, (struct generation){pinned}, "pinned"), OK);
    minutes(30);
    assert_true(is_kept(pinned));
    expect_contents("with a pin where a rung was");
    expect_sound("with a pin where a rung was");
    assert_int_equal(store_unpin(world.store, "pinned"), OK);
    minutes(2);
    assert_false(is_kept(pinned));
    expect_sound("without the pin");
    stop();
}

static void store_rollback_to_a_rung_keeps_the_older_ones_and_those_alone(void **state)
{
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 100, (struct store_rules){2, 10, 0, 0, 50});
    minutes(30);
    uint64_t last = newest(), to = last - 7;
    world_branch(&world, to);
    assert_true(is_kept(to + 1)); /* nothing is replaced yet */
    minutes(1);
    assert_int_equal(newest(), last + 1);
    for (uint64_t number = 1; number <= last; number++) {
        assert_int_equal(is_kept(number), number > last - 12 && number <= to);
    }
    expect_contents("after a rollback to a rung");
    expect_sound("after a rollback to a rung");
    minutes(30);
    expect_contents("when the branch has got on");
    expect_sound("when the branch has got on");
    stop();
}

/* Rungs with numbers below the pin's that do not lead to it would hide from it what it needs. */
static void store_rollback_to_a_pin_of_another_branch_begins_a_ladder(void **state)
{
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 100, (struct store_rules){2, 30, 0, 0, 50});
    minutes(10);
    uint64_t fork = newest();
    minutes(5);
    assert_int_equal(store_pin(world.store, store_committed(world.store), "left"), OK);
    uint64_t left = newest();
    world_branch(&world, fork);
    minutes(12);
    assert_true(rungs() > 10);
    world_branch(&world, left);
    minutes(1);
    assert_int_equal(rungs(), 0);
    expect_contents("on the branch that was left");
    minutes(40);
    expect_contents("on the branch that was left, later");
    expect_sound("on the branch that was left, later");
    stop();
}

/* Trouble ---------------------------------------------------------------------------------------------------------- */

static void store_generation_older_than_a_damaged_window_is_fallen_back_to(void **state)
{
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 60, (struct store_rules){2, 10, 0, 0, 50});
    minutes(20);
    uint64_t last = newest();
    struct disk_root root = *world.store->root;
    world_close(&world);
    for (uint32_t i = 0; i < root.window_count; i++) {
        fake_disk_flip(&disk, root.window[i].block, 9, 1);
        fake_disk_flip(&disk, root.window[i].copy, 9, 1);
    }
    world_open(&world);
    assert_int_equal(newest(), last - 2);
    minutes(3);
    expect_contents("after a fallback to a rung");
    expect_sound("after a fallback to a rung");
    stop();
}

static void store_ladder_with_one_damaged_copy_is_whole(void **state)
{
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 60, (struct store_rules){2, 10, 0, 0, 50});
    minutes(20);
    struct disk_ladder_ref ref = world.store->root->ladder;
    world_close(&world);
    fake_disk_flip(&disk, ref.block, 100, 4);
    world_open(&world);
    assert_int_equal(rungs(), 10);
    minutes(2);
    expect_sound("with a copy of the ladder");
    stop();
}

static void store_ladder_that_is_damaged_costs_its_generations_alone(void **state)
{
    char why[200] = "";
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 60, (struct store_rules){2, 10, 0, 0, 50});
    minutes(20);
    uint64_t last = newest();
    struct disk_ladder_ref ref = world.store->root->ladder;
    world_close(&world);
    fake_disk_flip(&disk, ref.block, 100, 4);
    fake_disk_flip(&disk, ref.copy, 3000, 4);
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store *store;
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    assert_string_equal(report.reason, "the ladder of history: checksum mismatch");
    assert_false(store_is_sound(store, true, why, sizeof(why)));
    assert_int_equal(store_close(store), OK);
    world_open(&world);
    assert_int_equal(newest(), last);
    assert_int_equal(rungs(), 0);
    minutes(1);
    world_close(&world);
    world_open(&world);
    minutes(20);
    assert_int_equal(rungs(), 10);
    expect_sound("with a new ladder");
    expect_contents("with a new ladder");
    stop();
}

static void store_rung_whose_map_is_damaged_is_given_up_and_its_blocks_found_later(void **state)
{
    struct disk_head head;
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 300, (struct store_rules){2, 4, 0, 0, 50});
    minutes(30);
    memcpy(&head, fake_disk_block(&disk, world.store->ladder->rungs[2].block), sizeof(head));
    assert_int_not_equal(head.page_tree.block, 0);
    world_close(&world);
    uint32_t distance = (uint32_t)(head.page_tree.when >> DISK_WHEN_BITS);
    fake_disk_flip(&disk, head.page_tree.block, 200, 1);
    if (distance != 0) {
        fake_disk_flip(&disk, head.page_tree.block + distance, 200, 1);
    }
    world_open(&world);
    minutes(20);
    world_close(&world);
    world_open(&world);
    minutes(1);
    expect_sound("when the map has been made anew");
    stop();
}

static void store_commit_without_memory_to_give_up_a_rung_keeps_it(void **state)
{
    uint32_t kept = 0, refused = 0;
    (void)state;
    start(4 * STORE_BLOCKS_MIN, 200, (struct store_rules){2, 4, 0, 0, 50});
    minutes(20);
    for (uint64_t index = 0; index < 400; index++) {
        world.clock_ns += MINUTE;
        world_write(&world, 8);
        assert_int_equal(store_snapshot_seal(world.store), OK);
        fake_fail_allocations(index, 1);
        enum error error = store_snapshot_commit(world.store, "x", 1, world.clock_ns);
        fake_fail_allocations(UINT64_MAX, 0);
        assert_true(error == OK || error == ERROR_NO_MEMORY || error == ERROR_NO_SPACE);
        kept += error == OK && rungs() > 4;
        refused += error != OK;
        char why[200] = "";
        if (!store_is_sound(world.store, false, why, sizeof(why))) {
            fail_msg("attempt %llu: %s", (unsigned long long)index, why);
        }
    }
    printf("%u commits kept a rung for want of memory, %u failed\n", kept, refused);
    assert_true(kept > 0 && refused > 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(store_snapshot_seal(world.store), OK);
        assert_int_equal(store_snapshot_commit(world.store, "x", 1, world.clock_ns), OK);
    }
    assert_true(rungs() <= 5);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_ladder_over_a_month_has_minutes_hours_and_days),
        cmocka_unit_test(store_ladder_takes_the_first_generation_of_what_is_kept_at_all),
        cmocka_unit_test(store_image_without_rules_has_no_ladder),
        cmocka_unit_test(store_rules_stay_in_the_image_and_a_short_window_counts),
        cmocka_unit_test(store_rules_that_cannot_be_kept_to_are_refused),
        cmocka_unit_test(store_rules_for_less_are_done_a_few_generations_at_a_time),
        cmocka_unit_test(store_ladder_holds_no_more_than_its_share_of_the_disk),
        cmocka_unit_test(store_ladder_gives_way_when_the_disk_is_short_of_room),
        cmocka_unit_test(store_reclaim_gives_up_all_of_the_ladder),
        cmocka_unit_test(store_giving_up_a_rung_costs_what_changed),
        cmocka_unit_test(store_pinned_rung_stays_when_the_ladder_gives_it_up),
        cmocka_unit_test(store_rollback_to_a_rung_keeps_the_older_ones_and_those_alone),
        cmocka_unit_test(store_rollback_to_a_pin_of_another_branch_begins_a_ladder),
        cmocka_unit_test(store_generation_older_than_a_damaged_window_is_fallen_back_to),
        cmocka_unit_test(store_ladder_with_one_damaged_copy_is_whole),
        cmocka_unit_test(store_ladder_that_is_damaged_costs_its_generations_alone),
        cmocka_unit_test(store_rung_whose_map_is_damaged_is_given_up_and_its_blocks_found_later),
        cmocka_unit_test(store_commit_without_memory_to_give_up_a_rung_keeps_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
