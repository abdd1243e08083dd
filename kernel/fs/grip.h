/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/fs: the pages that an operation on files has in its hand, and how it becomes one instant.
 *
 * An operation is a plan and a change. The plan reads, finds out what is to be changed, and marks those pages; the
 * change cannot fail. Both together run without a sleep, so nobody ever sees half of an operation, neither a program
 * nor a snapshot. A plan that needs a page which is not in hand ends with ERROR_BUSY; the page is fetched, which may
 * sleep, and the plan starts again from its beginning, since anything may have changed. So there are no locks of pages
 * or of the tree, and nothing to undo: what fails, fails before the change.
 *
 *     FS-1  A page in hand has its frame until it is let go of; its bytes are looked at in the atomic piece only.
 *     FS-2  The change touches only pages that the plan has marked.
 */
#ifndef GRIP_H
#define GRIP_H

#include "fs.h"
#include "types.h"

/* The bytes of a page, to be read. NULL: it is not in hand; the plan ends with ERROR_BUSY. */
const void *grip_page(struct fs_grip *grip, struct page_key key);

/* The same in a plan, for a page that the change will write to. */
const void *grip_mark(struct fs_grip *grip, struct page_key key);

/* In a change: the bytes of a page that was marked. */
void *grip_bytes(struct fs_grip *grip, struct page_key key);

/* Who keeps files without names. */
const struct fs_client *grip_client(void);

/* A plan that ends for the sake of another page. */
static inline bool grip_waits(const struct fs_grip *grip)
{
    return grip->wanted.number != 0;
}

/* ERROR_BUSY when a page is missing, else that it is none that could be there. */
static inline enum error grip_error(const struct fs_grip *grip)
{
    return grip_waits(grip) ? ERROR_BUSY : ERROR_FORMAT_DAMAGED;
}

/*
 * Run an operation to its end. `change` may be NULL: it only reads, and what the plan has left in `what` is of one
 * instant, which goes on until the caller sleeps.
 * - may sleep, and not after the change. What the plan answers, or what fetching a page does: ERROR_NO_MEMORY,
 *   ERROR_IO,
 *   ERROR_CHECKSUM, ERROR_INTERRUPTED. Then nothing has changed.
 */
typedef enum error grip_plan(struct fs_grip *grip, void *what);
typedef void grip_change(struct fs_grip *grip, void *what);
MUST_CHECK enum error grip_run(struct fs_grip *grip, grip_plan *plan, grip_change *change, void *what);

#endif
