/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arenas: address ranges between ARENA_START and ARENA_END that are backed page by page.
 *
 * There are few of them and they live long, so free addresses are found by looking at all arenas.
 */
#include "arch/arena.h"
#include "log.h"
#include "memory.h"
#include "paging.h"

#include <string.h>

#define ARENAS_MAX 32u

/* Reserved ranges in order of address; length 0 from `range_count` on. */
struct range {
    uint32_t start;
    uint32_t pages;
};

static struct range ranges[ARENAS_MAX];
static uint32_t range_count;

static void insert_range(uint32_t index, uint32_t start, uint32_t pages)
{
    memmove(&ranges[index + 1], &ranges[index], (range_count - index) * sizeof(ranges[0]));
    ranges[index] = (struct range){start, pages};
    range_count++;
}

enum error arena_reserve(struct arena *arena, uint32_t pages, enum frame_owner owner)
{
    uint32_t start = ARENA_START;
    if (pages == 0 || range_count == ARENAS_MAX) {
        return ERROR_NO_MEMORY;
    }
    for (uint32_t i = 0; i <= range_count; i++) {
        uint32_t end = i < range_count ? ranges[i].start : ARENA_END;
        if (pages <= (end - start) >> PAGE_SHIFT) {
            insert_range(i, start, pages);
            *arena = (struct arena){.base = (void *)start, .reserved_pages = pages, .owner = owner};
            return OK;
        }
        start = i < range_count ? ranges[i].start + (ranges[i].pages << PAGE_SHIFT) : start;
    }
    return ERROR_NO_MEMORY;
}

enum error arena_grow(struct arena *arena)
{
    if (arena->committed_pages == arena->reserved_pages) {
        return ERROR_RANGE;
    }
    struct frame frame;
    enum error error = frame_allocate(arena->owner, &frame);
    if (error != OK) {
        return error;
    }
    memset(frame_address(frame), 0, PAGE_SIZE);
    uint32_t address = (uint32_t)arena->base + (arena->committed_pages << PAGE_SHIFT);
    paging_map(address, frame.number << PAGE_SHIFT, ENTRY_WRITABLE);
    arena->committed_pages++;
    return OK;
}

void arena_shrink(struct arena *arena)
{
    ASSERT(arena->committed_pages > 0);
    arena->committed_pages--;
    uint32_t physical = paging_unmap((uint32_t)arena->base + (arena->committed_pages << PAGE_SHIFT));
    frame_free((struct frame){physical >> PAGE_SHIFT});
}

void arena_release(struct arena *arena)
{
    while (arena->committed_pages > 0) {
        arena_shrink(arena);
    }
    uint32_t index = 0;
    while (index < range_count && ranges[index].start != (uint32_t)arena->base) {
        index++;
    }
    ASSERT(index < range_count && ranges[index].pages == arena->reserved_pages);
    range_count--;
    memmove(&ranges[index], &ranges[index + 1], (range_count - index) * sizeof(ranges[0]));
    *arena = (struct arena){0};
}
