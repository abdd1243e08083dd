/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk (VIRTIO 1.1, 5.2): finding disks and starting them. What a running one does is in virtio_disk.c.
 *
 * The device says how large requests and their pieces may be; the driver stays within that, within a table of one
 * frame, and within the length of the ring, which bounds a chain.
 */
#include "virtio_blk.h"

#include "arch/interrupt.h"
#include "log.h"
#include "virtio_disk.h"

#include <string.h>

#define TYPE_BLK 2u

#define FEATURE_SIZE_MAX  (1ull << 1)
#define FEATURE_SEGMENTS  (1ull << 2)
#define FEATURE_READ_ONLY (1ull << 5)
#define FEATURE_BLOCK     (1ull << 6)
#define FEATURES_WANTED                                                                                                \
    (FEATURE_SIZE_MAX | FEATURE_SEGMENTS | FEATURE_READ_ONLY | FEATURE_BLOCK | VIRTIO_BLK_FEATURE_FLUSH |              \
     VIRTIO_FEATURE_INDIRECT)

#define SECTORS_PER_BLOCK (PAGE_SIZE / 512u)

#define RING_SIZE_MAX  256u
#define DIRECT_ENTRIES 16u /* of a slot's share of the ring, if the device cannot do indirect descriptors */

/* The beginning of the device's configuration. */
struct configuration {
    uint32_t sectors_low, sectors_high;
    uint32_t segment_bytes_max;
    uint32_t segments_max;
    uint32_t geometry;
    uint32_t block_bytes;
};

enum place_state { PLACE_UNTRIED, PLACE_FAILED, PLACE_RUNNING };

static struct {
    enum place_state state;
    enum error error; /* why it failed */
    struct virtio_disk disk;
} places[VIRTIO_BLK_DEVICES_MAX];

static uint32_t minimum(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/*
 * How large tables and segments may be. A chain must not be longer than the ring, and a device that does not speak of
 * its limit of segments has a limit of one.
 */
static enum error choose_limits(struct virtio_disk *disk, const struct configuration *configuration)
{
    uint64_t features = disk->virtio.features;
    disk->indirect = (features & VIRTIO_FEATURE_INDIRECT) != 0;
    uint32_t segments = (features & FEATURE_SEGMENTS) != 0 && configuration->segments_max > 0
                            ? minimum(configuration->segments_max, BLOCK_REQUEST_PAGES_MAX)
                            : 1;
    uint32_t room = minimum(disk->ring.size, disk->indirect ? (uint32_t)VIRTIO_DISK_TABLE_MAX : DIRECT_ENTRIES);
    disk->table_entries = minimum(segments + VIRTIO_DISK_TABLE_EXTRA, room);
    disk->segment_pages_max = BLOCK_REQUEST_PAGES_MAX;
    if ((features & FEATURE_SIZE_MAX) != 0) {
        disk->segment_pages_max = minimum(configuration->segment_bytes_max / PAGE_SIZE, BLOCK_REQUEST_PAGES_MAX);
    }
    bool block_fits = (features & FEATURE_BLOCK) == 0 ||
                      (configuration->block_bytes > 0 && PAGE_SIZE % configuration->block_bytes == 0);
    bool usable = disk->table_entries > VIRTIO_DISK_TABLE_EXTRA && disk->segment_pages_max > 0 && block_fits;
    return usable ? OK : ERROR_UNSUPPORTED;
}

static void describe(struct virtio_disk *disk, const struct configuration *configuration)
{
    uint64_t blocks = ((uint64_t)configuration->sectors_high << 32 | configuration->sectors_low) / SECTORS_PER_BLOCK;
    disk->block = (struct block_device){
        .name = disk->name,
        .block_count = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX,
        .read_only = (disk->virtio.features & FEATURE_READ_ONLY) != 0,
        .submit = virtio_disk_submit,
        .wait = virtio_disk_wait,
        .last_write = virtio_disk_last_write,
    };
    log_line("%s: %u MiB%s, %s, %s, %u requests of %u segments", disk->name, disk->block.block_count >> 8,
             disk->block.read_only ? ", read-only" : "", disk->virtio.transport->name,
             (disk->virtio.features & VIRTIO_BLK_FEATURE_FLUSH) != 0 ? "write-back" : "write-through", disk->slot_count,
             disk->table_entries - VIRTIO_DISK_TABLE_EXTRA);
}

/* After the reset at the start nothing is given back on failure: it happens at boot, a few times at most. */
static enum error start(struct virtio_disk *disk, const struct pci_device *pci)
{
    if (pci->interrupt_line == PCI_NO_INTERRUPT) {
        return ERROR_UNSUPPORTED;
    }
    enum error error = virtio_pci_start(&disk->virtio, pci, FEATURES_WANTED);
    if (error != OK) {
        return error;
    }
    uint32_t words[sizeof(struct configuration) / sizeof(uint32_t)] = {0};
    struct configuration configuration;
    virtio_pci_configuration(&disk->virtio, words, sizeof(words) / sizeof(words[0]));
    memcpy(&configuration, words, sizeof(configuration));
    error = virtio_pci_queue(&disk->virtio, RING_SIZE_MAX, &disk->ring);
    if (error == OK) {
        error = choose_limits(disk, &configuration);
    }
    if (error == OK) {
        error = virtio_disk_prepare(disk);
    }
    if (error != OK) {
        virtio_pci_fail(&disk->virtio);
        return error;
    }
    describe(disk, &configuration);
    interrupt_attach(pci->interrupt_line, virtio_disk_interrupt, disk);
    virtio_pci_run(&disk->virtio);
    return OK;
}

static bool is_disk(const struct pci_device *pci)
{
    return virtio_pci_is(pci, TYPE_BLK);
}

enum error virtio_blk_find(uint32_t index, struct block_device **out)
{
    const struct pci_device *pci = index < VIRTIO_BLK_DEVICES_MAX ? pci_find(is_disk, index) : NULL;
    if (pci == NULL) {
        return ERROR_NOT_FOUND;
    }
    struct virtio_disk *disk = &places[index].disk;
    if (places[index].state == PLACE_UNTRIED) {
        (void)kernel_snprintf(disk->name, sizeof(disk->name), "virtio%u", index);
        enum error error = start(disk, pci);
        places[index].error = error;
        places[index].state = error == OK ? PLACE_RUNNING : PLACE_FAILED;
        if (error != OK) {
            log_line("%s: cannot be used: %s", disk->name, error_text(error));
        }
    }
    if (places[index].state == PLACE_FAILED) {
        return places[index].error;
    }
    *out = &disk->block;
    return OK;
}
