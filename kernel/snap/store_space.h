/*
 * Which blocks are free, held or used.
 *
 *     free   --space_allocate-->  held   --space_take-->  used   --space_drop-->  free
 *     free   <--space_release--   held
 *
 * A used block belongs to the newest generation or to an older one that is kept: it is what the disk says. A held block
 * is allocated in memory only: written, or about to be, for a generation that is not yet committed. Only free blocks
 * are handed out, so nothing that any durable root leads to is overwritten.
 *
 *     SPACE-1  A block is in one of the three states; the counters agree with the maps.
 *     SPACE-2  The reserved blocks at the start of the image are used.
 */
#ifndef STORE_SPACE_H
#define STORE_SPACE_H

#include "disk_format.h"
#include "error.h"
#include "store.h"

#define SPACE_DIRECTORIES_MAX 64u

struct space_chunk;

struct space {
    uint32_t block_count;
    uint32_t used, held;
    uint32_t cursor; /* where the search for free blocks goes on */
    struct space_chunk *directory[SPACE_DIRECTORIES_MAX];
};

/* - block_count: DISK_RESERVED + 1 .. STORE_BLOCKS_MAX. ERROR_NO_MEMORY. */
MUST_CHECK enum error space_initialise(struct space *space, uint32_t block_count);
void space_clear(struct space *space);

/*
 * A run of at most `wanted` blocks, now held.
 * - reserve: so many must stay free. ERROR_NO_SPACE; ERROR_NO_MEMORY.
 */
MUST_CHECK enum error space_allocate(struct space *space, uint32_t wanted, uint32_t reserve, struct extent *out);

void space_release(struct space *space, struct extent extent);
void space_take(struct space *space, struct extent extent);
void space_drop(struct space *space, struct extent extent);

/* Free blocks become used: what recovery finds in use. ERROR_FORMAT_DAMAGED: out of range, or used already. */
MUST_CHECK enum error space_claim(struct space *space, struct extent extent);

bool space_is_held(const struct space *space, struct block block);
uint32_t space_free(const struct space *space);

#endif
