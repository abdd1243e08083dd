/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists that lie, and an image that is looked at before it is used. The lists are written by the store itself: a
 * function of it is replaced at link time by one that says something else.
 */
#include <string.h>

#include "store_check.h"
#include "store_checksum.h"
#include "store_fixture.h"
#include "store_record.h"

static struct fake_disk disk;
static struct world world;

/* What becomes of items that say what is dead. */
enum lie { TRUTH, TWICE, LEFT_OUT, ANOTHER_BLOCK, LONGER, YOUNGER, ANOTHER_RECORD, ANOTHER_COPY, RETIRED };
static enum lie lie;
static uint32_t wanted, told;        /* lies: so many at most, and so many so far */
static uint64_t pinned;              /* generation */
static uint32_t block_in_use;        /* by the pinned generation */
static struct disk_record_ref other; /* a record that is not dead */

enum error __real_store_record_append(struct record_writer *writer, enum disk_item_type type, const void *item);
enum error __wrap_store_record_append(struct record_writer *writer, enum disk_item_type type, const void *item);

/* Whether the item is one that the lie is about, and is changed by it: so that it would harm the pinned generation. */
static bool is_lie(enum disk_item_type type, void *item)
{
    struct disk_dead *dead = item;
    struct disk_record_ref *ref = item;
    if (type == DISK_ITEM_DEAD_RECORD) {
        if (lie == ANOTHER_RECORD) {
            *ref = other;
        } else if (lie == ANOTHER_COPY && ref->generation > pinned) {
            ref->copy = block_in_use;
        } else {
            return false;
        }
        return true;
    }
    switch (type == DISK_ITEM_DEAD ? lie : TRUTH) {
    case ANOTHER_BLOCK:
        dead->block = block_in_use;
        return dead->count == 1 && dead->birth > pinned;
    case LONGER:
        dead->count++;
        return true;
    case YOUNGER: {
        bool was_there = dead->birth <= pinned;
        dead->birth = pinned + 1;
        return was_there;
    }
    case LEFT_OUT:
        return dead->birth > pinned; /* the others are the pinned generation's until that goes */
    default:
        return false;
    }
}

enum error __wrap_store_record_append(struct record_writer *writer, enum disk_item_type type, const void *item)
{
    bool dies = type == DISK_ITEM_DEAD || type == DISK_ITEM_DEAD_RECORD;
    uint8_t changed[sizeof(struct disk_record_ref)];
    if (lie == TWICE && dies) {
        enum error error = __real_store_record_append(writer, type, item);
        return error == OK ? __real_store_record_append(writer, type, item) : error;
    }
    if (lie == RETIRED && type == DISK_ITEM_ALLOCATED && told < wanted) {
        told++;
        return __real_store_record_append(writer, DISK_ITEM_BAD, item);
    }
    if (lie == TRUTH || !dies || told == wanted) {
        return __real_store_record_append(writer, type, item);
    }
    memcpy(changed, item, type == DISK_ITEM_DEAD ? sizeof(struct disk_dead) : sizeof(struct disk_record_ref));
    if (!is_lie(type, changed)) {
        return __real_store_record_append(writer, type, item);
    }
    told++;
    return lie == LEFT_OUT ? OK : __real_store_record_append(writer, type, changed);
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

/* Whether the pinned generation is what it was. */
static bool pinned_equals(const struct world_generation *generation, char *why, size_t room)
{
    struct store_open_options options = {.read_only = true, .generation = {generation->number}};
    struct store_report report;
    struct store *store;
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    bool equals = world_equals(&world, store, generation, why, room);
    assert_int_equal(store_close(store), OK);
    return equals;
}

static void store_block_that_is_given_up_twice_is_freed_once(void **state)
{
    (void)state;
    start();
    snapshots(8);
    lie = TWICE;
    snapshots(2);
    assert_true(findings() > 0);
    snapshots(30);
    lie = TRUTH;
    snapshots(10);
    assert_int_equal(findings(), 0);
    char why[128];
    const struct world_generation *newest = world_generation(&world, store_committed(world.store).number);
    assert_true(world_equals(&world, world.store, newest, why, sizeof(why)));
    stop();
}

/* Tell a lie, once; boot, and go on until it would have been acted upon. */
static void lie_once(enum lie chosen)
{
    char why[128];
    start();
    snapshots(12);
    struct store_entry entry;
    struct page_key page = {0};
    do {
        assert_int_equal(store_next(world.store, page, &page, &entry), OK);
        page.number++;
    } while (entry.block.number == 0);
    block_in_use = entry.block.number;
    other = world.store->root->window[0];
    assert_int_equal(store_pin(world.store, store_committed(world.store), "kept"), OK);
    pinned = store_committed(world.store).number;
    assert_int_equal(findings(), 0);

    lie = chosen;
    wanted = 1;
    told = 0;
    for (uint32_t i = 0; told < wanted && i < 60; i++) {
        snapshots(1);
    }
    lie = TRUTH;
    assert_int_equal(told, 1);
    assert_true(findings() > 0);

    world_close(&world);
    world_open(&world);
    assert_true(findings() > 0);
    snapshots(40);
    world_close(&world);
    world_open(&world); /* what the list has lost is found */
    snapshots(1);
    assert_int_equal(findings(), 0);
    const struct world_generation *newest = world_generation(&world, store_committed(world.store).number);
    assert_true(world_equals(&world, world.store, newest, why, sizeof(why)));
    assert_true(pinned_equals(world_generation(&world, pinned), why, sizeof(why)));
    stop();
}

static void store_list_that_names_a_block_in_use_frees_it_not(void **state)
{
    (void)state;
    lie_once(ANOTHER_BLOCK);
}

static void store_list_with_one_block_too_many_frees_it_not(void **state)
{
    (void)state;
    lie_once(LONGER);
}

static void store_list_with_a_wrong_birth_takes_nothing_from_a_pin(void **state)
{
    (void)state;
    lie_once(YOUNGER);
}

static void store_list_that_names_a_record_in_use_frees_it_not(void **state)
{
    (void)state;
    lie_once(ANOTHER_RECORD);
}

static void store_list_that_names_a_copy_that_is_none_frees_it_not(void **state)
{
    (void)state;
    lie_once(ANOTHER_COPY);
}

static void store_list_that_leaves_something_out_is_completed_by_the_next_boot(void **state)
{
    (void)state;
    lie_once(LEFT_OUT);
}

static void store_check_finds_that_a_node_in_use_is_retired(void **state)
{
    (void)state;
    start();
    lie = RETIRED;
    wanted = 1;
    told = 0;
    for (uint32_t i = 0; told < wanted && i < 60; i++) {
        snapshots(1);
    }
    lie = TRUTH;
    assert_int_equal(told, 1);
    world_close(&world);
    world_open(&world);
    assert_true(findings() > 0);
    stop();
}

/* What the head of the next record says of its log. */
enum head_lie { HEAD_TRUTH, HEAD_MERGES_WHAT_IS_MERGED, HEAD_GOES_BACK };
static enum head_lie head_lie;

void __real_store_record_finish(struct record_writer *writer, struct disk_record_ref *out);
void __wrap_store_record_finish(struct record_writer *writer, struct disk_record_ref *out);

void __wrap_store_record_finish(struct record_writer *writer, struct disk_record_ref *out)
{
    if (head_lie == HEAD_MERGES_WHAT_IS_MERGED) {
        writer->head->merge_end = writer->head->map_base;
    } else if (head_lie == HEAD_GOES_BACK) {
        writer->head->map_base--;
    }
    __real_store_record_finish(writer, out);
}

/* Its blocks are given up already: whoever went on from it would have the log in blocks that count as free. */
static void store_log_that_reaches_what_was_given_up_is_not_believed(void **state)
{
    (void)state;
    for (enum head_lie chosen = HEAD_MERGES_WHAT_IS_MERGED; chosen <= HEAD_GOES_BACK; chosen++) {
        struct store_open_options options = {.read_only = true};
        struct store_report report;
        struct store *store;
        start();
        snapshots(12);
        while (world.store->state.map_base == 0 || world.store->state.merge_end != 0) {
            snapshots(1);
        }
        uint64_t before = store_committed(world.store).number;
        head_lie = chosen;
        snapshots(1);
        head_lie = HEAD_TRUTH;
        assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
        assert_true(report.fell_back);
        assert_int_equal(report.generation.number, before);
        assert_int_equal(store_close(store), OK);
        stop();
    }
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

/* The newest root says that it keeps fewer generations, or pins, than it has; its checksum is right. */
static void shrink_newest_root(uint32_t windows, uint32_t pins)
{
    struct disk_root roots[DISK_ROOTS];
    for (uint32_t i = 0; i < DISK_ROOTS; i++) {
        assert_int_equal(block_read(&disk.device, (struct block){DISK_ROOT_BLOCK + i}, &roots[i]), OK);
    }
    uint32_t newest = roots[1].sequence > roots[0].sequence ? 1 : 0;
    roots[newest].window_count -= windows;
    roots[newest].pin_count -= pins;
    roots[newest].checksum = store_checksum_self(DISK_ROOT_BLOCK + newest, &roots[newest]);
    assert_int_equal(block_write(&disk.device, (struct block){DISK_ROOT_BLOCK + newest}, &roots[newest]), OK);
}

static void store_root_that_hides_what_it_keeps_is_not_believed(void **state)
{
    (void)state;
    for (uint32_t windows = 0; windows <= 3; windows++) {
        struct store_open_options options = {.read_only = true};
        struct store_report report;
        struct store *store;
        start();
        snapshots(5);
        assert_int_equal(store_pin(world.store, store_committed(world.store), "name"), OK);
        world_close(&world);
        shrink_newest_root(windows, windows == 0 ? 1 : 0);
        assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
        assert_true(report.fell_back);
        assert_true(report.generation.number >= 4);
        assert_int_equal(store_close(store), OK);
        world_open(&world);
        stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_block_that_is_given_up_twice_is_freed_once),
        cmocka_unit_test(store_list_that_names_a_block_in_use_frees_it_not),
        cmocka_unit_test(store_list_with_one_block_too_many_frees_it_not),
        cmocka_unit_test(store_list_with_a_wrong_birth_takes_nothing_from_a_pin),
        cmocka_unit_test(store_list_that_names_a_record_in_use_frees_it_not),
        cmocka_unit_test(store_list_that_names_a_copy_that_is_none_frees_it_not),
        cmocka_unit_test(store_list_that_leaves_something_out_is_completed_by_the_next_boot),
        cmocka_unit_test(store_check_finds_that_a_node_in_use_is_retired),
        cmocka_unit_test(store_log_that_reaches_what_was_given_up_is_not_believed),
        cmocka_unit_test(store_root_that_hides_what_it_keeps_is_not_believed),
        cmocka_unit_test(store_that_waits_writes_nothing_before_it_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
