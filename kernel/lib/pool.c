/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools: objects of one size carved from whole frames ("slabs").
 *
 * A slab's objects lie from the start of its frame, so objects of a power of two bytes are aligned to their size; the
 * slab's own header lies at the frame's end, where frame_containing() finds it from any object. A new slab is not
 * carved up front: `carved` counts the objects that were ever handed out, so every operation is O(1). Slabs with
 * room are on the pool's list, the most recently freed into first; a slab that empties goes back to the machine.
 */
#include "pool.h"
#include "atomic.h"
#include "log.h"

#include <string.h>

struct free_object {
    struct free_object *next;
};

struct pool_slab {
    struct pool *pool;
    struct pool_slab *previous, *next; /* in pool->partial, while there is room */
    struct free_object *free;
    uint16_t used;
    uint16_t carved;
};

static struct pool_slab *slab_at(void *frame_start)
{
    return (struct pool_slab *)(void *)((char *)frame_start + PAGE_SIZE - sizeof(struct pool_slab));
}

static void *slab_start(struct pool_slab *slab)
{
    return (char *)slab - (PAGE_SIZE - sizeof(struct pool_slab));
}

static uint32_t slab_capacity(const struct pool *pool)
{
    return (uint32_t)(PAGE_SIZE - sizeof(struct pool_slab)) / pool->object_bytes;
}

static void partial_add(struct pool *pool, struct pool_slab *slab)
{
    slab->previous = NULL;
    slab->next = pool->partial;
    if (slab->next != NULL) {
        slab->next->previous = slab;
    }
    pool->partial = slab;
}

static void partial_remove(struct pool *pool, struct pool_slab *slab)
{
    if (slab->next != NULL) {
        slab->next->previous = slab->previous;
    }
    if (slab->previous != NULL) {
        slab->previous->next = slab->next;
    } else {
        pool->partial = slab->next;
    }
}

void pool_init(struct pool *pool, uint32_t object_bytes, enum frame_owner owner)
{
    ASSERT(object_bytes >= 8 && object_bytes <= 2016 && object_bytes % 8 == 0);
    *pool = (struct pool){.object_bytes = object_bytes, .owner = owner};
}

static enum error slab_create(struct pool *pool)
{
    struct frame frame;
    enum error error = frame_allocate(pool->owner, &frame);
    if (error != OK) {
        return error;
    }
    struct pool_slab *slab = slab_at(frame_address(frame));
    *slab = (struct pool_slab){.pool = pool};
    partial_add(pool, slab);
    pool->frames_used++;
    return OK;
}

static void *slab_take(struct pool_slab *slab)
{
    slab->used++;
    if (slab->free != NULL) {
        struct free_object *object = slab->free;
        slab->free = object->next;
        return object;
    }
    return (char *)slab_start(slab) + slab->carved++ * slab->pool->object_bytes;
}

enum error pool_allocate(struct pool *pool, void **out)
{
    DOES_NOT_SLEEP();
    if (pool->partial == NULL) {
        enum error error = slab_create(pool);
        if (error != OK) {
            return error;
        }
    }
    struct pool_slab *slab = pool->partial;
    void *object = slab_take(slab);
    if (slab->used == slab_capacity(pool)) {
        partial_remove(pool, slab);
    }
    pool->objects_used++;
    memset(object, 0, pool->object_bytes);
    *out = object;
    return OK;
}

void pool_free(struct pool *pool, void *object)
{
    struct frame frame = frame_containing(object);
    struct pool_slab *slab = slab_at(frame_address(frame));
    size_t offset = (size_t)((char *)object - (char *)slab_start(slab));
    ASSERT(slab->pool == pool && slab->used > 0);
    ASSERT(offset % pool->object_bytes == 0 && offset / pool->object_bytes < slab->carved);

    if (slab->used == slab_capacity(pool)) {
        partial_add(pool, slab);
    }
    struct free_object *freed = object;
    freed->next = slab->free;
    slab->free = freed;
    slab->used--;
    pool->objects_used--;
    if (slab->used == 0) {
        partial_remove(pool, slab);
        slab->pool = NULL;
        frame_free(frame);
        pool->frames_used--;
    }
}
