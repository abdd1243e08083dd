/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks of a virtual machine: virtio-blk on PCI, in its modern (1.x) and its legacy form.
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include "block_device.h"

#define VIRTIO_BLK_DEVICES_MAX 4u

/*
 * The index-th such disk in bus order; started when first asked for. Needs pci_init(); not callable from interrupts.
 * - ERROR_NOT_FOUND: there are not that many (or index >= VIRTIO_BLK_DEVICES_MAX).
 * - ERROR_UNSUPPORTED, ERROR_IO, ERROR_NO_MEMORY: it is there, cannot be used, and the log says why.
 */
MUST_CHECK enum error virtio_blk_find(uint32_t index, struct block_device **out);

#endif
