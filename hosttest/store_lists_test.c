/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists that lie, and an image that is looked at before it is used. The lists are written by the store itself: a function of
 * it is replaced at link time by one that names what dies twice.
 */
#include <string.h>

#include "store_check.h"
#include "store_fixture.h"
#include "store_record.h"

static struct fake_disk disk;
static struct world world;
static bool is_doubled;

enum error __real_record_append(struct record_writer *writer, enum disk_item_type type, const void *item);
enum error __wrap_record_append(struct record_writer *writer, enum disk_item_type type, const void *item);

enum error __wrap_record_append(struct record_writer *writer, enum disk_item_type type, const void *item)
{
    enum error error = __real_record_append(writer, type, item);
    bool dies = type == DISK_ITEM_DEAD || type == DISK_ITEM_DEAD_RECORD;
    return error == OK && dies && is_doubled ? __real_record_append(writer, type, item) : error;
}

static void start(void)
{
    fake_machine_start(4096);
    fake_disk_start(&disk, STORE_BLOCKS_MIN);
    disk.is_recording = false;
    world_start(&world, &disk, 20, 1);
    world.tuning = (struct store_tuning){.history = 3, .log_records = 4};
    world_open(&world);
}

static void stop(void)
{
    world_close(&world);
    world_stop(&world);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static void snapshots(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        world_write(&world, 3);
        assert_int_equal(world_snapshot(&world, false), OK);
    }
}

static uint64_t findings(void)
{
    struct store_check_options options = {.read_pages = true};
    struct store_check_result result;
    assert_int_equal(store_check(world.store, &options, &result), OK);
    return result.findings;
}

static void store_block_that_is_given_up_twice_is_freed_once(void **state)
{
    (void)state;
    start();
    snapshots(8);
    is_doubled = true;
    snapshots(2);
    assert_true(findings() > 0);
    snapshots(30);
    is_doubled = false;
    snapshots(10);
    assert_int_equal(findings(), 0);
    char why[128];
    const struct world_generation *newest = world_generation(&world, store_committed(world.store).number);
    assert_true(world_equals(&world, world.store, newest, why, sizeof(why)));
    stop();
}

static void store_that_waits_writes_nothing_before_it_is_used(void **state)
{
    (void)state;
    struct store_open_options options = {.user = 5, .waits = true};
    struct store_report report;
    struct store *store;
    struct extent extent;
    uint64_t requests;
    start();
    snapshots(5);
    world_close(&world);
    requests = disk.writes;
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    assert_int_equal(store_allocate(store, 1, &extent), ERROR_READ_ONLY);
    assert_int_equal(store_pin(store, store_committed(store), "name"), ERROR_READ_ONLY);
    assert_int_equal(store_snapshot_seal(store), ERROR_READ_ONLY);
    assert_int_equal(store_close(store), OK);
    assert_int_equal(disk.writes, requests);

    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    assert_int_equal(store_use(store, "marked"), OK);
    assert_true(disk.writes > requests);
    assert_int_equal(store_pin(store, store_committed(store), "name"), OK);
    assert_int_equal(store_close(store), OK);
    world_open(&world);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_block_that_is_given_up_twice_is_freed_once),
        cmocka_unit_test(store_that_waits_writes_nothing_before_it_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
