/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio-blk driver and its ring against fake_virtio.c: every shape of device it may meet, every request against a
 * naive copy of the disk, and devices that lie.
 *
 * The driver keeps its disks for as long as the machine runs, so each test is a machine of its own: a process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/clock.h"
#include "arch/frame.h"
#include "fake/machine.h"
#include "fake_virtio.h"
#include "virtio_blk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES  4096u
#define BUFFERS 2048u

static uint8_t model[FAKE_VIRTIO_BLOCKS * PAGE_SIZE];
static void *buffers[BUFFERS];
static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % limit;
}

/* Checks that hold in a child too: cmocka's would jump out of it. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d: expected %s\n", __LINE__, #condition);                                           \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static struct block_device *find(void)
{
    struct block_device *disk = NULL;
    CHECK(virtio_blk_find(0, &disk) == OK && disk != NULL);
    return disk;
}

static enum error find_error(void)
{
    struct block_device *disk;
    enum error error = virtio_blk_find(0, &disk);
    CHECK(virtio_blk_find(0, &disk) == error); /* it is not tried twice */
    return error;
}

/* Some buffers adjacent, some not, in random order. */
static void make_buffers(void)
{
    for (uint32_t i = 0; i < BUFFERS; i++) {
        struct frame frame;
        CHECK(frame_allocate(FRAME_PAGE, &frame) == OK);
        buffers[i] = frame_address(frame);
    }
    for (uint32_t i = 0; i < BUFFERS / 4; i++) {
        uint32_t a = random_below(BUFFERS);
        uint32_t b = random_below(BUFFERS);
        void *buffer = buffers[a];
        buffers[a] = buffers[b];
        buffers[b] = buffer;
    }
}

static void fill(void *const *pages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *words = pages[i];
        for (uint32_t j = 0; j < PAGE_SIZE / 4; j++) {
            words[j] = random_below(UINT32_MAX);
        }
    }
}

#define BATCH 40u

/* A batch of requests that do not overlap, all submitted before any is waited for. */
static void run_batch(struct block_device *disk)
{
    static struct block_request requests[BATCH];
    uint32_t buffer = 0;
    uint32_t block = random_below(20);
    uint32_t count = 0;
    for (; count < BATCH && block < disk->block_count; count++) {
        uint32_t length = 1 + random_below(random_below(4) == 0 ? BLOCK_REQUEST_PAGES_MAX : 8);
        length = length < disk->block_count - block ? length : disk->block_count - block;
        bool write = !disk->read_only && random_below(2) == 0;
        requests[count] = (struct block_request){
            .operation = write ? BLOCK_WRITE : BLOCK_READ,
            .count = length,
            .first = {block},
            .pages = buffers + buffer,
        };
        if (write) {
            fill(buffers + buffer, length);
        }
        if (random_below(8) == 0) {
            requests[count] = (struct block_request){.operation = BLOCK_FLUSH};
        }
        block_submit(disk, &requests[count]);
        buffer += length;
        block += length + random_below(3);
    }
    for (uint32_t i = 0; i < count; i++) {
        CHECK(block_wait(disk, &requests[i]) == OK);
        for (uint32_t j = 0; j < requests[i].count; j++) {
            uint8_t *copy = model + (size_t)(requests[i].first.number + j) * PAGE_SIZE;
            if (requests[i].operation == BLOCK_WRITE) {
                memcpy(copy, requests[i].pages[j], PAGE_SIZE);
            }
            CHECK(memcmp(copy, requests[i].pages[j], PAGE_SIZE) == 0);
        }
    }
}

static void run_batches(void)
{
    struct block_device *disk = find();
    for (uint32_t i = 0; i < sizeof(model); i++) {
        model[i] = fake_virtio_disk[i] = (uint8_t)random_below(256);
    }
    for (uint32_t i = 0; i < 60; i++) {
        run_batch(disk);
    }
    CHECK(memcmp(model, fake_virtio_disk, sizeof(model)) == 0);
}

/* Run a machine with its device in a process of its own. */
static void run_machine(void (*test)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(120);
        fake_machine_start(FRAMES);
        make_buffers();
        fake_virtio_start(random_below(UINT32_MAX));
        test();
        fake_virtio_stop();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int setup(void **state)
{
    (void)state;
    fake_virtio = fake_virtio_knobs();
    return 0;
}

/* Good devices ----------------------------------------------------------------------------------------------------- */

static void modern_device_transfers_every_byte(void **state)
{
    (void)state;
    run_machine(run_batches);
}

static void legacy_device_transfers_every_byte(void **state)
{
    (void)state;
    fake_virtio.legacy = true;
    run_machine(run_batches);
    fake_virtio.ring_size = 1024;
    run_machine(run_batches);
}

static void device_without_indirect_descriptors_transfers_every_byte(void **state)
{
    (void)state;
    fake_virtio.features &= ~FAKE_VIRTIO_INDIRECT;
    static const uint16_t sizes[] = {4, 8, 16, 64, 256};
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        fake_virtio.ring_size = sizes[i];
        run_machine(run_batches);
    }
}

static void limits_of_segments_are_kept(void **state)
{
    (void)state;
    static const uint32_t segments[] = {0, 1, 2, 3, 100, 126, 255, 256, 100000};
    for (uint32_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        fake_virtio.segments_max = segments[i] == 0 ? 1 : segments[i];
        run_machine(run_batches);
    }
    fake_virtio.features &= ~FAKE_VIRTIO_SEGMENTS;
    run_machine(run_batches);
}

static void limits_of_segment_bytes_are_kept(void **state)
{
    (void)state;
    fake_virtio.features |= FAKE_VIRTIO_SIZE_MAX;
    static const uint32_t bytes[] = {4096, 5000, 8192, 65536, UINT32_MAX};
    for (uint32_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        fake_virtio.size_max = bytes[i];
        run_machine(run_batches);
    }
}

static void small_indirect_ring_bounds_the_chain(void **state)
{
    (void)state;
    fake_virtio.ring_size = 16;
    run_machine(run_batches);
    fake_virtio.ring_size = 4;
    run_machine(run_batches);
}

static void many_in_flight(void)
{
    run_batches();
    CHECK(fake_virtio.in_flight_most >= 16);
    CHECK(fake_virtio.segments_most > 100);
    CHECK(fake_virtio.flushes > 0);
}

static void several_requests_are_in_flight(void **state)
{
    (void)state;
    run_machine(many_in_flight);
}

static void check_write_through(void)
{
    run_batches();
    CHECK(block_flush(find()) == OK && fake_virtio.flushes == 0);
}

static void device_without_cache_sees_no_flush(void **state)
{
    (void)state;
    fake_virtio.features &= ~FAKE_VIRTIO_FLUSH;
    run_machine(check_write_through);
}

static void check_read_only(void)
{
    CHECK(find()->read_only);
    run_batches();
    CHECK(block_write(find(), (struct block){1}, buffers[0]) == ERROR_READ_ONLY);
}

static void read_only_device_is_read_only(void **state)
{
    (void)state;
    fake_virtio.features |= FAKE_VIRTIO_READ_ONLY;
    run_machine(check_read_only);
}

static void check_size(void)
{
    CHECK(find()->block_count == fake_virtio.sectors / 8 || find()->block_count == UINT32_MAX);
}

static void size_is_in_whole_blocks_and_capped(void **state)
{
    (void)state;
    static const uint64_t sectors[] = {0, 7, 8, 4799, 1ull << 32, UINT64_MAX};
    for (uint32_t i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++) {
        fake_virtio.sectors = sectors[i];
        run_machine(check_size);
    }
}

/* Errors ----------------------------------------------------------------------------------------------------------- */

static void check_bad_block(void)
{
    struct block_device *disk = find();
    CHECK(block_read(disk, (struct block){50}, buffers[0]) == ERROR_IO);
    CHECK(block_write(disk, (struct block){50}, buffers[0]) == ERROR_IO);
    CHECK(block_read(disk, (struct block){49}, buffers[0]) == OK);
    struct block_request request = {
        .operation = BLOCK_WRITE, .count = BLOCK_REQUEST_PAGES_MAX, .first = {20}, .pages = buffers};
    block_submit(disk, &request);
    CHECK(block_wait(disk, &request) == ERROR_IO);
    CHECK(block_write(disk, (struct block){51}, buffers[0]) == OK);
    CHECK(block_flush(disk) == OK);
}

static void failed_requests_are_io_errors_and_others_are_not(void **state)
{
    (void)state;
    static const uint8_t statuses[] = {1, 2, 3, 77};
    fake_virtio.bad_block = 50;
    for (uint32_t i = 0; i < sizeof(statuses); i++) {
        fake_virtio.bad_status = statuses[i];
        fake_virtio.segments_max = 254;
        run_machine(check_bad_block);
        fake_virtio.segments_max = 5; /* many parts, of which one fails */
        run_machine(check_bad_block);
    }
}

static void check_io_error(void)
{
    CHECK(block_read(find(), (struct block){3}, buffers[0]) == ERROR_IO);
}

static void status_that_is_not_written_is_an_io_error(void **state)
{
    (void)state;
    fake_virtio.forgets_status = true;
    run_machine(check_io_error);
}

static void short_read_of_modern_device_is_an_io_error(void **state)
{
    (void)state;
    fake_virtio.says_short = true;
    run_machine(check_io_error);
}

/* Every request in flight fails, every later one too, and the device was stopped. */
static void check_broken(void)
{
    static struct block_request requests[200];
    struct block_device *disk = find();
    for (uint32_t i = 0; i < 200; i++) {
        requests[i] = (struct block_request){
            .operation = i % 3 == 0 ? BLOCK_WRITE : BLOCK_READ, .count = 2, .first = {i}, .pages = buffers + i * 2};
        block_submit(disk, &requests[i]);
    }
    uint32_t failed = 0;
    for (uint32_t i = 0; i < 200; i++) {
        enum error error = block_wait(disk, &requests[i]);
        CHECK(error == OK || error == ERROR_IO);
        failed += error != OK;
    }
    CHECK(failed > 0 && fake_virtio.resets == 2 && fake_virtio.status == 0x80);
    CHECK(block_read(disk, (struct block){3}, buffers[0]) == ERROR_IO);
    CHECK(block_flush(disk) == ERROR_IO);
}

static void device_that_lies_is_stopped(void **state)
{
    (void)state;
    for (uint32_t mischief = FAKE_VIRTIO_UNKNOWN_ID; mischief <= FAKE_VIRTIO_WANTS_RESET; mischief++) {
        for (uint32_t indirect = 0; indirect < 2; indirect++) {
            for (uint32_t after = 0; after < 60; after += 7) {
                fake_virtio = fake_virtio_knobs();
                fake_virtio.features &= indirect ? UINT64_MAX : ~FAKE_VIRTIO_INDIRECT;
                fake_virtio.mischief = mischief;
                fake_virtio.mischief_after = after;
                random_state += after;
                run_machine(check_broken);
            }
        }
    }
}

/* Starting --------------------------------------------------------------------------------------------------------- */

static void check_unsupported(void)
{
    CHECK(find_error() == ERROR_UNSUPPORTED);
}

static void rings_that_make_no_sense_are_unsupported(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {0, 1, 2, 3, 6, 255, 257, 65535};
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        fake_virtio.ring_size = sizes[i];
        run_machine(check_unsupported);
    }
}

static void devices_that_do_not_fit_are_unsupported(void **state)
{
    (void)state;
    fake_virtio.features &= ~FAKE_VIRTIO_VERSION_1;
    run_machine(check_unsupported);

    fake_virtio = fake_virtio_knobs();
    fake_virtio.refuses_features = true;
    run_machine(check_unsupported);

    fake_virtio = fake_virtio_knobs();
    fake_virtio.interrupt_line = 0xFF;
    run_machine(check_unsupported);

    static const uint32_t block_bytes[] = {0, 3, 8192, UINT32_MAX};
    for (uint32_t i = 0; i < sizeof(block_bytes) / sizeof(block_bytes[0]); i++) {
        fake_virtio = fake_virtio_knobs();
        fake_virtio.block_bytes = block_bytes[i];
        run_machine(check_unsupported);
    }

    fake_virtio = fake_virtio_knobs();
    fake_virtio.features |= FAKE_VIRTIO_SIZE_MAX;
    fake_virtio.size_max = 4095;
    run_machine(check_unsupported);
}

static void check_no_reset(void)
{
    CHECK(find_error() == ERROR_IO);
}

static void device_that_does_not_reset_is_an_io_error(void **state)
{
    (void)state;
    fake_virtio.never_resets = true;
    run_machine(check_no_reset);
}

static void check_no_memory(void)
{
    fake_fail_allocations(0, UINT64_MAX);
    CHECK(find_error() == ERROR_NO_MEMORY);
}

static void check_little_memory(void)
{
    fake_fail_allocations(5, UINT64_MAX); /* ring, headers and three slots */
    struct block_device *disk = find();
    fake_fail_allocations(0, 0);
    CHECK(block_write(disk, (struct block){3}, buffers[0]) == OK);
    run_batches();
    CHECK(fake_virtio.in_flight_most <= 3);
}

static void start_without_memory_fails_and_with_little_works(void **state)
{
    (void)state;
    run_machine(check_no_memory);
    run_machine(check_little_memory);
}

static void check_absent(void)
{
    struct block_device *disk;
    CHECK(virtio_blk_find(1, &disk) == ERROR_NOT_FOUND);
    CHECK(virtio_blk_find(VIRTIO_BLK_DEVICES_MAX, &disk) == ERROR_NOT_FOUND);
    CHECK(virtio_blk_find(UINT32_MAX, &disk) == ERROR_NOT_FOUND);
}

static void absent_disk_is_not_found(void **state)
{
    (void)state;
    run_machine(check_absent);
}

int main(int argc, char **argv)
{
    random_state = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1;
    printf("seed %u\n", random_state);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(modern_device_transfers_every_byte, setup),
        cmocka_unit_test_setup(legacy_device_transfers_every_byte, setup),
        cmocka_unit_test_setup(device_without_indirect_descriptors_transfers_every_byte, setup),
        cmocka_unit_test_setup(limits_of_segments_are_kept, setup),
        cmocka_unit_test_setup(limits_of_segment_bytes_are_kept, setup),
        cmocka_unit_test_setup(small_indirect_ring_bounds_the_chain, setup),
        cmocka_unit_test_setup(several_requests_are_in_flight, setup),
        cmocka_unit_test_setup(device_without_cache_sees_no_flush, setup),
        cmocka_unit_test_setup(read_only_device_is_read_only, setup),
        cmocka_unit_test_setup(size_is_in_whole_blocks_and_capped, setup),
        cmocka_unit_test_setup(failed_requests_are_io_errors_and_others_are_not, setup),
        cmocka_unit_test_setup(status_that_is_not_written_is_an_io_error, setup),
        cmocka_unit_test_setup(short_read_of_modern_device_is_an_io_error, setup),
        cmocka_unit_test_setup(device_that_lies_is_stopped, setup),
        cmocka_unit_test_setup(rings_that_make_no_sense_are_unsupported, setup),
        cmocka_unit_test_setup(devices_that_do_not_fit_are_unsupported, setup),
        cmocka_unit_test_setup(device_that_does_not_reset_is_an_io_error, setup),
        cmocka_unit_test_setup(start_without_memory_fails_and_with_little_works, setup),
        cmocka_unit_test_setup(absent_disk_is_not_found, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
