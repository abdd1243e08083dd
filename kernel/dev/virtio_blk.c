/*
 * virtio-blk (VIRTIO 1.1, 5.2): requests in flight, each a chain of descriptors.
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
 * Slots and ring are touched with interrupts disabled; a slot's table and header belong to who has taken the slot.
 */
#include "virtio_blk.h"

#include "arch/clock.h"
#include "arch/interrupt.h"
#include "block_driver.h"
#include "log.h"
#include "virtio.h"

#include <string.h>

#define TYPE_BLK 2u

#define FEATURE_SIZE_MAX  (1ull << 1)
#define FEATURE_SEGMENTS  (1ull << 2)
#define FEATURE_READ_ONLY (1ull << 5)
#define FEATURE_BLOCK     (1ull << 6)
#define FEATURE_FLUSH     (1ull << 9)
#define FEATURES_WANTED                                                                                                \
    (FEATURE_SIZE_MAX | FEATURE_SEGMENTS | FEATURE_READ_ONLY | FEATURE_BLOCK | FEATURE_FLUSH | VIRTIO_FEATURE_INDIRECT)

#define REQUEST_READ  0u
#define REQUEST_WRITE 1u
#define REQUEST_FLUSH 4u

#define STATUS_OK      0u
#define STATUS_PENDING 0xFFu

#define SECTORS_PER_BLOCK (PAGE_SIZE / 512u)

#define RING_SIZE_MAX     256u
#define SLOTS_MAX         32u
#define TABLE_ENTRIES_MAX (PAGE_SIZE / sizeof(struct virtio_descriptor))
#define TABLE_OVERHEAD    2u  /* header and status */
#define DIRECT_ENTRIES    16u /* of a slot's share of the ring, if the ring is large enough */

#define PATIENCE_NS 10000000000ull /* after which a wait is remarked upon */

/* What the device reads and writes beside the data; one per slot. */
struct header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
    volatile uint8_t status; /* from here on the device's */
    uint8_t unused[15];
};
#define HEADER_OUT_BYTES 16u

/* The beginning of the device's configuration. */
struct configuration {
    uint32_t sectors_low, sectors_high;
    uint32_t segment_bytes_max;
    uint32_t segments_max;
    uint32_t geometry;
    uint32_t block_bytes;
};

_Static_assert(sizeof(struct header) == 32 && SLOTS_MAX * sizeof(struct header) <= PAGE_SIZE, "one frame of headers");

struct slot {
    struct block_request *request; /* NULL: free */
    struct virtio_descriptor *table;
    uint32_t table_physical; /* if indirect */
    uint32_t entries;
    uint32_t bytes; /* of data */
};

enum disk_state { DISK_UNTRIED, DISK_FAILED, DISK_RUNNING };

struct disk {
    struct block_device block;
    enum disk_state state;
    enum error error; /* why it failed */
    char name[16];
    struct virtio_device virtio;
    struct virtio_ring ring;
    bool indirect;
    bool broken;                /* stopped because it misbehaved */
    uint32_t table_entries;     /* of a slot */
    uint32_t segment_pages_max; /* of one descriptor */
    uint32_t slot_count;
    uint32_t free_count;
    uint8_t free[SLOTS_MAX]; /* free slots, [0, free_count) */
    struct slot slots[SLOTS_MAX];
    struct header *headers;
    uint32_t headers_physical;
    struct wait_queue room;
    uint32_t failures;
};

static struct disk disks[VIRTIO_BLK_DEVICES_MAX];

static struct disk *disk_of(struct block_device *block)
{
    return (struct disk *)((uint8_t *)block - offsetof(struct disk, block));
}

/* Distance between the ring descriptors of two slots. */
static uint32_t stride(const struct disk *disk)
{
    return disk->indirect ? 1 : disk->table_entries;
}

static void release_slot(struct disk *disk, uint32_t index)
{
    disk->slots[index].request = NULL;
    disk->free[disk->free_count++] = (uint8_t)index;
}

/* Stop a device that cannot be trusted; all that is in flight fails. */
static void break_disk(struct disk *disk, const char *reason)
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
static enum error slot_result(const struct disk *disk, uint32_t index, struct virtio_used used)
{
    const struct slot *slot = &disk->slots[index];
    bool complete =
        disk->virtio.transport->is_legacy || slot->request->operation != BLOCK_READ || used.bytes > slot->bytes;
    return disk->headers[index].status == STATUS_OK && complete ? OK : ERROR_IO;
}

/* Returns false if the device names something that is not in flight. */
static bool complete(struct disk *disk, struct virtio_used used)
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

static void take_completions(struct disk *disk)
{
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
static void handle_interrupt(void *context)
{
    struct disk *disk = context;
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
static bool take_slot(struct disk *disk, uint32_t *index)
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

static void add_entry(struct disk *disk, struct slot *slot, uint32_t physical, uint32_t bytes, uint16_t flags)
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
static uint32_t fill_slot(struct disk *disk, uint32_t index, const struct block_request *request, uint32_t from)
{
    static const uint32_t types[] = {
        [BLOCK_READ] = REQUEST_READ, [BLOCK_WRITE] = REQUEST_WRITE, [BLOCK_FLUSH] = REQUEST_FLUSH};
    struct slot *slot = &disk->slots[index];
    bool flush = request->operation == BLOCK_FLUSH;
    uint16_t data_flags = request->operation == BLOCK_READ ? VIRTIO_DESCRIPTOR_WRITE : 0;
    uint32_t header_physical = disk->headers_physical + index * (uint32_t)sizeof(struct header);
    disk->headers[index] = (struct header){
        .type = types[request->operation],
        .sector = flush ? 0 : ((uint64_t)request->first.number + from) * SECTORS_PER_BLOCK,
        .status = STATUS_PENDING,
    };

    slot->entries = 0;
    slot->bytes = 0;
    add_entry(disk, slot, header_physical, HEADER_OUT_BYTES, 0);
    uint32_t page = from;
    while (page < request->count && slot->entries < disk->table_entries - 1) {
        struct block_segment segment;
        page += block_segment(request, page, disk->segment_pages_max, &segment);
        add_entry(disk, slot, segment.physical, segment.bytes, data_flags);
        slot->bytes += segment.bytes;
    }
    add_entry(disk, slot, header_physical + HEADER_OUT_BYTES, 1, VIRTIO_DESCRIPTOR_WRITE);
    slot->table[slot->entries - 1].flags &= (uint16_t)~VIRTIO_DESCRIPTOR_NEXT;
    return page - from;
}

/* Hand a filled slot to the device. A device that broke meanwhile gets nothing any more; the part fails. */
static void publish_slot(struct disk *disk, uint32_t index, struct block_request *request)
{
    struct slot *slot = &disk->slots[index];
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
static void submit(struct block_device *block, struct block_request *request)
{
    struct disk *disk = disk_of(block);
    bool cached = (disk->virtio.features & FEATURE_FLUSH) != 0;
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
static void wait(struct block_device *block, struct block_request *request)
{
    struct disk *disk = disk_of(block);
    while (!block_wait_done(request, clock_boot_ns() + PATIENCE_NS)) {
        log_line("%s: no answer for %u seconds", disk->name, (uint32_t)(PATIENCE_NS / 1000000000u));
        bool enabled = interrupt_disable();
        take_completions(disk);
        interrupt_restore(enabled);
    }
}

/* Give slot `index` its table. */
static enum error prepare_slot(struct disk *disk, uint32_t index)
{
    struct slot *slot = &disk->slots[index];
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

/* Fewer slots than planned will do; none will not. */
static enum error prepare_slots(struct disk *disk)
{
    struct frame frame;
    enum error error = frame_allocate(FRAME_KERNEL, &frame);
    if (error != OK) {
        return error;
    }
    disk->headers = frame_address(frame);
    disk->headers_physical = frame.number << PAGE_SHIFT;
    uint32_t planned = disk->ring.size / stride(disk);
    planned = planned < SLOTS_MAX ? planned : SLOTS_MAX;
    while (disk->slot_count < planned && (error = prepare_slot(disk, disk->slot_count)) == OK) {
        release_slot(disk, disk->slot_count++);
    }
    return disk->slot_count > 0 ? OK : error;
}

static uint32_t minimum(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/*
 * How large tables and segments may be. A chain must not be longer than the ring, and a device that does not speak of
 * its limit of segments has a limit of one.
 */
static enum error choose_limits(struct disk *disk, const struct configuration *configuration)
{
    uint64_t features = disk->virtio.features;
    disk->indirect = (features & VIRTIO_FEATURE_INDIRECT) != 0;
    uint32_t segments = (features & FEATURE_SEGMENTS) != 0 && configuration->segments_max > 0
                            ? minimum(configuration->segments_max, BLOCK_REQUEST_PAGES_MAX)
                            : 1;
    uint32_t room = minimum(disk->ring.size, disk->indirect ? (uint32_t)TABLE_ENTRIES_MAX : DIRECT_ENTRIES);
    disk->table_entries = minimum(segments + TABLE_OVERHEAD, room);
    disk->segment_pages_max = BLOCK_REQUEST_PAGES_MAX;
    if ((features & FEATURE_SIZE_MAX) != 0) {
        disk->segment_pages_max = minimum(configuration->segment_bytes_max / PAGE_SIZE, BLOCK_REQUEST_PAGES_MAX);
    }
    bool block_fits = (features & FEATURE_BLOCK) == 0 ||
                      (configuration->block_bytes > 0 && PAGE_SIZE % configuration->block_bytes == 0);
    bool usable = disk->table_entries > TABLE_OVERHEAD && disk->segment_pages_max > 0 && block_fits;
    return usable ? OK : ERROR_UNSUPPORTED;
}

static void describe(struct disk *disk, const struct configuration *configuration)
{
    uint64_t blocks = ((uint64_t)configuration->sectors_high << 32 | configuration->sectors_low) / SECTORS_PER_BLOCK;
    disk->block = (struct block_device){
        .name = disk->name,
        .block_count = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX,
        .read_only = (disk->virtio.features & FEATURE_READ_ONLY) != 0,
        .submit = submit,
        .wait = wait,
    };
    log_line("%s: %u MiB%s, %s, %s, %u requests of %u segments", disk->name, disk->block.block_count >> 8,
             disk->block.read_only ? ", read-only" : "", disk->virtio.transport->name,
             (disk->virtio.features & FEATURE_FLUSH) != 0 ? "write-back" : "write-through", disk->slot_count,
             disk->table_entries - TABLE_OVERHEAD);
}

/* After the reset at the start nothing is given back on failure: it happens at boot, a few times at most. */
static enum error start(struct disk *disk, const struct pci_device *pci)
{
    if (pci->interrupt_line == PCI_NO_INTERRUPT) {
        return ERROR_UNSUPPORTED;
    }
    enum error error = virtio_pci_start(&disk->virtio, pci, FEATURES_WANTED);
    if (error != OK) {
        return error;
    }
    uint32_t words[sizeof(struct configuration) / sizeof(uint32_t)] = {0};
    struct configuration configuration;
    virtio_pci_configuration(&disk->virtio, words, sizeof(words) / sizeof(words[0]));
    memcpy(&configuration, words, sizeof(configuration));
    error = virtio_pci_queue(&disk->virtio, RING_SIZE_MAX, &disk->ring);
    if (error == OK) {
        error = choose_limits(disk, &configuration);
    }
    if (error == OK) {
        error = prepare_slots(disk);
    }
    if (error != OK) {
        virtio_pci_fail(&disk->virtio);
        return error;
    }
    describe(disk, &configuration);
    interrupt_attach(pci->interrupt_line, handle_interrupt, disk);
    virtio_pci_run(&disk->virtio);
    return OK;
}

static bool is_disk(const struct pci_device *pci)
{
    return virtio_pci_is(pci, TYPE_BLK);
}

enum error virtio_blk_find(uint32_t index, struct block_device **out)
{
    const struct pci_device *pci = index < VIRTIO_BLK_DEVICES_MAX ? pci_find(is_disk, index) : NULL;
    if (pci == NULL) {
        return ERROR_NOT_FOUND;
    }
    struct disk *disk = &disks[index];
    if (disk->state == DISK_UNTRIED) {
        (void)kernel_snprintf(disk->name, sizeof(disk->name), "virtio%u", index);
        disk->error = start(disk, pci);
        disk->state = disk->error == OK ? DISK_RUNNING : DISK_FAILED;
        if (disk->error != OK) {
            log_line("%s: cannot be used: %s", disk->name, error_text(disk->error));
        }
    }
    if (disk->state == DISK_FAILED) {
        return disk->error;
    }
    *out = &disk->block;
    return OK;
}
