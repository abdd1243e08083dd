/*
 * A flush that fails while page content is on its way. What had been written by then may never become durable, whatever
 * the next flush says; that goes for the pages of the commit, and for those that a page-out writes beside it.
 *
 * The content here arrives just before the flush that fails, is put afterwards, and belongs to the next generation.
 * When that is committed, the power goes, and everything goes with it that no flush has made durable.
 */
#include "store_fixture.h"

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
    entry->checksum = store_checksum(store, (struct gpn){PAGE}, entry->generation, *content);
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
    assert_int_equal(store_find(store, (struct gpn){PAGE}, &entry), OK);
    assert_int_equal(store_read(store, (struct gpn){PAGE}, &entry, found), OK);
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
    assert_int_equal(store_delete(store, (struct gpn){1}, 1), OK);
    assert_int_equal(store_snapshot_seal(store), OK);
    page_out_begin(&request, &content, entry);
    (void)!store_snapshot_commit(store, "x", 1, 1); /* what fails before the root is tried again at once */
    assert_null(arriving);
    assert_int_equal(store_put(store, (struct gpn){PAGE}, entry), OK);
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
    assert_int_equal(store_delete(store, (struct gpn){PAGE}, 1), OK);
    assert_int_equal(commit(), OK);
    assert_int_equal(store_find(store, (struct gpn){PAGE}, &entry), ERROR_NOT_FOUND);
    assert_int_equal(store_close(store), OK);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_failed_flush_before_the_root_loses_no_page_out),
        cmocka_unit_test(store_failed_flush_of_the_root_loses_no_page_out),
        cmocka_unit_test(store_what_a_disk_has_forgotten_is_not_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
