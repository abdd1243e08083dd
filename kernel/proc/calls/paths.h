/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the paths that system calls are given.
 */
#ifndef PATHS_H
#define PATHS_H

#include "fs_walk.h"
#include "names.h"
#include "space/object.h"

/* What a call on paths has in hand, and where its last walk has led to. */
struct path {
    const struct system_call *call;
    struct fs_grip grip;
    struct fs_found found;
};

/* Begin: 0 or a negative errno, and then there is nothing to end. May sleep. */
int32_t path_begin(struct path *path, const struct system_call *call);
void path_end(struct path *path);

/* The directory of a descriptor, or where the program is for AT_FDCWD: 0, -EBADF, -ENOTDIR. May sleep. */
int32_t path_folder(struct path *path, uint32_t descriptor, struct fs_id *out);

/*
 * Walk along a path argument, from the directory of a descriptor if it does not begin with a slash: 0 or a negative
 * errno. What has been found is in path->found. May sleep.
 * - follows: a link as the last name, too.
 */
int32_t path_walk(struct path *path, uint32_t descriptor, uint32_t address, bool follows);

/*
 * Whether the last name can be made: 0, -EEXIST, or what else is the matter with it; and whether it can be taken away.
 */
int32_t path_is_new(const struct path *path);
int32_t path_is_old(const struct path *path);

/* What is there: 0 or a negative errno. May sleep. */
int32_t path_node(struct path *path, uint32_t descriptor, uint32_t address, bool follows, struct node *out);

/* The same with the flags of the *at() calls: an empty path may mean the descriptor itself. */
int32_t path_node_at(struct path *path, uint32_t descriptor, uint32_t address, uint32_t flags, struct node *out);

/* What is behind a descriptor: 0 or a negative errno. May sleep. */
int32_t node_of_descriptor(struct path *path, uint32_t descriptor, struct node *out);

/*
 * The object of a file, which has a record and a reference of the caller's from then on: 0 or a negative errno. May sleep.
 */
int32_t path_refer(struct path *path, struct fs_id file, struct object_id *out);

/*
 * The path of a directory, and of a name in it, if that is not empty, to the program's memory: as much as fits, without
 * a zero byte. Returns the whole length, or a negative errno: -ENOENT: it has been removed. May sleep.
 */
int32_t path_text(struct path *path, struct fs_id folder, struct fs_name name, uint32_t address, uint32_t capacity);

#endif
