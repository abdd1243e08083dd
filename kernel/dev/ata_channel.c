/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command engine of an IDE channel (ATA/ATAPI-7; Programming Interface for Bus Master IDE Controller 1.0).
 *
 * One command is under way at a time, started by a submitter that finds the channel idle or by the interrupt that ends
 * the one before. Drives with requests take turns. A request that is too long for one command becomes several in a row.
 *
 * Whoever waits also watches the clock: a command past its deadline is given up, the channel is reset, the request
 * fails, the next one starts. Everything in the channel is touched with interrupts disabled.
 */
#include "ata_registers.h"

#include "arch/clock.h"
#include "arch/frame.h"
#include "arch/interrupt.h"
#include "block_driver.h"
#include "log.h"

#define COMMAND_READ_DMA      0xC8u
#define COMMAND_READ_DMA_EXT  0x25u
#define COMMAND_WRITE_DMA     0xCAu
#define COMMAND_WRITE_DMA_EXT 0x35u

/* Bus-master registers, from master_ports on. */
#define MASTER_COMMAND 0u
#define MASTER_STATUS  2u
#define MASTER_TABLE   4u

#define MASTER_START          0x01u
#define MASTER_TO_MEMORY      0x08u
#define MASTER_ACTIVE         0x01u
#define MASTER_ERROR          0x02u
#define MASTER_INTERRUPT      0x04u
#define MASTER_STATUS_CAPABLE 0x60u /* drive bits that are kept when the others are cleared by writing ones */

#define SECTORS_PER_BLOCK (PAGE_SIZE / 512u)
#define PAGES_MAX_28      (256u / SECTORS_PER_BLOCK)

#define WINDOW_BYTES 65536u /* no entry of the table crosses a multiple of it */

#define TRANSFER_NS    30000000000ull
#define FLUSH_NS       60000000000ull
#define RESET_NS       31000000000ull /* what a drive may take, by the standard */
#define RESET_PULSE_NS 1000000ull
#define RESET_STEP_NS  10000000ull
#define WATCH_NS       1000000000ull

struct ata_transfer {
    uint32_t physical;
    uint16_t bytes; /* 0: 65536 */
    uint16_t flags;
};
#define TRANSFER_LAST 0x8000u

_Static_assert(sizeof(struct ata_transfer) == 8, "layout given by the specification");
_Static_assert(BLOCK_REQUEST_PAGES_MAX * sizeof(struct ata_transfer) <= PAGE_SIZE, "one frame of transfers");

void ata_master_stop(const struct ata_channel *channel)
{
    outb((uint16_t)(channel->master_ports + MASTER_COMMAND), 0);
    uint8_t capable = inb((uint16_t)(channel->master_ports + MASTER_STATUS)) & MASTER_STATUS_CAPABLE;
    outb((uint16_t)(channel->master_ports + MASTER_STATUS), capable | MASTER_ERROR | MASTER_INTERRUPT);
}

/* Fill the table for the pages of this command. */
static void describe_transfer(struct ata_channel *channel)
{
    uint32_t page = channel->page;
    uint32_t end = channel->page + channel->pages;
    uint32_t entries = 0;
    while (page < end) {
        struct block_segment segment;
        block_segment(channel->request, page, 1, &segment);
        uint32_t window = (WINDOW_BYTES - segment.physical % WINDOW_BYTES) / PAGE_SIZE;
        page += block_segment(channel->request, page, window < end - page ? window : end - page, &segment);
        channel->table[entries++] = (struct ata_transfer){
            .physical = segment.physical,
            .bytes = (uint16_t)segment.bytes,
            .flags = page == end ? TRANSFER_LAST : 0,
        };
    }
}

static bool start_transfer(struct ata_channel *channel)
{
    const struct ata_drive *drive = channel->drive;
    const struct block_request *request = channel->request;
    bool reading = request->operation == BLOCK_READ;
    uint64_t sector = ((uint64_t)request->first.number + channel->page) * SECTORS_PER_BLOCK;
    uint32_t left = request->count - channel->page;
    channel->pages = drive->lba48 || left < PAGES_MAX_28 ? left : PAGES_MAX_28;

    uint8_t device = DEVICE_LBA | (uint8_t)(drive->unit << 4);
    if (!drive->lba48) {
        device |= (uint8_t)(sector >> 24 & 0x0F);
    }
    if (!ata_select(channel, device)) {
        return false;
    }
    describe_transfer(channel);
    ata_master_stop(channel);
    outl((uint16_t)(channel->master_ports + MASTER_TABLE), channel->table_physical);
    uint8_t direction = reading ? MASTER_TO_MEMORY : 0;
    outb((uint16_t)(channel->master_ports + MASTER_COMMAND), direction);
    ata_write_address(drive, sector, channel->pages * SECTORS_PER_BLOCK);
    if (drive->lba48) {
        ata_write(channel, REGISTER_COMMAND, reading ? COMMAND_READ_DMA_EXT : COMMAND_WRITE_DMA_EXT);
    } else {
        ata_write(channel, REGISTER_COMMAND, reading ? COMMAND_READ_DMA : COMMAND_WRITE_DMA);
    }
    outb((uint16_t)(channel->master_ports + MASTER_COMMAND), direction | MASTER_START);
    channel->deadline_ns = clock_boot_ns() + TRANSFER_NS;
    return true;
}

static bool start_flush(struct ata_channel *channel)
{
    channel->pages = 0;
    if (!ata_select(channel, DEVICE_LBA | (uint8_t)(channel->drive->unit << 4))) {
        return false;
    }
    ata_master_stop(channel);
    ata_write(channel, REGISTER_COMMAND, channel->drive->flush_command);
    channel->deadline_ns = clock_boot_ns() + FLUSH_NS;
    return true;
}

static bool start_command(struct ata_channel *channel)
{
    return channel->request->operation == BLOCK_FLUSH ? start_flush(channel) : start_transfer(channel);
}

static void finish(struct ata_channel *channel, enum error result, const char *reason)
{
    ASSERT(!interrupt_is_enabled());
    struct block_request *request = channel->request;
    if (result != OK) {
        block_report(&channel->drive->block, request, &channel->drive->failures, reason);
    }
    channel->request = NULL;
    channel->drive = NULL;
    block_part_done(request, result);
}

/* Make the first request of the drive whose turn it is the channel's. Returns false if there is none. */
static bool take_request(struct ata_channel *channel)
{
    for (uint32_t i = 1; i <= ATA_CHANNEL_DRIVES; i++) {
        uint32_t unit = (channel->last_unit + i) % ATA_CHANNEL_DRIVES;
        struct ata_drive *drive = &channel->drives[unit];
        if (drive->first != NULL) {
            channel->last_unit = unit;
            channel->drive = drive;
            channel->request = drive->first;
            channel->page = 0;
            drive->first = drive->first->next;
            return true;
        }
    }
    return false;
}

/* Start what waits, if the channel is idle; what cannot be started fails. */
static void start_next(struct ata_channel *channel)
{
    while (channel->state != ATA_CHANNEL_RECOVERING && channel->request == NULL && take_request(channel)) {
        if (channel->state == ATA_CHANNEL_DEAD) {
            finish(channel, ERROR_IO, "the channel is dead");
        } else if (!start_command(channel)) {
            finish(channel, ERROR_IO, "the drive takes no command");
        }
    }
}

/* The command under way has ended: go on with its request, or with the next one. */
static void end_command(struct ata_channel *channel, bool succeeded)
{
    if (!succeeded) {
        finish(channel, ERROR_IO, "the drive reports an error");
    } else if (channel->page + channel->pages >= channel->request->count) {
        finish(channel, OK, NULL);
    } else {
        channel->page += channel->pages;
        if (!start_command(channel)) {
            finish(channel, ERROR_IO, "the drive takes no command");
        }
    }
    start_next(channel);
}

static void handle_interrupt(void *context)
{
    struct ata_channel *channel = context;
    uint8_t master = inb((uint16_t)(channel->master_ports + MASTER_STATUS));
    if ((master & MASTER_INTERRUPT) == 0) {
        return; /* another device's, on a shared line */
    }
    uint8_t status = ata_read(channel, REGISTER_STATUS);
    ata_master_stop(channel);
    if (channel->request != NULL && channel->state == ATA_CHANNEL_RUNNING) {
        bool failed = (status & (STATUS_BUSY | STATUS_FAULT | STATUS_ERROR)) != 0 ||
                      (master & (MASTER_ERROR | MASTER_ACTIVE)) != 0;
        end_command(channel, !failed);
    }
}

static void sleep_ns(uint64_t duration_ns)
{
    struct wait_queue nobody = {NULL};
    enum error error = wait_queue_sleep(&nobody, clock_boot_ns() + duration_ns, false);
    ASSERT(error == ERROR_TIMED_OUT);
}

/* Reset both drives. Sleeps. Returns whether the channel can be used again. */
static bool reset(const struct ata_channel *channel)
{
    outb(channel->control_port, CONTROL_RESET | CONTROL_NO_INTERRUPT);
    sleep_ns(RESET_PULSE_NS);
    outb(channel->control_port, CONTROL_NO_INTERRUPT);
    uint64_t deadline_ns = clock_boot_ns() + RESET_NS;
    do {
        sleep_ns(RESET_STEP_NS);
        if ((ata_peek_status(channel) & STATUS_BUSY) == 0) {
            outb(channel->control_port, 0);
            return true;
        }
    } while (clock_boot_ns() < deadline_ns);
    return false;
}

/* Give the command under way up. Called with interrupts disabled; sleeps. */
static void recover(struct ata_channel *channel)
{
    log_line("%s: no answer, resetting", channel->name);
    channel->state = ATA_CHANNEL_RECOVERING;
    ata_master_stop(channel);
    bool running = reset(channel);
    channel->state = running ? ATA_CHANNEL_RUNNING : ATA_CHANNEL_DEAD;
    finish(channel, ERROR_IO, running ? "no answer in time" : "no answer, not even to a reset");
    start_next(channel);
}

static bool is_overdue(const struct ata_channel *channel)
{
    return channel->state == ATA_CHANNEL_RUNNING && channel->request != NULL && clock_boot_ns() >= channel->deadline_ns;
}

void ata_channel_submit(struct ata_drive *drive, struct block_request *request)
{
    request->parts = 1;
    if (request->operation == BLOCK_FLUSH && drive->flush_command == 0) {
        block_part_done(request, OK);
        return;
    }
    bool enabled = interrupt_disable();
    if (drive->first == NULL) {
        drive->first = request;
    } else {
        drive->last->next = request;
    }
    drive->last = request;
    start_next(drive->channel);
    interrupt_restore(enabled);
}

void ata_channel_wait(struct ata_drive *drive, struct block_request *request)
{
    struct ata_channel *channel = drive->channel;
    while (!block_wait_done(request, clock_boot_ns() + WATCH_NS)) {
        bool enabled = interrupt_disable();
        if (is_overdue(channel)) {
            recover(channel);
        }
        interrupt_restore(enabled);
    }
}

enum error ata_channel_init(struct ata_channel *channel)
{
    outb(channel->control_port, CONTROL_NO_INTERRUPT);
    if (ata_read(channel, REGISTER_STATUS) == STATUS_NO_CHIP) {
        return ERROR_NOT_FOUND;
    }
    struct frame frame;
    enum error error = frame_allocate(FRAME_KERNEL, &frame);
    if (error == OK) {
        channel->table = frame_address(frame);
        channel->table_physical = frame.number << PAGE_SHIFT;
    }
    return error;
}

void ata_channel_start(struct ata_channel *channel, uint8_t line)
{
    (void)ata_read(channel, REGISTER_STATUS);
    ata_master_stop(channel);
    interrupt_attach(line, handle_interrupt, channel);
    outb(channel->control_port, 0);
}
