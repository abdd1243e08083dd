/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks on the real machine: every byte of many requests in flight, several threads at once, and how fast.
 *
 * The tests overwrite a disk. They use those whose first block begins with SCRATCH_MARK, which stays as it is, and no
 * other; without such a disk they do nothing.
 */
#include "arch/clock.h"
#include "arch/frame.h"
#include "ata.h"
#include "block_device.h"
#include "log.h"
#include "selftest.h"
#include "thread.h"
#include "virtio_blk.h"

#include <string.h>

#define SCRATCH_MARK "eidolon scratch disk: may be overwritten"

#define BUFFERS_MAX 2048u
#define AREA_MAX    4096u /* blocks */
#define BATCH       24u
#define BATCHES     60u
#define THREADS     6u
#define DEPTH       8u

static void *buffers[BUFFERS_MAX];
static uint32_t buffer_count;
static uint32_t random_state;
static uint32_t versions[AREA_MAX]; /* of what a block was last written with */

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % limit;
}

static uint32_t minimum(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* As many frames as there are, up to BUFFERS_MAX, leaving some; half of them in disorder. */
static void allocate_buffers(void)
{
    uint32_t wanted = minimum(BUFFERS_MAX, frame_count(FRAME_FREE) / 2);
    struct frame frame;
    buffer_count = 0;
    while (buffer_count < wanted && frame_allocate(FRAME_KERNEL, &frame) == OK) {
        buffers[buffer_count++] = frame_address(frame);
    }
    for (uint32_t i = 0; i < buffer_count / 4; i++) {
        uint32_t a = random_below(buffer_count);
        uint32_t b = random_below(buffer_count);
        void *buffer = buffers[a];
        buffers[a] = buffers[b];
        buffers[b] = buffer;
    }
}

static void free_buffers(void)
{
    while (buffer_count > 0) {
        frame_free(frame_containing(buffers[--buffer_count]));
    }
}

static void fill(void *page, uint32_t block, uint32_t version)
{
    uint32_t *words = page;
    for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
        words[i] = (block * 2654435761u) ^ (version * 40503u) ^ i;
    }
}

static bool holds(const void *page, uint32_t block, uint32_t version)
{
    const uint32_t *words = page;
    for (uint32_t i = 0; i < PAGE_SIZE / 4; i++) {
        if (words[i] != ((block * 2654435761u) ^ (version * 40503u) ^ i)) {
            return false;
        }
    }
    return true;
}

static bool is_scratch(struct block_device *disk)
{
    struct frame frame;
    if (disk->read_only || disk->block_count < 2 || frame_allocate(FRAME_KERNEL, &frame) != OK) {
        return false;
    }
    void *page = frame_address(frame);
    bool scratch =
        block_read(disk, (struct block){0}, page) == OK && memcmp(page, SCRATCH_MARK, sizeof(SCRATCH_MARK) - 1) == 0;
    frame_free(frame);
    return scratch;
}

/* The index-th disk of both kinds; frames that starting it takes are the driver's for good. */
static enum error find_disk(uint32_t index, struct block_device **disk)
{
    uint32_t before = frame_count(FRAME_FREE);
    enum error error =
        index < VIRTIO_BLK_DEVICES_MAX ? virtio_blk_find(index, disk) : ata_find(index - VIRTIO_BLK_DEVICES_MAX, disk);
    selftest_keep_frames(before - frame_count(FRAME_FREE));
    return error;
}

typedef void disk_test(struct block_device *disk);

static void for_each_scratch_disk(disk_test *test)
{
    uint32_t tested = 0;
    random_state = 1;
    allocate_buffers();
    for (uint32_t i = 0; i < VIRTIO_BLK_DEVICES_MAX + ATA_DEVICES_MAX; i++) {
        struct block_device *disk;
        if (find_disk(i, &disk) == OK && is_scratch(disk)) {
            test(disk);
            tested++;
        }
    }
    free_buffers();
    if (tested == 0) {
        log_line("selftest: no disk begins with \"%s\"; nothing was tested", SCRATCH_MARK);
    }
}

/* Blocks of the test area are 1 .. area - 1: the mark stays. */
static uint32_t area_of(const struct block_device *disk)
{
    return minimum(disk->block_count, AREA_MAX);
}

/* Write or read what is known of `length` blocks; a read is checked by check_request(). */
static struct block_request make_request(uint32_t block, uint32_t length, uint32_t buffer)
{
    bool write = versions[block] == 0 || random_below(2) == 0;
    for (uint32_t i = 0; i < length; i++) {
        write |= versions[block + i] == 0;
    }
    for (uint32_t i = 0; i < length && write; i++) {
        fill(buffers[buffer + i], block + i, ++versions[block + i]);
    }
    return (struct block_request){
        .operation = write ? BLOCK_WRITE : BLOCK_READ,
        .count = length,
        .first = {block},
        .pages = buffers + buffer,
    };
}

static void check_request(struct block_device *disk, struct block_request *request)
{
    SELFTEST_EXPECT(block_wait(disk, request) == OK);
    for (uint32_t i = 0; i < request->count; i++) {
        uint32_t block = request->first.number + i;
        SELFTEST_EXPECT(holds(request->pages[i], block, versions[block]));
    }
}

/* Requests of one block up to a megabyte that do not overlap, flushes among them, all in flight together. */
static void run_batch(struct block_device *disk)
{
    static struct block_request requests[BATCH];
    uint32_t area = area_of(disk);
    uint32_t block = 1 + random_below(area / 2);
    uint32_t buffer = 0;
    uint32_t count = 0;
    while (count < BATCH && block < area && buffer < buffer_count) {
        uint32_t length = 1 + random_below(random_below(4) == 0 ? BLOCK_REQUEST_PAGES_MAX : 12);
        length = minimum(length, minimum(area - block, buffer_count - buffer));
        requests[count] = make_request(block, length, buffer);
        block_submit(disk, &requests[count++]);
        if (random_below(6) == 0 && count < BATCH) {
            requests[count] = (struct block_request){.operation = BLOCK_FLUSH};
            block_submit(disk, &requests[count++]);
        }
        block += length + random_below(9);
        buffer += length;
    }
    for (uint32_t i = 0; i < count; i++) {
        check_request(disk, &requests[i]);
    }
}

/* Everything that was written, one block after the other, once more from the disk. */
static void check_area(struct block_device *disk)
{
    for (uint32_t block = 1; block < area_of(disk); block++) {
        if (versions[block] != 0) {
            SELFTEST_EXPECT(block_read(disk, (struct block){block}, buffers[0]) == OK);
            SELFTEST_EXPECT(holds(buffers[0], block, versions[block]));
        }
    }
}

static void keep_every_byte(struct block_device *disk)
{
    memset(versions, 0, sizeof(versions));
    for (uint32_t i = 0; i < BATCHES; i++) {
        run_batch(disk);
    }
    SELFTEST_EXPECT(block_flush(disk) == OK);
    check_area(disk);
}

SELFTEST(disk_many_requests_in_flight_keep_every_byte)
{
    for_each_scratch_disk(keep_every_byte);
}

static void refuse_bad_ranges(struct block_device *disk)
{
    SELFTEST_EXPECT(block_read(disk, (struct block){disk->block_count}, buffers[0]) == ERROR_RANGE);
    SELFTEST_EXPECT(block_read(disk, (struct block){UINT32_MAX}, buffers[0]) == ERROR_RANGE);
    SELFTEST_EXPECT(block_read(disk, (struct block){disk->block_count - 1}, buffers[0]) == OK);
}

SELFTEST(disk_requests_past_its_end_are_refused)
{
    for_each_scratch_disk(refuse_bad_ranges);
}

/* A thread that writes and reads blocks of its own, one request at a time. */
struct worker {
    struct block_device *disk;
    uint32_t number;
    bool succeeded;
    bool ended;
};

static struct wait_queue workers_ended;

static bool work(const struct worker *worker)
{
    void *page = buffers[worker->number];
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t block = 1 + worker->number + i % 10 * THREADS;
        fill(page, block, i);
        bool written = block_write(worker->disk, (struct block){block}, page) == OK;
        memset(page, 0, PAGE_SIZE);
        if (!written || (i % 8 == 0 && block_flush(worker->disk) != OK) ||
            block_read(worker->disk, (struct block){block}, page) != OK || !holds(page, block, i)) {
            return false;
        }
    }
    return true;
}

static void run_worker(void *argument)
{
    struct worker *worker = argument;
    worker->succeeded = work(worker);
    worker->ended = true;
    wait_queue_wake(&workers_ended, UINT32_MAX);
}

static void share_among_threads(struct block_device *disk)
{
    static struct worker workers[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        struct thread *thread;
        workers[i] = (struct worker){.disk = disk, .number = i};
        if (thread_create("disk selftest", run_worker, &workers[i], &thread) != OK) {
            workers[i].ended = true;
        }
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        while (!workers[i].ended) {
            SELFTEST_EXPECT(wait_queue_sleep(&workers_ended, DEADLINE_NEVER, false) == OK);
        }
        SELFTEST_EXPECT(workers[i].succeeded);
    }
}

SELFTEST(disk_threads_share_it)
{
    for_each_scratch_disk(share_among_threads);
}

/* Nanoseconds for `total` blocks in requests of `length`, DEPTH in flight; and a flush if they are written. */
static uint64_t time_requests(struct block_device *disk, enum block_operation operation, uint32_t length,
                              uint32_t total)
{
    static struct block_request requests[DEPTH];
    uint32_t positions = (area_of(disk) - 1) / length;
    uint32_t count = total / length;
    uint64_t start = clock_boot_ns();
    for (uint32_t i = 0; i < count + DEPTH; i++) {
        struct block_request *request = &requests[i % DEPTH];
        if (i >= DEPTH) {
            SELFTEST_EXPECT(block_wait(disk, request) == OK);
        }
        if (i < count) {
            *request = (struct block_request){
                .operation = operation,
                .count = length,
                .first = {1 + i % positions * length},
                .pages = buffers + i % DEPTH * length,
            };
            block_submit(disk, request);
        }
    }
    if (operation == BLOCK_WRITE) {
        SELFTEST_EXPECT(block_flush(disk) == OK);
    }
    return clock_boot_ns() - start;
}

static void say_speed(struct block_device *disk)
{
    static const struct {
        uint32_t length, total;
    } runs[] = {{1, 4096}, {16, 16384}, {256, 65536}};
    for (uint32_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
        if (runs[i].length * DEPTH > buffer_count || runs[i].length >= area_of(disk)) {
            continue;
        }
        uint64_t bytes = (uint64_t)runs[i].total * PAGE_SIZE;
        uint64_t writing = time_requests(disk, BLOCK_WRITE, runs[i].length, runs[i].total);
        uint64_t reading = time_requests(disk, BLOCK_READ, runs[i].length, runs[i].total);
        log_line("selftest: %s: %u KiB, %u in flight: %u MB/s written and flushed, %u MB/s read", disk->name,
                 runs[i].length * 4, DEPTH, (uint32_t)(bytes * 1000 / writing), (uint32_t)(bytes * 1000 / reading));
    }
}

SELFTEST(disk_speed)
{
    for_each_scratch_disk(say_speed);
}
