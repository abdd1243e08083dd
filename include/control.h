/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control line: what whoever has the machine can ask of it while it runs, over the second serial port.
 *
 * A request is one line, an answer is one line of JSON; docs/control.md has both. Nothing that arrives there can hurt:
 * what is no request is answered by an error, and a line that is too long is forgotten up to its end. Requests are
 * carried out by one thread, which sleeps while nobody asks.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "error.h"
#include "types.h"

struct store;

/*
 * Begin to answer. snap_start() has been called.
 * - resumed: the generation that this boot goes on from; 0: none.
 * - ERROR_NO_MEMORY.
 */
MUST_CHECK enum error control_start(struct store *store, struct generation resumed);

/* The boot ends: no request is carried out any more. Waits for the one that is. May sleep. */
void control_end(void);

/* For snap_client: an attempt at a snapshot is over. Does not sleep. */
void control_snapshot_finished(enum error error);

#endif
