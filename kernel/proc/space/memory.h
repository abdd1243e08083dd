/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: private memory: the windows that spaces have their pages in, and the sources that clones have in
 * common.
 *
 * A space has one memory. When it is cloned, its memory becomes a source, and the space and its clone get new memories
 * that are copies of it (vm_lineage.h), one deeper. The space's regions stay as they are, and the clone gets the same:
 * a region says down to which depth sources are shown (vm_region.h). So cloning costs what the regions cost, whatever
 * is in them. A source ends with its last child. A memory that is the only child its source has left is collapsed into
 * it: it gives the source what has been written since, and the space has that memory again, as if nothing had been.
 *
 *     MEMORY-1  A memory has at most one source, which is one, and its sources end.
 *     MEMORY-2  An owned memory has no children, and one space has it, whose regions are its.
 *     MEMORY-3  A source has children; one that has none is on its way out, and the next boot finishes that.
 *     MEMORY-4  The memory of a space has at most SOURCES_MAX sources above it that have other children: a clone beyond
 *               that makes the space copy what it borrows of the nearest ones first.
 *
 * A memory is named by its window (struct space_id).
 */
#ifndef MEMORY_H
#define MEMORY_H

#include "error.h"
#include "record.h"
#include "types.h"

#define SOURCES_MAX 8u

/* False: there is no memory of that number, nor of a higher one. */
static inline bool memory_is_in_table(struct space_id window)
{
    return window.number < record_committed(RECORD_MEMORY);
}

/* The space that has a memory; none: nobody has. Volatile; to set that of no memory does nothing. */
struct address_space memory_space(struct space_id window);
void memory_set_space(struct space_id window, struct address_space space);

/* Make sure of `count` free records. May sleep, unless they are there. ERROR_NO_MEMORY. */
MUST_CHECK enum error memory_reserve(uint32_t count);

/* An empty memory that is nobody's and has no source. Does not sleep: see memory_reserve(). ERROR_NO_MEMORY. */
MUST_CHECK enum error memory_create(struct space_id *out);

/* Undo memory_create(): nothing is in it. Does not sleep. */
void memory_forget(struct space_id window);

/* Give a memory a source. The depths of its regions are the caller's business. Does not sleep. */
void memory_set_source(struct space_id window, struct space_id source);

/* An owned memory becomes a source. Does not sleep. */
void memory_become_source(struct space_id window);

/*
 * Take back what a source without children has: pages, the window; and go on with its source if that has no
 * other children. Does nothing to other memories. May sleep. What cannot be taken back now stays for the next boot.
 */
void memory_collect(struct space_id window);

/*
 * After a boot, once the spaces are adopted: the lineage, from the records. ERROR_FORMAT_DAMAGED is explained in the
 * log.
 */
MUST_CHECK enum error memory_resume(void);

/* And once all programs are there: what was on its way out. May sleep. */
void memory_collect_all(void);

#endif
