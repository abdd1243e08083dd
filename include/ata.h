/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ATA disks on a PCI IDE controller with bus-master DMA (PIIX and its relatives).
 */
#ifndef ATA_H
#define ATA_H

#include "block_device.h"

#define ATA_DEVICES_MAX 4u

/*
 * The index-th disk: primary master, primary slave, secondary master, secondary slave, those that are there. Needs
 * pci_init(); the first call looks for all of them and may sleep.
 * - ERROR_NOT_FOUND: there are not that many.
 * - ERROR_UNSUPPORTED, ERROR_IO, ERROR_NO_MEMORY: it is there, cannot be used, and the log says why.
 */
MUST_CHECK enum error ata_find(uint32_t index, struct block_device **out);

#endif
