/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reaching: everything that the kept generations of an image need, each block once.
 */
#ifndef STORE_REACH_H
#define STORE_REACH_H

#include "store_chain.h"

enum reach_kind { REACH_RECORD, REACH_NODE, REACH_PAGE, REACH_CHUNK, REACH_BAD };

/* One block that is needed. */
struct reach_item {
    enum reach_kind kind;
    uint32_t block;
    uint64_t key;        /* REACH_PAGE: of the page whose content it is; REACH_CHUNK: the chunk's number */
    uint64_t generation; /* that committed it first */
    uint64_t checksum;   /* of its content */
    uint64_t stamp;      /* REACH_PAGE: the generation the checksum is bound to */
    uint32_t bound;      /* others: the block the checksum is bound to; another one for a copy */
};

struct reach_visitor {
    void *context;
    /* Called for every block; for one that several generations share, once. May sleep. */
    enum error (*item)(void *context, const struct reach_item *item);
    /* Called when a block is met again: it should be the same item. May be NULL. */
    enum error (*again)(void *context, const struct reach_item *item);
    /* Something that `generation` needs could not be read; OK goes on with the rest. May be NULL: go on. */
    enum error (*damage)(void *context, uint64_t generation, enum error error);
};

/*
 * - what the kept generations reach, those of the window after `newest` aside.
 * - with_ladder: the rungs are kept, too; without, what is reached is what would be if they all went.
 * - seen: an initialised map of free space, in which everything reached is marked used; it tells what was seen already.
 * - ERROR_NO_MEMORY, and the visitor's errors.
 */
MUST_CHECK enum error store_reach(struct store *store, uint64_t newest, bool with_ladder, struct space *seen,
                                  const struct reach_visitor *visitor);

#endif
