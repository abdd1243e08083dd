/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A faulty disk: a block device in memory that remembers every event, and can then be asked what would be on it had
 * the power been cut at any moment.
 *
 * It is as hostile as the contract of include/block_device.h allows. A write counts as completed only once somebody
 * has waited for it, and as durable only once a flush submitted after that has completed. At a power cut each write
 * that is not durable is there, or not, or torn at 512-byte sectors, independently of all others, and of two to the
 * same block either may be the last.
 *
 * A flush that fails may have dropped any write it was to make durable, and no later flush makes up for that. Any other
 * request that fails may mean that the device was gone for a moment: whatever was not durable may be lost then, under
 * way or not, though it can be read until the power goes; or, if the disk `forgets_at_once`, no longer.
 *
 * Besides, it can be told to fail requests, to lie about a write (lose, garble or misdirect it), and to change bits at
 * rest.
 */
#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include "block_device.h"

#define FAKE_SECTOR_BYTES 512u

enum fake_disk_event_kind {
    FAKE_DISK_WRITE,
    FAKE_DISK_COMPLETE,
    FAKE_DISK_FLUSH,
    FAKE_DISK_FLUSH_FAILED,
    FAKE_DISK_GONE, /* for a moment: what was not durable may be lost */
    FAKE_DISK_NOTHING
};

struct fake_disk_event {
    enum fake_disk_event_kind kind;
    uint32_t block;       /* WRITE */
    uint32_t write;       /* COMPLETE: the index of the write's event */
    const uint8_t *bytes; /* WRITE: one block, owned by the disk */
};

/* Which requests fail: those of `operation` from the `first`-th on (0: the next), `count` of them, with `error`. */
struct fake_disk_fault {
    bool armed;
    enum block_operation operation;
    uint64_t first, count;
    enum error error;
    bool is_done_anyway; /* the request fails, but what it asked for happened */
};

/* What becomes of a block whose write is said to have succeeded. */
enum fake_disk_lie {
    FAKE_DISK_HONEST,
    FAKE_DISK_LOST,        /* nothing: the block holds what it held */
    FAKE_DISK_GARBLED,     /* some of its bytes are others */
    FAKE_DISK_MISDIRECTED, /* it goes to another block; this one holds what it held */
};

struct fake_disk {
    struct block_device device;
    const uint8_t **blocks; /* content now; NULL: zeroes */
    struct fake_disk_event *events;
    uint32_t event_count, event_room;
    bool is_recording;
    /* of what was not durable when a request fails, nothing is left: set before the first write */
    bool forgets_at_once;
    const uint8_t **durable; /* ... so this is kept beside: content as of the last flush */
    bool is_frugal;          /* contents are overwritten in place: nothing is recorded, nothing shared */
    struct fake_disk_fault fault;
    enum fake_disk_lie lie;
    uint64_t lie_at;    /* the write, counted in blocks from 1, that the lie is about */
    uint32_t lie_block; /* where it was to go, once it is told; 0 before */
    uint32_t lie_to;    /* MISDIRECTED: where it goes */
    uint32_t chance[3]; /* by operation: one in so many requests fails; 0: none */
    uint64_t random;    /* state of that chance */
    uint64_t requests;
    uint64_t reads, writes, flushes; /* blocks read and written; flushes */
    uint8_t *bad;                    /* per block: 1: reads fail, 2: writes fail */
    struct fake_disk_page *pages;    /* memory of contents */
    uint32_t page_used;
};

/* An empty disk of zeroes. fake_disk_stop() ends its life. */
void fake_disk_start(struct fake_disk *disk, uint32_t block_count);
void fake_disk_stop(struct fake_disk *disk);

/* Make `disk` (started, of the same size) hold what `source` holds now; contents are shared, so `source` must live. */
void fake_disk_copy(struct fake_disk *disk, const struct fake_disk *source);

/* Forget the events so far: what the disk holds now is durable. */
void fake_disk_settle(struct fake_disk *disk);

/* A request has failed, whoever answered it: what is not durable may be lost. */
void fake_disk_forget(struct fake_disk *disk);

/* A moment at which the power is cut: what is durable, and the writes that may or may not be. */
struct fake_disk_cut {
    const struct fake_disk *source;
    uint32_t cut;           /* the power goes before this event */
    const uint8_t **blocks; /* durable content */
    uint32_t *pending;      /* events of writes */
    uint32_t pending_count;
    uint8_t *fate; /* by event: what flushes have made of a write */
};

/* `base` holds what `source` held when its events were last settled. Both must stay as they are until the end. */
void fake_disk_cut_start(struct fake_disk_cut *cut, const struct fake_disk *base, const struct fake_disk *source);
void fake_disk_cut_stop(struct fake_disk_cut *cut);

/* Move on by one event. False when there is none left. */
bool fake_disk_cut_next(struct fake_disk_cut *cut);

/* How many different states a cut can leave: none, all, all but one, only one, one torn, and `random` mixtures. */
uint32_t fake_disk_variants(const struct fake_disk_cut *cut, uint32_t random);

/* Make `disk` hold what the cut leaves, as the variant says. */
void fake_disk_crash(struct fake_disk *disk, const struct fake_disk_cut *cut, uint32_t variant);

/* Mistakes in the order of events, for tests of tests. A root is a write to one of the blocks 1 and 2. */
enum fake_disk_mutation {
    FAKE_DISK_AS_IT_WAS,
    FAKE_DISK_NO_FLUSH_BEFORE_ROOT,
    FAKE_DISK_NO_FLUSH_AFTER_ROOT,
    FAKE_DISK_ROOT_BEFORE_RECORD, /* the root goes out before everything else since the flush before */
};

/* Change the events recorded so far as if a driver that makes the mistake had made them. */
void fake_disk_mutate(struct fake_disk *disk, enum fake_disk_mutation mutation);

/* Change content at rest: bits are flipped, nothing is recorded. */
void fake_disk_flip(struct fake_disk *disk, uint32_t block, uint32_t byte, uint8_t bits);

/* The content of a block now. */
const uint8_t *fake_disk_block(const struct fake_disk *disk, uint32_t block);

#endif
