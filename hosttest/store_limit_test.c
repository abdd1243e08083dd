/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits of the store, at the limit and one beyond.
 */
#include <stdio.h>
#include <string.h>

#include "store_fixture.h"

#define HISTORY 16u

static struct fake_disk disk;
static struct world world;

static void start(void)
{
    fake_machine_start(4096);
    fake_disk_start(&disk, STORE_BLOCKS_MIN);
    disk.is_recording = false;
    world_start(&world, &disk, 20, 1);
    world_open(&world);
}

static void stop(void)
{
    world_close(&world);
    world_stop(&world);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static void a_snapshot(void)
{
    world_write(&world, 3);
    assert_int_equal(world_snapshot(&world, false), OK);
}

static uint32_t kept_count(void)
{
    struct store_kept kept = {0};
    uint32_t count = 0;
    while (store_kept_before(world.store, kept.generation, &kept) == OK) {
        count++;
    }
    return count;
}

static void store_larger_or_smaller_devices_are_refused(void **state)
{
    (void)state;
    struct store_format_options options = {.space_id = {1, 2}};
    start();
    struct block_device device = disk.device;
    device.block_count = STORE_BLOCKS_MAX + 1;
    assert_int_equal(store_format(&device, &options), ERROR_RANGE);
    device.block_count = STORE_BLOCKS_MIN - 1;
    assert_int_equal(store_format(&device, &options), ERROR_TOO_SMALL);
    assert_int_equal(STORE_BLOCKS_MAX, (UINT64_C(1) << 40) / PAGE_SIZE);
    stop();
}

static void store_keeps_sixteen_generations(void **state)
{
    (void)state;
    start();
    for (uint32_t i = 1; i <= HISTORY + 5; i++) {
        a_snapshot();
        assert_int_equal(kept_count(), i < HISTORY ? i : HISTORY);
    }
    stop();
}

static void store_keeps_thirty_two_names(void **state)
{
    (void)state;
    char name[STORE_NAME_BYTES];
    start();
    for (uint32_t i = 0; i < STORE_PINS_MAX; i++) {
        a_snapshot();
        snprintf(name, sizeof(name), "name-%u", i);
        assert_int_equal(store_pin(world.store, store_committed(world.store), name), OK);
    }
    assert_int_equal(store_pin(world.store, store_committed(world.store), "one-more"), ERROR_NO_SPACE);
    assert_int_equal(kept_count(), STORE_PINS_MAX);
    assert_int_equal(store_unpin(world.store, "name-0"), OK);
    assert_int_equal(kept_count(), STORE_PINS_MAX - 1);
    assert_int_equal(store_pin(world.store, store_committed(world.store), "one-more"), OK);
    for (uint32_t i = 0; i < HISTORY; i++) {
        a_snapshot();
    }
    assert_int_equal(kept_count(), STORE_PINS_MAX + HISTORY - 1); /* two names are of one generation */
    world_close(&world);
    world_open(&world);
    assert_int_equal(kept_count(), STORE_PINS_MAX + HISTORY - 1);
    stop();
}

static enum error pin_as(const char *name)
{
    return store_pin(world.store, store_committed(world.store), name);
}

static void store_names_are_bounded(void **state)
{
    (void)state;
    start();
    a_snapshot();
    assert_int_equal(pin_as("thirty-one-characters-it-is-now"), OK);
    assert_int_equal(pin_as("thirty-one-characters-it-is-now"), ERROR_EXISTS);
    assert_int_equal(pin_as("thirty-two-characters-are-no-go!"), ERROR_INVALID);
    assert_int_equal(pin_as(""), ERROR_INVALID);
    assert_int_equal(pin_as("1st"), ERROR_INVALID);
    assert_int_equal(pin_as("a name"), ERROR_INVALID);
    assert_int_equal(store_pin(world.store, (struct generation){77}, "unknown"), ERROR_NOT_FOUND);
    assert_int_equal(store_unpin(world.store, "unknown"), ERROR_NOT_FOUND);
    stop();
}

static void store_system_record_fills_its_room(void **state)
{
    (void)state;
    static uint8_t record[STORE_SYSTEM_RECORD_MAX], found[STORE_SYSTEM_RECORD_MAX];
    start();
    memset(record, 0x5A, sizeof(record));
    assert_int_equal(store_snapshot_seal(world.store), OK);
    assert_int_equal(store_snapshot_commit(world.store, record, sizeof(record), 1), OK);
    assert_int_equal(store_close(world.store), OK);
    struct store_open_options options = {.user = 1};
    struct store_report report;
    assert_int_equal(store_open(&disk.device, &options, &world.store, &report), OK);
    uint32_t room = sizeof(found);
    assert_int_equal(store_system_record(world.store, found, &room), OK);
    assert_int_equal(room, sizeof(record));
    assert_memory_equal(found, record, sizeof(record));
    stop();
}

/* What a page-out notes -------------------------------------------------------------------------------------------- */

static uint32_t held(void)
{
    struct store_statistics statistics;
    store_statistics(world.store, &statistics);
    return statistics.blocks_held;
}

static struct store_entry entry_with_block(struct generation generation)
{
    struct extent extent;
    assert_int_equal(store_allocate(world.store, 1, &extent), OK);
    return (struct store_entry){.block = extent.first, .generation = generation};
}

static void store_put_takes_blocks_that_are_held_and_no_others(void **state)
{
    (void)state;
    start();
    a_snapshot();
    struct store_entry entry = entry_with_block(store_open_generation(world.store));
    assert_int_equal(store_put(world.store, (struct page_key){1}, &entry), OK);
    struct store_entry foreign = entry;
    foreign.block.number = disk.device.block_count - 1;
    assert_int_equal(store_put(world.store, (struct page_key){2}, &foreign), ERROR_INVALID);
    foreign.block.number = disk.device.block_count;
    assert_int_equal(store_put(world.store, (struct page_key){2}, &foreign), ERROR_INVALID);
    foreign.block.number = 1; /* a root */
    assert_int_equal(store_put(world.store, (struct page_key){2}, &foreign), ERROR_INVALID);
    assert_int_equal(store_delete(world.store, (struct page_key){1}, 2), OK);
    assert_int_equal(held(), 0);
    stop();
}

static void store_put_twice_holds_one_block(void **state)
{
    (void)state;
    start();
    a_snapshot();
    for (uint32_t i = 0; i < 5; i++) {
        struct store_entry entry = entry_with_block(store_open_generation(world.store));
        assert_int_equal(store_put(world.store, (struct page_key){1}, &entry), OK);
        assert_int_equal(held(), 1);
    }
    assert_int_equal(store_delete(world.store, (struct page_key){1}, 1), OK);
    assert_int_equal(held(), 0);
    stop();
}

/* A page-out has begun when a snapshot that found nothing is given up: the number it was told stays good. */
static void store_number_that_a_page_out_bears_is_not_given_again(void **state)
{
    (void)state;
    start();
    a_snapshot();
    assert_int_equal(store_snapshot_seal(world.store), OK);
    struct generation told = store_open_generation(world.store);
    store_snapshot_abort(world.store);
    struct store_entry entry = entry_with_block(told);
    assert_int_equal(store_put(world.store, (struct page_key){1}, &entry), OK);
    assert_int_equal(store_delete(world.store, (struct page_key){1}, 1), OK);
    /* Nobody was told one this time. */
    assert_int_equal(store_snapshot_seal(world.store), OK);
    assert_int_equal(store_snapshot_commit(world.store, "x", 1, 1), OK);
    assert_int_equal(store_snapshot_seal(world.store), OK);
    uint64_t sealed = store_sealed_generation(world.store).number;
    store_snapshot_abort(world.store);
    assert_int_equal(store_open_generation(world.store).number, sealed);
    stop();
}

/* A snapshot in which pages [first, first + count) have new content. ERROR_NO_SPACE: it is left to the next one. */
static enum error snapshot_of(uint32_t first, uint32_t count)
{
    static _Alignas(PAGE_SIZE) uint8_t page[PAGE_SIZE];
    static uint32_t content;
    assert_int_equal(store_snapshot_seal(world.store), OK);
    for (uint32_t i = first; i < first + count; i++) {
        struct extent extent;
        if (store_allocate(world.store, 1, &extent) != OK) {
            store_snapshot_abort(world.store);
            return ERROR_NO_SPACE;
        }
        content_fill(++content, page);
        assert_int_equal(block_write(&disk.device, extent.first, page), OK);
        struct store_entry entry = {.block = extent.first, .generation = store_sealed_generation(world.store)};
        entry.checksum = store_checksum(world.store, (struct page_key){i}, entry.generation, page);
        assert_int_equal(store_snapshot_put(world.store, (struct page_key){i}, &entry), OK);
    }
    return store_snapshot_commit(world.store, "x", 1, 1);
}

/* As the snapshot thread does it: history goes first. */
static enum error snapshot_or_reclaim(uint32_t first, uint32_t count)
{
    enum error error = snapshot_of(first, count);
    if (error == ERROR_NO_SPACE && store_reclaim(world.store, 1) == OK) {
        error = snapshot_of(first, count);
    }
    return error;
}

static uint32_t free_blocks(void)
{
    struct store_statistics statistics;
    store_statistics(world.store, &statistics);
    return statistics.blocks - statistics.blocks_used;
}

/* Somebody grows until the disk is full. That its pages are given up then, and others have changed, finds room. */
static void store_growth_leaves_room_for_the_generation_that_gives_it_up(void **state)
{
    uint32_t pages = 0, keep = 100;
    (void)state;
    start();
    while (snapshot_or_reclaim(pages, 16) == OK) {
        pages += 16;
        assert_true(pages < STORE_BLOCKS_MIN);
        assert_true(free_blocks() >= STORE_BLOCKS_MIN / 8);
    }
    assert_true(pages > STORE_BLOCKS_MIN / 2);
    assert_int_equal(store_reclaim(world.store, 1), ERROR_NO_SPACE); /* there is nothing more to be given up */
    assert_int_equal(store_delete(world.store, (struct page_key){keep}, STORE_BLOCKS_MIN), OK);
    assert_int_equal(snapshot_of(0, keep), OK);
    /* What it had is free as soon as no generation that is kept has it, which growth does not wait for. */
    assert_int_equal(snapshot_or_reclaim(STORE_BLOCKS_MIN, keep), OK);
    assert_true(free_blocks() > STORE_BLOCKS_MIN / 2);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_larger_or_smaller_devices_are_refused),
        cmocka_unit_test(store_keeps_sixteen_generations),
        cmocka_unit_test(store_keeps_thirty_two_names),
        cmocka_unit_test(store_names_are_bounded),
        cmocka_unit_test(store_system_record_fills_its_room),
        cmocka_unit_test(store_growth_leaves_room_for_the_generation_that_gives_it_up),
        cmocka_unit_test(store_put_takes_blocks_that_are_held_and_no_others),
        cmocka_unit_test(store_put_twice_holds_one_block),
        cmocka_unit_test(store_number_that_a_page_out_bears_is_not_given_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
