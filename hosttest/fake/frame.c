/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames: one range of host memory, an owner for each frame, and a stack of free ones.
 *
 * The frame freed last is handed out first, so that who uses a frame after freeing it soon meets its next owner; under
 * AddressSanitizer it meets a report at once, because free frames are poisoned.
 */
#include "arch/frame.h"
#include "internal.h"
#include "log.h"
#include "window.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

static char *memory;
static size_t memory_bytes;
static bool is_kept; /* a file of the windows, which stays for the next machine of that size */
static uint32_t limit;
static uint8_t *owners;
static uint32_t *free_frames;
static uint32_t free_count;
static uint32_t counts[FRAME_OWNERS];
static uint64_t attempts;
static uint64_t fail_first;
static uint64_t hide_first;     /* the attempt from which on no frame is free... */
static uint64_t hide_questions; /* ...until this is 0 */
static uint64_t fail_end;
static enum frame_owner fail_owner;
static bool is_spared;

static void map_memory(size_t bytes, int file)
{
    int flags = file >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;

    if (is_kept) {
        munmap(memory, memory_bytes);
    }
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, file, 0);
    memory_bytes = bytes;
    is_kept = file >= 0;
}

void fake_frames_start(uint32_t frames)
{
    limit = frames + 1; /* frame 0 is never handed out */
    size_t bytes = (size_t)limit * PAGE_SIZE;
    int file = fake_window_memory(bytes);
    if (!is_kept || file < 0 || bytes != memory_bytes) {
        map_memory(bytes, file);
    }
    owners = calloc(limit, 1);
    free_frames = calloc(limit, sizeof(*free_frames));
    ASSERT(memory != MAP_FAILED && owners != NULL && free_frames != NULL);
    ASAN_POISON_MEMORY_REGION(memory, (size_t)limit * PAGE_SIZE);
    for (free_count = 0; free_count < frames; free_count++) {
        free_frames[free_count] = frames - free_count;
    }
    memset(counts, 0, sizeof(counts));
    counts[FRAME_FREE] = frames;
    owners[0] = FRAME_FIRMWARE;
    attempts = 0;
    fail_first = fail_end = 0;
    hide_questions = 0;
    fail_owner = FRAME_FREE;
    is_spared = false;
}

void fake_frames_stop(void)
{
    ASAN_UNPOISON_MEMORY_REGION(memory, memory_bytes);
    if (!is_kept) {
        munmap(memory, memory_bytes);
        memory = NULL;
    }
    free(owners);
    free(free_frames);
}

uint64_t fake_allocations(void)
{
    return attempts;
}

void fake_fail_allocations(uint64_t index, uint64_t count)
{
    fail_first = attempts + index;
    fail_end = count > UINT64_MAX - fail_first ? UINT64_MAX : fail_first + count;
}

void fake_hide_frames(uint64_t index, uint64_t questions)
{
    hide_first = attempts + index;
    hide_questions = questions;
}

static bool is_hidden(void)
{
    return hide_questions != 0 && attempts >= hide_first;
}

void fake_fail_owner(enum frame_owner owner)
{
    fail_owner = owner;
}

void fake_spare_allocations(bool spared)
{
    is_spared = spared;
}

bool fake_allocation_fails(void)
{
    if (is_spared) {
        return false;
    }
    uint64_t attempt = attempts++;

    return attempt >= fail_first && attempt < fail_end;
}

uint32_t fake_frames_used(void)
{
    return limit - 1 - counts[FRAME_FREE];
}

enum error frame_allocate(enum frame_owner owner, struct frame *out)
{
    ASSERT(owner > FRAME_FREE && owner < FRAME_OWNERS);
    if (fake_allocation_fails() || owner == fail_owner || free_count == 0) {
        return ERROR_NO_MEMORY;
    }
    struct frame frame = {free_frames[--free_count]};
    owners[frame.number] = (uint8_t)owner;
    counts[FRAME_FREE]--;
    counts[owner]++;
    ASAN_UNPOISON_MEMORY_REGION(memory + (size_t)frame.number * PAGE_SIZE, PAGE_SIZE);
    memset(frame_address(frame), 0xA5, PAGE_SIZE);
    *out = frame;
    return OK;
}

void frame_free(struct frame frame)
{
    ASSERT(frame.number > 0 && frame.number < limit && owners[frame.number] != FRAME_FREE);
    memset(frame_address(frame), 0x5A, PAGE_SIZE);
    ASAN_POISON_MEMORY_REGION(frame_address(frame), PAGE_SIZE);
    counts[owners[frame.number]]--;
    counts[FRAME_FREE]++;
    owners[frame.number] = FRAME_FREE;
    free_frames[free_count++] = frame.number;
}

/* Take frames [first, first + count) off the stack of free ones. */
static void take_run(uint32_t first, uint32_t count, enum frame_owner owner)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < free_count; i++) {
        if (free_frames[i] - first >= count) {
            free_frames[kept++] = free_frames[i];
        }
    }
    free_count = kept;
    memset(owners + first, (int)owner, count);
    counts[FRAME_FREE] -= count;
    counts[owner] += count;
    ASAN_UNPOISON_MEMORY_REGION(memory + (size_t)first * PAGE_SIZE, (size_t)count * PAGE_SIZE);
    memset(memory + (size_t)first * PAGE_SIZE, 0xA5, (size_t)count * PAGE_SIZE);
}

enum error frame_allocate_run(enum frame_owner owner, uint32_t count, struct frame *first)
{
    uint32_t run = 0;

    if (fake_allocation_fails()) {
        return ERROR_NO_MEMORY;
    }
    for (uint32_t number = 1; number < limit; number++) {
        run = owners[number] == FRAME_FREE ? run + 1 : 0;
        if (run == count) {
            first->number = number + 1 - count;
            take_run(first->number, count, owner);
            return OK;
        }
    }
    return ERROR_NO_MEMORY;
}

void frame_free_run(struct frame first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        frame_free((struct frame){first.number + i});
    }
}

void *frame_address(struct frame frame)
{
    ASSERT(frame.number < limit);
    return memory + (size_t)frame.number * PAGE_SIZE;
}

struct frame frame_containing(const void *address)
{
    size_t offset = (size_t)((const char *)address - memory);

    ASSERT(offset < (size_t)limit * PAGE_SIZE);
    return (struct frame){(uint32_t)(offset / PAGE_SIZE)};
}

enum frame_owner frame_owner(struct frame frame)
{
    ASSERT(frame.number < limit);
    return owners[frame.number];
}

void frame_set_owner(struct frame frame, enum frame_owner owner)
{
    ASSERT(frame.number > 0 && frame.number < limit && owners[frame.number] != FRAME_FREE);
    ASSERT(owner > FRAME_FREE && owner < FRAME_OWNERS);
    counts[owners[frame.number]]--;
    counts[owner]++;
    owners[frame.number] = (uint8_t)owner;
}

uint32_t frame_limit(void)
{
    return limit;
}

uint32_t frame_count(enum frame_owner owner)
{
    if (owner == FRAME_FREE && is_hidden()) {
        hide_questions--;
        return 0;
    }
    return counts[owner];
}
