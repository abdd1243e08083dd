/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which blocks are free, held or used.
 *
 *     free  --allocate-->  held  --take-->  used  --leave, drop-->  free         (all store_space_...)
 *     free  <--release--   held
 *
 * A used block belongs to the newest generation or to an older one that is kept. A held block is allocated in memory
 * only: written, or about to be, for a generation that is not yet committed. Only free blocks are handed out, so
 * nothing that any durable root leads to is overwritten.
 *
 *     BLOCK-1  A block is in one of the three states; the counters agree with the maps.
 *     BLOCK-2  The reserved blocks at the start of the image are used.
 *     BLOCK-3  A chunk that is not loaded is as the free-space tree says; one that differs from it is marked changed.
 *
 * The used blocks of a chunk are read when they are first asked for. Functions that may read may sleep and fail with
 * ERROR_IO, ERROR_CHECKSUM or ERROR_NO_MEMORY; the others need the chunk loaded, which a held block's chunk always is.
 */
#ifndef STORE_SPACE_H
#define STORE_SPACE_H

#include "disk_format.h"
#include "error.h"
#include "store.h"

#define SPACE_DIRECTORIES_MAX 64u

struct space_chunk;

/* Fill in one page with the used bits of a chunk, all clear so far. May sleep. */
typedef enum error space_load(struct store *store, uint32_t chunk, void *bits);

struct space {
    struct store *store;
    space_load *load;
    uint32_t block_count;
    uint32_t used, held;
    uint32_t cursor; /* where the search for free blocks goes on */
    struct space_chunk *directory[SPACE_DIRECTORIES_MAX];
};

/*
 * - used: blocks in use according to the maps that `load` will deliver, the reserved ones included.
 * - ERROR_NO_MEMORY.
 */
MUST_CHECK enum error store_space_initialise(struct space *space, struct store *store, space_load *load,
                                             uint32_t block_count, uint32_t used);
void store_space_clear(struct space *space);

/*
 * A run of at most `wanted` blocks, now held.
 * - reserve: so many must stay free.
 * - ERROR_NO_SPACE, and those of reading.
 */
MUST_CHECK enum error store_space_allocate(struct space *space, uint32_t wanted, uint32_t reserve, struct extent *out);

/* Make sure that the chunks of blocks that will change state are loaded. */
MUST_CHECK enum error store_space_prepare(struct space *space, struct extent extent);

void store_space_release(struct space *space, struct extent extent);

/* The same for the block of an entry, if it has one; as a store_layer_visit, whose context is the space. */
void store_space_release_entry(void *space, const struct disk_map_entry *entry);
void store_space_take(struct space *space, struct extent extent);
void store_space_drop(struct space *space, struct extent extent);

/*
 * A used block is about to be dropped, of a loaded chunk: none is twice. store_space_stay() calls it off.
 * - returns false, and does nothing, if it is not used, or about to be dropped already.
 */
MUST_CHECK bool store_space_leave(struct space *space, struct block block);
void store_space_stay(struct space *space, struct extent extent);

/*
 * Outside the three states' ways, for recovery: blocks are used, or free, from here on, whatever they were.
 * - ERROR_FORMAT_DAMAGED: out of range.
 */
MUST_CHECK enum error store_space_mark(struct space *space, struct extent extent, bool is_used);

bool store_space_is_used(const struct space *space, struct block block); /* of a loaded chunk */
bool store_space_is_held(const struct space *space, struct block block);
uint32_t store_space_free(const struct space *space);

/* Chunks of the disk; the first one at or after `chunk` whose used blocks changed since it was last written, or count.
 */
uint32_t store_space_chunk_count(const struct space *space);
uint32_t store_space_next_changed(const struct space *space, uint32_t chunk);

/* Note that a chunk is about to be written, or that writing it came to nothing. */
void store_space_set_changed(struct space *space, uint32_t chunk, bool is_changed);

/* The used bits of a chunk: one page, DISK_CHUNK_BLOCKS bits. Loads it. Valid until the space is cleared. */
MUST_CHECK enum error store_space_bits(struct space *space, uint32_t chunk, const void **out);

/*
 * Take over the used blocks of another map of the same disk, which is then empty; held blocks stay held. Both agree
 * with what the free-space tree says from now on, so no chunk is marked changed. Cannot fail.
 */
void store_space_adopt(struct space *space, struct space *other);

#endif
