/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time as programs see it.
 *
 * The monotonic clock belongs to the object space: it advances while a kernel runs, stands still while none does, and
 * goes on from the snapshot after a boot. The wall clock is the machine's. The whole clock (CLOCK_BOOTTIME) is the
 * monotonic one and all the time that no kernel ran, as far as the wall clock tells: it goes on at a boot from what it
 * showed at the stop, by as much as the wall clock has. Both may step forward while the machine finds out the time.
 * Deadlines that persist are of one of these; deadlines that threads sleep on are of this boot.
 */
#ifndef PROGRAM_TIME_H
#define PROGRAM_TIME_H

#include "record.h"
#include "types.h"

/* Continue the clocks of system_state; a new object space starts at 0. Call once a boot. */
void time_resume(void);

/* Note the clocks in system_state; part of each capture. Does not sleep. */
void time_capture(void);

uint64_t time_monotonic_ns(void);
uint64_t time_whole_ns(void);

/* TIME_MONOTONIC, TIME_WHOLE or TIME_WALL. */
uint64_t time_of_base_ns(enum time_base base);

/*
 * When to look, by the monotonic clock, whether it is `moment_ns` of one of these clocks: then, or within a second
 * where the clock may step forward. What has passed is now.
 */
uint64_t time_to_look_ns(enum time_base base, uint64_t moment_ns);

/* The moment of clock_boot_ns() at which the monotonic clock shows `monotonic_ns`; 0 if it lies before this boot. */
uint64_t time_boot_deadline_ns(uint64_t monotonic_ns);

#endif
