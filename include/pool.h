/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools of objects of one size, made of whole frames and given back to the machine when a frame empties.
 */
#ifndef POOL_H
#define POOL_H

#include "arch/frame.h"

struct pool_slab;

struct pool {
    uint32_t object_bytes;
    enum frame_owner owner;
    uint32_t objects_used;
    uint32_t frames_used;
    struct pool_slab *partial; /* slabs with room; full ones are on no list */
};

/* - object_bytes: a multiple of 8, 8 .. 2016. */
void pool_init(struct pool *pool, uint32_t object_bytes, enum frame_owner owner);

/* A zeroed object, or ERROR_NO_MEMORY. Does not sleep. */
MUST_CHECK enum error pool_allocate(struct pool *pool, void **out);
void pool_free(struct pool *pool, void *object);

#endif
