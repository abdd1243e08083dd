/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI configuration space through ports 0xCF8 (address) and 0xCFC (data).
 *
 * Buses are scanned in ascending order starting with bus 0; a bridge adds the bus behind it, which has a higher number
 * than its own in any valid assignment, so that the scan ends whatever the bridges say.
 */
#include "pci.h"

#include "arch/interrupt.h"
#include "arch/io.h"
#include "log.h"

#define PORT_ADDRESS 0xCF8
#define PORT_DATA    0xCFC
#define ENABLE       0x80000000u

#define SLOTS     32u
#define FUNCTIONS 8u
#define BUSES     256u

/* Offsets in the header. */
#define HEADER_VENDOR       0x00u
#define HEADER_DEVICE       0x02u
#define HEADER_COMMAND      0x04u
#define HEADER_STATUS       0x06u
#define HEADER_INTERFACE    0x09u
#define HEADER_SUBCLASS     0x0Au
#define HEADER_CLASS        0x0Bu
#define HEADER_TYPE         0x0Eu
#define HEADER_BAR          0x10u
#define HEADER_SECONDARY    0x19u
#define HEADER_CAPABILITIES 0x34u
#define HEADER_LINE         0x3Cu
#define HEADER_PIN          0x3Du

#define LINE_CASCADE 2u /* between the two interrupt controllers: no device can have it */
#define LINE_LAST    15u

#define VENDOR_NONE         0xFFFFu
#define TYPE_MULTI_FUNCTION 0x80u
#define TYPE_MASK           0x7Fu
#define TYPE_ORDINARY       0x00u
#define TYPE_BRIDGE         0x01u
#define STATUS_CAPABILITIES 0x10u
#define CAPABILITY_FIRST    0x40u
#define CAPABILITIES_MAX    48u /* as many as fit into 256 bytes */

#define COMMAND_PORTS        0x0001u
#define COMMAND_MEMORY       0x0002u
#define COMMAND_MASTER       0x0004u
#define COMMAND_NO_INTERRUPT 0x0400u

#define BAR_IS_PORTS    0x1u
#define BAR_TYPE_MASK   0x6u
#define BAR_TYPE_32     0x0u
#define BAR_TYPE_64     0x4u
#define BAR_MEMORY_MASK 0xFFFFFFF0u
#define BAR_PORTS_MASK  0xFFFCu

static struct {
    uint32_t count;
    struct pci_device devices[PCI_DEVICES_MAX];
} pci;

/* Point the data window at a register of a device. The two accesses belong together: interrupts are disabled. */
static void select(const struct pci_device *device, uint32_t offset)
{
    ASSERT(offset < 256);
    outl(PORT_ADDRESS, ENABLE | (uint32_t)device->bus << 16 | (uint32_t)device->slot << 11 |
                           (uint32_t)device->function << 8 | (offset & ~3u));
}

uint32_t pci_read32(const struct pci_device *device, uint32_t offset)
{
    ASSERT((offset & 3) == 0);
    bool enabled = interrupt_disable();
    select(device, offset);
    uint32_t value = inl(PORT_DATA);
    interrupt_restore(enabled);
    return value;
}

static uint16_t read16(const struct pci_device *device, uint32_t offset)
{
    ASSERT((offset & 1) == 0);
    return (uint16_t)(pci_read32(device, offset & ~3u) >> (offset & 3) * 8);
}

uint8_t pci_read8(const struct pci_device *device, uint32_t offset)
{
    return (uint8_t)(pci_read32(device, offset & ~3u) >> (offset & 3) * 8);
}

static void write32(const struct pci_device *device, uint32_t offset, uint32_t value)
{
    ASSERT((offset & 3) == 0);
    bool enabled = interrupt_disable();
    select(device, offset);
    outl(PORT_DATA, value);
    interrupt_restore(enabled);
}

static void write16(const struct pci_device *device, uint32_t offset, uint16_t value)
{
    ASSERT((offset & 1) == 0);
    bool enabled = interrupt_disable();
    select(device, offset);
    outw((uint16_t)(PORT_DATA + (offset & 2)), value);
    interrupt_restore(enabled);
}

static uint8_t interrupt_line_of(const struct pci_device *device)
{
    uint8_t line = pci_read8(device, HEADER_LINE);
    bool usable = pci_read8(device, HEADER_PIN) != 0 && line != 0 && line != LINE_CASCADE && line <= LINE_LAST;
    return usable ? line : PCI_NO_INTERRUPT;
}

/* Note one function if there is one. Returns its header type, or TYPE_MASK if there is none. */
static uint8_t scan_function(uint32_t bus, uint32_t slot, uint32_t function)
{
    struct pci_device device = {.bus = (uint8_t)bus, .slot = (uint8_t)slot, .function = (uint8_t)function};
    device.vendor_id = read16(&device, HEADER_VENDOR);
    if (device.vendor_id == VENDOR_NONE) {
        return TYPE_MASK;
    }
    device.device_id = read16(&device, HEADER_DEVICE);
    device.class_code = pci_read8(&device, HEADER_CLASS);
    device.subclass = pci_read8(&device, HEADER_SUBCLASS);
    device.interface = pci_read8(&device, HEADER_INTERFACE);
    uint8_t type = pci_read8(&device, HEADER_TYPE);
    if ((type & TYPE_MASK) == TYPE_ORDINARY) {
        device.interrupt_line = interrupt_line_of(&device);
        if (pci.count < PCI_DEVICES_MAX) {
            pci.devices[pci.count++] = device;
        } else {
            log_line("pci: more than %u devices, %02x:%02x.%x is ignored", PCI_DEVICES_MAX, bus, slot, function);
        }
    }
    return type;
}

/* Note the functions of one bus, and in `pending` the buses behind its bridges. */
static void scan_bus(uint32_t bus, bool pending[BUSES])
{
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint32_t functions = 1;
        for (uint32_t function = 0; function < functions; function++) {
            uint8_t type = scan_function(bus, slot, function);
            if (type == TYPE_MASK) {
                continue;
            }
            if (function == 0 && (type & TYPE_MULTI_FUNCTION) != 0) {
                functions = FUNCTIONS;
            }
            if ((type & TYPE_MASK) == TYPE_BRIDGE) {
                struct pci_device bridge = {.bus = (uint8_t)bus, .slot = (uint8_t)slot, .function = (uint8_t)function};
                pending[pci_read8(&bridge, HEADER_SECONDARY)] = true;
            }
        }
    }
}

void pci_init(void)
{
    outl(PORT_ADDRESS, ENABLE);
    if (inl(PORT_ADDRESS) != ENABLE) {
        log_line("pci: no bus");
        return;
    }
    bool pending[BUSES] = {[0] = true};
    for (uint32_t bus = 0; bus < BUSES; bus++) {
        if (pending[bus]) {
            scan_bus(bus, pending);
        }
    }
    log_line("pci: %u devices", pci.count);
}

const struct pci_device *pci_find(pci_match *matches, uint32_t index)
{
    for (uint32_t i = 0; i < pci.count; i++) {
        if (matches(&pci.devices[i]) && index-- == 0) {
            return &pci.devices[i];
        }
    }
    return NULL;
}

/* The bits of a register that can be written, found by writing ones; the device does not decode meanwhile. */
static uint32_t writable_bits(const struct pci_device *device, uint32_t offset)
{
    bool enabled = interrupt_disable();
    uint16_t command = read16(device, HEADER_COMMAND);
    write16(device, HEADER_COMMAND, command & (uint16_t) ~(COMMAND_PORTS | COMMAND_MEMORY));
    uint32_t value = pci_read32(device, offset);
    write32(device, offset, UINT32_MAX);
    uint32_t bits = pci_read32(device, offset);
    write32(device, offset, value);
    write16(device, HEADER_COMMAND, command);
    interrupt_restore(enabled);
    return bits;
}

/* Whether register `index` is the upper half of a 64-bit one: registers are read from the first on. */
static bool is_upper_half(const struct pci_device *device, uint32_t index)
{
    bool upper = false;
    for (uint32_t i = 0; i < index; i++) {
        uint32_t value = pci_read32(device, HEADER_BAR + i * 4);
        upper = !upper && (value & (BAR_IS_PORTS | BAR_TYPE_MASK)) == BAR_TYPE_64;
    }
    return upper;
}

static struct pci_bar memory_bar(const struct pci_device *device, uint32_t index, uint32_t value)
{
    const struct pci_bar none = {.kind = PCI_BAR_NONE};
    uint32_t offset = HEADER_BAR + index * 4;
    uint64_t base = value & BAR_MEMORY_MASK;
    uint64_t mask = writable_bits(device, offset) & BAR_MEMORY_MASK;
    if ((value & BAR_TYPE_MASK) == BAR_TYPE_64 && index + 1 < PCI_BARS) {
        base |= (uint64_t)pci_read32(device, offset + 4) << 32;
        mask |= (uint64_t)writable_bits(device, offset + 4) << 32;
    } else if ((value & BAR_TYPE_MASK) == BAR_TYPE_32) {
        mask |= (uint64_t)UINT32_MAX << 32;
    } else {
        return none;
    }
    if (base == 0 || mask == 0) {
        return none;
    }
    return (struct pci_bar){.kind = PCI_BAR_MEMORY, .base = base, .bytes = ~mask + 1};
}

struct pci_bar pci_bar(const struct pci_device *device, uint32_t index)
{
    const struct pci_bar none = {.kind = PCI_BAR_NONE};
    if (index >= PCI_BARS || is_upper_half(device, index)) {
        return none;
    }
    uint32_t offset = HEADER_BAR + index * 4;
    uint32_t value = pci_read32(device, offset);
    if ((value & BAR_IS_PORTS) == 0) {
        return memory_bar(device, index, value);
    }
    uint32_t base = value & BAR_PORTS_MASK;
    uint32_t mask = writable_bits(device, offset) & BAR_PORTS_MASK;
    if (base == 0 || mask == 0) {
        return none;
    }
    return (struct pci_bar){.kind = PCI_BAR_PORTS, .base = base, .bytes = 0x10000u - mask};
}

uint32_t pci_capability(const struct pci_device *device, uint8_t id, uint32_t after)
{
    if ((read16(device, HEADER_STATUS) & STATUS_CAPABILITIES) == 0) {
        return 0;
    }
    uint32_t link = after == 0 ? HEADER_CAPABILITIES : after + 1;
    for (uint32_t seen = 0; seen < CAPABILITIES_MAX; seen++) {
        uint32_t offset = pci_read8(device, link) & ~3u;
        if (offset < CAPABILITY_FIRST) {
            return 0;
        }
        if (pci_read8(device, offset) == id) {
            return offset;
        }
        link = offset + 1;
    }
    return 0;
}

void pci_enable(const struct pci_device *device)
{
    uint16_t command = read16(device, HEADER_COMMAND);
    command |= COMMAND_PORTS | COMMAND_MEMORY | COMMAND_MASTER;
    command &= (uint16_t)~COMMAND_NO_INTERRUPT;
    write16(device, HEADER_COMMAND, command);
}
