/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI bus through configuration mechanism 1: what is there, and where its registers are.
 *
 * The firmware has assigned addresses and interrupt lines; this module reads them, checks them and changes nothing but
 * the command register.
 */
#ifndef PCI_H
#define PCI_H

#include "types.h"

#define PCI_DEVICES_MAX  64u
#define PCI_BARS         6u
#define PCI_NO_INTERRUPT 0xFFu

struct pci_device {
    uint8_t bus, slot, function;
    uint8_t class_code, subclass, interface;
    uint16_t vendor_id, device_id;
    uint8_t interrupt_line; /* 1 .. 15, or PCI_NO_INTERRUPT */
};

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_PORTS, PCI_BAR_MEMORY };

/* A range of ports or of memory addresses that a device answers to. */
struct pci_bar {
    enum pci_bar_kind kind;
    uint64_t base;
    uint64_t bytes;
};

/* Enumerate the functions of all buses. Called once; a machine without PCI has no devices. */
void pci_init(void);

/*
 * The index-th device, in bus order, that `matches` returns true for; NULL if there are not that many. Devices never
 * move.
 */
typedef bool pci_match(const struct pci_device *device);
const struct pci_device *pci_find(pci_match *matches, uint32_t index);

/* Configuration space; offset: below 256 and aligned to the access. */
uint8_t pci_read8(const struct pci_device *device, uint32_t offset);
uint32_t pci_read32(const struct pci_device *device, uint32_t offset);

/* What a base address register says. PCI_BAR_NONE: unused, unassigned, of unknown kind, or index >= PCI_BARS. */
struct pci_bar pci_bar(const struct pci_device *device, uint32_t index);

/*
 * The offset of the next capability with this id after the capability at `after` (0: from the start); 0 if there is no
 * more. A damaged list ends.
 */
uint32_t pci_capability(const struct pci_device *device, uint8_t id, uint32_t after);

/* Let the device answer to its ports and memory, master the bus and raise its interrupt line. */
void pci_enable(const struct pci_device *device);

#endif
