/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The modern transport (VIRTIO 1.1, 4.1.4): vendor capabilities say in which base address register and where each
 * structure lies. A structure that is missing, too short or outside its register makes the device one without this
 * transport.
 */
#include "virtio.h"

#include "arch/device.h"
#include "arch/io.h"

#define CAPABILITY_VENDOR 0x09u

/* Offsets within a capability. */
#define CAPABILITY_LENGTH     2u
#define CAPABILITY_TYPE       3u
#define CAPABILITY_BAR        4u
#define CAPABILITY_OFFSET     8u
#define CAPABILITY_BYTES      12u
#define CAPABILITY_MULTIPLIER 16u

#define CAPABILITY_LENGTH_MIN          16u
#define CAPABILITY_LENGTH_NOTIFICATION 20u

enum structure {
    STRUCTURE_COMMON = 1,
    STRUCTURE_NOTIFICATION = 2,
    STRUCTURE_INTERRUPT = 3,
    STRUCTURE_SPECIFIC = 4,
};

/* The common structure. */
#define COMMON_DEVICE_FEATURE_SELECT 0x00u
#define COMMON_DEVICE_FEATURE        0x04u
#define COMMON_DRIVER_FEATURE_SELECT 0x08u
#define COMMON_DRIVER_FEATURE        0x0Cu
#define COMMON_STATUS                0x14u
#define COMMON_GENERATION            0x15u
#define COMMON_QUEUE_SELECT          0x16u
#define COMMON_QUEUE_SIZE            0x18u
#define COMMON_QUEUE_ENABLE          0x1Cu
#define COMMON_QUEUE_NOTIFY_OFFSET   0x1Eu
#define COMMON_QUEUE_DESCRIPTORS     0x20u
#define COMMON_QUEUE_AVAILABLE       0x28u
#define COMMON_QUEUE_USED            0x30u
#define COMMON_BYTES                 0x38u

#define RESET_SPINS_MAX     1000000u
#define STRUCTURE_BYTES_MAX 65536u /* more is not mapped */

static uint8_t read8(struct virtio_device *device, uint32_t offset)
{
    return device->common[offset];
}

static uint16_t read16(struct virtio_device *device, uint32_t offset)
{
    return *(volatile uint16_t *)(device->common + offset);
}

static uint32_t read32(struct virtio_device *device, uint32_t offset)
{
    return *(volatile uint32_t *)(device->common + offset);
}

static void write16(struct virtio_device *device, uint32_t offset, uint16_t value)
{
    *(volatile uint16_t *)(device->common + offset) = value;
}

static void write32(struct virtio_device *device, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(device->common + offset) = value;
}

/* Addresses are 64-bit fields written as two halves. */
static void write_address(struct virtio_device *device, uint32_t offset, uint32_t physical)
{
    write32(device, offset, physical);
    write32(device, offset + 4, 0);
}

static uint8_t status(struct virtio_device *device)
{
    return read8(device, COMMON_STATUS);
}

static void set_status(struct virtio_device *device, uint8_t value)
{
    device->common[COMMON_STATUS] = value;
}

static bool reset(struct virtio_device *device)
{
    set_status(device, 0);
    for (uint32_t spins = 0; spins < RESET_SPINS_MAX; spins++) {
        if (status(device) == 0) {
            return true;
        }
    }
    return false;
}

static uint64_t features(struct virtio_device *device)
{
    write32(device, COMMON_DEVICE_FEATURE_SELECT, 0);
    uint64_t low = read32(device, COMMON_DEVICE_FEATURE);
    write32(device, COMMON_DEVICE_FEATURE_SELECT, 1);
    return (uint64_t)read32(device, COMMON_DEVICE_FEATURE) << 32 | low;
}

static void accept_features(struct virtio_device *device, uint64_t accepted)
{
    write32(device, COMMON_DRIVER_FEATURE_SELECT, 0);
    write32(device, COMMON_DRIVER_FEATURE, (uint32_t)accepted);
    write32(device, COMMON_DRIVER_FEATURE_SELECT, 1);
    write32(device, COMMON_DRIVER_FEATURE, (uint32_t)(accepted >> 32));
}

static uint16_t queue_size(struct virtio_device *device, uint16_t queue)
{
    write16(device, COMMON_QUEUE_SELECT, queue);
    return read16(device, COMMON_QUEUE_SIZE);
}

static enum error set_queue(struct virtio_device *device, uint16_t queue, const struct virtio_ring *ring)
{
    write16(device, COMMON_QUEUE_SELECT, queue);
    uint64_t doorbell = (uint64_t)read16(device, COMMON_QUEUE_NOTIFY_OFFSET) * device->notification_multiplier;
    if (doorbell + sizeof(*device->doorbell) > device->notification_bytes) {
        return ERROR_UNSUPPORTED;
    }
    device->doorbell = (volatile uint16_t *)(device->notification + doorbell);
    write16(device, COMMON_QUEUE_SIZE, ring->size);
    if (read16(device, COMMON_QUEUE_SIZE) != ring->size) {
        return ERROR_UNSUPPORTED;
    }
    write_address(device, COMMON_QUEUE_DESCRIPTORS, virtio_ring_descriptors_physical(ring));
    write_address(device, COMMON_QUEUE_AVAILABLE, virtio_ring_available_physical(ring));
    write_address(device, COMMON_QUEUE_USED, virtio_ring_used_physical(ring));
    write16(device, COMMON_QUEUE_ENABLE, 1);
    return OK;
}

static void notify(struct virtio_device *device)
{
    *device->doorbell = 0;
}

static uint8_t interrupt_cause(struct virtio_device *device)
{
    return *device->interrupt;
}

static uint32_t configuration(struct virtio_device *device, uint32_t offset)
{
    return offset + 4 <= device->specific_bytes ? *(volatile uint32_t *)(device->specific + offset) : 0;
}

static uint8_t configuration_generation(struct virtio_device *device)
{
    return read8(device, COMMON_GENERATION);
}

static const struct virtio_transport modern = {
    .name = "modern",
    .is_legacy = false,
    .reset = reset,
    .status = status,
    .set_status = set_status,
    .features = features,
    .accept_features = accept_features,
    .queue_size = queue_size,
    .set_queue = set_queue,
    .notify = notify,
    .interrupt_cause = interrupt_cause,
    .configuration = configuration,
    .configuration_generation = configuration_generation,
};

/* The first capability of that type that is whole; 0 if there is none. */
static uint32_t find_capability(const struct pci_device *pci, enum structure type, uint32_t length_min)
{
    uint32_t at = 0;
    while ((at = pci_capability(pci, CAPABILITY_VENDOR, at)) != 0) {
        if (at + length_min <= 256 && pci_read8(pci, at + CAPABILITY_TYPE) == type &&
            pci_read8(pci, at + CAPABILITY_LENGTH) >= length_min) {
            return at;
        }
    }
    return 0;
}

/* Map the structure a capability points at. `bytes` is what it has, at least bytes_min; NULL if it is not there. */
static volatile uint8_t *map_structure(const struct pci_device *pci, enum structure type, uint32_t bytes_min,
                                       uint32_t *bytes)
{
    uint32_t at = find_capability(pci, type, CAPABILITY_LENGTH_MIN);
    if (at == 0) {
        return NULL;
    }
    struct pci_bar bar = pci_bar(pci, pci_read8(pci, at + CAPABILITY_BAR));
    uint32_t offset = pci_read32(pci, at + CAPABILITY_OFFSET);
    *bytes = pci_read32(pci, at + CAPABILITY_BYTES);
    if (bar.kind != PCI_BAR_MEMORY || (offset & 3) != 0 || *bytes < bytes_min ||
        (uint64_t)offset + *bytes > bar.bytes) {
        return NULL;
    }
    if (*bytes > STRUCTURE_BYTES_MAX) {
        *bytes = STRUCTURE_BYTES_MAX;
    }
    return device_map(bar.base + offset, *bytes);
}

static bool map_notification(struct virtio_device *device)
{
    uint32_t at = find_capability(device->pci, STRUCTURE_NOTIFICATION, CAPABILITY_LENGTH_NOTIFICATION);
    if (at == 0) {
        return false;
    }
    device->notification_multiplier = pci_read32(device->pci, at + CAPABILITY_MULTIPLIER);
    device->notification =
        map_structure(device->pci, STRUCTURE_NOTIFICATION, sizeof(uint16_t), &device->notification_bytes);
    return device->notification != NULL && (device->notification_multiplier & 1) == 0;
}

bool virtio_modern_attach(struct virtio_device *device)
{
    uint32_t bytes;
    device->common = map_structure(device->pci, STRUCTURE_COMMON, COMMON_BYTES, &bytes);
    if (device->common == NULL) {
        return false;
    }
    device->interrupt = map_structure(device->pci, STRUCTURE_INTERRUPT, 1, &bytes);
    device->specific = map_structure(device->pci, STRUCTURE_SPECIFIC, 1, &device->specific_bytes);
    if (device->interrupt == NULL || device->specific == NULL || !map_notification(device)) {
        return false;
    }
    device->transport = &modern;
    return true;
}
