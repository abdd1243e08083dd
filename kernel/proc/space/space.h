/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the private windows that programs live in, and the sources that clones have in common.
 *
 * A program owns one space. When it is cloned, its space becomes a source with the regions as they are; the program and
 * its clone get new spaces whose regions are copies of it (vm_lineage.h). So cloning costs what the regions cost,
 * whatever is in them. A source ends with its last child. A space that is the only child its source has left is
 * collapsed into it: it gives the source what it has written since, and the program lives in that space again, as if
 * nothing had been.
 *
 *     SPACE-1  A space has at most one source, and all its regions of VM_BACKING_COPY name it.
 *     SPACE-2  An owned space has no children. Its regions are in the program's record, those of a source in its own.
 *     SPACE-3  A source has children; one that has none is on its way out, and the next boot finishes that.
 * A program image is a source, too: the space that it was loaded into, pristine. Its programs are copies of it, so they
 * share what they do not write, and another one can be started from it (exec). It ends with the last of them, and is
 * never collapsed with a program.
 *
 * A clone that holds its parent (vfork) needs no space: its task runs in the parent's, which is its lender, until it
 * is another program or ends. A parent that is to end meanwhile ends then.
 *
 *     SPACE-4  A program's space has at most SOURCES_MAX sources above it that have other children: a clone beyond that
 *              makes the program copy what it borrows of the nearest ones first.
 *     SPACE-5  A program with a lender owns no space; its lender owns one, and has no lender itself.
 */
#ifndef SPACE_H
#define SPACE_H

#include "error.h"
#include "record.h"
#include "types.h"

#define SOURCES_MAX 8u

static inline struct space_record *space_at(struct space_id space)
{
    return record_at(RECORD_SPACE, space.number);
}

/* False: there is no space of that number, nor of a higher one. */
static inline bool space_is_in_table(struct space_id space)
{
    return space.number < record_committed(RECORD_SPACE);
}

/* The program that owns a space, or PROGRAM_NONE. To set that of no space does nothing. */
struct program_id space_owner(struct space_id space);
void space_set_owner(struct space_id space, struct program_id program);

/* The regions of any space that is in use. */
uint32_t *space_regions(struct space_id space);

/* Make sure of `count` free records. May sleep, unless they are there. ERROR_NO_MEMORY. */
MUST_CHECK enum error space_reserve(uint32_t count);

/* An empty space without an owner or a source. Does not sleep: see space_reserve(). ERROR_NO_MEMORY. */
MUST_CHECK enum error space_create(struct space_id *out);

/* Undo space_create(): nothing is in it. Does not sleep. */
void space_forget(struct space_id space);

/* Give a space a source. Its regions are the caller's business. Does not sleep. */
void space_set_source(struct space_id space, struct space_id source);

/*
 * The program has no use for its space any more, and no space from now on. Does not sleep; space_collect() takes back
 * what was in it, or else the next boot.
 */
struct space_id space_abandon(struct program_record *program);

/*
 * Take back what a source without children has: pages, regions, the space; and go on with its source if that has no
 * other children. Does nothing to other spaces. May sleep. What cannot be taken back now stays for the next boot.
 */
void space_collect(struct space_id space);

/*
 * Before a program is cloned, or when it hears that a clone has ended: make its space one with its source as long as it
 * has no other child, and bound the number of sources (SPACE-4).
 * - the current task is the program's only one. May sleep; can be called again after a failure or a boot.
 * - ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM, ERROR_INTERRUPTED: the program goes on as it was.
 */
MUST_CHECK enum error space_collapse(struct program_id program);
MUST_CHECK enum error space_bound_sources(struct program_id program);

/*
 * The space of a program without tasks, into which its image has been loaded, becomes the image's; the program gets
 * another one.
 * - may sleep first. ERROR_NO_MEMORY: nothing has changed.
 */
struct elf_plan;
MUST_CHECK enum error space_make_image(struct program_id program, const struct elf_plan *plan);

/*
 * Whether a space is that of an image; the image of a program, or of its lender; the one of a name; none: there is
 * none.
 */
bool space_is_image(struct space_id space);
struct space_id space_image_of(const struct program_record *program);
struct space_id space_image_named(const char *name);

/* Regions that are copies of all of a source's, as a new tree; see vm_region_reserve_clone(). Does not sleep. */
MUST_CHECK enum error space_copy_regions(struct space_id source, uint32_t *out_root);

/* After a boot: the lineage, from the records, whose regions are adopted. ERROR_FORMAT_DAMAGED is explained in the log.
 */
MUST_CHECK enum error space_resume(void);

/* And once all programs are there: what was on its way out. May sleep. */
void space_collect_all(void);

#endif
