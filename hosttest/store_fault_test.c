/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes wrong one thing at a time: every allocation and every request fails in turn, the disk is full, blocks are
 * bad, bits flip, a second user comes, the format is another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/frame.h"
#include "disk_format.h"
#include "log.h"
#include "store_fixture.h"

#define PAGES 60u

static struct fake_disk disk;
static struct world world;
static uint32_t frames_at_rest; /* what the machine itself uses */

static void start(uint32_t blocks, uint32_t pages, uint64_t seed)
{
    fake_machine_start(4096);
    frames_at_rest = fake_frames_used();
    fake_disk_start(&disk, blocks);
    disk.is_recording = false;
    world_start(&world, &disk, pages, seed);
    world.tuning = (struct store_tuning){.history = 4, .log_records = 4, .log_entries = 60, .cache_nodes = 8};
}

static void stop(void)
{
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

static void expect_state(const char *when)
{
    char why[200] = "";
    const struct world_generation *generation = world_generation(&world, store_committed(world.store).number);
    assert_non_null(generation);
    if (!world_equals(&world, world.store, generation, why, sizeof(why)) ||
        !store_is_sound(world.store, true, why, sizeof(why))) {
        fail_msg("%s, generation %llu: %s", when, (unsigned long long)generation->number, why);
    }
}

/* All there is has been committed: no block is held for something that is on its way. */
static void expect_nothing_held(void)
{
    struct store_statistics statistics;
    store_statistics(world.store, &statistics);
    assert_int_equal(statistics.blocks_held, 0);
}

static void store_each_allocation_failing_loses_nothing(void **state)
{
    (void)state;
    start(STORE_BLOCKS_MIN, PAGES, 3);
    world_open(&world);
    some_snapshots(3);
    uint32_t failures = 0;
    for (uint32_t round = 0; round < 12; round++) {
        for (uint64_t index = 0;; index++) {
            world_write(&world, 6);
            /* Frames of the world's own are the first of each page it writes; only the commit's are to fail. */
            assert_int_equal(store_snapshot_seal(world.store), OK);
            store_snapshot_abort(world.store);
            fake_fail_allocations(index, 1);
            uint64_t before = fake_allocations();
            enum error error = store_snapshot_seal(world.store);
            assert_int_equal(error, OK);
            error = store_snapshot_commit(world.store, "x", 1, 1);
            bool struck = fake_allocations() - before > index;
            fake_fail_allocations(0, 0);
            assert_true(error == OK || error == ERROR_NO_MEMORY);
            failures += error != OK;
            assert_int_equal(world_snapshot(&world, false), OK);
            expect_state("after a commit without memory");
            expect_nothing_held();
            if (!struck) {
                break;
            }
        }
    }
    assert_true(failures > 20);
    world_close(&world);
    stop();
}

static void store_open_without_memory_fails_cleanly(void **state)
{
    (void)state;
    start(STORE_BLOCKS_MIN, PAGES, 4);
    world_open(&world);
    some_snapshots(20);
    world_close(&world);
    for (uint64_t index = 0;; index++) {
        struct store_open_options options = {.user = 3};
        struct store_report report;
        struct store *store;
        fake_fail_allocations(index, 1);
        enum error error = store_open(&disk.device, &options, &store, &report);
        fake_fail_allocations(0, 0);
        if (error == OK) {
            assert_int_equal(store_close(store), OK);
            break;
        }
        assert_int_equal(error, ERROR_NO_MEMORY);
        assert_int_equal(fake_frames_used(), frames_at_rest);
    }
    world_open(&world);
    expect_state("after opening without memory");
    world_close(&world);
    stop();
}

static void each_request_failing(enum block_operation operation, bool is_done_anyway)
{
    start(STORE_BLOCKS_MIN, PAGES, 5);
    world_open(&world);
    some_snapshots(3);
    uint32_t strikes = 0;
    for (uint32_t round = 0; round < 14; round++) {
        for (uint64_t index = 0;; index++) {
            world_write(&world, 5);
            disk.fault = (struct fake_disk_fault){.armed = true,
                                                  .operation = operation,
                                                  .first = index,
                                                  .count = 1,
                                                  .error = ERROR_IO,
                                                  .is_done_anyway = is_done_anyway};
            enum error error = world_snapshot(&world, false);
            bool struck = disk.fault.count == 0;
            disk.fault.armed = false;
            assert_true(error == OK || error == ERROR_IO);
            strikes += struck;
            if (error != OK) {
                assert_int_equal(world_snapshot(&world, false), OK);
            }
            expect_state("after a request that failed");
            expect_nothing_held();
            if (!struck) {
                break;
            }
        }
    }
    assert_true(strikes >= 14);
    world_close(&world);
    world_open(&world);
    expect_state("after requests that failed, reopened");
    world_close(&world);
    stop();
}

static void store_each_write_failing_loses_nothing(void **state)
{
    (void)state;
    each_request_failing(BLOCK_WRITE, false);
    each_request_failing(BLOCK_WRITE, true);
}

static void store_each_flush_failing_loses_nothing(void **state)
{
    (void)state;
    each_request_failing(BLOCK_FLUSH, false);
    each_request_failing(BLOCK_FLUSH, true);
}

static void store_each_read_failing_once_loses_nothing(void **state)
{
    (void)state;
    each_request_failing(BLOCK_READ, false);
}

/*
 * A commit that writes chunks of the free-space map fails from each of its requests on. The next one writes them
 * again: after a boot, which has no other source for what the records of a finished merge said, the map is right.
 */
static void merge_failing(enum block_operation operation)
{
    start(STORE_BLOCKS_MIN, PAGES, 5);
    world.tuning.log_entries = 4;
    uint64_t struck = 0;
    for (uint64_t index = 0; struck == index; index++) {
        world_open(&world);
        some_snapshots(3);
        disk.fault = (struct fake_disk_fault){
            .armed = true, .operation = operation, .first = index, .count = UINT64_MAX, .error = ERROR_IO};
        assert_false(store_is_compact(world.store));
        struck += world_compact(&world) != OK;
        disk.fault.armed = false;
        while (!store_is_compact(world.store)) {
            assert_int_equal(world_compact(&world), OK);
        }
        world_close(&world);
        world_open(&world);
        expect_state("after a merge that failed, reopened");
        world_close(&world);
    }
    assert_true(struck >= 2);
    stop();
}

static void store_each_request_of_a_merge_failing_leaves_the_map_right(void **state)
{
    (void)state;
    merge_failing(BLOCK_WRITE);
    merge_failing(BLOCK_FLUSH);
}

static void store_blocks_that_cannot_be_written_are_retired(void **state)
{
    (void)state;
    start(STORE_BLOCKS_MIN, PAGES, 6);
    world_open(&world);
    for (uint32_t block = 20; block < STORE_BLOCKS_MIN; block += 17) {
        disk.bad[block] = 2;
    }
    some_snapshots(60);
    expect_state("on a disk with bad blocks");
    world_close(&world);
    world_open(&world);
    expect_state("on a disk with bad blocks, reopened");
    struct store_check_options options = {.read_pages = false};
    struct store_check_result result;
    assert_int_equal(store_check(world.store, &options, &result), OK);
    assert_true(result.retired > 5);
    for (uint32_t block = 20; block < STORE_BLOCKS_MIN; block += 17) {
        disk.bad[block] = 2 | 1;
    }
    some_snapshots(40);
    expect_state("when they cannot be read either");
    world_close(&world);
    stop();
}

static void store_full_disk_keeps_what_is_committed(void **state)
{
    (void)state;
    start(STORE_BLOCKS_MIN, 1200, 7);
    world_open(&world);
    uint32_t full = 0;
    for (uint32_t i = 0; i < 60; i++) {
        world_write(&world, 200);
        enum error error = world_snapshot(&world, false);
        if (error == ERROR_NO_SPACE) {
            full++;
            enum error reclaimed = store_reclaim(world.store, 1);
            assert_true(reclaimed == OK || reclaimed == ERROR_NO_SPACE);
            char why[200] = "";
            assert_true(store_is_sound(world.store, true, why, sizeof(why)));
            world_delete(&world);
            world_delete(&world);
        } else {
            assert_int_equal(error, OK);
            expect_state("on a nearly full disk");
        }
    }
    assert_true(full > 0);
    world_close(&world);
    stop();
}

/* A user that comes while another one has the image: whoever writes second must notice before it writes. */
static void store_second_user_is_noticed(void **state)
{
    (void)state;
    start(STORE_BLOCKS_MIN, PAGES, 8);
    world_open(&world);
    some_snapshots(2);
    struct store *first = world.store;
    world_open(&world);
    struct store *second = world.store;
    some_snapshots(1);
    uint64_t committed = store_committed(second).number;
    uint64_t writes = disk.writes;
    assert_int_equal(store_delete(first, (struct page_key){1}, 1), OK);
    assert_int_equal(store_snapshot_seal(first), OK);
    assert_int_equal(store_snapshot_commit(first, "x", 1, 1), ERROR_IN_USE);
    assert_int_equal(disk.writes, writes);
    assert_int_equal(store_close(first), ERROR_IN_USE);
    assert_int_equal(disk.writes, writes);
    expect_state("the second user");
    world_close(&world);
    world_open(&world);
    assert_int_equal(store_committed(world.store).number, committed);
    world_close(&world);
    stop();
}

static enum error open_error(struct store_report *report)
{
    struct store_open_options options = {.user = 1};
    struct store *store;
    uint64_t writes = disk.writes;
    enum error error = store_open(&disk.device, &options, &store, report);
    if (error == OK) {
        assert_int_equal(store_close(store), OK);
    } else {
        assert_int_equal(disk.writes, writes); /* what is not recognised is not touched */
        assert_int_equal(fake_frames_used(), frames_at_rest);
    }
    return error;
}

static void store_what_is_no_image_is_refused_untouched(void **state)
{
    (void)state;
    struct store_report report;
    fake_machine_start(1024);
    frames_at_rest = fake_frames_used();
    fake_disk_start(&disk, 2 * STORE_BLOCKS_MIN);
    disk.is_recording = false;
    assert_int_equal(open_error(&report), ERROR_FORMAT_FOREIGN);

    struct store_format_options options = {.space_id = {1, 2}};
    assert_int_equal(store_format(&disk.device, &options), OK);
    assert_int_equal(open_error(&report), OK);

    disk.device.block_count = STORE_BLOCKS_MIN;
    assert_int_equal(open_error(&report), ERROR_TOO_SMALL);
    assert_true(strstr(report.reason, "2048 blocks") != NULL);
    disk.device.block_count = 2;
    assert_int_equal(open_error(&report), ERROR_FORMAT_FOREIGN);
    disk.device.block_count = 2 * STORE_BLOCKS_MIN;

    fake_disk_flip(&disk, 0, 100, 1);
    assert_int_equal(open_error(&report), OK);
    assert_true(strstr(report.reason, "its copy is used") != NULL);
    fake_disk_flip(&disk, 3, 100, 1);
    assert_int_equal(open_error(&report), ERROR_FORMAT_DAMAGED);
    fake_disk_flip(&disk, 0, 100, 1);
    assert_int_equal(open_error(&report), OK);
    fake_disk_flip(&disk, 1, 300, 1);
    assert_int_equal(open_error(&report), OK);
    fake_disk_flip(&disk, 1, 300, 1);
    fake_disk_flip(&disk, 2, 300, 1);
    fake_disk_flip(&disk, 1, 20, 4);
    assert_int_equal(open_error(&report), ERROR_FORMAT_DAMAGED);

    disk.device.block_count = STORE_BLOCKS_MIN - 1;
    assert_int_equal(store_format(&disk.device, &options), ERROR_TOO_SMALL);
    disk.device.block_count = 2 * STORE_BLOCKS_MIN;
    disk.device.read_only = true;
    assert_int_equal(store_format(&disk.device, &options), ERROR_READ_ONLY);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

/* Read everything of what was recovered from a damaged disk: right, or noticed. Returns whether damage was noticed. */
static bool read_damaged(struct store *store, const struct world_generation *generation, uint8_t *page)
{
    static uint8_t expected[PAGE_SIZE];
    bool damage = false;
    for (uint32_t i = 0; i < world.page_count; i++) {
        struct store_entry entry;
        struct page_key key = {world.keys[i]};
        enum error error = store_find(store, key, &entry);
        if (error == OK) {
            error = store_read(store, key, &entry, page);
        }
        if (error == ERROR_CHECKSUM) {
            damage = true;
        } else if (generation->pages[i] == 0) {
            assert_int_equal(error, ERROR_NOT_FOUND);
        } else {
            assert_int_equal(error, OK);
            content_fill(generation->pages[i], expected);
            assert_memory_equal(page, expected, PAGE_SIZE);
        }
    }
    return damage;
}

#define LIVING   12u /* pages that are written beside the damage; the same number after them is deleted */
#define LIVING_0 77u /* content of the first */
#define MERGING  6u  /* commits that merge the log, after which no record is left that put the pages */

/* What came after the damage is there, whatever the damage is. */
static void expect_living(struct store *store, uint32_t block, const char *when, uint8_t *page)
{
    static uint8_t expected[PAGE_SIZE];
    struct store_entry entry;
    for (uint32_t i = 0; i < LIVING; i++) {
        struct page_key key = {world.keys[i]};
        enum error error = store_find(store, key, &entry);
        if (error == OK) {
            error = store_read(store, key, &entry, page);
        }
        content_fill(LIVING_0 + i, expected);
        if (error != OK || memcmp(page, expected, PAGE_SIZE) != 0) {
            fail_msg("block %u damaged, %s: page %u is not what was written: %s", block, when, i, error_text(error));
        }
        error = store_find(store, (struct page_key){world.keys[LIVING + i]}, &entry);
        if (error != ERROR_NOT_FOUND) {
            fail_msg("block %u damaged, %s: page %u is not deleted: %s", block, when, LIVING + i, error_text(error));
        }
    }
}

/* Life goes on beside the damage: pages are written, deleted, merged and read again. */
static void live_on(struct store *store, struct fake_disk *damaged, uint32_t block, uint8_t *page)
{
    for (uint32_t i = 0; i < LIVING; i++) {
        struct extent extent;
        struct page_key key = {world.keys[i]};
        assert_int_equal(store_allocate(store, 1, &extent), OK);
        struct store_entry entry = {.block = extent.first, .generation = store_open_generation(store)};
        content_fill(LIVING_0 + i, page);
        entry.checksum = store_checksum(store, key, entry.generation, page);
        assert_int_equal(block_write(&damaged->device, extent.first, page), OK);
        assert_int_equal(store_put(store, key, &entry), OK);
        assert_int_equal(store_delete(store, (struct page_key){world.keys[LIVING + i]}, 1), OK);
        assert_int_equal(store_snapshot_seal(store), OK);
        enum error error = store_snapshot_commit(store, "y", 1, 5);
        if (error != OK) {
            fail_msg("block %u damaged, commit %u: %s", block, i, error_text(error));
        }
    }
    for (uint32_t i = 0; i < MERGING; i++) {
        assert_int_equal(store_compact(store, 6), OK);
    }
    expect_living(store, block, "merged", page);
}

struct damage_counts {
    uint32_t noticed, older, refused;
};

/* What becomes of the image when `count` blocks from `block` on are damaged. */
static void damage(struct fake_disk *damaged, uint32_t block, uint32_t count, struct damage_counts *counts)
{
    fake_disk_copy(damaged, &disk);
    for (uint32_t i = 0; i < count; i++) {
        fake_disk_flip(damaged, block + i, (block * 37) % PAGE_SIZE, (uint8_t)(1u << block % 8));
    }
    struct store_open_options options = {.user = 1, .tuning = world.tuning};
    struct store_report report;
    struct store *store;
    enum error error = store_open(&damaged->device, &options, &store, &report);
    if (error != OK) {
        assert_int_equal(error, ERROR_FORMAT_DAMAGED);
        assert_true(report.reason[0] != 0);
        counts->refused++;
        return;
    }
    const struct world_generation *generation = world_generation(&world, report.generation.number);
    assert_non_null(generation);
    struct frame frame;
    assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
    bool is_older = generation->number < world.generations[world.generation_count - 1].number;
    assert_true(!is_older || (report.fell_back && report.reason[0] != 0));
    counts->older += is_older;
    counts->noticed += read_damaged(store, generation, frame_address(frame));
    live_on(store, damaged, block, frame_address(frame));
    assert_int_equal(store_close(store), OK);
    assert_int_equal(store_open(&damaged->device, &options, &store, &report), OK);
    expect_living(store, block, "reopened", frame_address(frame));
    frame_free(frame);
    assert_int_equal(store_close(store), OK);
}

/* Every block of an image is damaged in turn. Nothing wrong is ever taken for right, and the image lives on. */
static void store_damage_anywhere_is_noticed_and_survived(void **state)
{
    (void)state;
    static struct fake_disk damaged;
    struct damage_counts one = {0}, two = {0};
    start(STORE_BLOCKS_MIN, 500, 9);
    world.tuning.history = 6;
    world_open(&world);
    world_write(&world, 700);
    some_snapshots(9);
    world_close(&world);
    fake_disk_start(&damaged, STORE_BLOCKS_MIN);
    damaged.is_recording = false;
    for (uint32_t block = 0; block + 1 < STORE_BLOCKS_MIN; block++) {
        if (disk.blocks[block] != NULL) {
            damage(&damaged, block, 1, &one);
            damage(&damaged, block, 2, &two);
        }
    }
    printf("one block: %u missed, %u times an older generation, %u refused\n", one.noticed, one.older, one.refused);
    printf("two blocks: %u missed, %u times an older generation, %u refused\n", two.noticed, two.older, two.refused);
    assert_int_equal(one.refused, 0);
    assert_int_equal(one.older, 0);
    assert_true(one.noticed > 100 && two.older > 0);
    fake_disk_stop(&damaged);
    stop();
}

/* What is said of an image in which one bit of a root is another one. */
static void check_flipped_root(struct fake_disk *damaged, uint32_t root, uint32_t byte)
{
    struct store_open_options options = {.user = 1, .tuning = world.tuning};
    struct store_report report;
    struct store *store;
    char named[32];

    kernel_snprintf(named, sizeof(named), "root in block %u", root);
    fake_disk_copy(damaged, &disk);
    fake_disk_flip(damaged, root, byte, 1);
    assert_int_equal(store_open(&damaged->device, &options, &store, &report), OK);
    assert_int_equal(store_close(store), OK);
    if (strstr(report.reason, named) == NULL) {
        fail_msg("block %u with byte %u changed is believed: \"%s\"", root, byte, report.reason);
    }
}

/* Each part of a root counts, also where nothing is concluded from it. */
static void store_root_with_a_flipped_bit_is_not_believed(void **state)
{
    (void)state;
    static struct fake_disk damaged;
    start(STORE_BLOCKS_MIN, 100, 9);
    world_open(&world);
    world_write(&world, 100);
    some_snapshots(4);
    world_close(&world);
    fake_disk_start(&damaged, STORE_BLOCKS_MIN);
    damaged.is_recording = false;
    for (uint32_t byte = 0; byte < PAGE_SIZE; byte += 8) {
        check_flipped_root(&damaged, 1, byte);
        check_flipped_root(&damaged, 2, byte);
    }
    fake_disk_stop(&damaged);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_what_is_no_image_is_refused_untouched),
        cmocka_unit_test(store_each_allocation_failing_loses_nothing),
        cmocka_unit_test(store_open_without_memory_fails_cleanly),
        cmocka_unit_test(store_each_write_failing_loses_nothing),
        cmocka_unit_test(store_each_flush_failing_loses_nothing),
        cmocka_unit_test(store_each_read_failing_once_loses_nothing),
        cmocka_unit_test(store_each_request_of_a_merge_failing_leaves_the_map_right),
        cmocka_unit_test(store_blocks_that_cannot_be_written_are_retired),
        cmocka_unit_test(store_full_disk_keeps_what_is_committed),
        cmocka_unit_test(store_second_user_is_noticed),
        cmocka_unit_test(store_damage_anywhere_is_noticed_and_survived),
        cmocka_unit_test(store_root_with_a_flipped_bit_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
