/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The accounts of programs (vm_account.h) and how they outlive a reboot.
 *
 * Counting dirties nothing: it happens in volatile memory. What is counted becomes persistent where something is
 * written anyway. A program's counts go into the record of each task of it that is captured after a stop, and a task is
 * captured only if it ran; one that does not run has no faults. When a task ends, they go into its program's record,
 * which changes then. The system's counts are a part of the system record, which is no page and goes with every commit.
 * So an idle system writes nothing, and a program that only reads writes no page more than it would without accounts.
 *
 * After a cut, counts are those of the generation resumed, give or take what others did to a program while it slept
 * (its pages written or taken away): that becomes persistent when it runs again.
 */
#ifndef PROGRAM_ACCOUNT_H
#define PROGRAM_ACCOUNT_H

#include "eidolon/memory.h"
#include "error.h"
#include "types.h"

/* Begin the account of a program, with nothing in it. ERROR_NO_MEMORY. Does not sleep. */
MUST_CHECK enum error program_account_open(struct program_id program);

/* The program lives in this space from now on; PROGRAM_NONE, which has no account: nobody does. Does not sleep. */
void program_account_enter(struct program_id program, struct space_id space);

/* The program no longer has pages or a space. Closing what is not open does nothing. */
void program_account_close(struct program_id program);

/* Put the counts of a program into a record, or take them from one that was kept. Neither sleeps. */
void program_account_save(struct program_id program, uint64_t counters[EIDOLON_COUNTS]);
void program_account_restore(struct program_id program, const uint64_t counters[EIDOLON_COUNTS]);

/* Whether a program, 0 .. PROGRAMS_MAX, has one; and the next higher one that has, or PROGRAM_NONE. */
bool program_account_is_open(struct program_id program);
struct program_id program_account_next(struct program_id program);

/* As getrusage() tells them: faults of a program that were answered, without the disk and by it. Modulo 2^32. */
void program_account_faults(struct program_id program, uint32_t *minor, uint32_t *major);

#endif
