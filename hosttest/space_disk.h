/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk that takes its time: the faulty disk behind a delay in which other threads run.
 *
 * It also holds the submitter to the contract: what is on its way to the disk must not change until it has arrived.
 */
#ifndef SPACE_DISK_H
#define SPACE_DISK_H

#include "fake/disk.h"

struct space_disk {
    struct block_device device;
    struct fake_disk *disk;
    uint64_t delays;  /* generator of how often others run while a request is under way; 0: never */
    bool holds_reads; /* no read comes back, no write arrives while these are set */
    bool holds_writes;
    bool holds_lookups;  /* nor is the store's page map looked at: see space_fixture.c */
    bool holds_discards; /* what the pager is told to forget it has forgotten, but says so later */
    bool is_off;         /* the power is gone: nothing reaches the disk any more */
    bool saw_changes;    /* a page changed on its way */
};

void space_disk_start(struct space_disk *slow, struct fake_disk *disk, uint64_t delays);

/* Let others run for as long as a request would take. */
void space_disk_delay(struct space_disk *slow);

#endif
