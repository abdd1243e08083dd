/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting a virtio device, whatever its transport (VIRTIO 1.1, 3.1): reset, acknowledge, agree on features, make the
 * queue, run. A modern transport is preferred where the device has both.
 */
#include "virtio.h"

#define VENDOR                  0x1AF4u
#define DEVICE_MODERN_FIRST     0x1040u /* plus the device type */
#define DEVICE_TRANSITIONAL_BLK 0x1001u
#define TYPE_BLK                2u

#define RING_SIZE_MAX 32768u
#define RETRIES_MAX   16u

bool virtio_pci_is(const struct pci_device *pci, uint16_t device_type)
{
    if (pci->vendor_id != VENDOR) {
        return false;
    }
    return pci->device_id == DEVICE_MODERN_FIRST + device_type ||
           (device_type == TYPE_BLK && pci->device_id == DEVICE_TRANSITIONAL_BLK);
}

static void add_status(struct virtio_device *device, uint8_t status)
{
    device->transport->set_status(device, device->transport->status(device) | status);
}

/* A modern device must take VERSION_1 and say that it is content; a legacy one has no say. */
static enum error agree_on_features(struct virtio_device *device, uint64_t wanted)
{
    const struct virtio_transport *transport = device->transport;
    uint64_t offered = transport->features(device);
    device->features = offered & (wanted | VIRTIO_FEATURE_VERSION_1);
    bool modern = (device->features & VIRTIO_FEATURE_VERSION_1) != 0;
    if (modern == transport->is_legacy) {
        return ERROR_UNSUPPORTED;
    }
    transport->accept_features(device, device->features);
    if (!modern) {
        return OK;
    }
    add_status(device, VIRTIO_STATUS_FEATURES_OK);
    return (transport->status(device) & VIRTIO_STATUS_FEATURES_OK) != 0 ? OK : ERROR_UNSUPPORTED;
}

enum error virtio_pci_start(struct virtio_device *device, const struct pci_device *pci, uint64_t wanted)
{
    *device = (struct virtio_device){.pci = pci};
    pci_enable(pci);
    if (!virtio_modern_attach(device) && !virtio_legacy_attach(device)) {
        return ERROR_UNSUPPORTED;
    }
    if (!device->transport->reset(device)) {
        return ERROR_IO;
    }
    add_status(device, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(device, VIRTIO_STATUS_DRIVER);
    enum error error = agree_on_features(device, wanted);
    if (error != OK) {
        virtio_pci_fail(device);
    }
    return error;
}

static bool is_power_of_two(uint32_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

enum error virtio_pci_queue(struct virtio_device *device, uint16_t size_max, struct virtio_ring *ring)
{
    const struct virtio_transport *transport = device->transport;
    uint16_t size = transport->queue_size(device, 0);
    if (!is_power_of_two(size) || size > RING_SIZE_MAX) {
        return ERROR_UNSUPPORTED;
    }
    if (size > size_max && !transport->is_legacy) {
        size = size_max;
    }
    enum error error = virtio_ring_create(ring, size);
    if (error != OK) {
        return error;
    }
    error = transport->set_queue(device, 0, ring);
    if (error != OK) {
        virtio_ring_delete(ring);
    }
    return error;
}

enum error virtio_pci_restart(struct virtio_device *device, struct virtio_ring *ring)
{
    uint64_t features = device->features;
    if (!device->transport->reset(device)) {
        return ERROR_IO;
    }
    virtio_ring_clear(ring);
    add_status(device, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(device, VIRTIO_STATUS_DRIVER);
    enum error error = agree_on_features(device, features);
    if (error == OK && device->features != features) {
        error = ERROR_UNSUPPORTED;
    }
    if (error == OK && device->transport->queue_size(device, 0) < ring->size) {
        error = ERROR_UNSUPPORTED;
    }
    if (error == OK) {
        error = device->transport->set_queue(device, 0, ring);
    }
    if (error == OK) {
        virtio_pci_run(device);
    }
    return error;
}

void virtio_pci_run(struct virtio_device *device)
{
    add_status(device, VIRTIO_STATUS_DRIVER_OK);
}

void virtio_pci_fail(struct virtio_device *device)
{
    (void)device->transport->reset(device);
    device->transport->set_status(device, VIRTIO_STATUS_FAILED);
}

void virtio_pci_configuration(struct virtio_device *device, uint32_t *words, uint32_t count)
{
    const struct virtio_transport *transport = device->transport;
    for (uint32_t retry = 0; retry < RETRIES_MAX; retry++) {
        uint8_t generation = transport->configuration_generation(device);
        for (uint32_t i = 0; i < count; i++) {
            words[i] = transport->configuration(device, i * 4);
        }
        if (transport->configuration_generation(device) == generation) {
            return;
        }
    }
}
