/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Just enough machine for vm_map and pools in a benchmark: frames and arenas out of memory that is faulted in
 * beforehand. Nothing here calls the host's kernel while something is measured. Records lie in large pages of the host,
 * as peers' heaps do; the arena in small ones, which is how a kernel maps one that grows by the frame.
 */
#include "arch/arena.h"
#include "log.h"
#include "pool.h"
#include "table.h"
#include "thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_BYTES (64u << 20)

static char *memory;
static uint32_t frames;
static uint32_t frames_fresh; /* those below were in use once */
static uint32_t *free_frames;
static uint32_t free_count;
static uint32_t arena_pages;
static char *arena_memory;
static struct pool records;
uint32_t records_max;

static void *faulted_in(size_t bytes, bool large_pages)
{
    size_t alignment = 2u << 20;
    char *range = mmap(NULL, bytes + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (range == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    range += alignment - (size_t)range % alignment;
    madvise(range, bytes, large_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    memset(range, 1, bytes);
    return range;
}

void records_start(size_t record_bytes, uint32_t count_max)
{
    size_t each = (record_bytes + 7) & ~(size_t)7;

    records_max = count_max;
    frames = (uint32_t)(count_max / (4000 / each) + 64);
    memory = faulted_in((size_t)frames * PAGE_SIZE, true);
    free_frames = faulted_in((size_t)frames * sizeof(uint32_t), true);
    arena_memory = faulted_in(ARENA_BYTES, false);
    pool_init(&records, (uint32_t)each, FRAME_RECORDS);
}

void *record_allocate(void)
{
    void *record;

    return pool_allocate(&records, &record) == OK ? record : NULL;
}

void record_free(void *record)
{
    pool_free(&records, record);
}

uint64_t record_bytes_used(void)
{
    return (uint64_t)(frames_fresh - free_count) * PAGE_SIZE;
}

uint64_t frame_bytes_used(void)
{
    return (uint64_t)arena_pages * PAGE_SIZE;
}

/* Pages are put into tables and have no frames of their own. */
uint32_t frame_limit(void)
{
    return 0;
}

enum error frame_allocate(enum frame_owner owner, struct frame *out)
{
    (void)owner;
    if (free_count > 0) {
        out->number = free_frames[--free_count];
        return OK;
    }
    if (frames_fresh == frames) {
        return ERROR_NO_MEMORY;
    }
    out->number = frames_fresh++;
    return OK;
}

void frame_free(struct frame frame)
{
    free_frames[free_count++] = frame.number;
}

void *frame_address(struct frame frame)
{
    return memory + (size_t)frame.number * PAGE_SIZE;
}

struct frame frame_containing(const void *address)
{
    return (struct frame){(uint32_t)((size_t)((const char *)address - memory) / PAGE_SIZE)};
}

/* One arena at a time. */
enum error arena_reserve(struct arena *arena, uint32_t pages, enum frame_owner owner)
{
    *arena = (struct arena){.base = arena_memory, .reserved_pages = pages, .owner = owner};
    return (size_t)pages * PAGE_SIZE <= ARENA_BYTES ? OK : ERROR_NO_MEMORY;
}

enum error arena_grow(struct arena *arena)
{
    if (arena->committed_pages == arena->reserved_pages) {
        return ERROR_RANGE;
    }
    memset((char *)arena->base + (size_t)arena->committed_pages++ * PAGE_SIZE, 0, PAGE_SIZE);
    arena_pages++;
    return OK;
}

void arena_shrink(struct arena *arena)
{
    arena->committed_pages--;
    arena_pages--;
}

void arena_release(struct arena *arena)
{
    arena_pages -= arena->committed_pages;
    *arena = (struct arena){0};
}

bool mutex_is_free(const struct mutex *mutex)
{
    return mutex->owner == NULL;
}

_Noreturn void panic(const char *subsystem, const char *format, ...)
{
    fprintf(stderr, "panic: %s: %s\n", subsystem, format);
    abort();
}

/* Nothing is seen at two places here. */
struct vm_map;
uint32_t vm_links_heads(uint32_t frame_count);
void vm_links_init(struct vm_map *map, void *heads, uint32_t head_count);

uint32_t vm_links_heads(uint32_t frame_count)
{
    (void)frame_count;
    return 0;
}

void vm_links_init(struct vm_map *map, void *heads, uint32_t head_count)
{
    (void)map;
    (void)heads;
    (void)head_count;
}
