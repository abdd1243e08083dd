/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A running virtio disk: its slots, and the requests in them. virtio_blk.c finds and starts it, virtio_disk.c serves
 * it.
 */
#ifndef VIRTIO_DISK_H
#define VIRTIO_DISK_H

#include "block_device.h"
#include "virtio.h"

#define VIRTIO_DISK_SLOTS_MAX   32u
#define VIRTIO_DISK_TABLE_MAX   (PAGE_SIZE / sizeof(struct virtio_descriptor))
#define VIRTIO_DISK_TABLE_EXTRA 2u /* descriptors of a table that are not data: header and status */

#define VIRTIO_BLK_FEATURE_FLUSH (1ull << 9)

/* What the device reads and writes beside the data; one per slot. */
struct virtio_disk_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
    volatile uint8_t status; /* from here on the device's */
    uint8_t unused[15];
};
#define VIRTIO_DISK_HEADER_OUT_BYTES 16u

#define VIRTIO_DISK_READ  0u
#define VIRTIO_DISK_WRITE 1u
#define VIRTIO_DISK_FLUSH 4u

#define VIRTIO_DISK_STATUS_OK      0u
#define VIRTIO_DISK_STATUS_PENDING 0xFFu

#define VIRTIO_DISK_SECTORS_PER_BLOCK (PAGE_SIZE / 512u)

struct virtio_disk_slot {
    struct block_request *request; /* NULL: free */
    struct virtio_descriptor *table;
    uint32_t table_physical; /* if indirect */
    uint32_t entries;
    uint32_t bytes; /* of data */
};

struct virtio_disk {
    struct block_device block;
    char name[16];
    struct virtio_device virtio;
    struct virtio_ring ring;
    bool indirect;
    uint32_t table_entries;     /* of a slot, VIRTIO_DISK_TABLE_EXTRA among them */
    uint32_t segment_pages_max; /* of one descriptor */
    bool broken;                /* stopped because it misbehaved */
    uint32_t slot_count;
    uint32_t free_count;
    uint8_t free[VIRTIO_DISK_SLOTS_MAX]; /* free slots, [0, free_count) */
    struct virtio_disk_slot slots[VIRTIO_DISK_SLOTS_MAX];
    struct virtio_disk_header *headers;
    uint32_t headers_physical;
    struct wait_queue room; /* who waits for a slot */
    uint32_t failures;
};

/*
 * Make the slots of a disk whose ring, table_entries, segment_pages_max and `indirect` are set. Fewer than planned will
 * do if memory is short.
 * - ERROR_NO_MEMORY: not even one.
 */
MUST_CHECK enum error virtio_disk_prepare(struct virtio_disk *disk);

/* As in struct block_device. */
void virtio_disk_submit(struct block_device *block, struct block_request *request);
void virtio_disk_wait(struct block_device *block, struct block_request *request);

enum error virtio_disk_last_write(struct block_device *block, struct block at, void *page);

/* Handler of the disk's interrupt line, which it may share; context: the disk. */
void virtio_disk_interrupt(void *context);

#endif
