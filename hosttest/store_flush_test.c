/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that fail while page content is not durable yet.
 *
 * A flush that fails while page content is on its way. What had been written by then may never become durable, whatever
 * the next flush says; that goes for the pages of the commit, and for those that a page-out writes beside it.
 *
 * The content here arrives just before the flush that fails, is put afterwards, and belongs to the next generation.
 * When that is committed, the power goes, and everything goes with it that no flush has made durable.
 */
#include "store_fixture.h"
#include "store_suspect.h"

#include <string.h>

#define BLOCKS  STORE_BLOCKS_MIN
#define PAGE    0x123u
#define CONTENT 77u

static struct fake_disk base, disk, crashed;
static struct store *store;
static void (*submit)(struct block_device *device, struct block_request *request);
static struct block_request *arriving; /* what is on its way, until it has arrived */
static uint32_t flushes;
static uint32_t arrives_before;

/* In place of the disk's own: before one of the flushes, what is on its way arrives. */
static void submit_counting_flushes(struct block_device *device, struct block_request *request)
{
    if (request->operation == BLOCK_FLUSH && ++flushes == arrives_before) {
        assert_int_equal(block_wait(device, arriving), OK);
        arriving = NULL;
    }
    submit(device, request);
}

static enum error commit(void)
{
    assert_int_equal(store_snapshot_seal(store), OK);
    return store_snapshot_commit(store, "x", 1, 1);
}

static void start(void)
{
    struct store_format_options format = {.space_id = {1, 2}};
    struct store_open_options options = {.user = 1};
    struct store_report report;

    fake_machine_start(4096);
    fake_disk_start(&base, BLOCKS);
    fake_disk_start(&disk, BLOCKS);
    fake_disk_start(&crashed, BLOCKS);
    base.is_recording = false;
    crashed.is_recording = false;
    assert_int_equal(store_format(&disk.device, &format), OK);
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    fake_disk_copy(&base, &disk);
    fake_disk_settle(&disk);
    assert_int_equal(commit(), OK); /* it confirms that the image is ours */
    submit = disk.device.submit;
    disk.device.submit = submit_counting_flushes;
    flushes = 0;
    arrives_before = 0;
}

static void stop(void)
{
    fake_disk_stop(&crashed);
    fake_disk_stop(&disk);
    fake_disk_stop(&base);
    fake_machine_stop();
}

/* A page-out beside the commits: its write is on its way from before the first of them on. */
static void page_out_begin(struct block_request *request, void **content, struct store_entry *entry)
{
    struct extent extent;

    content_fill(CONTENT, *content);
    assert_int_equal(store_allocate(store, 1, &extent), OK);
    entry->block = extent.first;
    entry->generation = store_open_generation(store);
    entry->checksum = store_checksum(store, (struct page_key){PAGE}, entry->generation, *content);
    *request = (struct block_request){.operation = BLOCK_WRITE, .first = extent.first, .count = 1, .pages = content};
    arriving = request;
    block_submit(&disk.device, request);
}

/* The power goes: what no flush made durable is lost. */
static void expect_content_after_cut(void)
{
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store_entry entry;
    struct fake_disk_cut cut;
    uint8_t expected[PAGE_SIZE], found[PAGE_SIZE];

    fake_disk_cut_start(&cut, &base, &disk);
    while (fake_disk_cut_next(&cut)) {
    }
    fake_disk_crash(&crashed, &cut, 0);
    fake_disk_cut_stop(&cut);
    assert_int_equal(store_open(&crashed.device, &options, &store, &report), OK);
    assert_int_equal(store_find(store, (struct page_key){PAGE}, &entry), OK);
    assert_int_equal(store_read(store, (struct page_key){PAGE}, &entry, found), OK);
    content_fill(CONTENT, expected);
    assert_memory_equal(found, expected, PAGE_SIZE);
    assert_int_equal(store_close(store), OK);
}

/* It arrives before the flush `failing`, counted from 1, which fails, as do `count` - 1 after it; and is put. */
static void page_out_beside_failing_flushes(uint32_t failing, uint32_t count, struct store_entry *entry)
{
    uint8_t page[PAGE_SIZE];
    void *content = page;
    struct block_request request;

    arrives_before = failing;
    disk.fault = (struct fake_disk_fault){
        .armed = true, .operation = BLOCK_FLUSH, .first = failing - 1, .count = count, .error = ERROR_IO};
    assert_int_equal(store_delete(store, (struct page_key){1}, 1), OK);
    assert_int_equal(store_snapshot_seal(store), OK);
    page_out_begin(&request, &content, entry);
    (void)!store_snapshot_commit(store, "x", 1, 1); /* what fails before the root is tried again at once */
    assert_null(arriving);
    assert_int_equal(store_put(store, (struct page_key){PAGE}, entry), OK);
    while (disk.fault.count > 0) {
        (void)!commit();
    }
}

static void fail_flushes(uint32_t failing, uint32_t count)
{
    struct store_entry entry;

    start();
    page_out_beside_failing_flushes(failing, count, &entry);
    assert_int_equal(commit(), OK);
    assert_int_equal(store_close(store), OK);
    disk.device.submit = submit;
    expect_content_after_cut();
    stop();
}

static void store_failed_flush_before_the_root_loses_no_page_out(void **state)
{
    (void)state;
    fail_flushes(1, 1);
    fail_flushes(1, 3);
}

static void store_failed_flush_of_the_root_loses_no_page_out(void **state)
{
    (void)state;
    fail_flushes(2, 1);
    fail_flushes(2, 3);
}

/* The failed flush was the truth: what was written reads as something else. That page never gets into a generation. */
static void store_what_a_disk_has_forgotten_is_not_committed(void **state)
{
    struct store_entry entry;

    (void)state;
    start();
    page_out_beside_failing_flushes(2, 1, &entry);
    struct generation before = store_committed(store);
    fake_disk_flip(&disk, entry.block.number, 99, 1);
    assert_int_equal(commit(), ERROR_CHECKSUM);
    assert_int_equal(commit(), ERROR_CHECKSUM);
    assert_int_equal(store_committed(store).number, before.number);
    assert_int_equal(store_delete(store, (struct page_key){PAGE}, 1), OK);
    assert_int_equal(commit(), OK);
    assert_int_equal(store_find(store, (struct page_key){PAGE}, &entry), ERROR_NOT_FOUND);
    assert_int_equal(store_close(store), OK);
    stop();
}

/* Page content that was written and put, and is in the device's memory. */
static void page_out(struct store_entry *entry)
{
    static uint8_t page[PAGE_SIZE];
    void *content = page;
    struct block_request request;

    page_out_begin(&request, &content, entry);
    assert_int_equal(block_wait(&disk.device, &request), OK);
    arriving = NULL;
    assert_int_equal(store_put(store, (struct page_key){PAGE}, entry), OK);
}

/* A device that was gone for a moment: one request fails, and is done when it is tried again. */
static void gone_for_a_moment(enum block_operation operation)
{
    static uint8_t page[PAGE_SIZE];

    disk.fault = (struct fake_disk_fault){.armed = true, .operation = operation, .count = 1, .error = ERROR_IO};
    if (operation == BLOCK_READ) {
        assert_int_equal(block_read(&disk.device, (struct block){1}, page), OK); /* the second time */
    } else {
        assert_int_equal(block_write(&disk.device, (struct block){BLOCKS - 1}, page), ERROR_IO);
    }
    assert_int_equal(disk.fault.count, 0);
}

static void lose_nothing(enum block_operation operation)
{
    struct store_entry entry;

    start();
    page_out(&entry);
    gone_for_a_moment(operation);
    assert_int_equal(commit(), OK);
    assert_int_equal(store_close(store), OK);
    disk.device.submit = submit;
    expect_content_after_cut();
    stop();
}

static void store_request_that_failed_loses_no_page_out(void **state)
{
    (void)state;
    lose_nothing(BLOCK_READ);
    lose_nothing(BLOCK_WRITE);
}

/* As above, but before one of the flushes of the commit, counted from 1, the device is gone. */
static uint32_t gone_before;

static void submit_gone_before_flush(struct block_device *device, struct block_request *request)
{
    if (request->operation == BLOCK_FLUSH && ++flushes == gone_before) {
        gone_for_a_moment(BLOCK_READ);
    }
    submit(device, request);
}

static void store_request_that_fails_before_a_flush_makes_it_worthless(void **state)
{
    struct store_entry entry;

    (void)state;
    for (gone_before = 1; gone_before <= 2; gone_before++) {
        start();
        disk.device.submit = submit_gone_before_flush;
        page_out(&entry);
        assert_int_equal(commit(), OK);
        assert_int_equal(flushes, 3); /* one of them is worth nothing */
        assert_int_equal(store_close(store), OK);
        disk.device.submit = submit;
        expect_content_after_cut();
        stop();
    }
}

/* A server that comes back without what it had not written: what it answers is what was durable. */
static void store_what_a_device_that_was_gone_has_forgotten_is_not_committed(void **state)
{
    struct store_entry entry;

    (void)state;
    start();
    assert_int_equal(block_flush(&disk.device), OK);
    disk.forgets_at_once = true;
    assert_int_equal(block_flush(&disk.device), OK);
    page_out(&entry);
    struct generation before = store_committed(store);
    gone_for_a_moment(BLOCK_READ);
    assert_int_equal(commit(), ERROR_CHECKSUM);
    assert_int_equal(commit(), ERROR_CHECKSUM);
    assert_int_equal(store_committed(store).number, before.number);
    /* Content is put anew; that is the disk's to keep again. */
    page_out(&entry);
    assert_int_equal(commit(), OK);
    assert_int_equal(store_close(store), OK);
    disk.device.submit = submit;
    expect_content_after_cut();
    stop();
}

/* A block that cannot be read is asked for once in each commit, whoever wants it however often. */
static void store_bad_block_costs_one_repetition_a_commit(void **state)
{
    static uint8_t page[PAGE_SIZE];
    struct store_entry entry;

    (void)state;
    start();
    page_out(&entry);
    assert_int_equal(commit(), OK);
    disk.bad[entry.block.number] = 1;
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t failures = disk.device.failures;
        for (uint32_t i = 0; i < 100; i++) {
            assert_int_equal(store_read(store, (struct page_key){PAGE}, &entry, page), ERROR_IO);
        }
        assert_int_equal(disk.device.failures - failures, 3); /* it is tried again, twice */
        assert_int_equal(commit(), OK);
    }
    disk.bad[entry.block.number] = 0;
    assert_int_equal(store_read(store, (struct page_key){PAGE}, &entry, page), OK);
    assert_int_equal(store_close(store), OK);
    stop();
}

/* More than are remembered: the oldest are asked for again, and nothing is written past the end. */
static void store_bad_blocks_beyond_what_is_remembered_are_asked_for_again(void **state)
{
    static uint8_t page[PAGE_SIZE];
    void *pages[1] = {page};

    (void)state;
    start();
    assert_true(UNREAD_RUNS_MAX + 100 < BLOCKS);
    for (uint32_t block = 100; block <= 100 + UNREAD_RUNS_MAX; block++) {
        disk.bad[block] = 1;
        assert_int_equal(store_read_blocks(store, (struct block){block}, 1, pages), ERROR_IO);
    }
    uint32_t failures = disk.device.failures;
    assert_int_equal(store_read_blocks(store, (struct block){101}, 1, pages), ERROR_IO);
    assert_int_equal(disk.device.failures, failures);
    assert_int_equal(store_read_blocks(store, (struct block){100}, 1, pages), ERROR_IO);
    assert_int_equal(disk.device.failures, failures + 3);
    assert_int_equal(store_close(store), OK);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_failed_flush_before_the_root_loses_no_page_out),
        cmocka_unit_test(store_failed_flush_of_the_root_loses_no_page_out),
        cmocka_unit_test(store_what_a_disk_has_forgotten_is_not_committed),
        cmocka_unit_test(store_request_that_failed_loses_no_page_out),
        cmocka_unit_test(store_request_that_fails_before_a_flush_makes_it_worthless),
        cmocka_unit_test(store_what_a_device_that_was_gone_has_forgotten_is_not_committed),
        cmocka_unit_test(store_bad_block_costs_one_repetition_a_commit),
        cmocka_unit_test(store_bad_blocks_beyond_what_is_remembered_are_asked_for_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
