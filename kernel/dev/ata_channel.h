/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One channel of an IDE controller: a set of task-file ports, a bus-master engine, an interrupt line and up to two
 * drives, of which one works at a time.
 */
#ifndef ATA_CHANNEL_H
#define ATA_CHANNEL_H

#include "block_device.h"

#define ATA_CHANNEL_DRIVES 2u
#define ATA_IDENTIFY_WORDS 256u

struct ata_channel;

struct ata_drive {
    struct block_device block;
    struct ata_channel *channel;
    uint8_t unit;                       /* 0: master, 1: slave */
    bool lba48;                         /* 48-bit commands; else 28-bit ones */
    uint8_t flush_command;              /* 0: the drive has no cache to flush */
    struct block_request *first, *last; /* waiting, in order of arrival */
    uint32_t failures;
};

enum ata_channel_state {
    ATA_CHANNEL_RUNNING,    /* ata_channel.c: until a command misses its deadline */
    ATA_CHANNEL_RECOVERING, /* requests only queue; recover() ends it */
    ATA_CHANNEL_DEAD        /* did not come back from a reset: requests fail at once, for good */
};

/* One entry of the table that the bus-master engine follows. */
struct ata_transfer;

struct ata_channel {
    const char *name;
    uint16_t command_ports, control_port, master_ports;
    enum ata_channel_state state;
    struct ata_drive drives[ATA_CHANNEL_DRIVES];
    uint32_t last_unit; /* whose turn it was */
    struct ata_transfer *table;
    uint32_t table_physical;

    /* The command under way; `request` is NULL when there is none. */
    struct ata_drive *drive;
    struct block_request *request;
    uint32_t page, pages; /* the part of the request that this command does */
    uint64_t deadline_ns;
};

/*
 * Take a channel into use: ports and name are filled in, the rest is zero.
 * - ERROR_NOT_FOUND: nothing answers at the ports. ERROR_NO_MEMORY.
 */
MUST_CHECK enum error ata_channel_init(struct ata_channel *channel);

/*
 * Ask a drive what it is, by polling; for boot time, before ata_channel_start().
 * - ERROR_NOT_FOUND: there is no drive, or it is no disk. ERROR_IO: it does not answer as it should.
 */
MUST_CHECK enum error ata_channel_identify(struct ata_channel *channel, uint8_t unit,
                                           uint16_t words[ATA_IDENTIFY_WORDS]);

/* From now on requests are served, with interrupts on `line`. */
void ata_channel_start(struct ata_channel *channel, uint8_t line);

/* As in struct block_device, for a drive. */
void ata_channel_submit(struct ata_drive *drive, struct block_request *request);
void ata_channel_wait(struct ata_drive *drive, struct block_request *request);
enum error ata_last_write(struct ata_drive *drive, struct block block, const void *page);

#endif
