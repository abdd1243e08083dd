/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves the tree of files of a booted kernel: CATALOGUE-1 and 2, INODE-1, FS-3 to FS-5.
 */
#ifndef FS_CHECK_H
#define FS_CHECK_H

#include "fs.h"

/* What is wrong, or NULL. Called where the kernel may sleep. */
const char *fs_check(void);

/* When it was called last: inodes in use, those of them without a name, nodes of the catalogue, and its height. */
extern uint32_t fs_check_inodes, fs_check_nameless, fs_check_nodes, fs_check_height;

#endif
