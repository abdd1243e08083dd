/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio disk in software, for the driver's tests: it follows the specification to the letter, insists that the
 * driver does, and misbehaves on request.
 *
 * It stands below the transport: virtio_modern_attach() and virtio_legacy_attach() find it instead of a real device. It
 * runs as a thread of the fake machine, completes what is in flight in random order, and calls the interrupt
 * handler. It models one device on an otherwise empty bus.
 */
#ifndef FAKE_VIRTIO_H
#define FAKE_VIRTIO_H

#include "types.h"

#define FAKE_VIRTIO_BLOCKS 600u

enum fake_virtio_mischief {
    FAKE_VIRTIO_HONEST,
    FAKE_VIRTIO_UNKNOWN_ID,  /* completes what is not in flight */
    FAKE_VIRTIO_HUGE_ID,     /* completes a descriptor that does not exist */
    FAKE_VIRTIO_TWICE,       /* completes the same thing twice */
    FAKE_VIRTIO_INDEX_JUMPS, /* claims more completions than there are requests */
    FAKE_VIRTIO_WANTS_RESET  /* raises the configuration interrupt with NEEDS_RESET */
};

/* How the device is, set before it is found; fake_virtio_knobs() gives a good one. */
struct fake_virtio {
    bool legacy;
    uint16_t ring_size;
    uint64_t features; /* offered */
    uint64_t sectors;
    uint32_t size_max, segments_max, block_bytes;
    uint8_t interrupt_line;
    bool refuses_features;
    bool never_resets;
    bool forgets_status; /* leaves the status byte as it is */
    bool says_short;     /* reports one byte less than it wrote */
    uint32_t bad_block;  /* requests that touch it fail with ... */
    uint8_t bad_status;  /* ... this status; 0: none fails */
    enum fake_virtio_mischief mischief;
    uint32_t mischief_after; /* completions */

    /* What it saw. */
    uint32_t requests, flushes, resets, notifications;
    uint32_t in_flight_most;
    uint32_t segments_most; /* data descriptors of one request */
    uint8_t status;
};

extern struct fake_virtio fake_virtio;
extern uint8_t fake_virtio_disk[FAKE_VIRTIO_BLOCKS * PAGE_SIZE];

/* The features of virtio-blk that the tests turn on and off. */
#define FAKE_VIRTIO_SIZE_MAX  (1ull << 1)
#define FAKE_VIRTIO_SEGMENTS  (1ull << 2)
#define FAKE_VIRTIO_READ_ONLY (1ull << 5)
#define FAKE_VIRTIO_BLOCK     (1ull << 6)
#define FAKE_VIRTIO_FLUSH     (1ull << 9)
#define FAKE_VIRTIO_INDIRECT  (1ull << 28)
#define FAKE_VIRTIO_VERSION_1 (1ull << 32)

/* A modern device with all features, 256 descriptors and 254 segments. */
struct fake_virtio fake_virtio_knobs(void);

/* Let the device work, as a thread; and end it. */
void fake_virtio_start(uint32_t seed);
void fake_virtio_stop(void);

#endif
