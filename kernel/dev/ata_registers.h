/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The task file of an IDE channel: its registers, and selecting a drive. Shared by the commands (ata_channel.c) and the
 * identification at boot (ata_identify.c).
 */
#ifndef ATA_REGISTERS_H
#define ATA_REGISTERS_H

#include "arch/io.h"
#include "ata_channel.h"

/* Task-file registers, from command_ports on. */
#define REGISTER_DATA    0u
#define REGISTER_COUNT   2u
#define REGISTER_LOW     3u
#define REGISTER_MIDDLE  4u
#define REGISTER_HIGH    5u
#define REGISTER_DEVICE  6u
#define REGISTER_STATUS  7u /* read; reading acknowledges the interrupt */
#define REGISTER_COMMAND 7u /* write */

#define CONTROL_NO_INTERRUPT 0x02u
#define CONTROL_RESET        0x04u

#define STATUS_ERROR   0x01u
#define STATUS_DATA    0x08u
#define STATUS_FAULT   0x20u
#define STATUS_BUSY    0x80u
#define STATUS_NO_CHIP 0xFFu

#define DEVICE_LBA 0xE0u /* with the two bits that old drives want set */

static inline uint8_t ata_read(const struct ata_channel *channel, uint32_t number)
{
    return inb((uint16_t)(channel->command_ports + number));
}

static inline void ata_write(const struct ata_channel *channel, uint32_t number, uint8_t value)
{
    outb((uint16_t)(channel->command_ports + number), value);
}

/* Sector count and address; the halves of 48-bit registers are written one after the other. */
static inline void ata_write_address(const struct ata_drive *drive, uint64_t sector, uint32_t sectors)
{
    const struct ata_channel *channel = drive->channel;
    if (drive->lba48) {
        ata_write(channel, REGISTER_COUNT, (uint8_t)(sectors >> 8));
        ata_write(channel, REGISTER_LOW, (uint8_t)(sector >> 24));
        ata_write(channel, REGISTER_MIDDLE, (uint8_t)(sector >> 32));
        ata_write(channel, REGISTER_HIGH, (uint8_t)(sector >> 40));
    }
    ata_write(channel, REGISTER_COUNT, (uint8_t)sectors);
    ata_write(channel, REGISTER_LOW, (uint8_t)sector);
    ata_write(channel, REGISTER_MIDDLE, (uint8_t)(sector >> 8));
    ata_write(channel, REGISTER_HIGH, (uint8_t)(sector >> 16));
}

/* The status without its side effect. */
static inline uint8_t ata_peek_status(const struct ata_channel *channel)
{
    return inb(channel->control_port);
}

/* Let 400 ns pass, in which the status means nothing: after a drive was selected or given a command. */
static inline void ata_settle(const struct ata_channel *channel)
{
    for (uint32_t reads = 0; reads < 4; reads++) {
        (void)ata_peek_status(channel);
    }
}

/* Stop the bus-master engine and forget what it has to say. */
void ata_master_stop(const struct ata_channel *channel);

/* Select a drive and wait, briefly, until it can take a command. Returns false if it cannot. */
bool ata_select(const struct ata_channel *channel, uint8_t device);

#endif
