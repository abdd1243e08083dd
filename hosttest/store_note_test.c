/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The note of the last panic: what is written is what is read, what is torn or of another image is none, and no label
 * is risked for it. And stores that wait, or begin before a generation: what a boot after panics does with them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/frame.h"
#include "disk_format.h"
#include "store_fixture.h"
#include "store_note.h"

#define PAGES   40u
#define SECTOR  512u
#define SECTORS (PAGE_SIZE / SECTOR)

static struct fake_disk disk;
static struct world world;

static void start(uint64_t seed)
{
    fake_machine_start(4096);
    fake_disk_start(&disk, STORE_BLOCKS_MIN);
    disk.is_recording = false;
    world_start(&world, &disk, PAGES, seed);
    world.tuning = (struct store_tuning){.history = 4};
    world_open(&world);
}

static void stop(void)
{
    world_close(&world);
    world_stop(&world);
    fake_disk_stop(&disk);
    fake_machine_stop();
}

static struct store_note some_note(void)
{
    struct store_note note = {
        .panics = 7,
        .generation = {DISK_GENERATION_MAX},
        .resumed = {DISK_GENERATION_MAX - 1},
        .wall_time_ns = UINT64_MAX,
        .boot_ns = UINT64_MAX - 1,
        .boots = UINT32_MAX,
        .program = 4094,
        .parent = 1,
    };
    memset(note.name, 'n', sizeof(note.name) - 1);
    memset(note.text, 't', sizeof(note.text) - 1);
    return note;
}

static void expect_note(const struct store_note *expected)
{
    struct store_note found;

    memset(&found, 0xAA, sizeof(found));
    assert_int_equal(store_note_read(world.store, &found), OK);
    assert_int_equal(found.settled, expected->settled);
    assert_int_equal(found.panics, expected->panics);
    assert_true(found.generation.number == expected->generation.number);
    assert_true(found.resumed.number == expected->resumed.number);
    assert_true(found.wall_time_ns == expected->wall_time_ns && found.boot_ns == expected->boot_ns);
    assert_int_equal(found.boots, expected->boots);
    assert_int_equal(found.program, expected->program);
    assert_int_equal(found.parent, expected->parent);
    assert_string_equal(found.name, expected->name);
    assert_string_equal(found.text, expected->text);
}

/* Put bytes in the place of the note, past the store. */
static void place_write(const uint8_t *block)
{
    void *page;
    struct frame frame;

    assert_int_equal(frame_allocate(FRAME_STORE, &frame), OK);
    page = frame_address(frame);
    memcpy(page, block, PAGE_SIZE);
    assert_int_equal(block_write(&disk.device, store_note_place(), page), OK);
    frame_free(frame);
}

static void store_place_read(uint8_t *block)
{
    memcpy(block, fake_disk_block(&disk, store_note_place().number), PAGE_SIZE);
}

static void note_is_read_back_as_it_was_written(void **state)
{
    struct store_note note, found;

    (void)state;
    start(1);
    assert_int_equal(store_note_read(world.store, &found), ERROR_NOT_FOUND);
    note = some_note();
    assert_int_equal(store_note_write(world.store, &note), OK);
    expect_note(&note);
    note.settled = true;
    note.name[0] = 0;
    note.text[0] = 0;
    assert_int_equal(store_note_write(world.store, &note), OK);
    expect_note(&note);
    assert_int_equal(world_snapshot(&world, false), OK);
    world_close(&world);
    world_open(&world);
    expect_note(&note);
    assert_int_equal(store_note_write(world.store, NULL), OK);
    assert_int_equal(store_note_read(world.store, &found), ERROR_NOT_FOUND);
    assert_memory_equal(fake_disk_block(&disk, DISK_LABEL_BLOCK), fake_disk_block(&disk, DISK_LABEL_COPY),
                        PAGE_SIZE - sizeof(uint64_t));
    stop();
}

static void note_of_a_panic_is_the_note_that_is_written_in_peace(void **state)
{
    static uint8_t prepared[PAGE_SIZE], written[PAGE_SIZE];
    struct store_note note = some_note();
    struct frame frame;

    (void)state;
    start(2);
    assert_int_equal(frame_allocate(FRAME_STORE, &frame), OK);
    assert_int_equal(store_note_prepare(world.store, frame_address(frame)), OK);
    memcpy(prepared, frame_address(frame), PAGE_SIZE);
    frame_free(frame);
    assert_int_equal(store_note_fill(prepared, &note), OK);
    assert_int_equal(store_note_write(world.store, &note), OK);
    store_place_read(written);
    assert_memory_equal(prepared, written, PAGE_SIZE);
    stop();
}

static void note_is_not_filled_into_a_block_that_has_changed(void **state)
{
    static uint8_t prepared[PAGE_SIZE];
    struct store_note note = some_note();
    struct frame frame;

    (void)state;
    start(3);
    assert_int_equal(frame_allocate(FRAME_STORE, &frame), OK);
    assert_int_equal(store_note_prepare(world.store, frame_address(frame)), OK);
    for (uint32_t at = 0; at < PAGE_SIZE; at += 31) {
        memcpy(prepared, frame_address(frame), PAGE_SIZE);
        prepared[at] ^= 1;
        assert_int_equal(store_note_fill(prepared, &note), ERROR_FORMAT_DAMAGED);
    }
    frame_free(frame);
    stop();
}

/* Each set of sectors has arrived, the others are as they were: the note is the old one, the new one or none. */
static void note_that_is_torn_is_the_old_one_the_new_one_or_none(void **state)
{
    static uint8_t before[PAGE_SIZE], after[PAGE_SIZE], torn[PAGE_SIZE];
    struct store_note old = some_note(), new = some_note(), found;
    uint32_t count[3] = {0};

    (void)state;
    start(4);
    old.boots = 1;
    new.boots = 2;
    assert_int_equal(store_note_write(world.store, &old), OK);
    store_place_read(before);
    assert_int_equal(store_note_write(world.store, &new), OK);
    store_place_read(after);
    for (uint32_t set = 0; set < 1u << SECTORS; set++) {
        for (uint32_t i = 0; i < SECTORS; i++) {
            memcpy(torn + i * SECTOR, ((set >> i & 1) != 0 ? after : before) + i * SECTOR, SECTOR);
        }
        place_write(torn);
        enum error error = store_note_read(world.store, &found);
        if (error == OK) {
            assert_true(found.boots == 1 || found.boots == 2);
        } else {
            assert_int_equal(error, ERROR_FORMAT_DAMAGED);
        }
        count[error == OK ? found.boots : 0]++;
    }
    /* The note is in two sectors: a quarter of the sets has both of either. */
    assert_true(count[0] == 128 && count[1] == 64 && count[2] == 64);
    world_close(&world);
    world_open(&world); /* the image is opened all the same */
    assert_int_equal(store_note_write(world.store, &new), OK);
    expect_note(&new);
    stop();
}

static void note_with_any_bit_flipped_is_none(void **state)
{
    static uint8_t block[PAGE_SIZE];
    struct store_note note = some_note(), found;

    (void)state;
    start(5);
    assert_int_equal(store_note_write(world.store, &note), OK);
    store_place_read(block);
    for (uint32_t at = DISK_NOTE_OFFSET; at < DISK_NOTE_OFFSET + sizeof(struct disk_note); at++) {
        block[at] ^= (uint8_t)(1u << at % 8);
        place_write(block);
        assert_int_equal(store_note_read(world.store, &found), ERROR_FORMAT_DAMAGED);
        block[at] ^= (uint8_t)(1u << at % 8);
    }
    stop();
}

static void note_of_another_image_is_none(void **state)
{
    static uint8_t block[PAGE_SIZE];
    struct store_note note = some_note(), found;

    (void)state;
    start(6);
    assert_int_equal(store_note_write(world.store, &note), OK);
    store_place_read(block);
    stop();
    start(7);
    struct store_statistics statistics;
    store_statistics(world.store, &statistics);
    if (memcmp(statistics.space_id, ((struct disk_label *)block)->space_id, sizeof(statistics.space_id)) == 0) {
        fail_msg("both images have the same identity");
    }
    place_write(block);
    assert_int_equal(store_note_read(world.store, &found), ERROR_NOT_FOUND);
    stop();
}

static void note_is_not_written_over_the_only_label(void **state)
{
    static uint8_t before[PAGE_SIZE];
    struct store_note note = some_note();
    struct frame frame;

    (void)state;
    start(8);
    store_place_read(before);
    fake_disk_flip(&disk, DISK_LABEL_BLOCK, 100, 1);
    assert_int_equal(store_note_write(world.store, &note), ERROR_FORMAT_DAMAGED);
    assert_int_equal(frame_allocate(FRAME_STORE, &frame), OK);
    assert_int_equal(store_note_prepare(world.store, frame_address(frame)), ERROR_FORMAT_DAMAGED);
    frame_free(frame);
    assert_memory_equal(before, fake_disk_block(&disk, DISK_LABEL_COPY), PAGE_SIZE);
    stop();
}

/* Waiting, and going on before a generation ------------------------------------------------------------------------ */

static enum error open_before(uint64_t before, struct store_report *report)
{
    struct store_open_options options = {.user = 5, .waits = true, .before = {before}, .tuning = world.tuning};

    return store_open(&disk.device, &options, &world.store, report);
}

static void store_that_waits_writes_nothing_until_it_is_used(void **state)
{
    struct store_report report;
    struct extent extent;
    struct store_note note = some_note();

    (void)state;
    start(9);
    world_write(&world, 10);
    assert_int_equal(world_snapshot(&world, false), OK);
    world_close(&world);
    uint64_t writes = disk.writes;
    assert_int_equal(open_before(0, &report), OK);
    assert_int_equal(store_allocate(world.store, 1, &extent), ERROR_READ_ONLY);
    assert_int_equal(store_snapshot_seal(world.store), ERROR_READ_ONLY);
    assert_int_equal(store_pin(world.store, report.generation, "pin"), ERROR_READ_ONLY);
    assert_int_equal(store_note_write(world.store, &note), ERROR_READ_ONLY);
    assert_int_equal(store_close(world.store), OK);
    assert_true(disk.writes == writes);
    assert_int_equal(open_before(0, &report), OK);
    assert_true(report.clean);
    assert_int_equal(store_use(world.store, "test"), OK);
    assert_true(disk.writes == writes + 1);
    assert_int_equal(store_allocate(world.store, 1, &extent), OK);
    store_release(world.store, extent);
    stop();
}

static void store_before_a_generation_goes_on_with_the_one_before_it(void **state)
{
    struct store_report report;
    uint64_t kept[3];

    (void)state;
    start(10);
    for (uint32_t i = 0; i < 3; i++) {
        world_write(&world, 10);
        assert_int_equal(world_snapshot(&world, false), OK);
        kept[i] = store_committed(world.store).number;
    }
    assert_int_equal(store_pin(world.store, (struct generation){kept[2]}, "bad"), OK);
    world_close(&world);
    assert_int_equal(open_before(kept[0], &report), ERROR_NOT_FOUND);
    assert_int_equal(open_before(kept[1], &report), OK);
    assert_true(report.generation.number == kept[0] && report.newest.number == kept[2]);
    assert_int_equal(store_close(world.store), OK);
    assert_int_equal(open_before(kept[2], &report), OK);
    assert_true(report.generation.number == kept[1]);
    assert_true(report.newest_wall_time_ns >= report.wall_time_ns);
    assert_int_equal(store_use(world.store, "test"), OK);
    /* The branch goes on; what is pinned stays. */
    memcpy(world.now, world_generation(&world, kept[1])->pages, world.page_count * sizeof(content_id));
    world_write(&world, 5);
    assert_int_equal(world_snapshot(&world, false), OK);
    assert_true(store_committed(world.store).number > kept[2]);
    struct generation pinned;
    assert_int_equal(store_pin_find(world.store, "bad", &pinned), OK);
    assert_true(pinned.number == kept[2]);
    char why[200] = "";
    if (!store_is_sound(world.store, true, why, sizeof(why))) {
        fail_msg("%s", why);
    }
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(note_is_read_back_as_it_was_written),
        cmocka_unit_test(note_of_a_panic_is_the_note_that_is_written_in_peace),
        cmocka_unit_test(note_is_not_filled_into_a_block_that_has_changed),
        cmocka_unit_test(note_that_is_torn_is_the_old_one_the_new_one_or_none),
        cmocka_unit_test(note_with_any_bit_flipped_is_none),
        cmocka_unit_test(note_of_another_image_is_none),
        cmocka_unit_test(note_is_not_written_over_the_only_label),
        cmocka_unit_test(store_that_waits_writes_nothing_until_it_is_used),
        cmocka_unit_test(store_before_a_generation_goes_on_with_the_one_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
