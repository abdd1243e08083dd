/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the tree of files, for whoever looks for one by a path of the kernel's own.
 */
#ifndef TREE_H
#define TREE_H

#include "fs_walk.h"
#include "record.h"

/*
 * Begin an operation: the first one makes the first directories. May sleep. After an error there is nothing to end.
 * - payer: who waits for memory.
 */
MUST_CHECK enum error tree_begin(struct fs_grip *grip, struct space_id payer);
void tree_end(struct fs_grip *grip);

/*
 * Follow a path from the root. May sleep. Errors of fs_walk(); that the last name is not there is none.
 * - follows: a link as the last name, too.
 */
MUST_CHECK enum error tree_walk(struct fs_grip *grip, const char *path, bool follows, struct fs_found *out);

/*
 * The object of a file, which has a record and a reference of the caller's from then on. May sleep. ERROR_NO_MEMORY: too
 * many are open; errors of fs_inode_of().
 */
MUST_CHECK enum error tree_refer(struct fs_grip *grip, struct fs_id file, struct object_id *out);

/* All of that for a regular file that may be executed: ERROR_DENIED: it is none. */
MUST_CHECK enum error tree_find_program(const char *path, struct space_id payer, struct object_id *out);

#endif
