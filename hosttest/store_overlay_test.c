/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A branch beside the image that it branches off: two stores, the second over an overlay that has a head of its own and
 * whatever it has written itself; all else it reads from the first one's disk as that is at the moment. Both go on,
 * each in its own way, and each stays what it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk_format.h"
#include "store_fixture.h"

#define PAGES  60u
#define BLOCKS (2 * STORE_BLOCKS_MIN)
#define ROUNDS 300u

static struct fake_disk parent_disk, branch_disk;
static struct world parent, branch;
static bool is_own[BLOCKS]; /* blocks of the branch that it has written */
static void (*branch_submit)(struct block_device *device, struct block_request *request);

static void overlay_submit(struct block_device *device, struct block_request *request)
{
    if (request->operation == BLOCK_READ) {
        for (uint32_t i = 0; i < request->count; i++) {
            uint32_t block = request->first.number + i;
            if (!is_own[block]) {
                branch_disk.blocks[block] = fake_disk_block(&parent_disk, block);
            }
        }
    } else if (request->operation == BLOCK_WRITE) {
        for (uint32_t i = 0; i < request->count; i++) {
            is_own[request->first.number + i] = true;
        }
    }
    branch_submit(device, request);
}

static void some_snapshots(struct world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        world_write(world, 10);
        world_delete(world);
        assert_int_equal(world_snapshot(world, false), OK);
    }
}

static void start(uint64_t seed)
{
    fake_machine_start(8192);
    fake_disk_start(&parent_disk, BLOCKS);
    fake_disk_start(&branch_disk, BLOCKS);
    parent_disk.is_recording = branch_disk.is_recording = false;
    memset(is_own, 0, sizeof(is_own));
    branch_submit = branch_disk.device.submit;
    branch_disk.device.submit = overlay_submit;
    world_start(&parent, &parent_disk, PAGES, seed);
    parent.tuning = (struct store_tuning){.history = 4, .log_records = 4, .log_entries = 60, .cache_nodes = 8};
    world_open(&parent);
    some_snapshots(&parent, 12);
}

static void stop(void)
{
    world_close(&parent);
    world_stop(&parent);
    fake_disk_stop(&branch_disk);
    fake_disk_stop(&parent_disk);
    fake_machine_stop();
}

/* The head of the branch, from the parent's as it is now. */
static enum error make_head(const char *name)
{
    static _Alignas(8) uint8_t head[STORE_HEAD_BLOCKS * PAGE_SIZE];

    for (uint32_t i = 0; i < STORE_HEAD_BLOCKS; i++) {
        memcpy(head + i * PAGE_SIZE, fake_disk_block(&parent_disk, i), PAGE_SIZE);
    }
    enum error error = store_branch_head(head, name);
    for (uint32_t i = 0; i < STORE_HEAD_BLOCKS && error == OK; i++) {
        assert_int_equal(block_write(&branch_disk.device, (struct block){i}, head + i * PAGE_SIZE), OK);
    }
    return error;
}

/* The world of the branch knows what the parent's knew. */
static void open_branch(void)
{
    branch = parent;
    branch.disk = &branch_disk;
    branch.store = NULL;
    branch.random = parent.random * 3 + 1;
    branch.next_content += 1u << 24;
    branch.generations = malloc(parent.generation_count * sizeof(*branch.generations));
    memcpy(branch.generations, parent.generations, parent.generation_count * sizeof(*branch.generations));
    for (uint32_t i = 0; i < branch.generation_count; i++) {
        branch.generations[i].pages = malloc(PAGES * sizeof(content_id));
        memcpy(branch.generations[i].pages, parent.generations[i].pages, PAGES * sizeof(content_id));
    }
    world_open(&branch);
}

static void close_branch(void)
{
    world_close(&branch);
    world_stop(&branch);
}

static void expect_sound(struct world *world, const char *who)
{
    char why[200] = "";
    if (!store_is_sound(world->store, true, why, sizeof(why)) ||
        !world_equals(world, world->store, world_generation(world, store_committed(world->store).number), why,
                      sizeof(why))) {
        fail_msg("%s, generation %llu: %s", who, (unsigned long long)store_committed(world->store).number, why);
    }
}

static void something_happens(struct world *world)
{
    switch (world_below(world, 6)) {
    case 0:
        world_close(world);
        world_open(world);
        break;
    case 1:
        world_page_out(world, PAGES);
        break;
    case 2:
        (void)!world_compact(world);
        break;
    default:
        world_write(world, 1 + world_below(world, PAGES));
        world_delete(world);
        (void)!world_snapshot(world, true);
    }
}

/* Neither sees the other: not the branch what the parent frees and writes anew, not the parent anything at all. */
static void store_branch_and_its_parent_go_on_beside_each_other(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        start(seed);
        assert_int_equal(store_pin(parent.store, store_committed(parent.store), "held"), OK);
        uint64_t held = store_committed(parent.store).number;
        some_snapshots(&parent, (uint32_t)seed); /* it is the newest no more */
        assert_int_equal(make_head("held"), OK);
        some_snapshots(&parent, 30); /* nor in the history, when the branch boots for the first time */
        open_branch();
        assert_int_equal(store_committed(branch.store).number, held);
        expect_sound(&branch, "a branch that has just begun");
        for (uint32_t round = 0; round < ROUNDS; round++) {
            something_happens(world_below(&parent, 2) == 0 ? &parent : &branch);
        }
        some_snapshots(&parent, 1);
        some_snapshots(&branch, 1);
        expect_sound(&branch, "the branch");
        expect_sound(&parent, "the parent");
        close_branch();
        stop();
    }
}

/* The test above notices it if the parent's generation is not held. */
static void store_branch_of_a_generation_that_was_let_go_is_damaged(void **state)
{
    (void)state;
    start(99);
    assert_int_equal(store_pin(parent.store, store_committed(parent.store), "held"), OK);
    assert_int_equal(make_head("held"), OK);
    assert_int_equal(store_unpin(parent.store, "held"), OK);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        something_happens(&parent);
    }
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store *store;
    char why[200] = "";
    bool is_sound = store_open(&branch_disk.device, &options, &store, &report) == OK;
    if (is_sound) {
        is_sound = store_is_sound(store, true, why, sizeof(why));
        assert_int_equal(store_close(store), OK);
    }
    assert_false(is_sound);
    stop();
}

static void store_branch_head_needs_a_name_a_root_and_a_label(void **state)
{
    static _Alignas(8) uint8_t head[STORE_HEAD_BLOCKS * PAGE_SIZE];

    (void)state;
    start(7);
    assert_int_equal(store_pin(parent.store, store_committed(parent.store), "held"), OK);
    assert_int_equal(make_head("other"), ERROR_NOT_FOUND);
    for (uint32_t torn = 0; torn < STORE_HEAD_BLOCKS; torn++) {
        for (uint32_t i = 0; i < STORE_HEAD_BLOCKS; i++) {
            memcpy(head + i * PAGE_SIZE, fake_disk_block(&parent_disk, i), PAGE_SIZE);
        }
        memset(head + torn * PAGE_SIZE, 0x55, PAGE_SIZE);
        enum error error = store_branch_head(head, "held");
        assert_true(error == OK || (error == ERROR_NOT_FOUND && (torn == 1 || torn == 2))); /* the newer root it was */
    }
    memset(head + DISK_ROOT_BLOCK * PAGE_SIZE, 0, 2 * PAGE_SIZE);
    assert_int_equal(store_branch_head(head, "held"), ERROR_FORMAT_DAMAGED);
    memset(head, 0, sizeof(head));
    assert_int_equal(store_branch_head(head, "held"), ERROR_FORMAT_FOREIGN);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_branch_and_its_parent_go_on_beside_each_other),
        cmocka_unit_test(store_branch_of_a_generation_that_was_let_go_is_damaged),
        cmocka_unit_test(store_branch_head_needs_a_name_a_root_and_a_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
