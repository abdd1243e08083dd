/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arenas: address ranges of the host whose pages can be touched only while they are committed.
 *
 * Each committed page is paid for with a frame, so that memory runs out as it does on a machine; the bytes are the
 * host's. The frames are remembered in front of the range. Ranges that nobody has released when the machine goes off
 * are given back to the host then.
 */
#include "arch/arena.h"
#include "internal.h"
#include "log.h"

#include <sys/mman.h>

#define ARENAS_MAX 16u

static struct {
    char *start;
    size_t bytes;
} ranges[ARENAS_MAX]; /* that are reserved */

static void note_range(char *start, size_t bytes)
{
    uint32_t i = 0;

    while (i < ARENAS_MAX && ranges[i].start != NULL) {
        i++;
    }
    ASSERT(i < ARENAS_MAX);
    ranges[i].start = start;
    ranges[i].bytes = bytes;
}

static void release_range(const char *start)
{
    for (uint32_t i = 0; i < ARENAS_MAX; i++) {
        if (ranges[i].start != NULL && (start == NULL || ranges[i].start == start)) {
            munmap(ranges[i].start, ranges[i].bytes);
            ranges[i].start = NULL;
        }
    }
}

void fake_arenas_stop(void)
{
    release_range(NULL);
}

static size_t header_bytes(const struct arena *arena)
{
    return ((size_t)arena->reserved_pages * sizeof(struct frame) + PAGE_SIZE - 1) & ~(size_t)PAGE_MASK;
}

static struct frame *frames_of(const struct arena *arena)
{
    return (struct frame *)(void *)((char *)arena->base - header_bytes(arena));
}

static void *page_at(const struct arena *arena, uint32_t index)
{
    return (char *)arena->base + (size_t)index * PAGE_SIZE;
}

enum error arena_reserve(struct arena *arena, uint32_t pages, enum frame_owner owner)
{
    struct arena new = {.reserved_pages = pages, .owner = owner};
    size_t header = header_bytes(&new);

    if (fake_allocation_fails()) {
        return ERROR_NO_MEMORY;
    }
    char *start =
        mmap(NULL, header + (size_t)pages * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(start != MAP_FAILED);
    ASSERT(mprotect(start, header, PROT_READ | PROT_WRITE) == 0);
    note_range(start, header + (size_t)pages * PAGE_SIZE);
    new.base = start + header;
    *arena = new;
    return OK;
}

enum error arena_grow(struct arena *arena)
{
    uint32_t index = arena->committed_pages;

    if (index == arena->reserved_pages) {
        return ERROR_RANGE;
    }
    enum error error = frame_allocate(arena->owner, &frames_of(arena)[index]);
    if (error != OK) {
        return error;
    }
    ASSERT(mprotect(page_at(arena, index), PAGE_SIZE, PROT_READ | PROT_WRITE) == 0);
    arena->committed_pages++;
    return OK;
}

void arena_shrink(struct arena *arena)
{
    ASSERT(arena->committed_pages > 0);
    uint32_t index = --arena->committed_pages;
    void *page = page_at(arena, index);

    ASSERT(madvise(page, PAGE_SIZE, MADV_DONTNEED) == 0 && mprotect(page, PAGE_SIZE, PROT_NONE) == 0);
    frame_free(frames_of(arena)[index]);
}

void arena_release(struct arena *arena)
{
    while (arena->committed_pages > 0) {
        arena_shrink(arena);
    }
    release_range((const char *)frames_of(arena));
    *arena = (struct arena){0};
}
