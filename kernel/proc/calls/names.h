/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what has a name.
 *
 * There is no file system: memory does not go away, so programs have little to keep in one. What has a name is a
 * handful of devices, the folders they are in, the images that can be executed, the program itself and its descriptors
 * as links.
 *
 * An image is there under its name in whatever folder it is said to be, since there are no folders to tell them apart.
 * What can be executed by a name is what stat() and access() find there.
 */
#ifndef NAMES_H
#define NAMES_H

#include "calls.h"
#include "record.h"
#include "types.h"

#define PATH_BYTES 256u /* no name that means anything is longer */

/* What is under a name, or behind a descriptor. */
struct node {
    const char *path;        /* of what is always there */
    uint32_t mode;           /* type and rights */
    uint32_t special_device; /* of a device */
    uint32_t device;         /* that it is on */
    uint32_t links;
    uint64_t inode, size;
    enum file_kind kind;    /* as which it is opened; FILE_FREE: not at all */
    struct object_id image; /* 0: it is none */
};

bool node_is_folder(const struct node *node);

/* A path argument: 0 or a negative errno. */
int32_t path_in(char path[PATH_BYTES], uint32_t address);

/*
 * What is under a path, which is brought into a simple form: 0 or -ENOENT.
 * - follows: a link at its end leads on.
 */
int32_t name_find(const struct system_call *call, char path[PATH_BYTES], bool follows, struct node *out);

/* The same for a path argument. */
int32_t name_find_at(const struct system_call *call, uint32_t address, bool follows, struct node *out);

/* What is behind a descriptor: 0 or -EBADF. */
int32_t node_of_descriptor(const struct system_call *call, uint32_t descriptor, struct node *out);

/* Where a link leads to: 0, -ENOENT, or -EINVAL when it is none. */
int32_t name_of_link(const struct system_call *call, char path[PATH_BYTES], char target[PATH_BYTES]);

#endif
