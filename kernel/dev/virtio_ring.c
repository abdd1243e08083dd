/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A split virtqueue (VIRTIO 1.1, 2.6) without event indices.
 *
 * One run of frames holds descriptors, then available entries, and from the next page on used entries: the layout that
 * legacy devices insist on and modern ones are content with. The order of the device's and our accesses matters:
 * an entry is written before the index that makes it visible, and read after the index that announces it.
 */
#include "virtio.h"

#include "arch/io.h"

#include <string.h>

#define HEADER_WORDS     2u /* flags and index, in 16-bit words */
#define USED_ENTRY_WORDS 4u

#define USED_FLAG_NO_NOTIFY 0x1u

_Static_assert(sizeof(struct virtio_descriptor) == 16, "layout given by the specification");

static uint32_t descriptors_bytes(uint32_t size)
{
    return size * (uint32_t)sizeof(struct virtio_descriptor);
}

/* Both parts end with one more word, for the event index, where it is used. */
static uint32_t used_offset(uint32_t size)
{
    uint32_t end = descriptors_bytes(size) + (HEADER_WORDS + size + 1) * 2;
    return (end + PAGE_MASK) & ~PAGE_MASK;
}

static uint32_t ring_bytes(uint32_t size)
{
    return used_offset(size) + (HEADER_WORDS + size * USED_ENTRY_WORDS + 1) * 2;
}

enum error virtio_ring_create(struct virtio_ring *ring, uint16_t size)
{
    uint32_t frames = (ring_bytes(size) + PAGE_MASK) >> PAGE_SHIFT;
    struct frame first;
    enum error error = frame_allocate_run(FRAME_KERNEL, frames, &first);
    if (error != OK) {
        return error;
    }
    uint8_t *memory = frame_address(first);
    memset(memory, 0, frames << PAGE_SHIFT);
    *ring = (struct virtio_ring){
        .size = size,
        .frames = frames,
        .first = first,
        .descriptors = (struct virtio_descriptor *)memory,
        .available = (volatile uint16_t *)(memory + descriptors_bytes(size)),
        .used = (volatile uint16_t *)(memory + used_offset(size)),
    };
    return OK;
}

void virtio_ring_clear(struct virtio_ring *ring)
{
    memset(ring->descriptors, 0, ring->frames << PAGE_SHIFT);
    ring->available_index = 0;
    ring->used_index = 0;
}

void virtio_ring_delete(struct virtio_ring *ring)
{
    frame_free_run(ring->first, ring->frames);
    *ring = (struct virtio_ring){.size = 0};
}

uint32_t virtio_ring_descriptors_physical(const struct virtio_ring *ring)
{
    return ring->first.number << PAGE_SHIFT;
}

uint32_t virtio_ring_available_physical(const struct virtio_ring *ring)
{
    return virtio_ring_descriptors_physical(ring) + descriptors_bytes(ring->size);
}

uint32_t virtio_ring_used_physical(const struct virtio_ring *ring)
{
    return virtio_ring_descriptors_physical(ring) + used_offset(ring->size);
}

bool virtio_ring_publish(struct virtio_ring *ring, uint16_t head)
{
    ring->available[HEADER_WORDS + (ring->available_index & (ring->size - 1))] = head;
    ring->available_index++;
    io_order(); /* descriptors and entry before the index */
    ring->available[1] = ring->available_index;
    io_barrier(); /* the index before the flag: a device that goes to sleep sees one, or we see the other */
    return (ring->used[0] & USED_FLAG_NO_NOTIFY) == 0;
}

uint16_t virtio_ring_used_count(const struct virtio_ring *ring)
{
    return (uint16_t)(ring->used[1] - ring->used_index);
}

struct virtio_used virtio_ring_take(struct virtio_ring *ring)
{
    io_order(); /* the index before the entry */
    uint32_t slot = ring->used_index & (ring->size - 1u);
    const volatile uint32_t *entry = (const volatile uint32_t *)(ring->used + HEADER_WORDS + slot * USED_ENTRY_WORDS);
    struct virtio_used used = {.id = entry[0], .bytes = entry[1]};
    ring->used_index++;
    return used;
}
