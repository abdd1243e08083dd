/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ladder of history: generations that stay when they have left the window, one a minute, an hour, a day.
 *
 *     LADDER-1  Rungs are older than the oldest generation of the window, and all of one branch with it.
 *     LADDER-2  The root's ladder_blocks are those that rungs need and generations of the window do not, as far as no
 *               pin needs them as well and no damage hides them.
 *     LADDER-3  The block of the ladder, and its copy, are used blocks of the newest root's.
 */
#ifndef STORE_LADDER_H
#define STORE_LADDER_H

#include "store_commit.h"

/*
 * Read the ladder that the root leads to. One that does not prove itself is gone, and the free-space map is to be made
 * anew then; the report says so. ERROR_NO_MEMORY. May sleep.
 */
MUST_CHECK enum error store_ladder_load(struct store *store, struct store_report *report);

/* Whether a generation that leaves the window, newer than all rungs, becomes one. */
bool store_ladder_wants(const struct disk_rules *rules, const struct disk_ladder *ladder,
                        const struct disk_record_ref *ref);

/* The oldest rung that the rules do not ask for; the count of rungs if there is none. */
uint32_t store_ladder_surplus(const struct disk_rules *rules, const struct disk_ladder *ladder);

/* Add the newest rung, or take one away. */
void store_ladder_push(struct disk_ladder *ladder, const struct disk_record_ref *ref);
void store_ladder_remove(struct disk_ladder *ladder, uint32_t index);

/* What rungs may hold by the rules, in blocks. */
uint32_t store_ladder_room(const struct store *store, const struct disk_root *root);

/*
 * The newest is no longer what comes after these rungs, but goes on from generation `from`: those that do not lead to it
 * go. Their blocks are found when the free-space map is made anew.
 */
void store_ladder_cut(struct disk_root *root, struct disk_ladder *ladder, const struct disk_record_ref *from);

/* Queue the commit's ladder for writing if it has changed, and free the old one. ERROR_NO_SPACE, ERROR_NO_MEMORY. */
MUST_CHECK enum error store_ladder_write(struct commit *commit);

/*
 * store_rung.c: give up a rung of the commit's ladder: free what it alone needs. It costs what has changed since the
 * rung before, and the logs of the two after it.
 * - done: false if there is no memory to find out: nothing has changed then.
 * - ERROR_NO_SPACE, ERROR_NO_MEMORY: the commit cannot be made. Damage is noted for a rebuild. May sleep.
 */
MUST_CHECK enum error store_rung_give_up(struct commit *commit, uint32_t index, bool *done);

#endif
