/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's side of the ring. See fake_virtio.h.
 */
#include "fake_virtio.h"

#include "../kernel/dev/virtio.h"
#include "arch/device.h"
#include "arch/interrupt.h"
#include "log.h"
#include "pci.h"
#include "thread.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES   512u
#define IN_FLIGHT_MAX  1024u
#define SEGMENTS_MAX   1024u
#define STATUS_PENDING 0xFFu

struct fake_virtio fake_virtio;
uint8_t fake_virtio_disk[FAKE_VIRTIO_BLOCKS * PAGE_SIZE];

/* One chain, walked and checked. */
struct chain {
    uint16_t head;
    uint32_t type;
    uint64_t sector;
    uint8_t *status;
    uint32_t segment_count, data_bytes;
    bool device_writes;
    struct {
        uint8_t *memory;
        uint32_t bytes;
    } segments[SEGMENTS_MAX];
};

static struct {
    struct pci_device pci;
    uint32_t ring_size; /* 0: no ring */
    const struct virtio_descriptor *descriptors;
    const uint16_t *available;
    uint16_t *used;
    uint16_t available_seen;
    uint16_t in_flight[IN_FLIGHT_MAX];
    uint32_t in_flight_count;
    uint32_t completions;
    uint64_t accepted;
    uint8_t cause;
    uint32_t random;
    bool running, stop;
    interrupt_handler *handler;
    void *handler_context;
} device;

struct fake_virtio fake_virtio_knobs(void)
{
    return (struct fake_virtio){
        .ring_size = 256,
        .features =
            FAKE_VIRTIO_SEGMENTS | FAKE_VIRTIO_BLOCK | FAKE_VIRTIO_FLUSH | FAKE_VIRTIO_INDIRECT | FAKE_VIRTIO_VERSION_1,
        .sectors = FAKE_VIRTIO_BLOCKS * 8,
        .segments_max = 254,
        .block_bytes = SECTOR_BYTES,
        .interrupt_line = 11,
    };
}

/* Machine and bus -------------------------------------------------------------------------------------------------- */

void interrupt_attach(uint32_t line, interrupt_handler *handler, void *context)
{
    ASSERT(line == fake_virtio.interrupt_line);
    device.handler = handler;
    device.handler_context = context;
}

const struct pci_device *pci_find(pci_match *matches, uint32_t index)
{
    device.pci = (struct pci_device){
        .vendor_id = 0x1AF4,
        .device_id = fake_virtio.legacy ? 0x1001 : 0x1042,
        .interrupt_line = fake_virtio.interrupt_line,
    };
    return index == 0 && matches(&device.pci) ? &device.pci : NULL;
}

void pci_enable(const struct pci_device *pci)
{
    ASSERT(pci == &device.pci);
}

/* Memory that the device may touch: every frame of it is allocated. */
static void *memory_at(uint64_t physical, uint32_t bytes)
{
    ASSERT(bytes > 0 && physical + bytes <= (uint64_t)frame_limit() * PAGE_SIZE);
    for (uint64_t page = physical >> PAGE_SHIFT; page <= (physical + bytes - 1) >> PAGE_SHIFT; page++) {
        ASSERT(frame_owner((struct frame){(uint32_t)page}) == FRAME_KERNEL ||
               frame_owner((struct frame){(uint32_t)page}) == FRAME_PAGE);
    }
    return (uint8_t *)frame_address((struct frame){(uint32_t)(physical >> PAGE_SHIFT)}) + (physical & PAGE_MASK);
}

/* Transport -------------------------------------------------------------------------------------------------------- */

static bool reset(struct virtio_device *self)
{
    (void)self;
    fake_virtio.resets++;
    if (fake_virtio.never_resets) {
        return false;
    }
    fake_virtio.status = 0;
    device.ring_size = 0;
    device.in_flight_count = 0;
    device.available_seen = 0;
    return true;
}

static uint8_t status(struct virtio_device *self)
{
    (void)self;
    return fake_virtio.status;
}

static void set_status(struct virtio_device *self, uint8_t value)
{
    (void)self;
    if (fake_virtio.refuses_features) {
        value &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    }
    fake_virtio.status = value;
}

static uint64_t features(struct virtio_device *self)
{
    (void)self;
    return fake_virtio.legacy ? (uint32_t)fake_virtio.features : fake_virtio.features;
}

static void accept_features(struct virtio_device *self, uint64_t accepted)
{
    (void)self;
    ASSERT((accepted & ~fake_virtio.features) == 0);
    device.accepted = accepted;
}

static uint16_t queue_size(struct virtio_device *self, uint16_t queue)
{
    (void)self;
    return queue == 0 ? fake_virtio.ring_size : 0;
}

static enum error set_queue(struct virtio_device *self, uint16_t queue, const struct virtio_ring *ring)
{
    (void)self;
    ASSERT(queue == 0 && ring->size <= fake_virtio.ring_size && ring->size > 0);
    ASSERT(!fake_virtio.legacy || ring->size == fake_virtio.ring_size);
    device.ring_size = ring->size;
    device.descriptors = memory_at(virtio_ring_descriptors_physical(ring), ring->size * 16u);
    device.available = memory_at(virtio_ring_available_physical(ring), ring->size * 2u + 6);
    device.used = memory_at(virtio_ring_used_physical(ring), ring->size * 8u + 6);
    ASSERT(virtio_ring_descriptors_physical(ring) % PAGE_SIZE == 0);
    ASSERT(virtio_ring_used_physical(ring) % PAGE_SIZE == 0);
    ASSERT(virtio_ring_available_physical(ring) == virtio_ring_descriptors_physical(ring) + ring->size * 16u);
    return OK;
}

static void notify(struct virtio_device *self)
{
    (void)self;
    fake_virtio.notifications++;
}

static uint8_t interrupt_cause(struct virtio_device *self)
{
    (void)self;
    uint8_t cause = device.cause;
    device.cause = 0;
    return cause;
}

static uint32_t configuration(struct virtio_device *self, uint32_t offset)
{
    (void)self;
    const uint32_t words[] = {(uint32_t)fake_virtio.sectors,
                              (uint32_t)(fake_virtio.sectors >> 32),
                              fake_virtio.size_max,
                              fake_virtio.segments_max,
                              0,
                              fake_virtio.block_bytes};
    return offset / 4 < sizeof(words) / sizeof(words[0]) ? words[offset / 4] : 0;
}

/* Changes at the first look, so that the first reading has to be thrown away. */
static uint8_t configuration_generation(struct virtio_device *self)
{
    static uint8_t looks;
    (void)self;
    return looks < 1 ? looks++ : looks;
}

static struct virtio_transport transport = {
    .name = "fake",
    .reset = reset,
    .status = status,
    .set_status = set_status,
    .features = features,
    .accept_features = accept_features,
    .queue_size = queue_size,
    .set_queue = set_queue,
    .notify = notify,
    .interrupt_cause = interrupt_cause,
    .configuration = configuration,
    .configuration_generation = configuration_generation,
};

bool virtio_modern_attach(struct virtio_device *self)
{
    transport.is_legacy = false;
    self->transport = &transport;
    return !fake_virtio.legacy;
}

bool virtio_legacy_attach(struct virtio_device *self)
{
    transport.is_legacy = true;
    self->transport = &transport;
    return fake_virtio.legacy;
}

/* Requests --------------------------------------------------------------------------------------------------------- */

static uint32_t random_below(uint32_t limit)
{
    device.random = device.random * 1664525u + 1013904223u;
    return (device.random >> 8) % limit;
}

static void add_segment(struct chain *chain, const struct virtio_descriptor *descriptor)
{
    ASSERT(chain->segment_count < SEGMENTS_MAX);
    ASSERT((device.accepted & FAKE_VIRTIO_SIZE_MAX) == 0 || descriptor->bytes <= fake_virtio.size_max);
    chain->device_writes = (descriptor->flags & VIRTIO_DESCRIPTOR_WRITE) != 0;
    chain->segments[chain->segment_count].memory = memory_at(descriptor->physical, descriptor->bytes);
    chain->segments[chain->segment_count].bytes = descriptor->bytes;
    chain->segment_count++;
    chain->data_bytes += descriptor->bytes;
}

/* Header, data and status of a table of `entries` descriptors, starting with `first`. */
static void walk_table(struct chain *chain, const struct virtio_descriptor *table, uint32_t entries, uint16_t first)
{
    const struct virtio_descriptor *descriptor = &table[first];
    ASSERT(descriptor->bytes == 16 && descriptor->flags == VIRTIO_DESCRIPTOR_NEXT);
    const uint32_t *header = memory_at(descriptor->physical, 16);
    chain->type = header[0];
    memcpy(&chain->sector, header + 2, sizeof(chain->sector));
    for (uint32_t length = 2;; length++) {
        ASSERT(length <= device.ring_size && descriptor->next < entries);
        descriptor = &table[descriptor->next];
        if ((descriptor->flags & VIRTIO_DESCRIPTOR_NEXT) == 0) {
            break;
        }
        add_segment(chain, descriptor);
    }
    ASSERT(descriptor->bytes == 1 && descriptor->flags == VIRTIO_DESCRIPTOR_WRITE);
    chain->status = memory_at(descriptor->physical, 1);
    ASSERT(*chain->status == STATUS_PENDING);
}

static void walk(struct chain *chain, uint16_t head)
{
    *chain = (struct chain){.head = head};
    ASSERT(head < device.ring_size);
    const struct virtio_descriptor *descriptor = &device.descriptors[head];
    if ((descriptor->flags & VIRTIO_DESCRIPTOR_INDIRECT) != 0) {
        ASSERT((device.accepted & FAKE_VIRTIO_INDIRECT) != 0 && descriptor->flags == VIRTIO_DESCRIPTOR_INDIRECT);
        uint32_t entries = descriptor->bytes / 16;
        ASSERT(descriptor->bytes % 16 == 0 && entries > 0);
        walk_table(chain, memory_at(descriptor->physical, descriptor->bytes), entries, 0);
    } else {
        walk_table(chain, device.descriptors, device.ring_size, head);
    }
    uint32_t segments_max = (device.accepted & FAKE_VIRTIO_SEGMENTS) != 0 ? fake_virtio.segments_max : 1;
    ASSERT(chain->segment_count <= segments_max);
    if (chain->segment_count > fake_virtio.segments_most) {
        fake_virtio.segments_most = chain->segment_count;
    }
}

static void transfer(const struct chain *chain, uint8_t *disk)
{
    for (uint32_t i = 0; i < chain->segment_count; i++) {
        if (chain->device_writes) {
            memcpy(chain->segments[i].memory, disk, chain->segments[i].bytes);
        } else {
            memcpy(disk, chain->segments[i].memory, chain->segments[i].bytes);
        }
        disk += chain->segments[i].bytes;
    }
}

static uint8_t perform(const struct chain *chain)
{
    if (chain->type == 4) {
        ASSERT(chain->segment_count == 0 && (device.accepted & FAKE_VIRTIO_FLUSH) != 0);
        fake_virtio.flushes++;
        return 0;
    }
    uint64_t offset = chain->sector * SECTOR_BYTES;
    ASSERT(chain->type <= 1 && chain->device_writes == (chain->type == 0));
    ASSERT(chain->type == 0 || (fake_virtio.features & FAKE_VIRTIO_READ_ONLY) == 0);
    ASSERT(chain->data_bytes > 0 && offset + chain->data_bytes <= fake_virtio.sectors * SECTOR_BYTES);
    uint64_t bad = (uint64_t)fake_virtio.bad_block * PAGE_SIZE;
    if (fake_virtio.bad_status != 0 && offset <= bad && bad < offset + chain->data_bytes) {
        return fake_virtio.bad_status;
    }
    transfer(chain, fake_virtio_disk + offset);
    return 0;
}

static void put_used(uint32_t id, uint32_t bytes)
{
    uint16_t index = device.used[1];
    uint32_t entry[2] = {id, bytes};
    memcpy(device.used + 2 + (index & (device.ring_size - 1)) * 4, entry, sizeof(entry));
    device.used[1] = (uint16_t)(index + 1);
    device.cause |= VIRTIO_INTERRUPT_RING;
}

static void complete(uint16_t head)
{
    static struct chain chain;
    walk(&chain, head);
    fake_virtio.requests++;
    uint8_t result = perform(&chain);
    if (!fake_virtio.forgets_status) {
        *chain.status = result;
    }
    uint32_t written = (chain.device_writes ? chain.data_bytes : 0) + 1;
    put_used(head, fake_virtio.says_short ? written - 1 : written);
    device.completions++;
}

static void misbehave(uint16_t head)
{
    switch (fake_virtio.mischief) {
    case FAKE_VIRTIO_UNKNOWN_ID:
        put_used(head + 1u < device.ring_size ? head + 1u : 0, 1);
        break;
    case FAKE_VIRTIO_HUGE_ID:
        put_used(0xFFFFFFF0u, 1);
        break;
    case FAKE_VIRTIO_TWICE:
        complete(head);
        put_used(head, 1);
        break;
    case FAKE_VIRTIO_INDEX_JUMPS:
        device.used[1] = (uint16_t)(device.used[1] + 200);
        device.cause |= VIRTIO_INTERRUPT_RING;
        break;
    case FAKE_VIRTIO_WANTS_RESET:
        fake_virtio.status |= VIRTIO_STATUS_NEEDS_RESET;
        device.cause |= VIRTIO_INTERRUPT_CONFIGURATION;
        break;
    case FAKE_VIRTIO_HONEST:
        break;
    }
}

static void take_available(void)
{
    while (device.available_seen != device.available[1]) {
        ASSERT(device.in_flight_count < device.ring_size);
        device.in_flight[device.in_flight_count++] =
            device.available[2 + (device.available_seen & (device.ring_size - 1))];
        device.available_seen++;
    }
    if (device.in_flight_count > fake_virtio.in_flight_most) {
        fake_virtio.in_flight_most = device.in_flight_count;
    }
}

/* Take what is available, complete a random part of what is in flight, interrupt. */
static void step(void)
{
    if (device.ring_size == 0 || (fake_virtio.status & VIRTIO_STATUS_DRIVER_OK) == 0) {
        return;
    }
    take_available();
    for (uint32_t count = random_below(device.in_flight_count + 1); count > 0; count--) {
        uint32_t pick = random_below(device.in_flight_count);
        uint16_t head = device.in_flight[pick];
        device.in_flight[pick] = device.in_flight[--device.in_flight_count];
        if (fake_virtio.mischief != FAKE_VIRTIO_HONEST && device.completions >= fake_virtio.mischief_after) {
            misbehave(head);
            break;
        }
        complete(head);
    }
    if (device.handler != NULL && device.cause != 0) {
        device.handler(device.handler_context);
    }
}

static void run(void *argument)
{
    (void)argument;
    while (!device.stop) {
        step();
        thread_yield();
    }
    device.running = false;
}

void fake_virtio_start(uint32_t seed)
{
    struct thread *thread;
    device.random = seed;
    device.stop = false;
    device.running = true;
    enum error error = thread_create("device", run, NULL, &thread);
    ASSERT(error == OK);
}

void fake_virtio_stop(void)
{
    device.stop = true;
    while (device.running) {
        thread_yield();
    }
}
