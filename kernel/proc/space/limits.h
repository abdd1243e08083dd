/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what a program may use (setrlimit). The limits are in its record; a clone has those of its
 * parent, and another image changes nothing about them.
 *
 * Those on descriptors, address space, data, stack, queued signals and time on the processor are enforced. There is one user, root,
 * whom Linux does not hold to the number of programs nor to locked memory; of the others nothing exists that they could
 * limit. They are kept.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include "record.h"
#include "types.h"

/* As the first program of a boot has them. */
void limits_set_defaults(struct program_record *program);

/* Whether a record's limits are ones that setrlimit() can have left. */
bool limits_are_sound(const struct program_record *program);

/* How many descriptors, from 0 on, a program may have. */
uint32_t limits_files(const struct program_record *program);

/* Whether the stack above a page may grow down to it, by the limits of who owns the space. */
bool limits_allow_stack(struct address_space space, uint32_t page);

/*
 * Whether a space that is owned may have `count` more pages mapped, in place of what is at [first, first + replaced).
 * - is_data: they can be written to. Does not sleep; goes through the program's regions, if there is a limit.
 */
bool limits_allow_pages(struct address_space space, uint32_t first, uint32_t replaced, uint32_t count, bool is_data);

#endif
