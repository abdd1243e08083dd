/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/fs: what operations on directories have in common.
 */
#ifndef FOLDER_H
#define FOLDER_H

#include "catalogue.h"
#include "inode.h"

/* Whether a name can be one: ERROR_TOO_LONG, ERROR_NOT_FOUND for an empty one. */
MUST_CHECK enum error folder_name_check(struct fs_name name);

/*
 * A place for a new name in a directory, which is marked: its key. ERROR_EXISTS: *out_entry has it. ERROR_NO_SPACE,
 * ERROR_NOT_FOLDER; ERROR_NOT_FOUND: the directory has gone.
 */
MUST_CHECK enum error folder_plan_place(struct fs_grip *grip, struct fs_id folder, struct fs_name name,
                                        uint64_t *out_key, const struct fs_entry **out_entry);

/* What a name of it leads to. ERROR_NOT_FOUND, ERROR_NOT_FOLDER. */
MUST_CHECK enum error folder_look(struct fs_grip *grip, struct fs_id folder, struct fs_name name,
                                  const struct fs_entry **out);

/* Changes: a directory, marked, has so many names and directories more. */
void folder_count(struct fs_grip *grip, uint32_t folder, int32_t names, int32_t folders);

/* One name less for what it leads to, which is marked; a directory has had one only. */
void folder_drop(struct fs_grip *grip, uint32_t inode);

#endif
