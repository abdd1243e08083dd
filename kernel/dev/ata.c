/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ATA disks: where the controller is, which drives it has, and what they can do. The commands are in ata_channel.c.
 *
 * The first IDE controller with a bus-master engine is used. Its channels are at the ports and interrupt lines of the
 * first PCs unless its programming interface says that the base address registers give them.
 */
#include "ata.h"
#include "atomic.h"

#include "ata_channel.h"
#include "log.h"
#include "pci.h"

#define CLASS_STORAGE 0x01u
#define SUBCLASS_IDE  0x01u

#define INTERFACE_NATIVE(channel) (0x01u << ((channel)*2))
#define INTERFACE_MASTER          0x80u

#define CHANNELS             2u
#define BAR_MASTER           4u
#define MASTER_CHANNEL_BYTES 8u
#define NATIVE_CONTROL       2u /* offset of the control port in its block */

/* Words that a drive describes itself with. */
#define WORD_CAPABILITIES   49u
#define WORD_SECTORS_28     60u
#define WORD_DMA_MODES      63u
#define WORD_COMMANDS       83u
#define WORD_SECTORS_48     100u
#define WORD_SECTOR_SIZE    106u
#define CAPABILITY_DMA      0x0100u
#define CAPABILITY_LBA      0x0200u
#define DMA_MODES_MASK      0x0007u
#define COMMANDS_LBA48      0x0400u
#define COMMANDS_FLUSH      0x1000u
#define COMMANDS_FLUSH_EXT  0x2000u
#define SECTOR_SIZE_NOT_512 0x1000u
#define VALID_MASK          0xC000u
#define VALID               0x4000u

#define COMMAND_FLUSH     0xE7u
#define COMMAND_FLUSH_EXT 0xEAu

#define SECTORS_PER_BLOCK (PAGE_SIZE / 512u)

/* Where a channel of a controller in compatibility mode is. */
static const struct {
    uint16_t command_ports, control_port;
    uint8_t line;
} compatible[CHANNELS] = {{0x1F0, 0x3F6, 14}, {0x170, 0x376, 15}};

static const char *const channel_names[CHANNELS] = {"ata channel 0", "ata channel 1"};
static const char *const drive_names[ATA_DEVICES_MAX] = {"ata0", "ata1", "ata2", "ata3"};

_Static_assert(CHANNELS *ATA_CHANNEL_DRIVES == ATA_DEVICES_MAX, "a name for each drive");

static struct {
    bool searched;
    struct ata_channel channels[CHANNELS];
    uint32_t count;
    struct {
        struct ata_drive *drive;
        enum error error; /* why it cannot be used, or OK */
    } found[ATA_DEVICES_MAX];
} ata;

static bool is_controller(const struct pci_device *pci)
{
    return pci->class_code == CLASS_STORAGE && pci->subclass == SUBCLASS_IDE &&
           (pci->interface & INTERFACE_MASTER) != 0;
}

static void submit(struct block_device *block, struct block_request *request)
{
    ata_channel_submit((struct ata_drive *)((uint8_t *)block - offsetof(struct ata_drive, block)), request);
}

static void wait(struct block_device *block, struct block_request *request)
{
    ata_channel_wait((struct ata_drive *)((uint8_t *)block - offsetof(struct ata_drive, block)), request);
}

static enum error last_write(struct block_device *block, struct block at, void *page)
{
    return ata_last_write((struct ata_drive *)((uint8_t *)block - offsetof(struct ata_drive, block)), at, page);
}

static bool is_valid(uint16_t word)
{
    return (word & VALID_MASK) == VALID;
}

static uint64_t sectors_of(const uint16_t *words, bool lba48)
{
    if (!lba48) {
        return (uint32_t)words[WORD_SECTORS_28] | (uint32_t)words[WORD_SECTORS_28 + 1] << 16;
    }
    uint64_t sectors = 0;
    for (uint32_t i = 0; i < 4; i++) {
        sectors |= (uint64_t)words[WORD_SECTORS_48 + i] << i * 16;
    }
    return sectors;
}

/* Some emulators say it only by naming modes. */
static bool can_dma(const uint16_t *words)
{
    return (words[WORD_CAPABILITIES] & CAPABILITY_DMA) != 0 || (words[WORD_DMA_MODES] & DMA_MODES_MASK) != 0;
}

/* Understand what a drive says about itself. */
static enum error describe(struct ata_drive *drive, const uint16_t *words, const char *name)
{
    uint16_t commands = is_valid(words[WORD_COMMANDS]) ? words[WORD_COMMANDS] : 0;
    bool large_sectors = is_valid(words[WORD_SECTOR_SIZE]) && (words[WORD_SECTOR_SIZE] & SECTOR_SIZE_NOT_512) != 0;
    if (!can_dma(words) || (words[WORD_CAPABILITIES] & CAPABILITY_LBA) == 0 || large_sectors) {
        return ERROR_UNSUPPORTED;
    }
    drive->lba48 = (commands & COMMANDS_LBA48) != 0;
    if ((commands & COMMANDS_FLUSH_EXT) != 0 && drive->lba48) {
        drive->flush_command = COMMAND_FLUSH_EXT;
    } else if ((commands & COMMANDS_FLUSH) != 0) {
        drive->flush_command = COMMAND_FLUSH;
    }
    uint64_t blocks = sectors_of(words, drive->lba48) / SECTORS_PER_BLOCK;
    drive->block = (struct block_device){
        .name = name,
        .block_count = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX,
        .read_only = false,
        .submit = submit,
        .wait = wait,
        .last_write = last_write,
    };
    log_line("%s: %u MiB, %s, %s", name, drive->block.block_count >> 8, drive->lba48 ? "LBA48" : "LBA28",
             drive->flush_command != 0 ? "write-back" : "write-through");
    return OK;
}

static void find_drive(struct ata_channel *channel, uint8_t unit)
{
    static uint16_t words[ATA_IDENTIFY_WORDS];
    struct ata_drive *drive = &channel->drives[unit];
    drive->channel = channel;
    drive->unit = unit;
    enum error error = ata_channel_identify(channel, unit, words);
    if (error == ERROR_NOT_FOUND) {
        return;
    }
    const char *name = drive_names[ata.count];
    if (error == OK) {
        error = describe(drive, words, name);
    }
    if (error != OK) {
        log_line("%s: cannot be used: %s", name, error_text(error));
    }
    ata.found[ata.count].drive = drive;
    ata.found[ata.count].error = error;
    ata.count++;
}

/* Ports and interrupt line of a channel. Returns false if the controller does not give them. */
static bool locate_channel(const struct pci_device *pci, uint32_t index, struct ata_channel *channel, uint8_t *line)
{
    struct pci_bar master = pci_bar(pci, BAR_MASTER);
    if (master.kind != PCI_BAR_PORTS || master.bytes < CHANNELS * MASTER_CHANNEL_BYTES) {
        return false;
    }
    channel->name = channel_names[index];
    channel->master_ports = (uint16_t)(master.base + index * MASTER_CHANNEL_BYTES);
    if ((pci->interface & INTERFACE_NATIVE(index)) == 0) {
        channel->command_ports = compatible[index].command_ports;
        channel->control_port = compatible[index].control_port;
        *line = compatible[index].line;
        return true;
    }
    struct pci_bar command = pci_bar(pci, index * 2);
    struct pci_bar control = pci_bar(pci, index * 2 + 1);
    if (command.kind != PCI_BAR_PORTS || control.kind != PCI_BAR_PORTS || pci->interrupt_line == PCI_NO_INTERRUPT) {
        return false;
    }
    channel->command_ports = (uint16_t)command.base;
    channel->control_port = (uint16_t)(control.base + NATIVE_CONTROL);
    *line = pci->interrupt_line;
    return true;
}

static void find_channel(const struct pci_device *pci, uint32_t index)
{
    struct ata_channel *channel = &ata.channels[index];
    uint8_t line;
    if (!locate_channel(pci, index, channel, &line) || ata_channel_init(channel) != OK) {
        return;
    }
    uint32_t before = ata.count;
    for (uint8_t unit = 0; unit < ATA_CHANNEL_DRIVES; unit++) {
        find_drive(channel, unit);
    }
    if (ata.count > before) {
        ata_channel_start(channel, line);
    }
}

enum error ata_find(uint32_t index, struct block_device **out)
{
    thread_may_sleep();
    if (!ata.searched) {
        ata.searched = true;
        const struct pci_device *pci = pci_find(is_controller, 0);
        if (pci != NULL) {
            pci_enable(pci);
        }
        for (uint32_t i = 0; i < CHANNELS && pci != NULL; i++) {
            find_channel(pci, i);
        }
    }
    if (index >= ata.count) {
        return ERROR_NOT_FOUND;
    }
    if (ata.found[index].error != OK) {
        return ata.found[index].error;
    }
    *out = &ata.found[index].drive->block;
    return OK;
}
