/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk that lies: it says that a write succeeded, and lost, garbled or misdirected it. Every checksum is bound to its
 * place and time, so whatever is read back is right, or is noticed; nobody is ever given an old or a foreign page for
 * the one that was asked for.
 *
 * Each write of a world's life is lied about in turn. What the store promises then is less than after a power cut: the
 * write may be the root of a generation that was confirmed. But each generation that it still has is read right, or
 * with an error.
 */
#include <stdio.h>

#include "store_fixture.h"

#define PAGES     60u
#define SNAPSHOTS 20u

struct lie_counts {
    uint32_t lies, noticed, refused, older;
};

static struct world world;
static struct fake_disk disk;

/* The life ends where the store notices that something is wrong. */
static void live(void)
{
    enum error error = OK;
    for (uint32_t i = 0; i < SNAPSHOTS && error == OK; i++) {
        world_write(&world, 10);
        world_delete(&world);
        world_page_out(&world, 4);
        error = world_snapshot(&world, false);
    }
    (void)!store_close(world.store);
    world.store = NULL;
}

/* Whether something of a generation cannot be read. What can is right. */
static bool is_damaged(struct store *store, const struct world_generation *generation)
{
    static uint8_t expected[PAGE_SIZE], found[PAGE_SIZE];
    bool damage = false;
    for (uint32_t i = 0; i < world.page_count; i++) {
        struct store_entry entry;
        struct page_key key = {world.keys[i]};
        enum error error = store_find(store, key, &entry);
        if (error == OK) {
            error = store_read(store, key, &entry, found);
        }
        if (error == ERROR_NOT_FOUND) {
            assert_int_equal(generation->pages[i], 0);
        } else if (error == OK) {
            assert_int_not_equal(generation->pages[i], 0);
            content_fill(generation->pages[i], expected);
            assert_memory_equal(found, expected, PAGE_SIZE);
        } else {
            assert_int_equal(error, ERROR_CHECKSUM);
            damage = true;
        }
    }
    return damage;
}

/* Open each generation that the newest root keeps, and the newest. Returns whether anything is noticed to be wrong. */
static bool look_at_all(struct store *newest)
{
    bool noticed = false;
    struct store_kept kept = {0};
    while (store_kept_before(newest, kept.generation, &kept) == OK) {
        struct store_open_options options = {.read_only = true, .generation = kept.generation};
        struct store_report report;
        struct store *store;
        enum error error = store_open(&disk.device, &options, &store, &report);
        if (error != OK) {
            assert_true(report.reason[0] != 0);
            noticed = true;
            continue;
        }
        const struct world_generation *generation = world_generation(&world, kept.generation.number);
        assert_non_null(generation);
        noticed = is_damaged(store, generation) || noticed;
        assert_int_equal(store_close(store), OK);
    }
    return noticed;
}

static void judge(struct lie_counts *counts)
{
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store *store;
    char why[200] = "";
    enum error error = store_open(&disk.device, &options, &store, &report);
    if (error != OK) {
        assert_true(report.reason[0] != 0);
        counts->refused++;
        return;
    }
    bool noticed = look_at_all(store) || report.reason[0] != 0 || !store_is_sound(store, true, why, sizeof(why));
    counts->noticed += noticed;
    counts->older += store_committed(store).number < world.generations[world.generation_count - 1].number;
    assert_int_equal(store_close(store), OK);
}

/* Returns whether the life was long enough for the lie to be told. */
static bool lie_about(uint64_t write, enum fake_disk_lie lie, uint32_t to, struct lie_counts *counts)
{
    fake_machine_start(4096);
    fake_disk_start(&disk, STORE_BLOCKS_MIN);
    disk.is_recording = false;
    world_start(&world, &disk, PAGES, 5);
    world.tuning = (struct store_tuning){.history = 4, .log_records = 4, .log_entries = 60, .cache_nodes = 8};
    world_open(&world);
    disk.lie = lie;
    disk.lie_at = disk.writes + write;
    disk.lie_to = to;
    live();
    bool is_told = disk.lie_block != 0;
    if (is_told) {
        counts->lies++;
        judge(counts);
    }
    world_stop(&world);
    fake_disk_stop(&disk);
    fake_machine_stop();
    return is_told;
}

static void each_write(enum fake_disk_lie lie)
{
    struct lie_counts counts = {0};
    uint64_t write = 1;
    while (lie_about(write, lie, 4 + (uint32_t)(write * 37 % (STORE_BLOCKS_MIN - 4)), &counts)) {
        write++;
    }
    printf("%u lies: %u noticed afterwards, %u refused, %u times an older generation\n", counts.lies, counts.noticed,
           counts.refused, counts.older);
    assert_true(counts.lies > 100 && counts.noticed > counts.lies / 8);
}

static void store_lost_writes_are_never_taken_for_done(void **state)
{
    (void)state;
    each_write(FAKE_DISK_LOST);
}

static void store_garbled_writes_are_never_believed(void **state)
{
    (void)state;
    each_write(FAKE_DISK_GARBLED);
}

static void store_misdirected_writes_are_never_believed(void **state)
{
    (void)state;
    each_write(FAKE_DISK_MISDIRECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_lost_writes_are_never_taken_for_done),
        cmocka_unit_test(store_garbled_writes_are_never_believed),
        cmocka_unit_test(store_misdirected_writes_are_never_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
