/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boots of images whose newest generations hold records that prove themselves and are not sound: the boot goes on with
 * the newest that is, without having written a byte of the image before it knew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/frame.h"
#include "fake/disk.h"
#include "fake/machine.h"
#include "host_boot.h"
#include "host_program.h"
#include "record.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 4096u

#define CALL_EXIT 1u
#define CALL_SYNC 36u

#define WORD      (HOST_DATA + 0x100u)
#define CUT_AFTER 6u  /* the first boot's power goes when WORD has come so far */
#define ROUNDS    12u /* and the program ends when it has come so far */
#define STATUS    3u

static struct fake_disk disk;
static bool cuts;           /* at CUT_AFTER */
static uint32_t cut_at;     /* an event of the disk; 0: never */
static uint32_t first_word; /* that the program had when it went on */

/* The power goes when the disk has seen so many events. */
static void (*disk_submit)(struct block_device *device, struct block_request *request);

static void submit(struct block_device *device, struct block_request *request)
{
    if (cut_at != 0 && disk.event_count >= cut_at) {
        host_cut_power(disk.event_count);
    }
    disk_submit(device, request);
}

/* The program: counts, and makes each number durable. -------------------------------------------------------------- */

enum { BEGIN, COUNT, SYNC, END };

static void run_begin(struct registers *registers)
{
    if (host_store(registers, WORD, 0)) {
        host_jump(registers, COUNT);
    }
}

static void run_count(struct registers *registers)
{
    uint32_t word;

    if (!host_load(registers, WORD, &word)) {
        return;
    }
    if (first_word == UINT32_MAX) {
        first_word = word;
    }
    if (host_store(registers, WORD, word + 1)) {
        host_jump(registers, SYNC);
    }
}

static void run_sync(struct registers *registers)
{
    HOST_CALL(registers, CALL_SYNC);
}

static void after_sync(struct registers *registers)
{
    uint32_t word;

    if (!host_load(registers, WORD, &word)) {
        return;
    }
    if (cuts && word == CUT_AFTER) {
        host_cut_power(0);
    }
    host_jump(registers, word >= ROUNDS ? END : COUNT);
}

static void run_end(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXIT, STATUS);
}

static const struct host_instruction program[] = {
    [BEGIN] = {run_begin, NULL}, [COUNT] = {run_count, NULL}, [SYNC] = {run_sync, after_sync}, [END] = {run_end, NULL}};

static struct host_end boot(const char *options)
{
    struct host_machine machine = {
        .disk = &disk.device,
        .command_line = options,
        .program = host_program_image(),
        .program_bytes = HOST_IMAGE_BYTES,
        .program_words = "counter",
        .run_user = host_program_run,
    };

    first_word = UINT32_MAX;
    host_program_use(program, sizeof(program) / sizeof(program[0]));
    return host_boot(&machine);
}

/* Lies ------------------------------------------------------------------------------------------------------------- */

/* Commit once more what the newest generation holds, but for the record of program 1, which gets an unknown state. */
static uint64_t commit_lie(uint32_t lie)
{
    struct store_open_options options = {.user = 7, .maintenance = true};
    struct page_key page = page_key_at(SPACE_SYSTEM, (struct vaddr){record_layouts[RECORD_PROGRAM].start + PAGE_SIZE});
    uint8_t system_record[STORE_SYSTEM_RECORD_MAX];
    uint32_t length = sizeof(system_record);
    struct store_report report;
    struct store_entry entry;
    struct extent extent;
    struct store *store;
    struct frame frame;

    fake_machine_start(1024);
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    assert_int_equal(store_system_record(store, system_record, &length), OK);
    assert_int_equal(frame_allocate(FRAME_STORE, &frame), OK);
    struct program_record *record = frame_address(frame);
    assert_int_equal(store_find(store, page, &entry), OK);
    assert_int_equal(store_read(store, page, &entry, record), OK);
    record->state = 1000 + lie;
    assert_int_equal(store_snapshot_seal(store), OK);
    assert_int_equal(store_allocate(store, 1, &extent), OK);
    entry = (struct store_entry){.block = extent.first, .generation = store_sealed_generation(store)};
    entry.checksum = store_checksum(store, page, entry.generation, record);
    assert_int_equal(block_write(&disk.device, extent.first, record), OK);
    assert_int_equal(store_snapshot_put(store, page, &entry), OK);
    assert_int_equal(store_snapshot_commit(store, system_record, length, report.wall_time_ns + 500000000), OK);
    uint64_t generation = store_committed(store).number;
    frame_free(frame);
    assert_int_equal(store_close(store), OK);
    fake_machine_stop();
    return generation;
}

/* An image that was cut when WORD was CUT_AFTER, with so many lying generations after that. */
static uint64_t image_start(uint32_t lies)
{
    struct store_format_options format = {.space_id = {1, 2}, .wall_time_ns = 1};
    uint64_t newest = 0;

    fake_disk_start(&disk, BLOCKS);
    fake_machine_start(1024);
    assert_int_equal(store_format(&disk.device, &format), OK);
    fake_machine_stop();
    disk_submit = disk.device.submit;
    disk.device.submit = submit;
    cut_at = 0;
    cuts = true;
    assert_int_equal(boot("interval=0").kind, HOST_CUT);
    cuts = false;
    for (uint32_t i = 0; i < lies; i++) {
        newest = commit_lie(i);
    }
    fake_disk_settle(&disk);
    return newest;
}

static void expect_end(struct host_end end)
{
    if (end.kind != HOST_ENDED || end.status != STATUS) {
        fail_msg("boot ended as %d, status %u: %s\n%s%s", (int)end.kind, end.status, end.text, host_log(),
                 host_console());
    }
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

static void boot_falls_back_before_records_that_are_not_sound(void **state)
{
    (void)state;
    for (uint32_t lies = 1; lies <= 14; lies += lies < 4 ? 1 : 10) {
        image_start(lies);
        expect_end(boot("interval=0"));
        assert_non_null(strstr(host_console(), "cannot be resumed"));
        assert_non_null(strstr(host_console(), "pinned ones stay"));
        assert_int_equal(first_word, CUT_AFTER);
        fake_disk_stop(&disk);
    }
}

static void boot_of_a_generation_that_was_asked_for_does_not_fall_back(void **state)
{
    char options[64];

    (void)state;
    uint64_t newest = image_start(1);
    uint64_t writes = disk.writes;
    snprintf(options, sizeof(options), "interval=0 generation=%llu", (unsigned long long)newest);
    assert_int_equal(boot(options).kind, HOST_REFUSED);
    assert_non_null(strstr(host_console(), "the records cannot be resumed"));
    assert_true(disk.writes == writes);
    fake_disk_stop(&disk);
}

static void boot_without_a_generation_that_is_sound_is_refused_unchanged(void **state)
{
    (void)state;
    image_start(20);
    uint64_t writes = disk.writes;
    assert_int_equal(boot("interval=0").kind, HOST_REFUSED);
    assert_non_null(strstr(host_console(), "no generation goes on"));
    assert_true(disk.writes == writes);
    fake_disk_stop(&disk);
}

/* The next read of the image that fails does so this many times, from the `first`-th on. */
static void fail_reads(uint64_t first, uint64_t count)
{
    disk.fault = (struct fake_disk_fault){
        .armed = true, .operation = BLOCK_READ, .first = first, .count = count, .error = ERROR_IO};
}

#define MOMENT 4u /* requests */

/* What cannot be read now may be read the next moment: an earlier generation would replace it for good. */
static void boot_with_reads_that_fail_for_a_moment_goes_on_with_the_newest(void **state)
{
    uint32_t read_again = 0;

    (void)state;
    for (uint32_t first = 0; first < 60; first++) {
        image_start(0);
        fail_reads(first, MOMENT);
        struct host_end end = boot("interval=0");
        disk.fault.armed = false;
        assert_null(strstr(host_console(), "cannot be resumed"));
        read_again += strstr(host_log(), "reading them again") != NULL;
        if (end.kind == HOST_REFUSED) {
            expect_end(boot("interval=0"));
        }
        assert_true(end.kind == HOST_ENDED || end.kind == HOST_REFUSED);
        assert_true(first_word >= CUT_AFTER);
        fake_disk_stop(&disk);
    }
    assert_true(read_again > 0);
}

/* A block that stays unreadable is as good as damaged. */
static void boot_of_records_that_cannot_be_read_falls_back(void **state)
{
    struct page_key page = page_key_at(SPACE_SYSTEM, (struct vaddr){record_layouts[RECORD_PROGRAM].start + PAGE_SIZE});
    struct store_open_options options = {.read_only = true};
    struct store_report report;
    struct store_entry entry;
    struct store *store;

    (void)state;
    image_start(1);
    fake_machine_start(1024);
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    assert_int_equal(store_find(store, page, &entry), OK);
    assert_int_equal(store_close(store), OK);
    fake_machine_stop();
    disk.bad[entry.block.number] = 1;
    expect_end(boot("interval=0"));
    assert_non_null(strstr(host_console(), "cannot be resumed"));
    assert_int_equal(first_word, CUT_AFTER);
    fake_disk_stop(&disk);
}

/*
 * The power goes at each event of the disk in turn, while the boot falls back and goes on; the next goes on to the end.
 */
static void boot_that_falls_back_is_cut_at_every_event(void **state)
{
    uint32_t cut_boots = 0;

    (void)state;
    for (uint32_t event = 1;; event++) {
        image_start(2);
        cut_at = event;
        struct host_end end = boot("interval=0");
        cut_at = 0;
        if (end.kind == HOST_ENDED) {
            break;
        }
        assert_int_equal(end.kind, HOST_CUT);
        expect_end(boot("interval=0 start=new"));
        fake_disk_stop(&disk);
        cut_boots++;
    }
    fake_disk_stop(&disk);
    printf("fallback: %u cuts\n", cut_boots);
    assert_true(cut_boots > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_falls_back_before_records_that_are_not_sound),
        cmocka_unit_test(boot_of_a_generation_that_was_asked_for_does_not_fall_back),
        cmocka_unit_test(boot_without_a_generation_that_is_sound_is_refused_unchanged),
        cmocka_unit_test(boot_with_reads_that_fail_for_a_moment_goes_on_with_the_newest),
        cmocka_unit_test(boot_of_records_that_cannot_be_read_falls_back),
        cmocka_unit_test(boot_that_falls_back_is_cut_at_every_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
