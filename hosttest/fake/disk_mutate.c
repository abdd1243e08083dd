/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mistakes in the order of events, made after the fact.
 */
#include "disk.h"

static bool is_root(const struct fake_disk_event *event)
{
    return event->kind == FAKE_DISK_WRITE && (event->block == 1 || event->block == 2);
}

/* The last flush before an event, if it made any write durable; the disk's event count if there is none. */
static uint32_t flush_before(const struct fake_disk *disk, uint32_t event)
{
    while (event > 0) {
        event--;
        if (disk->events[event].kind == FAKE_DISK_FLUSH) {
            return event;
        }
        if (disk->events[event].kind == FAKE_DISK_WRITE) {
            break;
        }
    }
    return disk->event_count;
}

static void drop_flush_after(struct fake_disk *disk, uint32_t event)
{
    for (uint32_t i = event + 1; i < disk->event_count; i++) {
        if (disk->events[i].kind == FAKE_DISK_FLUSH) {
            disk->events[i].kind = FAKE_DISK_NOTHING;
            return;
        }
    }
}

/* Move a write to an earlier place; what names events by their number is adapted. */
static void move_write(struct fake_disk *disk, uint32_t from, uint32_t to)
{
    struct fake_disk_event moved = disk->events[from];
    for (uint32_t i = from; i > to; i--) {
        disk->events[i] = disk->events[i - 1];
    }
    disk->events[to] = moved;
    for (uint32_t i = 0; i < disk->event_count; i++) {
        struct fake_disk_event *event = &disk->events[i];
        if (event->kind != FAKE_DISK_COMPLETE) {
            continue;
        }
        if (event->write == from) {
            event->write = to;
        } else if (event->write >= to && event->write < from) {
            event->write++;
        }
    }
}

static void root_first(struct fake_disk *disk, uint32_t root)
{
    uint32_t flush = flush_before(disk, root);
    if (flush == disk->event_count) {
        return;
    }
    uint32_t place = flush;
    while (place > 0 && disk->events[place - 1].kind != FAKE_DISK_FLUSH) {
        place--;
    }
    move_write(disk, root, place);
}

void fake_disk_mutate(struct fake_disk *disk, enum fake_disk_mutation mutation)
{
    for (uint32_t i = 0; i < disk->event_count && mutation != FAKE_DISK_AS_IT_WAS; i++) {
        if (!is_root(&disk->events[i])) {
            continue;
        }
        uint32_t before = flush_before(disk, i);
        if (mutation == FAKE_DISK_NO_FLUSH_BEFORE_ROOT && before < disk->event_count) {
            disk->events[before].kind = FAKE_DISK_NOTHING;
        } else if (mutation == FAKE_DISK_NO_FLUSH_AFTER_ROOT) {
            drop_flush_after(disk, i);
        } else if (mutation == FAKE_DISK_ROOT_BEFORE_RECORD) {
            root_first(disk, i);
        }
    }
}
