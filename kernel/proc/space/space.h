/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: spaces: what programs can address. A space has a tree of regions, a break, and private memory
 * (memory.h), which clones and collapses exchange; the space itself stays. A program owns one, and names it by a
 * number.
 *
 * A space that is being filled for execve() is nobody's by the records, so a boot takes it back. While this boot lasts
 * its owner is the program that fills it: who pays for its pages, and whose limits it has.
 *
 *     SPACE-1  A space has an owned memory that no other space has. At most one program has the space in its record; one
 *              that no program has is being prepared or has been given up, and the next boot takes it back.
 *     SPACE-2  A program with a lender owns no space; its lender owns one, and has no lender itself.
 *
 * A clone that holds its parent (vfork) needs no space: its task runs in the parent's, which is its lender, until it
 * is another program or ends. A parent that is to end meanwhile ends then.
 */
#ifndef SPACE_H
#define SPACE_H

#include "error.h"
#include "memory.h"
#include "record.h"
#include "types.h"

/* False: there is no space of that number, nor of a higher one. */
static inline bool space_is_in_table(struct address_space space)
{
    return space.number < record_committed(RECORD_SPACE);
}

/* The window that a space's private memory is in. */
static inline struct space_id space_window(struct address_space space)
{
    return space_at(space)->memory;
}

/*
 * The program that owns a space, or PROGRAM_NONE. Its account pays for the memory. Volatile; to set that of no space
 * does nothing.
 */
struct program_id space_owner(struct address_space space);
void space_set_owner(struct address_space space, struct program_id program);

/* Make sure of a free record. May sleep, unless there is one. ERROR_NO_MEMORY. */
MUST_CHECK enum error space_reserve(void);

/*
 * A space without regions or an owner, over a memory that becomes its own. Does not sleep: see space_reserve().
 * ERROR_NO_MEMORY.
 */
MUST_CHECK enum error space_create(struct space_id memory, struct address_space *out);

/* Undo space_create(); the regions, if there are any, and the memory are the caller's. Does not sleep. */
void space_forget(struct address_space space);

/*
 * The space has another memory from now on, and whoever runs in it runs there. What it had is the caller's business,
 * and so is that no region is too deep (DEPTH-1). Does not sleep.
 */
void space_change_memory(struct address_space space, struct space_id memory);

/*
 * Nobody has a use for a space any more; none is fine. Does not sleep. Returns its memory: memory_collect() takes back
 * what was in it, or else the next boot.
 */
struct space_id space_abandon(struct address_space space);

/*
 * Before a space is cloned, or when its program hears that a clone has ended: make its memory one with the source as
 * long as that has no other child, and bound the number of sources (MEMORY-4).
 * - may sleep; can be called again after a failure or a boot. A space in which other tasks run is not collapsed: a
 *   program with threads has sources one above the other, and copies what it borrows when there are SOURCES_MAX.
 * - ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM, ERROR_INTERRUPTED: the space goes on as it was.
 */
MUST_CHECK enum error space_collapse(struct address_space space);
MUST_CHECK enum error space_bound_sources(struct address_space space);

/* The file that a space's program was loaded from: the space has it as long as it lives. It has none yet. Does not sleep. */
void space_set_image(struct address_space space, struct object_id image);

/*
 * After a boot: spaces from the records, with their regions; before memory_resume(). ERROR_FORMAT_DAMAGED is explained
 * in the log.
 */
MUST_CHECK enum error space_resume(void);

/* And once all programs are there: give up the spaces that are no program's. Does not sleep. */
void space_abandon_unowned(void);

#endif
