/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device on PCI: transport and ring, for the drivers of virtio devices.
 *
 * The transport is how one talks to the device (status, features, configuration, where rings are, notification): modern
 * devices have structures in memory that capabilities point at, legacy ones a block of ports. The ring is the memory
 * shared with it, laid out the same way for both. Everything the device says is checked here or by the driver: sizes,
 * offsets, indices and lengths never lead outside what was allocated.
 *
 * Sources: Virtual I/O Device (VIRTIO) Version 1.1, chapters 2 and 4; "legacy" is its own term for what came
 * before 1.0.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "arch/frame.h"
#include "pci.h"

/* Device status. */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01u
#define VIRTIO_STATUS_DRIVER      0x02u
#define VIRTIO_STATUS_DRIVER_OK   0x04u
#define VIRTIO_STATUS_FEATURES_OK 0x08u
#define VIRTIO_STATUS_NEEDS_RESET 0x40u
#define VIRTIO_STATUS_FAILED      0x80u

/* Features of any device. */
#define VIRTIO_FEATURE_INDIRECT  (1ull << 28)
#define VIRTIO_FEATURE_VERSION_1 (1ull << 32)

/* Causes of an interrupt. */
#define VIRTIO_INTERRUPT_RING          0x01u
#define VIRTIO_INTERRUPT_CONFIGURATION 0x02u

struct virtio_descriptor {
    uint64_t physical;
    uint32_t bytes;
    uint16_t flags;
    uint16_t next;
};

#define VIRTIO_DESCRIPTOR_NEXT     0x1u
#define VIRTIO_DESCRIPTOR_WRITE    0x2u /* the device writes */
#define VIRTIO_DESCRIPTOR_INDIRECT 0x4u

/* A ring with its three parts: descriptors and available entries are ours, used entries the device's. */
struct virtio_ring {
    uint16_t size; /* descriptors; a power of two */
    uint32_t frames;
    struct frame first;
    struct virtio_descriptor *descriptors;
    volatile uint16_t *available; /* flags, index, then `size` entries */
    volatile uint16_t *used;      /* flags, index, then `size` entries of an id and a length, 32 bits each */
    uint16_t available_index;     /* as published */
    uint16_t used_index;          /* up to where it was taken */
};

/* One thing the device is through with. */
struct virtio_used {
    uint32_t id; /* head descriptor; not checked against anything */
    uint32_t bytes;
};

/*
 * Allocate and empty a ring.
 * - size: a power of two, at most 32768. ERROR_NO_MEMORY.
 */
MUST_CHECK enum error virtio_ring_create(struct virtio_ring *ring, uint16_t size);
void virtio_ring_delete(struct virtio_ring *ring);

/* Forget everything in a ring, for a device that was reset. */
void virtio_ring_clear(struct virtio_ring *ring);

/* Physical addresses of the three parts; the first is page aligned, and so is the last. */
uint32_t virtio_ring_descriptors_physical(const struct virtio_ring *ring);
uint32_t virtio_ring_available_physical(const struct virtio_ring *ring);
uint32_t virtio_ring_used_physical(const struct virtio_ring *ring);

/* Hand the chain at descriptor `head` to the device. Returns whether it wants to be notified. */
bool virtio_ring_publish(struct virtio_ring *ring, uint16_t head);

/* How many used entries wait to be taken; more than were published means a broken device. */
uint16_t virtio_ring_used_count(const struct virtio_ring *ring);

/* Take the next used entry; there must be one. */
struct virtio_used virtio_ring_take(struct virtio_ring *ring);

struct virtio_device;

struct virtio_transport {
    const char *name;
    bool is_legacy; /* without VERSION_1; the size of a queue is the device's choice */
    /* Reset the device; false if it does not get there. */
    bool (*reset)(struct virtio_device *device);
    uint8_t (*status)(struct virtio_device *device);
    void (*set_status)(struct virtio_device *device, uint8_t status);
    uint64_t (*features)(struct virtio_device *device);
    void (*accept_features)(struct virtio_device *device, uint64_t features);
    /* Size of a queue as the device has it; 0: it has no such queue. */
    uint16_t (*queue_size)(struct virtio_device *device, uint16_t queue);
    MUST_CHECK enum error (*set_queue)(struct virtio_device *device, uint16_t queue, const struct virtio_ring *ring);
    void (*notify)(struct virtio_device *device);
    /* Causes of the pending interrupt, which this acknowledges; 0: the interrupt is another device's. */
    uint8_t (*interrupt_cause)(struct virtio_device *device);
    /* A word of the device's own configuration; offset: a multiple of 4. 0 past its end. */
    uint32_t (*configuration)(struct virtio_device *device, uint32_t offset);
    /* Changes when the configuration does. */
    uint8_t (*configuration_generation)(struct virtio_device *device);
};

struct virtio_device {
    const struct pci_device *pci;
    const struct virtio_transport *transport;
    uint64_t features; /* agreed on */

    /* Legacy: the ports. */
    uint16_t ports;
    uint32_t ports_count;

    /* Modern: the structures in memory. */
    volatile uint8_t *common;
    volatile uint8_t *interrupt;
    volatile uint8_t *specific;
    uint32_t specific_bytes;
    volatile uint8_t *notification;
    uint32_t notification_bytes;
    uint32_t notification_multiplier;
    volatile uint16_t *doorbell; /* of the queue in use */
};

/* Of PCI functions: vendor is virtio's and the id says this device type, modern or transitional. */
bool virtio_pci_is(const struct pci_device *pci, uint16_t device_type);

/*
 * Reset a device and agree on features: those `wanted` that it offers (and VIRTIO_FEATURE_VERSION_1 if it is modern).
 * - ERROR_UNSUPPORTED: no usable transport, or the device does not accept; ERROR_IO: it does not reset.
 */
MUST_CHECK enum error virtio_pci_start(struct virtio_device *device, const struct pci_device *pci, uint64_t wanted);

/*
 * Make the queue 0 of a started device, of its own size or size_max if that can be chosen.
 * - ERROR_UNSUPPORTED: it has none, or one that makes no sense. ERROR_NO_MEMORY.
 */
MUST_CHECK enum error virtio_pci_queue(struct virtio_device *device, uint16_t size_max, struct virtio_ring *ring);

/*
 * Start a device once more, with the features and the ring it had: it is reset, and what was in flight is forgotten.
 * Neither sleeps nor allocates. ERROR_IO: it does not reset; ERROR_UNSUPPORTED: it no longer accepts what it did.
 */
MUST_CHECK enum error virtio_pci_restart(struct virtio_device *device, struct virtio_ring *ring);

/* Let the device work. */
void virtio_pci_run(struct virtio_device *device);

/* Stop the device for good: it accesses memory no more. */
void virtio_pci_fail(struct virtio_device *device);

/* Read the first `count` words of the device's own configuration in one consistent state. */
void virtio_pci_configuration(struct virtio_device *device, uint32_t *words, uint32_t count);

/* The transports; false: the device does not have that one. */
bool virtio_modern_attach(struct virtio_device *device);
bool virtio_legacy_attach(struct virtio_device *device);

#endif
