/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the object space knows of itself. It is no page: it is committed with each generation as the store's system
 * record, so that it can be read before anything else, and so that time passing makes no page dirty.
 *
 * Layout is part of the disk format (version SYSTEM_STATE_VERSION), little-endian, the same on 32 and 64 bits. It may
 * grow at its end: a kernel takes what it knows of a longer record, and zeroes for what a shorter one lacks.
 */
#ifndef SYSTEM_STATE_H
#define SYSTEM_STATE_H

#include "arch/cpu.h"
#include "error.h"
#include "record.h"
#include "types.h"
#include "vm_account.h"

#define SYSTEM_STATE_MAGIC   0x4D545359u /* "YSTM" */
#define SYSTEM_STATE_VERSION 1u
#define SYSTEM_RECORDS_MAX   16u
#define SYSTEM_REQUESTS      8u

/* A request for a snapshot, over the control line (control.h). */
struct system_request {
    uint64_t id[2];      /* that whoever asked has chosen; 0, 0: none */
    uint64_t generation; /* that was durable then; 0: the first that has the id in it */
};

struct system_state {
    uint32_t magic;
    uint32_t version;
    uint64_t monotonic_ns;        /* the monotonic clock at the stop (program_time.h) */
    uint64_t boots;               /* times the space was brought to life */
    struct cpu_features features; /* of the processor that programs have seen */
    uint32_t reserved;            /* 0 */
    uint32_t programs;            /* alive at the stop */
    char kernel_version[32];
    struct {
        uint32_t version;
        uint32_t bytes;
    } records[SYSTEM_RECORDS_MAX]; /* by enum record_type: what this kernel wrote */
    struct vm_account account;     /* of the whole system, programs that have ended included; it is kept nowhere else */
    uint32_t end_status;           /* of the program that ended last, as wait() reports it */
    char end_name[32];             /* its name; "": none has ended yet */
    uint32_t request_next;         /* requests so far: where the next one goes, modulo their number */
    struct system_request requests[SYSTEM_REQUESTS];
    uint64_t wall_ns;  /* the wall clock at the stop; 0: an image from before it was noted */
    uint64_t whole_ns; /* the monotonic clock and all the time that no kernel ran (program_time.h) */
};
#define SYSTEM_STATE_BYTES_MIN 208u /* images from before the account end here */
_Static_assert(offsetof(struct system_state, account) == SYSTEM_STATE_BYTES_MIN &&
                   sizeof(struct system_state) == 208 + 8 * EIDOLON_COUNTS + 40 + 24 * SYSTEM_REQUESTS + 16,
               "the system record's layout is part of the disk format");

/* The one of the running kernel. Changed without sleeping; committed as it is at the stop. */
extern struct system_state system_state;

/* The generation that this boot went on from; none: it began with this boot. Volatile. */
extern struct generation system_resumed;

/* A program has ended. Does not sleep. */
void system_state_note_end(const char *name, uint32_t status);

/* A new object space. */
void system_state_create(void);

/*
 * Adopt what a generation holds.
 * - ERROR_FORMAT_VERSION: written by a kernel whose records this one does not have. ERROR_UNSUPPORTED: the processor
 *   lacks what programs have seen. `reason` says which. ERROR_FORMAT_DAMAGED.
 */
MUST_CHECK enum error system_state_adopt(const void *record, uint32_t length, char *reason, size_t reason_size);

#endif
