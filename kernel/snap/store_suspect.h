/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the device may have forgotten, and blocks that are better left alone until that is known. See store_suspect.c.
 */
#ifndef STORE_SUSPECT_H
#define STORE_SUSPECT_H

#include "store.h"

struct layer;
struct unread;

#define UNREAD_RUNS_MAX (PAGE_SIZE / sizeof(struct extent) - 1) /* remembered; then the oldest gives way */

/* What store_read_blocks() remembers: one page. ERROR_NO_MEMORY. store_unread_free() takes NULL too. */
MUST_CHECK enum error store_unread_new(struct unread **out);
void store_unread_free(struct unread *unread);

/* A commit has succeeded, or there is nothing to commit: what could not be read may be tried again. */
void store_unread_forget(struct store *store);

/*
 * Read blocks from the device. May sleep.
 * - one block is tried again, as block_read() does.
 * - ERROR_IO: also, without asking the device, if blocks among them could not be read since the last commit.
 */
MUST_CHECK enum error store_read_blocks(struct store *store, struct block first, uint32_t count, void *const *pages);

/*
 * From here on everything is written that the next store_flush() is to make durable. If a request has failed since the
 * last call or flush, page content written before is suspect.
 */
void store_write_begin(struct store *store);

/*
 * Make durable what has been written since store_write_begin(). May sleep.
 * - ERROR_IO: the flush failed, or any other request of the device since then. What was written may never become
 *   durable, whatever the next flush says: all of it is to be written again, and page content written so far, by
 *   page-outs beside a commit as well, is suspect.
 */
MUST_CHECK enum error store_flush(struct store *store);

/*
 * Write the suspect pages of a layer again. May sleep.
 * - ERROR_CHECKSUM, ERROR_IO: the device has lost one; no generation may be made of it. ERROR_NO_MEMORY.
 */
MUST_CHECK enum error store_suspects_rewrite(struct store *store, const struct layer *layer);

#endif
