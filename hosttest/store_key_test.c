/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of pages: an object and an index, both to their limits, and what a format that this version does not know is.
 */
#include <string.h>

#include "arch/frame.h"
#include "store_checksum.h"
#include "store_fixture.h"
#include "store_record.h"

static struct fake_disk disk;
static struct store *store;
static struct store_report report;

/* Deletes are written to the record with one page more than they have. */
static bool deletes_run_on;

enum error __real_store_record_append_page(struct record_writer *writer, enum disk_item_type type, uint64_t key,
                                           const void *item);
enum error __wrap_store_record_append_page(struct record_writer *writer, enum disk_item_type type, uint64_t key,
                                           const void *item);

enum error __wrap_store_record_append_page(struct record_writer *writer, enum disk_item_type type, uint64_t key,
                                           const void *item)
{
    struct disk_extent pages;
    if (!deletes_run_on || type != DISK_ITEM_DELETE) {
        return __real_store_record_append_page(writer, type, key, item);
    }
    memcpy(&pages, item, sizeof(pages));
    pages.count++;
    return __real_store_record_append_page(writer, type, key, &pages);
}

static struct page_key key_of(uint32_t object, uint32_t index)
{
    return page_key_make((struct object_id){object}, index);
}

/* Where keys are alike in all bits but some: neighbours, the same index, the same lower 32 bits, the last of all. */
static struct page_key keys[] = {{0},
                                 {1},
                                 {6ull * OBJECT_PAGES - 1},
                                 {6ull * OBJECT_PAGES},
                                 {(6ull + 4096) * OBJECT_PAGES},
                                 {(6ull + 8192) * OBJECT_PAGES},
                                 {(6ull + OBJECTS_MAX / 2) * OBJECT_PAGES},
                                 {PAGE_KEYS - 1}};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static enum error open_image(bool read_only)
{
    struct store_open_options options = {
        .user = 5, .read_only = read_only, .tuning = {.log_records = 2, .log_entries = 4, .cache_nodes = 8}};
    return store_open(&disk.device, &options, &store, &report);
}

static void start(void)
{
    struct store_format_options options = {.space_id = {1, 2}};
    fake_machine_start(4096);
    fake_disk_start(&disk, STORE_BLOCKS_MIN);
    disk.is_recording = false;
    deletes_run_on = false;
    assert_int_equal(store_format(&disk.device, &options), OK);
    assert_int_equal(open_image(false), OK);
}

static void stop(void)
{
    assert_int_equal(store_close(store), OK);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static void put(struct page_key key, content_id content)
{
    static _Alignas(PAGE_SIZE) uint8_t page[PAGE_SIZE];
    struct extent extent;
    struct store_entry entry = {.generation = store_open_generation(store)};
    content_fill(content, page);
    assert_int_equal(store_allocate(store, 1, &extent), OK);
    entry.block = extent.first;
    entry.checksum = store_checksum(store, key, entry.generation, page);
    assert_int_equal(block_write(&disk.device, entry.block, page), OK);
    assert_int_equal(store_put(store, key, &entry), OK);
}

static void commit(void)
{
    assert_int_equal(store_snapshot_seal(store), OK);
    assert_int_equal(store_snapshot_commit(store, "x", 1, 1), OK);
}

static void reopen(void)
{
    assert_int_equal(store_close(store), OK);
    assert_int_equal(open_image(false), OK);
}

/* Whether a page has this content; 0: none. */
static void expect(struct page_key key, content_id content)
{
    static _Alignas(PAGE_SIZE) uint8_t page[PAGE_SIZE], expected[PAGE_SIZE];
    struct store_entry entry;
    enum error error = store_find(store, key, &entry);
    if (content == 0) {
        assert_int_equal(error, ERROR_NOT_FOUND);
        return;
    }
    assert_int_equal(error, OK);
    assert_int_equal(store_read(store, key, &entry, page), OK);
    content_fill(content, expected);
    assert_memory_equal(page, expected, PAGE_SIZE);
}

static void expect_all(content_id first)
{
    struct page_key at = {0}, found;
    struct store_entry entry;
    for (uint32_t i = 0; i < KEYS; i++) {
        expect(keys[i], first + i);
        assert_int_equal(store_next(store, at, &found, &entry), OK);
        assert_int_equal(found.number, keys[i].number);
        at.number = found.number + 1;
    }
    assert_int_equal(store_next(store, at, &found, &entry), ERROR_NOT_FOUND);
}

/* In the open layer, in the log, in the tree, and read back from either. */
static void store_keys_that_differ_in_any_bits_are_different_pages(void **state)
{
    (void)state;
    start();
    for (content_id first = 10; first < 100; first += 10) {
        for (uint32_t i = 0; i < KEYS; i++) {
            put(keys[i], first + i);
        }
        expect_all(first);
        commit();
        expect_all(first);
        reopen();
        expect_all(first);
    }
    assert_int_equal(store_compact(store, 1), OK);
    expect_all(90);
    struct store_entry entry = {.generation = store_open_generation(store)};
    assert_int_equal(store_put(store, (struct page_key){PAGE_KEYS}, &entry), ERROR_RANGE);
    stop();
}

/* In the open layer, in the log and in the tree. */
static void store_page_of_which_another_object_has_the_lower_bits_is_not_found(void **state)
{
    (void)state;
    start();
    put(key_of(6 + 8192, 7), 10);
    for (uint32_t turn = 0; turn < 12; turn++) {
        expect(key_of(6, 7), 0);
        expect(key_of(6 + 4096, 7), 0);
        expect(key_of(6 + 8192, 7), 10);
        expect(key_of(6 + 12288, 7), 0);
        put(key_of(OBJECTS_MAX - 1, turn), 11); /* behind all that are looked for */
        commit();
        reopen();
    }
    struct store_statistics statistics;
    store_statistics(store, &statistics);
    assert_true(statistics.log_entries < 12); /* the rest is in the tree */
    stop();
}

/* A page's content proves that it is that of this page of this object. */
static void store_content_of_another_object_does_not_pass(void **state)
{
    (void)state;
    start();
    put(key_of(6, 0), 10);
    struct store_entry entry;
    static _Alignas(PAGE_SIZE) uint8_t page[PAGE_SIZE];
    assert_int_equal(store_find(store, key_of(6, 0), &entry), OK);
    for (uint32_t object = 1; object != 0 && object < OBJECTS_MAX; object <<= 1) {
        assert_int_equal(store_read(store, key_of(6 ^ object, 0), &entry, page), ERROR_CHECKSUM);
    }
    for (uint32_t index = 1; index < OBJECT_PAGES; index <<= 1) {
        assert_int_equal(store_read(store, key_of(6, index), &entry, page), ERROR_CHECKSUM);
    }
    stop();
}

static void store_delete_ends_with_the_object(void **state)
{
    (void)state;
    start();
    for (uint32_t i = 0; i < KEYS; i++) {
        put(keys[i], 10 + i);
    }
    commit();
    assert_int_equal(store_delete(store, key_of(5, OBJECT_PAGES - 1), 2), ERROR_RANGE);
    assert_int_equal(store_delete(store, key_of(5, 1), OBJECT_PAGES), ERROR_RANGE);
    assert_int_equal(store_delete(store, key_of(OBJECTS_MAX - 1, OBJECT_PAGES - 1), 2), ERROR_RANGE);
    assert_int_equal(store_delete(store, (struct page_key){PAGE_KEYS}, 1), ERROR_RANGE);
    expect_all(10);
    /* All of one object, its neighbour's first page, and the last page there can be. */
    assert_int_equal(store_delete(store, key_of(5, 0), OBJECT_PAGES), OK);
    assert_int_equal(store_delete(store, key_of(6 + 4096, 0), 1), OK);
    assert_int_equal(store_delete(store, key_of(OBJECTS_MAX - 1, OBJECT_PAGES - 1), 1), OK);
    for (uint32_t turn = 0; turn < 4; turn++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            expect(keys[i], i == 2 || i == 4 || i == KEYS - 1 ? 0 : 10 + i);
        }
        commit();
        reopen();
    }
    stop();
}

/* Deletes of an object and of the next one, which no page lies between. */
static void store_deletes_of_neighbouring_objects_stay_two(void **state)
{
    (void)state;
    start();
    for (uint32_t object = 5; object < 9; object++) {
        put(key_of(object, 0), 10);
        put(key_of(object, OBJECT_PAGES - 1), 11);
    }
    commit();
    assert_int_equal(store_delete(store, key_of(6, 0), OBJECT_PAGES), OK);
    assert_int_equal(store_delete(store, key_of(5, 1), OBJECT_PAGES - 1), OK);
    assert_int_equal(store_delete(store, key_of(7, 0), OBJECT_PAGES - 1), OK);
    for (uint32_t turn = 0; turn < 4; turn++) {
        expect(key_of(5, 0), 10);
        expect(key_of(5, OBJECT_PAGES - 1), 0);
        expect(key_of(6, 0), 0);
        expect(key_of(6, OBJECT_PAGES - 1), 0);
        expect(key_of(7, 0), 0);
        expect(key_of(7, OBJECT_PAGES - 1), 11);
        expect(key_of(8, 0), 10);
        commit();
        reopen();
    }
    stop();
}

static void store_record_whose_delete_runs_into_the_next_object_is_damaged(void **state)
{
    (void)state;
    start();
    put(key_of(5, OBJECT_PAGES - 1), 10);
    put(key_of(6, 0), 11);
    commit();
    struct generation good = store_committed(store);
    deletes_run_on = true;
    assert_int_equal(store_delete(store, key_of(5, 7), OBJECT_PAGES - 7), OK);
    commit();
    reopen();
    assert_true(report.fell_back);
    assert_int_equal(report.generation.number, good.number);
    expect(key_of(5, OBJECT_PAGES - 1), 10);
    expect(key_of(6, 0), 11);
    stop();
}

/* Formats --------------------------------------------------------------------------------------------------------- */

static struct disk_root *root_in(uint32_t block)
{
    return (struct disk_root *)(void *)fake_disk_block(&disk, block);
}

static void seal(uint32_t block)
{
    root_in(block)->checksum = store_checksum_self(block, root_in(block));
}

/* An image that some later version has made use of; `newer`: only the newest root says so. */
static void features_set(uint32_t read, uint32_t write, bool only_newest)
{
    assert_int_equal(store_close(store), OK);
    uint32_t newest = root_in(1)->sequence > root_in(2)->sequence ? 1 : 2;
    for (uint32_t block = 1; block <= 2; block++) {
        if (!only_newest || block == newest) {
            root_in(block)->read_features = read;
            root_in(block)->write_features = write;
            seal(block);
        }
    }
}

static void store_features_to_read_that_are_not_known_are_refused(void **state)
{
    (void)state;
    for (uint32_t only_newest = 0; only_newest < 2; only_newest++) {
        start();
        commit();
        features_set(0x80, 0, only_newest != 0);
        uint64_t writes = disk.writes;
        assert_int_equal(open_image(true), ERROR_FORMAT_VERSION);
        assert_int_equal(open_image(false), ERROR_FORMAT_VERSION);
        assert_non_null(strstr(report.reason, "format 2 with features 80; this version reads format 2 with 0"));
        assert_int_equal(disk.writes, writes);
        for (uint32_t block = 1; block <= 2; block++) {
            root_in(block)->read_features = 0;
            seal(block);
        }
        assert_int_equal(open_image(false), OK);
        stop();
    }
}

static void store_features_to_write_that_are_not_known_are_only_read(void **state)
{
    (void)state;
    start();
    put(key_of(6, 0), 10);
    commit();
    features_set(0, 4, false);
    uint64_t writes = disk.writes;
    assert_int_equal(open_image(false), ERROR_FORMAT_VERSION);
    assert_string_equal(report.reason, "format 2 with features 4; this version only reads such an image");
    assert_int_equal(disk.writes, writes);
    assert_int_equal(open_image(true), OK);
    expect(key_of(6, 0), 10);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_keys_that_differ_in_any_bits_are_different_pages),
        cmocka_unit_test(store_page_of_which_another_object_has_the_lower_bits_is_not_found),
        cmocka_unit_test(store_content_of_another_object_does_not_pass),
        cmocka_unit_test(store_delete_ends_with_the_object),
        cmocka_unit_test(store_deletes_of_neighbouring_objects_stay_two),
        cmocka_unit_test(store_record_whose_delete_runs_into_the_next_object_is_damaged),
        cmocka_unit_test(store_features_to_read_that_are_not_known_are_refused),
        cmocka_unit_test(store_features_to_write_that_are_not_known_are_only_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
