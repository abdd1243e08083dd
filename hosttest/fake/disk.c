/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The faulty disk. Contents are immutable: a write makes a new one, so an image is an array of pointers, and the many
 * images of a crash enumeration share nearly everything.
 */
#include "disk.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>

#define PAGES_PER_SLAB 64u

struct fake_disk_page {
    struct fake_disk_page *next;
    uint8_t bytes[PAGES_PER_SLAB][PAGE_SIZE];
};

static const uint8_t zeroes[PAGE_SIZE];

static uint8_t *content_new(struct fake_disk *disk)
{
    if (disk->pages == NULL || disk->page_used == PAGES_PER_SLAB) {
        struct fake_disk_page *slab = malloc(sizeof(*slab));
        ASSERT(slab != NULL);
        slab->next = disk->pages;
        disk->pages = slab;
        disk->page_used = 0;
    }
    return disk->pages->bytes[disk->page_used++];
}

/* Keep one slab for what comes next, free the others. */
static void contents_forget(struct fake_disk *disk)
{
    while (disk->pages != NULL && disk->pages->next != NULL) {
        struct fake_disk_page *next = disk->pages->next;
        free(disk->pages);
        disk->pages = next;
    }
    disk->page_used = 0;
}

static void event_add(struct fake_disk *disk, struct fake_disk_event event)
{
    if (!disk->is_recording) {
        return;
    }
    if (disk->event_count == disk->event_room) {
        disk->event_room = disk->event_room == 0 ? 1024 : disk->event_room * 2;
        disk->events = realloc(disk->events, disk->event_room * sizeof(*disk->events));
        ASSERT(disk->events != NULL);
    }
    disk->events[disk->event_count++] = event;
}

static bool chance_strikes(struct fake_disk *disk, enum block_operation operation)
{
    uint32_t chance = disk->chance[operation];
    if (chance == 0) {
        return false;
    }
    disk->random = disk->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(disk->random >> 33) % chance == 0;
}

static bool fault_strikes(struct fake_disk *disk, enum block_operation operation)
{
    if (chance_strikes(disk, operation)) {
        disk->fault.error = ERROR_IO;
        disk->fault.is_done_anyway = (disk->random >> 40 & 1) != 0;
        return true;
    }
    struct fake_disk_fault *fault = &disk->fault;
    if (!fault->armed || fault->operation != operation) {
        return false;
    }
    if (fault->first > 0) {
        fault->first--;
        return false;
    }
    if (fault->count == 0) {
        return false;
    }
    fault->count--;
    return true;
}

void fake_disk_forget(struct fake_disk *disk)
{
    event_add(disk, (struct fake_disk_event){.kind = FAKE_DISK_GONE});
    if (disk->forgets_at_once) {
        memcpy(disk->blocks, disk->durable, disk->device.block_count * sizeof(*disk->blocks));
    }
}

static void flush(struct fake_disk *disk)
{
    disk->flushes++;
    event_add(disk, (struct fake_disk_event){.kind = FAKE_DISK_FLUSH});
    if (disk->forgets_at_once) {
        memcpy(disk->durable, disk->blocks, disk->device.block_count * sizeof(*disk->blocks));
    }
}

static uint8_t *content_for(struct fake_disk *disk, uint32_t block)
{
    bool in_place = disk->is_frugal && disk->blocks[block] != NULL;
    return in_place ? (uint8_t *)(uintptr_t)disk->blocks[block] : content_new(disk);
}

static void block_set(struct fake_disk *disk, uint32_t block, const uint8_t *bytes)
{
    uint8_t *content = content_for(disk, block);
    memcpy(content, bytes, PAGE_SIZE);
    disk->blocks[block] = content;
    event_add(disk, (struct fake_disk_event){.kind = FAKE_DISK_WRITE, .block = block, .bytes = content});
}

/* A write that is said to have succeeded. One event for a block, as ever: disk_wait() counts on it. */
static void block_lie(struct fake_disk *disk, uint32_t block, const uint8_t *bytes)
{
    static uint8_t other[PAGE_SIZE];
    disk->lie_block = block;
    if (disk->lie == FAKE_DISK_MISDIRECTED) {
        block_set(disk, disk->lie_to, bytes);
        return;
    }
    memcpy(other, disk->lie == FAKE_DISK_LOST ? fake_disk_block(disk, block) : bytes, PAGE_SIZE);
    if (disk->lie == FAKE_DISK_GARBLED) {
        memset(other + block % PAGE_SIZE, 0xA5, PAGE_SIZE - block % PAGE_SIZE);
    }
    block_set(disk, block, other);
}

static enum error transfer(struct fake_disk *disk, const struct block_request *request)
{
    for (uint32_t i = 0; i < request->count; i++) {
        uint32_t block = request->first.number + i;
        if (request->operation == BLOCK_READ) {
            if ((disk->bad[block] & 1) != 0) {
                return ERROR_IO;
            }
            disk->reads++;
            memcpy(request->pages[i], fake_disk_block(disk, block), PAGE_SIZE);
        } else {
            if ((disk->bad[block] & 2) != 0) {
                return ERROR_IO;
            }
            disk->writes++;
            bool is_lie = disk->lie != FAKE_DISK_HONEST && disk->writes == disk->lie_at;
            (is_lie ? block_lie : block_set)(disk, block, request->pages[i]);
        }
    }
    return OK;
}

static void disk_submit(struct block_device *device, struct block_request *request)
{
    struct fake_disk *disk = (struct fake_disk *)(void *)device;
    disk->requests++;
    bool strikes = fault_strikes(disk, request->operation);
    if (strikes && request->operation != BLOCK_FLUSH) {
        fake_disk_forget(disk);
    }
    request->result = strikes ? disk->fault.error : OK;
    request->parts = disk->event_count;
    if (strikes && !disk->fault.is_done_anyway) {
        if (request->operation == BLOCK_FLUSH) {
            event_add(disk, (struct fake_disk_event){.kind = FAKE_DISK_FLUSH_FAILED});
        }
        block_finish(request);
        return;
    }
    if (request->operation == BLOCK_FLUSH) {
        flush(disk);
        block_finish(request);
        return;
    }
    enum error error = transfer(disk, request);
    if (error != OK) {
        fake_disk_forget(disk);
    }
    request->result = request->result != OK ? request->result : error;
}

static void disk_wait(struct block_device *device, struct block_request *request)
{
    struct fake_disk *disk = (struct fake_disk *)(void *)device;
    uint32_t first = request->parts;
    for (uint32_t i = first; request->operation == BLOCK_WRITE && i < disk->event_count && i < first + request->count;
         i++) {
        event_add(disk, (struct fake_disk_event){.kind = FAKE_DISK_COMPLETE, .write = i});
    }
    block_finish(request);
}

void fake_disk_start(struct fake_disk *disk, uint32_t block_count)
{
    *disk = (struct fake_disk){
        .device = {.name = "fake", .block_count = block_count, .submit = disk_submit, .wait = disk_wait},
        .blocks = calloc(block_count, sizeof(*disk->blocks)),
        .durable = calloc(block_count, sizeof(*disk->durable)),
        .bad = calloc(block_count, 1),
        .is_recording = true,
    };
    ASSERT(disk->blocks != NULL && disk->durable != NULL && disk->bad != NULL);
}

void fake_disk_stop(struct fake_disk *disk)
{
    contents_forget(disk);
    free(disk->pages);
    free(disk->blocks);
    free(disk->durable);
    free(disk->bad);
    free(disk->events);
    *disk = (struct fake_disk){0};
}

void fake_disk_copy(struct fake_disk *disk, const struct fake_disk *source)
{
    ASSERT(disk->device.block_count == source->device.block_count);
    contents_forget(disk);
    memcpy(disk->blocks, source->blocks, source->device.block_count * sizeof(*disk->blocks));
    disk->event_count = 0;
}

void fake_disk_settle(struct fake_disk *disk)
{
    disk->event_count = 0;
}

const uint8_t *fake_disk_block(const struct fake_disk *disk, uint32_t block)
{
    return disk->blocks[block] == NULL ? zeroes : disk->blocks[block];
}

void fake_disk_flip(struct fake_disk *disk, uint32_t block, uint32_t byte, uint8_t bits)
{
    uint8_t *content = content_new(disk);
    memcpy(content, fake_disk_block(disk, block), PAGE_SIZE);
    content[byte] ^= bits;
    disk->blocks[block] = content;
}

void fake_disk_cut_start(struct fake_disk_cut *cut, const struct fake_disk *base, const struct fake_disk *source)
{
    *cut = (struct fake_disk_cut){
        .source = source,
        .blocks = calloc(base->device.block_count, sizeof(*cut->blocks)),
        .pending = calloc(source->event_count + 1, sizeof(*cut->pending)),
        .fate = calloc(source->event_count + 1, sizeof(*cut->fate)),
    };
    ASSERT(cut->blocks != NULL && cut->pending != NULL && cut->fate != NULL);
    memcpy(cut->blocks, base->blocks, base->device.block_count * sizeof(*cut->blocks));
}

void fake_disk_cut_stop(struct fake_disk_cut *cut)
{
    free(cut->blocks);
    free(cut->pending);
    free(cut->fate);
    *cut = (struct fake_disk_cut){0};
}

static bool completed_between(const struct fake_disk *source, uint32_t write, uint32_t end)
{
    for (uint32_t i = write + 1; i < end; i++) {
        if (source->events[i].kind == FAKE_DISK_COMPLETE && source->events[i].write == write) {
            return true;
        }
    }
    return false;
}

enum write_fate { FATE_OPEN, FATE_DOOMED, FATE_SETTLED };

/* Once a write is durable, what became of those before it to the same block makes no difference. */
static void settle(struct fake_disk_cut *cut, uint32_t index)
{
    const struct fake_disk_event *write = &cut->source->events[cut->pending[index]];
    cut->blocks[write->block] = write->bytes;
    for (uint32_t i = 0; i <= index; i++) {
        if (cut->source->events[cut->pending[i]].block == write->block) {
            cut->fate[cut->pending[i]] = FATE_SETTLED;
        }
    }
}

/* The device was gone: what was on its way or in its memory may never become durable. */
static void cut_gone(struct fake_disk_cut *cut)
{
    for (uint32_t i = 0; i < cut->pending_count; i++) {
        cut->fate[cut->pending[i]] = FATE_DOOMED;
    }
}

/* A flush makes the writes durable that had completed before it; one that fails may drop any of them forever. */
static void cut_flush(struct fake_disk_cut *cut, uint32_t flush, bool failed)
{
    for (uint32_t i = 0; i < cut->pending_count; i++) {
        uint32_t write = cut->pending[i];
        if (cut->fate[write] == FATE_OPEN && completed_between(cut->source, write, flush)) {
            if (failed) {
                cut->fate[write] = FATE_DOOMED;
            } else {
                settle(cut, i);
            }
        }
    }
    uint32_t left = 0;
    for (uint32_t i = 0; i < cut->pending_count; i++) {
        if (cut->fate[cut->pending[i]] != FATE_SETTLED) {
            cut->pending[left++] = cut->pending[i];
        }
    }
    cut->pending_count = left;
}

bool fake_disk_cut_next(struct fake_disk_cut *cut)
{
    if (cut->cut == cut->source->event_count) {
        return false;
    }
    const struct fake_disk_event *event = &cut->source->events[cut->cut];
    if (event->kind == FAKE_DISK_WRITE) {
        cut->pending[cut->pending_count++] = cut->cut;
    } else if (event->kind == FAKE_DISK_FLUSH || event->kind == FAKE_DISK_FLUSH_FAILED) {
        cut_flush(cut, cut->cut, event->kind == FAKE_DISK_FLUSH_FAILED);
    } else if (event->kind == FAKE_DISK_GONE) {
        cut_gone(cut);
    }
    cut->cut++;
    return true;
}

uint32_t fake_disk_variants(const struct fake_disk_cut *cut, uint32_t random)
{
    uint32_t count = cut->pending_count;
    if (count == 0) {
        return 1;
    }
    return count == 1 ? 2 + 14 : 2 + 3 * count + random;
}

static uint64_t scramble(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

/* Of the eight sectors of a write, those that reached the disk, one bit each. */
static uint8_t sectors_kept(uint32_t variant, uint32_t index, uint32_t count, uint32_t cut)
{
    if (variant < 2) {
        return variant == 0 ? 0 : 0xFF;
    }
    variant -= 2;
    if (count == 1) { /* prefixes, then suffixes */
        return (uint8_t)(variant < 7 ? 0xFFu >> (7 - variant) : 0xFFu << (variant - 6));
    }
    if (variant < count) {
        return variant == index ? 0 : 0xFF;
    }
    if (variant < 2 * count) {
        return variant - count == index ? 0xFF : 0;
    }
    uint64_t random = scramble(((uint64_t)cut << 32 | variant) * 0x10001 + index);
    if (variant < 3 * count) {
        return variant - 2 * count == index ? (uint8_t)random : 0xFF;
    }
    switch (random >> 8 & 3) {
    case 0:
        return 0;
    case 1:
        return (uint8_t)random;
    default:
        return 0xFF;
    }
}

static void sectors_write(struct fake_disk *disk, const struct fake_disk_event *event, uint8_t kept)
{
    if (kept == 0) {
        return;
    }
    if (kept == 0xFF) {
        disk->blocks[event->block] = event->bytes;
        return;
    }
    uint8_t *content = content_new(disk);
    memcpy(content, fake_disk_block(disk, event->block), PAGE_SIZE);
    for (uint32_t i = 0; i < PAGE_SIZE / FAKE_SECTOR_BYTES; i++) {
        if ((kept >> i & 1) != 0) {
            memcpy(content + i * FAKE_SECTOR_BYTES, event->bytes + i * FAKE_SECTOR_BYTES, FAKE_SECTOR_BYTES);
        }
    }
    disk->blocks[event->block] = content;
}

void fake_disk_crash(struct fake_disk *disk, const struct fake_disk_cut *cut, uint32_t variant)
{
    contents_forget(disk);
    disk->event_count = 0;
    memcpy(disk->blocks, cut->blocks, disk->device.block_count * sizeof(*disk->blocks));
    bool reversed = variant % 3 == 2;
    for (uint32_t i = 0; i < cut->pending_count; i++) {
        uint32_t index = reversed ? cut->pending_count - 1 - i : i;
        uint8_t kept = sectors_kept(variant, index, cut->pending_count, cut->cut);
        sectors_write(disk, &cut->source->events[cut->pending[index]], kept);
    }
}
