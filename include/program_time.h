/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time as programs see it.
 *
 * The monotonic clock belongs to the object space: it advances while a kernel runs, stands still while none does, and
 * goes on from the snapshot after a boot. The wall clock is the machine's. Deadlines that persist are of the monotonic
 * clock; deadlines that threads sleep on are of this boot.
 */
#ifndef PROGRAM_TIME_H
#define PROGRAM_TIME_H

#include "types.h"

/* Continue the clock of system_state; a new object space starts at 0. Call once a boot. */
void time_resume(void);

/* Note the clock in system_state; part of each capture. Does not sleep. */
void time_capture(void);

uint64_t time_monotonic_ns(void);

/* The moment of clock_boot_ns() at which the monotonic clock shows `monotonic_ns`; 0 if it lies before this boot. */
uint64_t time_boot_deadline_ns(uint64_t monotonic_ns);

#endif
