/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What others do beside a commit, or beside a search: a second user comes between the pages and the root, and the nodes
 * that a search is about to read are written over. The others act from within the disk, while somebody waits for it.
 */
#include "store_fixture.h"

#include <string.h>

#define BLOCKS      STORE_BLOCKS_MIN
#define PAGES       600u
#define COMMITS_MAX 1000u

static struct fake_disk disk;
static void (*plain_submit)(struct block_device *device, struct block_request *request);
static void (*plain_wait)(struct block_device *device, struct block_request *request);

static void start(uint32_t blocks)
{
    fake_machine_start(8192);
    fake_disk_start(&disk, blocks);
    disk.is_recording = false;
    plain_submit = disk.device.submit;
    plain_wait = disk.device.wait;
}

static void stop(void)
{
    fake_disk_stop(&disk);
    fake_machine_stop();
}

/* A second user ---------------------------------------------------------------------------------------------------- */

static struct store *open_as(uint64_t user)
{
    struct store_open_options options = {.user = user};
    struct store_report report;
    struct store *store;

    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    return store;
}

static enum error commit_deletion(struct store *store)
{
    assert_int_equal(store_delete(store, (struct page_key){1}, 1), OK);
    assert_int_equal(store_snapshot_seal(store), OK);
    return store_snapshot_commit(store, "x", 1, 1);
}

static struct store *second;

/* The first flush of a commit: all that a root will lead to is written, and the image was looked at long before. */
static void submit_and_let_another_in(struct block_device *device, struct block_request *request)
{
    if (request->operation == BLOCK_FLUSH) {
        device->submit = plain_submit;
        second = open_as(2);
    }
    plain_submit(device, request);
}

static void store_second_user_beside_a_commit_is_noticed_before_the_root(void **state)
{
    struct store_format_options format = {.space_id = {1, 2}};

    (void)state;
    start(BLOCKS);
    assert_int_equal(store_format(&disk.device, &format), OK);
    struct store *first = open_as(1);
    assert_int_equal(commit_deletion(first), OK);
    uint64_t committed = store_committed(first).number;
    second = NULL;
    disk.device.submit = submit_and_let_another_in;
    assert_int_equal(commit_deletion(first), ERROR_IN_USE);
    assert_non_null(second);
    assert_int_equal(store_committed(second).number, committed);
    assert_int_equal(commit_deletion(second), OK); /* the image is still the second one's */
    assert_int_equal(store_close(first), ERROR_IN_USE);
    assert_int_equal(store_close(second), OK);
    struct store *third = open_as(3);
    assert_int_equal(store_committed(third).number, committed + 1);
    assert_int_equal(store_close(third), OK);
    stop();
}

/* The root is on the disk, and nobody knows whether it is durable: it is settled before anything new is written. */
static void store_root_whose_flush_failed_is_no_second_user(void **state)
{
    struct store_format_options format = {.space_id = {1, 2}};

    (void)state;
    start(BLOCKS);
    assert_int_equal(store_format(&disk.device, &format), OK);
    struct store *store = open_as(1);
    assert_int_equal(commit_deletion(store), OK);
    uint64_t committed = store_committed(store).number;
    disk.fault = (struct fake_disk_fault){.armed = true,
                                          .operation = BLOCK_FLUSH,
                                          .first = 1,
                                          .count = UINT64_MAX,
                                          .error = ERROR_IO,
                                          .is_done_anyway = true};
    assert_int_equal(commit_deletion(store), ERROR_IO);
    disk.fault.armed = false;
    assert_int_equal(store_committed(store).number, committed);
    assert_int_equal(commit_deletion(store), OK);
    assert_int_equal(store_close(store), OK);
    store = open_as(2);
    assert_true(store_committed(store).number > committed);
    assert_int_equal(store_close(store), OK);
    stop();
}

/* A search --------------------------------------------------------------------------------------------------------- */

static struct world world;

static void write_all(void)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        world.now[i] = world.next_content++;
        world.dirty[i] = true;
    }
    assert_int_equal(world_snapshot(&world, false), OK);
}

static void compact(void)
{
    while (!store_is_compact(world.store)) {
        assert_int_equal(world_compact(&world), OK);
    }
}

static uint8_t node[PAGE_SIZE];

/* In its block, or in the copy's. */
static bool node_is_on_the_disk(void)
{
    for (uint32_t block = 0; block < 3 * BLOCKS; block++) {
        if (disk.blocks[block] != NULL && memcmp(node, disk.blocks[block], PAGE_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Before the node arrives that somebody waits for, so many commits are made that its blocks are free, and others' in
 * the end. What arrives is no node any more.
 */
static void wait_until_the_node_is_gone(struct block_device *device, struct block_request *request)
{
    if (request->operation != BLOCK_READ) {
        plain_wait(device, request);
        return;
    }
    uint32_t commits = 0;
    device->submit = plain_submit;
    device->wait = plain_wait;
    memcpy(node, fake_disk_block(&disk, request->first.number), PAGE_SIZE);
    while (node_is_on_the_disk()) {
        world.now[1] = world.next_content++;
        world.dirty[1] = true;
        assert_int_equal(world_snapshot(&world, false), OK);
        compact();
        assert_true(commits++ < COMMITS_MAX);
    }
    plain_submit(device, request);
    plain_wait(device, request);
}

static void submit_later(struct block_device *device, struct block_request *request)
{
    if (request->operation != BLOCK_READ) {
        plain_submit(device, request);
    }
}

static void store_find_looks_again_when_commits_took_the_node_meanwhile(void **state)
{
    static uint8_t found[PAGE_SIZE], expected[PAGE_SIZE];
    struct store_entry entry;

    (void)state;
    start(3 * BLOCKS);
    world_start(&world, &disk, PAGES, 5);
    world.tuning = (struct store_tuning){.history = 2, .log_records = 1, .log_entries = 1, .cache_nodes = 8};
    world_open(&world);
    write_all();
    compact();
    world_close(&world);
    world_open(&world);
    disk.device.submit = submit_later;
    disk.device.wait = wait_until_the_node_is_gone;
    assert_int_equal(store_find(world.store, (struct page_key){world.keys[0]}, &entry), OK);
    assert_ptr_equal(disk.device.wait, plain_wait); /* a node was waited for */
    assert_int_equal(store_read(world.store, (struct page_key){world.keys[0]}, &entry, found), OK);
    content_fill(world.now[0], expected);
    assert_memory_equal(found, expected, PAGE_SIZE);
    world_close(&world);
    world_stop(&world);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_second_user_beside_a_commit_is_noticed_before_the_root),
        cmocka_unit_test(store_root_whose_flush_failed_is_no_second_user),
        cmocka_unit_test(store_find_looks_again_when_commits_took_the_node_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
