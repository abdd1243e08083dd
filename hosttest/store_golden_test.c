/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The golden image: an image of the current format, kept in the tree, must be read for as long as the format's version
 * stays what it is.
 *
 *     store_golden_test FILE LADDER FORMAT-1   read them and compare; FORMAT-1, of the format before, is refused
 *     store_golden_test --write FILE           make it anew, after the format and its version have changed
 *     store_golden_test --write-ladder FILE    the same of the one that has a ladder of history
 *
 * FILE is text: a line "BLOCK OFFSET HEX..." for each stretch of bytes that are not zero.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/frame.h"
#include "disk_format.h"
#include "store_fixture.h"

#define PAGES   220u
#define STRETCH 32u /* bytes a line */
#define HISTORY 4u

static struct fake_disk disk;
static const char *path, *ladder_path, *old_path;
static bool has_ladder; /* the image that is made, or read */

/* Pages of the image are nearly empty, so that the file stays small: a few words made from page and version. */
static void page_fill(uint64_t key, uint32_t version, uint8_t *content)
{
    memset(content, 0, PAGE_SIZE);
    uint32_t low = (uint32_t)key, words[] = {low, version, (uint32_t)(key >> 32), low * 2654435761u ^ version};
    memcpy(content + key % 64 * 16, words, sizeof(words));
}

/* Keys in two clusters, one over the end of an object, and some single ones. */
static uint64_t page_number(uint32_t index)
{
    return index < 100 ? 0x08048u + index : index < 200 ? 0xFEDCBA9FFF60u + index : index * 0x0123456789ABu;
}

/* The version a page has in a generation, 0: no content. */

static uint32_t page_version(uint32_t index, uint32_t generation)
{
    if (index % 50 == 7 && generation >= 5) {
        return 0;
    }
    uint32_t version = 1;
    for (uint32_t g = 2; g <= generation; g++) {
        version = (index + g) % 9 == 0 ? g : version;
    }
    return version;
}

static void put(struct store *store, uint32_t index, uint32_t version, void *content)
{
    struct page_key page = {page_number(index)};
    struct store_entry entry = {.generation = store_sealed_generation(store)};
    page_fill(page.number, version, content);
    entry.checksum = store_checksum(store, page, entry.generation, content);
    struct extent extent;
    assert_int_equal(store_allocate(store, 1, &extent), OK);
    entry.block = extent.first;
    assert_int_equal(block_write(&disk.device, entry.block, content), OK);
    assert_int_equal(store_snapshot_put(store, page, &entry), OK);
}

/* With a ladder, a second each; the fifth to the eighth begin a minute, of which the last three are kept. */
static uint64_t wall_time_ns(uint32_t generation)
{
    uint64_t minutes = !has_ladder || generation < 5 ? 0 : generation < 8 ? generation - 4 : 4;
    return (minutes * 60 + generation) * UINT64_C(1000000000);
}

static void generation_commit(struct store *store, uint32_t generation, void *content)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        if (generation > 1 && page_version(i, generation) == 0 && page_version(i, generation - 1) != 0) {
            assert_int_equal(store_delete(store, (struct page_key){page_number(i)}, 1), OK);
        }
    }
    assert_int_equal(store_snapshot_seal(store), OK);
    for (uint32_t i = 0; i < PAGES; i++) {
        uint32_t version = page_version(i, generation);
        if (version != 0 && (generation == 1 || version != page_version(i, generation - 1))) {
            put(store, i, version, content);
        }
    }
    char record[32];
    int length = snprintf(record, sizeof(record), "generation %u", generation);
    store_snapshot_note_stop(store, 1000 + generation);
    assert_int_equal(store_snapshot_commit(store, record, (uint32_t)length, wall_time_ns(generation)), OK);
}

static void image_make(void)
{
    struct store_format_options format = {.space_id = {0x0123456789ABCDEF, 0xFEDCBA9876543210}, .wall_time_ns = 1};
    if (has_ladder) {
        format.rules = (struct store_rules){.newest = HISTORY, .minutes = 3, .hours = 2, .days = 1, .percent = 40};
    }
    struct store_open_options options = {
        .user = 99,
        .kernel_version = "golden",
        .tuning = {.history = HISTORY, .log_records = 3, .log_entries = 120, .cache_nodes = 8},
    };
    struct store *store;
    struct store_report report;
    struct frame frame;
    assert_int_equal(store_format(&disk.device, &format), OK);
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
    for (uint32_t generation = 1; generation <= 12; generation++) {
        generation_commit(store, generation, frame_address(frame));
        if (generation == 4) {
            assert_int_equal(store_pin(store, (struct generation){4}, "fourth"), OK);
        }
        if (generation == 6) {
            struct extent extent;
            assert_int_equal(store_allocate(store, 1, &extent), OK);
            store_retire(store, extent);
        }
    }
    frame_free(frame);
    assert_int_equal(store_close(store), OK);
}

static void image_save(void)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (uint32_t block = 0; block < disk.device.block_count; block++) {
        const uint8_t *bytes = fake_disk_block(&disk, block);
        for (uint32_t at = 0; at < PAGE_SIZE; at += STRETCH) {
            static const uint8_t zeroes[STRETCH];
            if (memcmp(bytes + at, zeroes, STRETCH) == 0) {
                continue;
            }
            fprintf(file, "%u %u ", block, at);
            for (uint32_t i = 0; i < STRETCH; i++) {
                fprintf(file, "%02x", bytes[at + i]);
            }
            fputc('\n', file);
        }
    }
    assert_int_equal(fclose(file), 0);
}

static void image_load(const char *from)
{
    FILE *file = fopen(from, "r");
    if (file == NULL) {
        fail_msg("%s cannot be read", from);
    }
    unsigned block, at;
    char text[2 * STRETCH + 1];
    while (fscanf(file, "%u %u %64s", &block, &at, text) == 3) {
        for (uint32_t i = 0; i < STRETCH; i++) {
            char digits[] = {text[2 * i], text[2 * i + 1], 0};
            fake_disk_flip(&disk, block, at + i, (uint8_t)strtoul(digits, NULL, 16));
        }
    }
    fclose(file);
}

static void expect_generation(uint32_t generation, void *content)
{
    static uint8_t expected[PAGE_SIZE];
    struct store_open_options options = {.read_only = true, .generation = {generation}};
    struct store *store;
    struct store_report report;
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    assert_string_equal(report.reason, "");
    assert_true(report.clean);
    for (uint32_t i = 0; i < PAGES; i++) {
        struct page_key page = {page_number(i)};
        struct store_entry entry;
        uint32_t version = page_version(i, generation);
        enum error error = store_find(store, page, &entry);
        assert_int_equal(error, version == 0 ? ERROR_NOT_FOUND : OK);
        if (error == OK) {
            assert_int_equal(store_read(store, page, &entry, content), OK);
            page_fill(page.number, version, expected);
            assert_memory_equal(content, expected, PAGE_SIZE);
        }
    }
    char record[32] = "", wanted[32];
    uint32_t length = sizeof(record) - 1;
    assert_int_equal(store_system_record(store, record, &length), OK);
    snprintf(wanted, sizeof(wanted), "generation %u", generation);
    assert_string_equal(record, wanted);
    assert_int_equal(store_close(store), OK);
}

static void expect_image(const char *from)
{
    fake_machine_start(2048);
    fake_disk_start(&disk, STORE_BLOCKS_MIN);
    disk.is_recording = false;
    image_load(from);
    struct frame frame;
    assert_int_equal(frame_allocate(FRAME_PAGE, &frame), OK);
    expect_generation(4, frame_address(frame));
    for (uint32_t generation = 6; has_ladder && generation <= 8; generation++) {
        expect_generation(generation, frame_address(frame));
    }
    for (uint32_t generation = 12; generation > 12 - HISTORY; generation--) {
        expect_generation(generation, frame_address(frame));
    }
    frame_free(frame);

    struct store_open_options options = {.read_only = true};
    struct store *store;
    struct store_report report;
    struct generation pinned;
    char why[200] = "";
    assert_int_equal(store_open(&disk.device, &options, &store, &report), OK);
    assert_int_equal(report.generation.number, 12);
    assert_int_equal(report.wall_time_ns, wall_time_ns(12));
    assert_int_equal(store_pin_find(store, "fourth", &pinned), OK);
    assert_int_equal(pinned.number, 4);
    struct store_statistics statistics;
    store_statistics(store, &statistics);
    assert_string_equal(statistics.kernel, "golden");
    assert_int_equal(statistics.rungs, has_ladder ? 4 : 0);
    struct store_rules rules;
    store_rules_get(store, &rules);
    assert_int_equal(rules.minutes * 100 + rules.hours * 10 + rules.days, has_ladder ? 321 : 0);
    struct store_kept kept = {0};
    assert_int_equal(store_kept_before(store, (struct generation){0}, &kept), OK);
    assert_int_equal(kept.stop_ns, 1012);
    if (!store_is_sound(store, true, why, sizeof(why))) {
        fail_msg("%s", why);
    }
    assert_int_equal(store_close(store), OK);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static void store_golden_image_is_read(void **state)
{
    (void)state;
    has_ladder = false;
    expect_image(path);
}

static void store_golden_image_with_a_ladder_is_read(void **state)
{
    (void)state;
    has_ladder = true;
    expect_image(ladder_path);
}

static void store_image_of_format_1_is_refused_by_name_and_left_as_it_is(void **state)
{
    (void)state;
    fake_machine_start(2048);
    fake_disk_start(&disk, STORE_BLOCKS_MIN);
    disk.is_recording = false;
    image_load(old_path);
    struct store_report report;
    for (uint32_t i = 0; i < 4; i++) {
        struct store_open_options options = {
            .read_only = i % 2 != 0, .generation = {i < 2 ? 0 : 12}, .waits = i == 2, .user = 1};
        struct store *store;
        assert_int_equal(store_open(&disk.device, &options, &store, &report), ERROR_FORMAT_VERSION);
        assert_string_equal(report.reason, "format 1; this version reads format 2");
    }
    assert_int_equal(disk.writes, 0);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static void golden_image_is_written(void **state)
{
    (void)state;
    fake_machine_start(2048);
    fake_disk_start(&disk, STORE_BLOCKS_MIN);
    disk.is_recording = false;
    image_make();
    image_save();
    fake_disk_stop(&disk);
    fake_machine_stop();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest reading[] = {
        cmocka_unit_test(store_golden_image_is_read),
        cmocka_unit_test(store_golden_image_with_a_ladder_is_read),
        cmocka_unit_test(store_image_of_format_1_is_refused_by_name_and_left_as_it_is),
    };
    const struct CMUnitTest writing[] = {cmocka_unit_test(golden_image_is_written)};
    if (argc == 3 && (strcmp(argv[1], "--write") == 0 || strcmp(argv[1], "--write-ladder") == 0)) {
        has_ladder = strcmp(argv[1], "--write") != 0;
        path = argv[2];
        return cmocka_run_group_tests(writing, NULL, NULL);
    }
    if (argc != 4) {
        fprintf(stderr, "usage: %s FILE LADDER FORMAT-1, or --write FILE, or --write-ladder FILE\n", argv[0]);
        return 2;
    }
    path = argv[1];
    ladder_path = argv[2];
    old_path = argv[3];
    return cmocka_run_group_tests(reading, NULL, NULL);
}
