/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums: one pass of xxHash over the bytes, seeded with what they are bound to.
 */
#include "store_checksum.h"
#include "disk_format.h"

/*
 * Words are read through packed types: without a hosted compiler's memcpy each would be a call, seven times the work.
 */
#define XXH_FORCE_MEMORY_ACCESS 1
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Spread the inputs over the seed (the finaliser of SplitMix64), so that near ones do not cancel each other out. */
static uint64_t mix(uint64_t value)
{
    value ^= value >> 30;
    value *= UINT64_C(0xBF58476D1CE4E5B9);
    value ^= value >> 27;
    value *= UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

static uint64_t seed(const uint64_t space_id[2], uint64_t kind, uint64_t place, uint64_t generation)
{
    uint64_t value = mix(space_id[0] ^ mix(space_id[1]));
    return mix(mix(value ^ (kind << 56 | place)) ^ generation);
}

enum { KIND_PAGE = 1, KIND_BLOCK = 2, KIND_NOTE = 3 };

uint64_t store_checksum_page(const uint64_t space_id[2], uint64_t key, uint64_t generation, const void *content)
{
    return XXH3_64bits_withSeed(content, PAGE_SIZE, seed(space_id, KIND_PAGE, key, generation));
}

uint64_t store_checksum_block(const uint64_t space_id[2], uint32_t block, uint64_t generation, const void *content)
{
    return XXH3_64bits_withSeed(content, PAGE_SIZE, seed(space_id, KIND_BLOCK, block, generation));
}

uint64_t store_checksum_note(const uint64_t space_id[2], uint64_t generation, const struct disk_note *note)
{
    return XXH3_64bits_withSeed(note, offsetof(struct disk_note, checksum),
                                seed(space_id, KIND_NOTE, DISK_LABEL_COPY, generation));
}

uint64_t store_checksum_self(uint32_t block, const void *content)
{
    return XXH3_64bits_withSeed(content, DISK_BLOCK_BYTES - sizeof(uint64_t), block);
}
