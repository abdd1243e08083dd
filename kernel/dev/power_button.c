/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See power_button.h. The chip's power management registers (Intel 82371AB, 7.2) lie where the firmware has put them.
 * Only the button's event is enabled, so the interrupt, which others may share, has no other cause here.
 */
#include "power_button.h"

#include "arch/interrupt.h"
#include "arch/io.h"
#include "log.h"
#include "pci.h"

#define VENDOR_INTEL 0x8086u
#define DEVICE_PIIX4 0x7113u

/* In configuration space. */
#define CONFIG_BASE      0x40u
#define CONFIG_ENABLE    0x80u
#define BASE_MASK        0xFFC0u
#define ENABLE_REGISTERS 0x01u

/* Registers, from the base, and the button's bit in both. */
#define EVENT_STATUS 0u
#define EVENT_ENABLE 2u
#define EVENT_BUTTON 0x0100u

#define PORTS_NONE 0xFFFFu

static uint16_t base;
static power_button_handler *handler;

static bool is_power_management(const struct pci_device *device)
{
    return device->vendor_id == VENDOR_INTEL && device->device_id == DEVICE_PIIX4;
}

static void acknowledge(void)
{
    outw((uint16_t)(base + EVENT_STATUS), EVENT_BUTTON);
}

static void interrupted(void *unused)
{
    (void)unused;
    if ((inw((uint16_t)(base + EVENT_STATUS)) & EVENT_BUTTON) != 0) {
        acknowledge();
        handler();
    }
}

bool power_button_attach(power_button_handler *pressed)
{
    const struct pci_device *device = pci_find(is_power_management, 0);

    if (device == NULL || device->interrupt_line == PCI_NO_INTERRUPT ||
        (pci_read8(device, CONFIG_ENABLE) & ENABLE_REGISTERS) == 0) {
        return false;
    }
    base = (uint16_t)(pci_read32(device, CONFIG_BASE) & BASE_MASK);
    if (base == 0 || inw((uint16_t)(base + EVENT_ENABLE)) == PORTS_NONE) {
        return false;
    }
    handler = pressed;
    acknowledge();
    interrupt_attach(device->interrupt_line, interrupted, NULL);
    outw((uint16_t)(base + EVENT_ENABLE), EVENT_BUTTON);
    log_line("power button: ports 0x%x, interrupt %u", base, device->interrupt_line);
    return true;
}
