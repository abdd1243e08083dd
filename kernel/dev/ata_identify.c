/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a drive says about itself, read at boot by polling, before the channel's interrupts are on.
 */
#include "ata_registers.h"

#include "arch/clock.h"

#define COMMAND_IDENTIFY 0xECu

#define READY_SPINS_MAX 10000u
#define IDENTIFY_NS     2000000000ull

bool ata_select(const struct ata_channel *channel, uint8_t device)
{
    ata_write(channel, REGISTER_DEVICE, device);
    ata_settle(channel);
    for (uint32_t spins = 0; spins < READY_SPINS_MAX; spins++) {
        if ((ata_peek_status(channel) & (STATUS_BUSY | STATUS_DATA)) == 0) {
            return true;
        }
    }
    return false;
}

/* Poll until the drive wants to hand out data, or says no. */
static enum error wait_data(const struct ata_channel *channel)
{
    uint64_t deadline_ns = clock_boot_ns() + IDENTIFY_NS;
    do {
        uint8_t status = ata_read(channel, REGISTER_STATUS);
        if (status == 0) {
            return ERROR_NOT_FOUND;
        }
        if ((status & STATUS_BUSY) == 0) {
            bool packet = ata_read(channel, REGISTER_MIDDLE) != 0 || ata_read(channel, REGISTER_HIGH) != 0;
            if (packet) {
                return ERROR_NOT_FOUND;
            }
            if ((status & (STATUS_ERROR | STATUS_FAULT)) != 0) {
                return ERROR_IO;
            }
            if ((status & STATUS_DATA) != 0) {
                return OK;
            }
        }
    } while (clock_boot_ns() < deadline_ns);
    return ERROR_IO;
}

enum error ata_channel_identify(struct ata_channel *channel, uint8_t unit, uint16_t words[ATA_IDENTIFY_WORDS])
{
    if (!ata_select(channel, DEVICE_LBA | (uint8_t)(unit << 4))) {
        return ERROR_NOT_FOUND;
    }
    for (uint32_t number = REGISTER_COUNT; number <= REGISTER_HIGH; number++) {
        ata_write(channel, number, 0);
    }
    ata_write(channel, REGISTER_COMMAND, COMMAND_IDENTIFY);
    ata_settle(channel);
    enum error error = wait_data(channel);
    if (error == OK) {
        insw((uint16_t)(channel->command_ports + REGISTER_DATA), words, ATA_IDENTIFY_WORDS);
    }
    return error;
}
