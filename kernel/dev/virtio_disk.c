/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of a virtio disk in flight (VIRTIO 1.1, 5.2.6), each a chain of descriptors.
 *
 * A disk has a fixed number of slots. A part of a request takes a slot, which owns a table of descriptors: one for the
 * header, one for each run of adjacent pages, one for the status byte. Where the device can do indirect descriptors
 * the table is a frame of the slot's own and the ring holds one descriptor that points at it; where it cannot, the
 * table is the slot's share of the ring itself. A request with more runs than a table holds becomes several parts.
 *
 * A submitter that finds no free slot sleeps; completions, which arrive by interrupt, free slots and wake. What a
 * completion names is checked against the slots in flight. A device that gets it wrong is stopped, and whatever was and
 * will be asked of it fails.
 *
 * Slots and ring are touched with interrupts disabled; a slot's table and header belong to whoever has taken the slot.
 */
#include "virtio_disk.h"

#include "arch/clock.h"
#include "arch/interrupt.h"
#include "block_driver.h"
#include "log.h"

#define PATIENCE_NS 10000000000ull /* after which a wait is remarked upon */

_Static_assert(sizeof(struct virtio_disk_header) == 32 &&
                   VIRTIO_DISK_SLOTS_MAX * sizeof(struct virtio_disk_header) <= PAGE_SIZE,
               "one frame of headers");

static struct virtio_disk *disk_of(struct block_device *block)
{
    return (struct virtio_disk *)((uint8_t *)block - offsetof(struct virtio_disk, block));
}

/* Distance between the ring descriptors of two slots. */
static uint32_t stride(const struct virtio_disk *disk)
{
    return disk->indirect ? 1 : disk->table_entries;
}

static void release_slot(struct virtio_disk *disk, uint32_t index)
{
    disk->slots[index].request = NULL;
    disk->free[disk->free_count++] = (uint8_t)index;
}

/* Stop a device that cannot be trusted; all that is in flight fails. */
static void break_disk(struct virtio_disk *disk, const char *reason)
{
    log_line("%s: the device is broken (%s) and was stopped", disk->name, reason);
    disk->broken = true;
    virtio_pci_fail(&disk->virtio);
    for (uint32_t i = 0; i < disk->slot_count; i++) {
        struct block_request *request = disk->slots[i].request;
        if (request != NULL) {
            release_slot(disk, i);
            block_part_done(request, ERROR_IO);
        }
    }
    wait_queue_wake(&disk->room, UINT32_MAX);
}

/* Whether the device did what was asked; a modern one also says how much it has written. */
static enum error slot_result(const struct virtio_disk *disk, uint32_t index, struct virtio_used used)
{
    const struct virtio_disk_slot *slot = &disk->slots[index];
    bool complete =
        disk->virtio.transport->is_legacy || slot->request->operation != BLOCK_READ || used.bytes > slot->bytes;
    return disk->headers[index].status == VIRTIO_DISK_STATUS_OK && complete ? OK : ERROR_IO;
}

/* Returns false if the device names something that is not in flight. */
static bool complete(struct virtio_disk *disk, struct virtio_used used)
{
    uint32_t index = used.id / stride(disk);
    if (used.id % stride(disk) != 0 || index >= disk->slot_count || disk->slots[index].request == NULL) {
        return false;
    }
    struct block_request *request = disk->slots[index].request;
    enum error result = slot_result(disk, index, used);
    if (result != OK) {
        block_report(&disk->block, request, &disk->failures, "the device reports an error");
    }
    release_slot(disk, index);
    block_part_done(request, result);
    return true;
}

static void take_completions(struct virtio_disk *disk)
{
    ASSERT(!interrupt_is_enabled());
    uint32_t freed = 0;
    uint16_t count;
    while (!disk->broken && (count = virtio_ring_used_count(&disk->ring)) != 0) {
        if (count > disk->slot_count - disk->free_count) {
            break_disk(disk, "more completions than requests");
        } else if (!complete(disk, virtio_ring_take(&disk->ring))) {
            break_disk(disk, "completion of an unknown request");
        }
        freed++;
    }
    if (freed > 0) {
        wait_queue_wake(&disk->room, freed);
    }
}

/* The line may be shared: no cause means that the interrupt is another device's. */
void virtio_disk_interrupt(void *context)
{
    struct virtio_disk *disk = context;
    uint8_t cause = disk->virtio.transport->interrupt_cause(&disk->virtio);
    if (cause == 0 || disk->broken) {
        return;
    }
    if ((cause & VIRTIO_INTERRUPT_CONFIGURATION) != 0 &&
        (disk->virtio.transport->status(&disk->virtio) & VIRTIO_STATUS_NEEDS_RESET) != 0) {
        break_disk(disk, "it asks for a reset");
    }
    take_completions(disk);
}

/* Take a free slot, sleeping until there is one. Returns false if the device is broken. */
static bool take_slot(struct virtio_disk *disk, uint32_t *index)
{
    bool enabled = interrupt_disable();
    while (disk->free_count == 0 && !disk->broken) {
        enum error error = wait_queue_sleep(&disk->room, DEADLINE_NEVER, false);
        ASSERT(error == OK);
    }
    bool taken = !disk->broken;
    if (taken) {
        *index = disk->free[--disk->free_count];
    }
    interrupt_restore(enabled);
    return taken;
}

static void add_entry(struct virtio_disk *disk, struct virtio_disk_slot *slot, uint32_t physical, uint32_t bytes,
                      uint16_t flags)
{
    uint32_t base = disk->indirect ? 0 : (uint32_t)(slot->table - disk->ring.descriptors);
    slot->table[slot->entries] = (struct virtio_descriptor){
        .physical = physical,
        .bytes = bytes,
        .flags = flags | VIRTIO_DESCRIPTOR_NEXT,
        .next = (uint16_t)(base + slot->entries + 1),
    };
    slot->entries++;
}

/* Describe as much of a request, from page `from` on, as the slot's table holds. Returns how many pages that is. */
static uint32_t fill_slot(struct virtio_disk *disk, uint32_t index, const struct block_request *request, uint32_t from)
{
    static const uint32_t types[] = {
        [BLOCK_READ] = VIRTIO_DISK_READ, [BLOCK_WRITE] = VIRTIO_DISK_WRITE, [BLOCK_FLUSH] = VIRTIO_DISK_FLUSH};
    struct virtio_disk_slot *slot = &disk->slots[index];
    bool flush = request->operation == BLOCK_FLUSH;
    uint16_t data_flags = request->operation == BLOCK_READ ? VIRTIO_DESCRIPTOR_WRITE : 0;
    uint32_t header_physical = disk->headers_physical + index * (uint32_t)sizeof(struct virtio_disk_header);
    disk->headers[index] = (struct virtio_disk_header){
        .type = types[request->operation],
        .sector = flush ? 0 : ((uint64_t)request->first.number + from) * VIRTIO_DISK_SECTORS_PER_BLOCK,
        .status = VIRTIO_DISK_STATUS_PENDING,
    };

    slot->entries = 0;
    slot->bytes = 0;
    add_entry(disk, slot, header_physical, VIRTIO_DISK_HEADER_OUT_BYTES, 0);
    uint32_t page = from;
    while (page < request->count && slot->entries < disk->table_entries - 1) {
        struct block_segment segment;
        page += block_segment(request, page, disk->segment_pages_max, &segment);
        add_entry(disk, slot, segment.physical, segment.bytes, data_flags);
        slot->bytes += segment.bytes;
    }
    add_entry(disk, slot, header_physical + VIRTIO_DISK_HEADER_OUT_BYTES, 1, VIRTIO_DESCRIPTOR_WRITE);
    slot->table[slot->entries - 1].flags &= (uint16_t)~VIRTIO_DESCRIPTOR_NEXT;
    return page - from;
}

/* Hand a filled slot to the device. A device that broke meanwhile gets no more requests; the part fails. */
static void publish_slot(struct virtio_disk *disk, uint32_t index, struct block_request *request)
{
    struct virtio_disk_slot *slot = &disk->slots[index];
    bool enabled = interrupt_disable();
    request->parts++;
    slot->request = request;
    if (disk->broken) {
        release_slot(disk, index);
        block_part_done(request, ERROR_IO);
        interrupt_restore(enabled);
        return;
    }
    uint16_t head = (uint16_t)(index * stride(disk));
    if (disk->indirect) {
        disk->ring.descriptors[head] = (struct virtio_descriptor){
            .physical = slot->table_physical,
            .bytes = slot->entries * (uint32_t)sizeof(struct virtio_descriptor),
            .flags = VIRTIO_DESCRIPTOR_INDIRECT,
        };
    }
    if (virtio_ring_publish(&disk->ring, head)) {
        disk->virtio.transport->notify(&disk->virtio);
    }
    interrupt_restore(enabled);
}

/* While it is being taken apart the request counts as one part more, so that it is not done early. */
void virtio_disk_submit(struct block_device *block, struct block_request *request)
{
    struct virtio_disk *disk = disk_of(block);
    bool cached = (disk->virtio.features & VIRTIO_BLK_FEATURE_FLUSH) != 0;
    enum error result = OK;
    uint32_t page = 0;
    request->parts = 1;
    bool more = request->operation != BLOCK_FLUSH || cached;
    while (more) {
        uint32_t index;
        if (!take_slot(disk, &index)) {
            result = ERROR_IO;
            break;
        }
        page += fill_slot(disk, index, request, page);
        publish_slot(disk, index, request);
        more = page < request->count;
    }
    block_part_done(request, result);
}

/* The host may stall for as long as it likes; the log says what everybody is waiting for. */
void virtio_disk_wait(struct block_device *block, struct block_request *request)
{
    struct virtio_disk *disk = disk_of(block);
    while (!block_wait_done(request, clock_boot_ns() + PATIENCE_NS)) {
        log_line("%s: no answer for %u seconds", disk->name, (uint32_t)(PATIENCE_NS / 1000000000u));
        bool enabled = interrupt_disable();
        take_completions(disk);
        interrupt_restore(enabled);
    }
}

/* Give slot `index` its table. */
static enum error prepare_slot(struct virtio_disk *disk, uint32_t index)
{
    struct virtio_disk_slot *slot = &disk->slots[index];
    if (!disk->indirect) {
        slot->table = disk->ring.descriptors + index * disk->table_entries;
        return OK;
    }
    struct frame frame;
    enum error error = frame_allocate(FRAME_KERNEL, &frame);
    if (error == OK) {
        slot->table = frame_address(frame);
        slot->table_physical = frame.number << PAGE_SHIFT;
    }
    return error;
}

enum error virtio_disk_prepare(struct virtio_disk *disk)
{
    struct frame frame;
    enum error error = frame_allocate(FRAME_KERNEL, &frame);
    if (error != OK) {
        return error;
    }
    disk->headers = frame_address(frame);
    disk->headers_physical = frame.number << PAGE_SHIFT;
    uint32_t planned = disk->ring.size / stride(disk);
    planned = planned < VIRTIO_DISK_SLOTS_MAX ? planned : VIRTIO_DISK_SLOTS_MAX;
    while (disk->slot_count < planned && (error = prepare_slot(disk, disk->slot_count)) == OK) {
        release_slot(disk, disk->slot_count++);
    }
    return disk->slot_count > 0 ? OK : error;
}
