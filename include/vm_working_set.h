/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The working set of each program, estimated: how many pages it used in the last second or so.
 *
 * The estimate after Denning, with the processor's accessed bits for his reference string: in rounds, a second apart,
 * every page table of every program is looked at and its accessed bits are counted and cleared. (P. J. Denning, The
 * Working Set Model for Program Behavior, CACM 11 (5), 1968.) Replacement does not notice; pmap keeps the bits for it.
 */
#ifndef VM_WORKING_SET_H
#define VM_WORKING_SET_H

#include "error.h"
#include "types.h"

#define VM_WORKING_SET_WINDOW_NS 1000000000u /* from the beginning of one round to that of the next, at least */
#define VM_WORKING_SET_STEP      8u          /* chunks and spaces looked at in one go */
#define VM_WORKING_SET_PAUSE_NS  10000000u   /* between two goes of a round */

/*
 * Look at the next `visits_max` chunks or spaces. At the end of a space its account gets the new figures, at the end of
 * a round the system's does. Does not sleep; bounded by visits_max tables.
 * - returns whether this was the end of a round.
 */
bool vm_working_set_step(uint32_t visits_max);

/* Start the thread that takes samples for as long as the machine runs. ERROR_NO_MEMORY. */
MUST_CHECK enum error vm_working_set_start(void);

#endif
