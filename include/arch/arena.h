/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: reserved ranges of kernel addresses that grow and shrink by the page.
 *
 * An array that must stay contiguous while it grows (the buckets of the inverted page table) reserves addresses
 * for its largest size once and commits frames to them as it needs them.
 */
#ifndef ARCH_ARENA_H
#define ARCH_ARENA_H

#include "arch/frame.h"

struct arena {
    void *base;               /* first address, page aligned */
    uint32_t reserved_pages;  /* length of the range */
    uint32_t committed_pages; /* [base, base + committed) is backed by zeroed frames when first committed */
    enum frame_owner owner;
};

/*
 * Reserve addresses; nothing is committed.
 * - ERROR_NO_MEMORY: the machine has no such range left.
 */
MUST_CHECK enum error arena_reserve(struct arena *arena, uint32_t pages, enum frame_owner owner);

/*
 * Commit one more page, zeroed, at the end.
 * - ERROR_NO_MEMORY: no frame; ERROR_RANGE: the reservation is used up. The arena is unchanged.
 */
MUST_CHECK enum error arena_grow(struct arena *arena);

/* Give back the last committed page. There must be one. */
void arena_shrink(struct arena *arena);

/* Give back all pages and the range. */
void arena_release(struct arena *arena);

#endif
