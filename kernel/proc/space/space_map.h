/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: who may change a space, and how others see that it has changed. Volatile, by the number of the
 * space.
 *
 * A call that changes regions, break or memory has the space's *map* mutex from its first look at them to its last
 * change, over all its sleeps. Who only reads, faults or prepares memory does not: it notes the *epoch* before it
 * looks, and what it found holds as long as the epoch is the same.
 *
 *     EPOCH-1  Only the holder of a space's map mutex changes its regions, break or memory while a task runs in it; but
 *              a fault may grow a stack.
 *     EPOCH-2  What takes a right, a page or the memory of a space away counts its epoch up in the same atomic piece.
 *     EPOCH-3  A fault makes an entry only in an atomic piece with a look at what the place shows; a prepared range is used
 *              only in one in which epoch and stop are those of its preparation.
 */
#ifndef SPACE_MAP_H
#define SPACE_MAP_H

#include "types.h"

/* Take and leave the map mutex. To take it may sleep; nobody has two. */
void space_lock(struct address_space space);
void space_unlock(struct address_space space);
bool space_is_locked(struct address_space space); /* by this thread */

/* Neither sleeps. */
uint32_t space_epoch(struct address_space space);
void space_count_epoch(struct address_space space);

#endif
