/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The free-space map: two bitmaps over the disk, in chunks of one page.
 *
 * Allocation is next-fit: it goes on where it stopped, so that what is written together lies together, and a whole
 * snapshot is one or few sequential runs until the disk has been filled once.
 */
#include "store_space.h"
#include "log.h"
#include "store_memory.h"

#include <string.h>

#define CHUNK_BLOCKS DISK_CHUNK_BLOCKS
#define WORDS        (CHUNK_BLOCKS / 32u)

struct space_chunk {
    uint32_t *used; /* one bit a block; NULL: not loaded */
    uint32_t *held; /* there if `used` is */
    uint32_t free_blocks;
    bool is_changed;
};

#define CHUNKS_PER_DIRECTORY (PAGE_SIZE / sizeof(struct space_chunk))

_Static_assert(SPACE_DIRECTORIES_MAX *CHUNKS_PER_DIRECTORY >= STORE_BLOCKS_MAX / CHUNK_BLOCKS, "room for every chunk");

uint32_t store_space_chunk_count(const struct space *space)
{
    return (space->block_count + CHUNK_BLOCKS - 1) / CHUNK_BLOCKS;
}

static struct space_chunk *chunk_of(const struct space *space, uint32_t chunk)
{
    return &space->directory[chunk / CHUNKS_PER_DIRECTORY][chunk % CHUNKS_PER_DIRECTORY];
}

static uint32_t chunk_blocks(const struct space *space, uint32_t chunk)
{
    uint32_t left = space->block_count - chunk * CHUNK_BLOCKS;
    return left < CHUNK_BLOCKS ? left : CHUNK_BLOCKS;
}

static bool bit_get(const uint32_t *words, uint32_t bit)
{
    return (words[bit / 32] >> bit % 32 & 1) != 0;
}

static void bit_set(uint32_t *words, uint32_t bit)
{
    words[bit / 32] |= 1u << bit % 32;
}

static void bit_clear(uint32_t *words, uint32_t bit)
{
    words[bit / 32] &= ~(1u << bit % 32);
}

static void chunk_count_free(const struct space *space, uint32_t number)
{
    struct space_chunk *chunk = chunk_of(space, number);
    chunk->free_blocks = chunk_blocks(space, number);
    for (uint32_t i = 0; i < WORDS; i++) {
        chunk->free_blocks -= (uint32_t)__builtin_popcount(chunk->used[i] | chunk->held[i]);
    }
}

/* Blocks past the end of the disk are no blocks, whatever the bits say. */
static void bits_trim(const struct space *space, uint32_t number, uint32_t *bits)
{
    for (uint32_t bit = chunk_blocks(space, number); bit < CHUNK_BLOCKS; bit++) {
        bit_clear(bits, bit);
    }
}

static enum error chunk_load(struct space *space, uint32_t number)
{
    struct space_chunk *chunk = chunk_of(space, number);
    if (chunk->used != NULL) {
        return OK;
    }
    void *used = NULL, *held = NULL;
    enum error error = store_page_new(&used);
    if (error == OK) {
        error = store_page_new(&held);
    }
    if (error == OK) {
        error = space->load(space->store, number, used);
    }
    if (error != OK || chunk->used != NULL) { /* another thread may have been faster */
        store_page_free(used);
        store_page_free(held);
        return error;
    }
    bits_trim(space, number, used);
    chunk->used = used;
    chunk->held = held;
    chunk_count_free(space, number);
    return OK;
}

enum error store_space_initialise(struct space *space, struct store *store, space_load *load, uint32_t block_count,
                                  uint32_t used)
{
    *space =
        (struct space){.store = store, .load = load, .block_count = block_count, .used = used, .cursor = DISK_RESERVED};
    uint32_t chunks = store_space_chunk_count(space);
    for (uint32_t i = 0; i * CHUNKS_PER_DIRECTORY < chunks; i++) {
        void *page;
        enum error error = store_page_new(&page);
        if (error != OK) {
            store_space_clear(space);
            return error;
        }
        space->directory[i] = page;
    }
    return OK;
}

void store_space_clear(struct space *space)
{
    for (uint32_t i = 0; i < SPACE_DIRECTORIES_MAX && space->directory[i] != NULL; i++) {
        for (uint32_t k = 0; k < CHUNKS_PER_DIRECTORY; k++) {
            store_page_free(space->directory[i][k].used);
            store_page_free(space->directory[i][k].held);
        }
        store_page_free(space->directory[i]);
    }
    *space = (struct space){0};
}

uint32_t store_space_free(const struct space *space)
{
    return space->block_count - space->used - space->held;
}

static bool is_free(const struct space_chunk *chunk, uint32_t bit)
{
    return !bit_get(chunk->used, bit) && !bit_get(chunk->held, bit);
}

/* The first free block of a loaded chunk at or after `bit`; CHUNK_BLOCKS if there is none. */
static uint32_t chunk_find(const struct space_chunk *chunk, uint32_t bit, uint32_t end)
{
    while (chunk->free_blocks > 0 && bit < end) {
        uint32_t available = ~(chunk->used[bit / 32] | chunk->held[bit / 32]) >> bit % 32;
        if (available != 0) {
            bit += (uint32_t)__builtin_ctz(available);
            return bit < end ? bit : CHUNK_BLOCKS;
        }
        bit += 32 - bit % 32;
    }
    return CHUNK_BLOCKS;
}

/* Hold at most `wanted` blocks from `bit` on. */
static uint32_t chunk_hold(struct space *space, uint32_t number, uint32_t bit, uint32_t wanted)
{
    struct space_chunk *chunk = chunk_of(space, number);
    uint32_t end = chunk_blocks(space, number);
    uint32_t count = 0;
    while (count < wanted && bit + count < end && is_free(chunk, bit + count)) {
        bit_set(chunk->held, bit + count);
        count++;
    }
    chunk->free_blocks -= count;
    space->held += count;
    return count;
}

/* STORE-1: only blocks that are neither used nor held are handed out. */
enum error store_space_allocate(struct space *space, uint32_t wanted, uint32_t reserve, struct extent *out)
{
    uint32_t chunks = store_space_chunk_count(space);
    enum error damage = OK;
    for (uint32_t i = 0; i <= chunks; i++) {
        if (store_space_free(space) <= reserve) {
            return ERROR_NO_SPACE;
        }
        uint32_t number = (space->cursor / CHUNK_BLOCKS) % chunks;
        enum error error = chunk_load(space, number);
        if (error == ERROR_NO_MEMORY) {
            return error;
        }
        if (space->cursor / CHUNK_BLOCKS != number) {
            i--; /* another thread moved on while this one read */
            continue;
        }
        if (error != OK) {
            damage = error;
        }
        uint32_t bit = CHUNK_BLOCKS;
        if (error == OK) {
            bit = chunk_find(chunk_of(space, number), space->cursor % CHUNK_BLOCKS, chunk_blocks(space, number));
        }
        if (bit == CHUNK_BLOCKS) {
            space->cursor = number + 1 == chunks ? 0 : (number + 1) * CHUNK_BLOCKS;
            continue;
        }
        uint32_t most = store_space_free(space) - reserve;
        uint32_t count = chunk_hold(space, number, bit, wanted < most ? wanted : most);
        uint32_t first = number * CHUNK_BLOCKS + bit;
        space->cursor = first + count < space->block_count ? first + count : 0;
        *out = (struct extent){{first}, count};
        return OK;
    }
    return damage != OK ? damage : ERROR_NO_SPACE;
}

static bool in_range(const struct space *space, struct extent extent)
{
    return extent.count > 0 && extent.first.number < space->block_count &&
           extent.count <= space->block_count - extent.first.number;
}

enum error store_space_prepare(struct space *space, struct extent extent)
{
    if (!in_range(space, extent)) {
        return ERROR_FORMAT_DAMAGED;
    }
    uint32_t last = extent.first.number + extent.count - 1;
    for (uint32_t i = extent.first.number / CHUNK_BLOCKS; i <= last / CHUNK_BLOCKS; i++) {
        enum error error = chunk_load(space, i);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

void store_space_release(struct space *space, struct extent extent)
{
    for (uint32_t i = 0; i < extent.count; i++) {
        uint32_t block = extent.first.number + i;
        struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        ASSERT(chunk->used != NULL && bit_get(chunk->held, block % CHUNK_BLOCKS));
        bit_clear(chunk->held, block % CHUNK_BLOCKS);
        chunk->free_blocks++;
    }
    space->held -= extent.count;
}

void store_space_release_entry(void *space, const struct disk_map_entry *entry)
{
    if (entry->block != 0) {
        store_space_release(space, (struct extent){{entry->block}, 1});
    }
}

/* BLOCK-1 */
void store_space_take(struct space *space, struct extent extent)
{
    for (uint32_t i = 0; i < extent.count; i++) {
        uint32_t block = extent.first.number + i;
        struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        ASSERT(chunk->used != NULL && bit_get(chunk->held, block % CHUNK_BLOCKS));
        bit_clear(chunk->held, block % CHUNK_BLOCKS);
        bit_set(chunk->used, block % CHUNK_BLOCKS);
        chunk->is_changed = true;
    }
    space->held -= extent.count;
    space->used += extent.count;
}

bool store_space_leave(struct space *space, struct block block)
{
    struct space_chunk *chunk = chunk_of(space, block.number / CHUNK_BLOCKS);
    uint32_t bit = block.number % CHUNK_BLOCKS;
    ASSERT(chunk->used != NULL);
    if (!bit_get(chunk->used, bit) || bit_get(chunk->held, bit)) {
        return false;
    }
    bit_set(chunk->held, bit);
    return true;
}

void store_space_stay(struct space *space, struct extent extent)
{
    for (uint32_t i = 0; i < extent.count; i++) {
        uint32_t block = extent.first.number + i;
        struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        ASSERT(chunk->used != NULL && bit_get(chunk->held, block % CHUNK_BLOCKS));
        bit_clear(chunk->held, block % CHUNK_BLOCKS);
    }
}

void store_space_drop(struct space *space, struct extent extent)
{
    store_space_stay(space, extent);
    for (uint32_t i = 0; i < extent.count; i++) {
        uint32_t block = extent.first.number + i;
        struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        ASSERT(bit_get(chunk->used, block % CHUNK_BLOCKS));
        bit_clear(chunk->used, block % CHUNK_BLOCKS);
        chunk->free_blocks++;
        chunk->is_changed = true;
    }
    space->used -= extent.count;
}

enum error store_space_mark(struct space *space, struct extent extent, bool is_used)
{
    enum error error = store_space_prepare(space, extent);
    if (error != OK) {
        return error;
    }
    for (uint32_t i = 0; i < extent.count; i++) {
        uint32_t block = extent.first.number + i;
        struct space_chunk *chunk = chunk_of(space, block / CHUNK_BLOCKS);
        uint32_t bit = block % CHUNK_BLOCKS;
        if (bit_get(chunk->used, bit) != is_used) {
            (is_used ? bit_set : bit_clear)(chunk->used, bit);
            chunk->free_blocks += is_used ? UINT32_MAX : 1;
            space->used += is_used ? 1 : UINT32_MAX;
        }
        chunk->is_changed = true;
    }
    return OK;
}

bool store_space_is_used(const struct space *space, struct block block)
{
    const struct space_chunk *chunk = chunk_of(space, block.number / CHUNK_BLOCKS);
    ASSERT(chunk->used != NULL);
    return bit_get(chunk->used, block.number % CHUNK_BLOCKS);
}

bool store_space_is_held(const struct space *space, struct block block)
{
    if (block.number >= space->block_count) {
        return false;
    }
    const struct space_chunk *chunk = chunk_of(space, block.number / CHUNK_BLOCKS);
    return chunk->used != NULL && bit_get(chunk->held, block.number % CHUNK_BLOCKS);
}

uint32_t store_space_next_changed(const struct space *space, uint32_t chunk)
{
    uint32_t chunks = store_space_chunk_count(space);
    while (chunk < chunks && !chunk_of(space, chunk)->is_changed) {
        chunk++;
    }
    return chunk < chunks ? chunk : chunks;
}

/* BLOCK-3 */
void store_space_set_changed(struct space *space, uint32_t chunk, bool is_changed)
{
    chunk_of(space, chunk)->is_changed = is_changed;
}

enum error store_space_bits(struct space *space, uint32_t chunk, const void **out)
{
    enum error error = chunk_load(space, chunk);
    if (error == OK) {
        *out = chunk_of(space, chunk)->used;
    }
    return error;
}

static void chunk_adopt(const struct space *space, uint32_t number, struct space_chunk *other)
{
    struct space_chunk *chunk = chunk_of(space, number);
    if (chunk->used == NULL) {
        *chunk = *other;
        *other = (struct space_chunk){0};
    } else if (other->used == NULL) {
        memset(chunk->used, 0, PAGE_SIZE);
    } else {
        uint32_t *used = chunk->used;
        chunk->used = other->used;
        other->used = used;
    }
    chunk->is_changed = false;
    if (chunk->used != NULL) {
        chunk_count_free(space, number);
    }
}

void store_space_adopt(struct space *space, struct space *other)
{
    for (uint32_t i = 0; i < store_space_chunk_count(space); i++) {
        chunk_adopt(space, i, chunk_of(other, i));
    }
    space->used = other->used;
    store_space_clear(other);
}
