/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last write of an ATA disk: what a kernel that panics still has to say.
 *
 * The channel is reset, whatever it was doing. Then one block goes out word by word through the data port (PIO,
 * ATA/ATAPI-7, 6.24), which needs neither the bus-master engine nor its table, and the drive's cache is flushed.
 * Interrupts are disabled in the processor and in the channel, and stay so.
 */
#include "ata_registers.h"

#include "arch/clock.h"

#define COMMAND_WRITE     0x30u
#define COMMAND_WRITE_EXT 0x34u

#define SECTOR_WORDS      256u
#define SECTORS_PER_BLOCK (PAGE_SIZE / 512u)

#define ANSWER_NS      5000000000ull
#define RESET_PULSE_NS 10000ull
#define SPINS_MAX      100000000u /* should the clock stand still */

static void pause_ns(uint64_t duration_ns)
{
    uint64_t deadline_ns = clock_boot_ns() + duration_ns;
    for (uint32_t spins = 0; spins < SPINS_MAX && clock_boot_ns() < deadline_ns; spins++) {
    }
}

/* Until the drive is not busy, and asks for data or does not. */
static enum error wait_for(const struct ata_channel *channel, uint8_t data)
{
    uint64_t deadline_ns = clock_boot_ns() + ANSWER_NS;
    ata_settle(channel);
    for (uint32_t spins = 0; spins < SPINS_MAX && clock_boot_ns() < deadline_ns; spins++) {
        uint8_t status = ata_peek_status(channel);
        if ((status & STATUS_BUSY) != 0) {
            continue;
        }
        if ((status & (STATUS_ERROR | STATUS_FAULT)) != 0) {
            return ERROR_IO;
        }
        if ((status & STATUS_DATA) == data) {
            return OK;
        }
    }
    return ERROR_TIMED_OUT;
}

static enum error reset(const struct ata_channel *channel)
{
    ata_master_stop(channel);
    outb(channel->control_port, CONTROL_RESET | CONTROL_NO_INTERRUPT);
    pause_ns(RESET_PULSE_NS);
    outb(channel->control_port, CONTROL_NO_INTERRUPT);
    pause_ns(RESET_PULSE_NS);
    return wait_for(channel, 0);
}

static enum error write_sectors(const struct ata_drive *drive, uint64_t sector, const void *page)
{
    const struct ata_channel *channel = drive->channel;
    uint8_t device = DEVICE_LBA | (uint8_t)(drive->unit << 4);
    if (!ata_select(channel, drive->lba48 ? device : (uint8_t)(device | (sector >> 24 & 0x0F)))) {
        return ERROR_IO;
    }
    ata_write_address(drive, sector, SECTORS_PER_BLOCK);
    ata_write(channel, REGISTER_COMMAND, drive->lba48 ? COMMAND_WRITE_EXT : COMMAND_WRITE);
    const uint16_t *words = page;
    enum error error = OK;
    for (uint32_t i = 0; i < SECTORS_PER_BLOCK && error == OK; i++) {
        error = wait_for(channel, STATUS_DATA);
        if (error == OK) {
            outsw((uint16_t)(channel->command_ports + REGISTER_DATA), words + (size_t)i * SECTOR_WORDS, SECTOR_WORDS);
        }
    }
    return error == OK ? wait_for(channel, 0) : error;
}

enum error ata_last_write(struct ata_drive *drive, struct block block, const void *page)
{
    const struct ata_channel *channel = drive->channel;
    enum error error = reset(channel);
    if (error == OK) {
        error = write_sectors(drive, (uint64_t)block.number * SECTORS_PER_BLOCK, page);
    }
    if (error == OK && drive->flush_command != 0) {
        ata_write(channel, REGISTER_COMMAND, drive->flush_command);
        error = wait_for(channel, 0);
    }
    return error;
}
