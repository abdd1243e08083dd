/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The legacy transport (VIRTIO 1.1, 4.1.4.8): one block of ports in the first base address register. The size of a
 * queue is the device's choice, its place is given as a page number, and there is no word about consistency of the
 * configuration.
 */
#include "virtio.h"

#include "arch/io.h"

#define PORT_FEATURES_DEVICE 0u
#define PORT_FEATURES_DRIVER 4u
#define PORT_QUEUE_PAGE      8u
#define PORT_QUEUE_SIZE      12u
#define PORT_QUEUE_SELECT    14u
#define PORT_QUEUE_NOTIFY    16u
#define PORT_STATUS          18u
#define PORT_INTERRUPT       19u
#define PORT_CONFIGURATION   20u /* as long as MSI-X is disabled */

static uint16_t port(const struct virtio_device *device, uint32_t offset)
{
    return (uint16_t)(device->ports + offset);
}

static uint8_t status(struct virtio_device *device)
{
    return inb(port(device, PORT_STATUS));
}

static void set_status(struct virtio_device *device, uint8_t value)
{
    outb(port(device, PORT_STATUS), value);
}

static bool reset(struct virtio_device *device)
{
    set_status(device, 0);
    return status(device) == 0;
}

static uint64_t features(struct virtio_device *device)
{
    return inl(port(device, PORT_FEATURES_DEVICE));
}

static void accept_features(struct virtio_device *device, uint64_t accepted)
{
    outl(port(device, PORT_FEATURES_DRIVER), (uint32_t)accepted);
}

static uint16_t queue_size(struct virtio_device *device, uint16_t queue)
{
    outw(port(device, PORT_QUEUE_SELECT), queue);
    return inw(port(device, PORT_QUEUE_SIZE));
}

static enum error set_queue(struct virtio_device *device, uint16_t queue, const struct virtio_ring *ring)
{
    outw(port(device, PORT_QUEUE_SELECT), queue);
    outl(port(device, PORT_QUEUE_PAGE), ring->first.number);
    return inl(port(device, PORT_QUEUE_PAGE)) == ring->first.number ? OK : ERROR_UNSUPPORTED;
}

static void notify(struct virtio_device *device)
{
    outw(port(device, PORT_QUEUE_NOTIFY), 0);
}

static uint8_t interrupt_cause(struct virtio_device *device)
{
    return inb(port(device, PORT_INTERRUPT));
}

static uint32_t configuration(struct virtio_device *device, uint32_t offset)
{
    if (PORT_CONFIGURATION + offset + 4 > device->ports_count) {
        return 0;
    }
    return inl(port(device, PORT_CONFIGURATION + offset));
}

static uint8_t configuration_generation(struct virtio_device *device)
{
    (void)device;
    return 0;
}

static const struct virtio_transport legacy = {
    .name = "legacy",
    .is_legacy = true,
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

bool virtio_legacy_attach(struct virtio_device *device)
{
    struct pci_bar bar = pci_bar(device->pci, 0);
    if (bar.kind != PCI_BAR_PORTS || bar.bytes <= PORT_CONFIGURATION || bar.base + bar.bytes > 0x10000u) {
        return false;
    }
    device->ports = (uint16_t)bar.base;
    device->ports_count = (uint32_t)bar.bytes;
    device->transport = &legacy;
    return true;
}
