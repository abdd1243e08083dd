/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last write of a virtio disk: what a kernel that panics still has to say.
 *
 * Nothing of what the driver believes about requests in flight is used. The device is reset, which ends them all, and
 * started again on the ring it had, emptied; one chain of three descriptors is put in it, and the answer is polled
 * for. Interrupts are disabled, and stay so.
 */
#include "arch/clock.h"
#include "arch/io.h"
#include "virtio_disk.h"

#define ANSWER_NS   5000000000ull
#define SPINS_MAX   UINT32_C(2000000000) /* should the clock stand still */
#define HEADER      0u                   /* the descriptors */
#define DATA        1u
#define STATUS      2u
#define DESCRIPTORS 3u

static enum error wait_for_answer(struct virtio_disk *disk)
{
    uint64_t deadline_ns = clock_boot_ns() + ANSWER_NS;
    for (uint32_t spins = 0; spins < SPINS_MAX && clock_boot_ns() < deadline_ns; spins++) {
        if (virtio_ring_used_count(&disk->ring) != 0) {
            (void)virtio_ring_take(&disk->ring);
            return disk->headers[0].status == VIRTIO_DISK_STATUS_OK ? OK : ERROR_IO;
        }
    }
    return ERROR_TIMED_OUT;
}

/* page: NULL for a flush. */
static enum error ask(struct virtio_disk *disk, uint32_t type, struct block at, const void *page)
{
    struct virtio_descriptor *chain = disk->ring.descriptors;
    uint16_t first = page != NULL ? DATA : STATUS;

    disk->headers[0] = (struct virtio_disk_header){
        .type = type,
        .sector = page != NULL ? (uint64_t)at.number * VIRTIO_DISK_SECTORS_PER_BLOCK : 0,
        .status = VIRTIO_DISK_STATUS_PENDING,
    };
    chain[HEADER] = (struct virtio_descriptor){.physical = disk->headers_physical,
                                               .bytes = VIRTIO_DISK_HEADER_OUT_BYTES,
                                               .flags = VIRTIO_DESCRIPTOR_NEXT,
                                               .next = first};
    chain[STATUS] = (struct virtio_descriptor){.physical = disk->headers_physical + VIRTIO_DISK_HEADER_OUT_BYTES,
                                               .bytes = 1,
                                               .flags = VIRTIO_DESCRIPTOR_WRITE};
    if (page != NULL) {
        chain[DATA] = (struct virtio_descriptor){.physical = frame_containing(page).number << PAGE_SHIFT,
                                                 .bytes = PAGE_SIZE,
                                                 .flags = VIRTIO_DESCRIPTOR_NEXT,
                                                 .next = STATUS};
    }
    (void)virtio_ring_publish(&disk->ring, HEADER);
    io_barrier();
    disk->virtio.transport->notify(&disk->virtio);
    return wait_for_answer(disk);
}

enum error virtio_disk_last_write(struct block_device *block, struct block at, void *page)
{
    struct virtio_disk *disk = (struct virtio_disk *)((uint8_t *)block - offsetof(struct virtio_disk, block));

    disk->broken = true; /* nobody else asks it for anything, nor takes its answers */
    if (disk->ring.size < DESCRIPTORS) {
        return ERROR_UNSUPPORTED;
    }
    enum error error = virtio_pci_restart(&disk->virtio, &disk->ring);
    if (error == OK) {
        error = ask(disk, VIRTIO_DISK_WRITE, at, page);
    }
    if (error == OK && (disk->virtio.features & VIRTIO_BLK_FEATURE_FLUSH) != 0) {
        error = ask(disk, VIRTIO_DISK_FLUSH, at, NULL);
    }
    return error;
}
