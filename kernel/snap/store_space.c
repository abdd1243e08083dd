/*
 * The free-space map: two bitmaps over the disk, in chunks of one page.
 *
 * Allocation is next-fit: it goes on where it stopped, so that what is written together lies together, and a whole
 * snapshot is one or few sequential runs until the disk has been filled once.
 */
#include "store_space.h"
#include "log.h"
#include "store_memory.h"

#define CHUNK_BLOCKS (PAGE_SIZE * 8u)
#define WORDS        (CHUNK_BLOCKS / 32u)

struct space_chunk {
    uint32_t *used; /* one bit a block; NULL: all zero */
    uint32_t *held;
    uint32_t free_blocks;
};

#define CHUNKS_PER_DIRECTORY (PAGE_SIZE / sizeof(struct space_chunk))

_Static_assert(SPACE_DIRECTORIES_MAX *(PAGE_SIZE / 24u) * CHUNK_BLOCKS >= STORE_BLOCKS_MAX, "room for every chunk");

static uint32_t chunk_count(const struct space *space)
{
    return (space->block_count + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS;
}

static struct space_chunk *chunk_of(const struct space *space, uint32_t chunk)
{
    return &space->directory[chunk / CHUNKS_PER_DIRECTORY][chunk % CHUNKS_PER_DIRECTORY];
}

static bool bit_get(const uint32_t *words, uint32_t bit)
{
    return words != NULL && (words[bit / 32] >> bit % 32 & 1) != 0;
}

static void bit_set(uint32_t *words, uint32_t bit)
{
    words[bit / 32] |= 1u << bit % 32;
}

static void bit_clear(uint32_t *words, uint32_t bit)
{
    words[bit / 32] &= ~(1u << bit % 32);
}

static enum error map_prepare(uint32_t **words)
{
    if (*words != NULL) {
        return OK;
    }
    void *page;
    enum error error = memory_page_new(&page);
    if (error == OK) {
        *words = page;
    }
    return error;
}

enum error space_initialise(struct space *space, uint32_t block_count)
{
    *space = (struct space){.block_count = block_count, .cursor = DISK_RESERVED};
    uint32_t chunks = chunk_count(space);
    for (uint32_t i = 0; i * CHUNKS_PER_DIRECTORY < chunks; i++) {
        void *page;
        enum error error = memory_page_new(&page);
        if (error != OK) {
            space_clear(space);
            return error;
        }
        space->directory[i] = page;
    }
    for (uint32_t i = 0; i < chunks; i++) {
        uint32_t left = block_count - i * CHUNK_BLOCKS;
        chunk_of(space, i)->free_blocks = left < CHUNK_BLOCKS ? left : CHUNK_BLOCKS;
    }
    enum error error = space_claim(space, (struct extent){{0}, DISK_RESERVED});
    if (error != OK) {
        space_clear(space);
    }
    return error;
}

void space_clear(struct space *space)
{
    for (uint32_t i = 0; i < SPACE_DIRECTORIES_MAX && space->directory[i] != NULL; i++) {
        for (uint32_t k = 0; k < CHUNKS_PER_DIRECTORY; k++) {
            memory_page_free(space->directory[i][k].used);
            memory_page_free(space->directory[i][k].held);
        }
        memory_page_free(space->directory[i]);
    }
    *space = (struct space){0};
}

uint32_t space_free(const struct space *space)
{
    return space->block_count - space->used - space->held;
}

static bool is_free(const struct space_chunk *chunk, uint32_t bit)
{
    return !bit_get(chunk->used, bit) && !bit_get(chunk->held, bit);
}

/* The first free block at or after `from`, below `end`; `end` if there is none. */
static uint32_t free_find(const struct space *space, uint32_t from, uint32_t end)
{
    uint32_t block = from;
    while (block < end) {
        const struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        uint32_t bit = block % CHUNK_BLOCKS;
        if (chunk->free_blocks == 0) {
            block += CHUNK_BLOCKS - bit;
            continue;
        }
        uint32_t used = chunk->used == NULL ? 0 : chunk->used[bit / 32];
        uint32_t held = chunk->held == NULL ? 0 : chunk->held[bit / 32];
        uint32_t available = ~(used | held) >> bit % 32;
        if (available != 0) {
            block += (uint32_t)__builtin_ctz(available);
            return block < end ? block : end;
        }
        block += 32 - bit % 32;
    }
    return end;
}

enum error space_allocate(struct space *space, uint32_t wanted, uint32_t reserve, struct extent *out)
{
    if (space_free(space) <= reserve) {
        return ERROR_NO_SPACE;
    }
    uint32_t block = free_find(space, space->cursor, space->block_count);
    if (block == space->block_count) {
        block = free_find(space, DISK_RESERVED, space->cursor);
        ASSERT(block < space->cursor);
    }
    struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
    enum error error = map_prepare(&chunk->held);
    error = error != OK ? error : map_prepare(&chunk->used);
    if (error != OK) {
        return error;
    }
    uint32_t most = space_free(space) - reserve;
    uint32_t bit = block % CHUNK_BLOCKS;
    uint32_t count = 0;
    while (count < wanted && count < most && bit + count < CHUNK_BLOCKS && block + count < space->block_count &&
           is_free(chunk, bit + count)) {
        bit_set(chunk->held, bit + count);
        count++;
    }
    chunk->free_blocks -= count;
    space->held += count;
    space->cursor = block + count < space->block_count ? block + count : DISK_RESERVED;
    *out = (struct extent){{block}, count};
    return OK;
}

void space_release(struct space *space, struct extent extent)
{
    for (uint32_t i = 0; i < extent.count; i++) {
        uint32_t block = extent.first.number + i;
        struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        ASSERT(bit_get(chunk->held, block % CHUNK_BLOCKS));
        bit_clear(chunk->held, block % CHUNK_BLOCKS);
        chunk->free_blocks++;
    }
    space->held -= extent.count;
}

void space_take(struct space *space, struct extent extent)
{
    for (uint32_t i = 0; i < extent.count; i++) {
        uint32_t block = extent.first.number + i;
        struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        ASSERT(bit_get(chunk->held, block % CHUNK_BLOCKS) && chunk->used != NULL);
        bit_clear(chunk->held, block % CHUNK_BLOCKS);
        bit_set(chunk->used, block % CHUNK_BLOCKS);
    }
    space->held -= extent.count;
    space->used += extent.count;
}

/* Whether the maps of every chunk the extent touches are there. */
static enum error maps_prepare(struct space *space, struct extent extent)
{
    uint32_t last = extent.first.number + extent.count - 1;
    for (uint32_t i = extent.first.number / CHUNK_BLOCKS; i <= last / CHUNK_BLOCKS; i++) {
        struct space_chunk *chunk = chunk_of(space, i);
        enum error error = map_prepare(&chunk->used);
        error = error != OK ? error : map_prepare(&chunk->held);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

void space_drop(struct space *space, struct extent extent)
{
    for (uint32_t i = 0; i < extent.count; i++) {
        uint32_t block = extent.first.number + i;
        struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        ASSERT(bit_get(chunk->used, block % CHUNK_BLOCKS));
        bit_clear(chunk->used, block % CHUNK_BLOCKS);
        chunk->free_blocks++;
    }
    space->used -= extent.count;
}

enum error space_claim(struct space *space, struct extent extent)
{
    if (extent.count == 0 || extent.first.number >= space->block_count ||
        extent.count > space->block_count - extent.first.number) {
        return ERROR_FORMAT_DAMAGED;
    }
    enum error error = maps_prepare(space, extent);
    if (error != OK) {
        return error;
    }
    for (uint32_t i = 0; i < extent.count; i++) {
        uint32_t block = extent.first.number + i;
        struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        if (!is_free(chunk, block % CHUNK_BLOCKS)) {
            return ERROR_FORMAT_DAMAGED;
        }
        bit_set(chunk->used, block % CHUNK_BLOCKS);
        chunk->free_blocks--;
        space->used++;
    }
    return OK;
}

bool space_is_held(const struct space *space, struct block block)
{
    return block.number < space->block_count &&
           bit_get(chunk_of(space, block.number / CHUNK_BLOCKS)->held, block.number % CHUNK_BLOCKS);
}
