/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that do one thing after the other at random, with arguments that are plausible, or wild: functions of a case
 * on the booted kernel (proc_case.h). They stay within an arena of pages, so that what they do meets what they did. A
 * fault of theirs ends what they were at, and nothing else.
 */
#ifndef PROC_MAYHEM_H
#define PROC_MAYHEM_H

#include "proc_case.h"

/* Functions of the case, in this order, from 0 on. */
#define MAYHEM_FUNCTIONS mayhem_live, mayhem_live_1, mayhem_live_2, mayhem_live_3, mayhem_handle, mayhem_handle_fault
#define MAYHEM_NEXT      6u

void mayhem_live(void);   /* as a program without an end, in a process group of its own */
void mayhem_live_1(void); /* shortly, as a child so deep below one of those */
void mayhem_live_2(void);
void mayhem_live_3(void);
void mayhem_handle(void); /* of signals */
void mayhem_handle_fault(void);
void mayhem_live_after_exec(void); /* what a program does that one of these has become */

/*
 * Random numbers: the same again after the same seed. With failures, attempts to get memory fail beside an exec now and
 * then.
 */
void mayhem_seed(uint64_t seed, bool with_failures);
uint32_t mayhem_below(uint32_t limit);

/* Calls of all of them since the seed; when a process group last made one, in nanoseconds since the boot. */
uint64_t mayhem_calls(void);
uint64_t mayhem_heard_ns(uint32_t group);
void mayhem_hear(uint32_t group);

#endif
