/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spaces that are cloned, beside the model of them: what kernel/proc does with spaces, in little.
 *
 * A family begins with one space. Members are cloned, written to, have pages unmapped and mapped again, are settled,
 * get rid of their sources and end, as programs do it (kernel/proc/program/clone.c, space/), with each page as
 * a region of its own. Its table is what the kernel's records would be: it is taken over at a stop and comes back with
 * it.
 */
#ifndef SPACE_FAMILY_H
#define SPACE_FAMILY_H

#include "space_fixture.h"

#define FAMILY_FIRST   (SPACE_PROGRAMS + 1) /* the first space of the family */
#define FAMILY_SPACES  10u
#define FAMILY_PAGES   20u
#define FAMILY_SOURCES 3u /* above one member, at most */

extern const struct space_extension family_extension;

/* How often things happened. */
struct family_counters {
    uint64_t stores, loads, clones, settled, bounded, ends, unmappings;
};
extern struct family_counters family_counters;

/*
 * What programs do to a member, by index from 0. All may sleep; false: it failed for want of memory, for an error of
 * the disk, or because the power is off, and the member is as it was.
 * - clone, settle: *member becomes the one in which the program goes on.
 */
bool family_store(uint32_t member, uint32_t page, uint32_t value);
bool family_load(uint32_t member, uint32_t page);
bool family_unmap(uint32_t member, uint32_t page);
bool family_replace(uint32_t member, uint32_t page); /* another region takes the place of a copy that was not written */
bool family_clone(uint32_t *member, uint32_t *out_child);
bool family_settle(uint32_t *member);
void family_end(uint32_t member);

/* Members that live, and all that are in use, sources too. */
uint32_t family_count(void);
uint32_t family_spaces(void);

/* A thread that does all of this to members at random until the world is ending. */
void family_start_programs(void);

#endif
