/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs as somebody outside sees them, who lists them and sends them signals.
 */
#ifndef PROGRAM_LIST_H
#define PROGRAM_LIST_H

#include "error.h"
#include "types.h"

#define PROGRAM_SUMMARY_NAME 32u

struct program_summary {
    struct program_id program, parent;
    struct group_id group;
    const char *state; /* alive, held, ended */
    uint32_t tasks;
    uint32_t regions;
    uint64_t pages;  /* in its regions */
    uint64_t in_use; /* the working set, as it was estimated last */
    uint64_t user_ns, system_ns;
    uint64_t minor_faults, major_faults;
    char name[PROGRAM_SUMMARY_NAME];
};

/*
 * The program with the lowest number above `after`. False: there is none. Does not sleep; costs what regions and tasks
 * that program has.
 */
bool program_next(struct program_id after, struct program_summary *out);

/*
 * Send a signal as the kernel does.
 * - ERROR_NOT_FOUND: no such program; ERROR_INVALID: no such signal. Does not sleep.
 */
MUST_CHECK enum error program_signal(struct program_id program, uint32_t signal);

#endif
