/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what has a name and is no file: a handful of devices, the images that can be executed, the
 * program itself and its descriptors as links.
 *
 * The devices are in /dev, the links in /proc/self and /proc/self/fd, beside the files that are there (fs.h). An image
 * is under its name in whatever folder it is said to be, unless there is a file. What can be executed by a name is what
 * stat() and access() find there.
 */
#ifndef NAMES_H
#define NAMES_H

#include "calls.h"
#include "fs.h"
#include "record.h"
#include "types.h"

#define PATH_BYTES 256u /* no name of an image is longer */

/* What is under a name, or behind a descriptor. */
struct node {
    const char *path;        /* of a device that is always there */
    uint32_t mode;           /* type and rights */
    uint32_t special_device; /* of a device */
    uint32_t device;         /* that it is on */
    uint32_t links, user, group;
    uint64_t inode, size;
    uint64_t access_ns, modify_ns, change_ns;
    enum file_kind kind;    /* as which it is opened; FILE_FREE: not at all */
    struct object_id image; /* what can be executed and is no file of the tree; 0: it is none */
    struct fs_id file;      /* of the tree; none: it is no file */
};

static inline bool node_is_folder(const struct node *node)
{
    return (node->mode & S_IFMT) == S_IFDIR;
}

static inline bool node_is_link(const struct node *node)
{
    return (node->mode & S_IFMT) == S_IFLNK;
}

/* What a name in a directory is besides files (struct fs_path): 0: nothing. Does not sleep. */
uint32_t name_special(const struct system_call *call, uint32_t folder, struct fs_name name);

/* The i-th of these names in a directory; false: there are not so many. Does not sleep. */
bool name_special_list(const struct system_call *call, uint32_t folder, uint32_t i, char name[PATH_BYTES],
                       uint32_t *out_inode, uint32_t *out_type);

/* What it is; its link, if it is not to be followed. Does not sleep. */
void node_of_special(const struct system_call *call, uint32_t special, bool follows, struct node *out);
bool special_descriptor(uint32_t special, uint32_t *out_descriptor);
bool special_is_link(uint32_t special);

/* The file of the tree that a link leads to: an open one, or the program's. False: it is none. Does not sleep. */
bool special_file(const struct system_call *call, uint32_t special, struct fs_id *out);

/* An open file that is none of the tree. Does not sleep. */
struct node node_of_file(const struct file_record *file);

/* The file of an open file of the tree (file_operations.is_named), or of another object of one. */
struct fs_id file_id(const struct file_record *file);

/* A device of that number: false: there is none. */
bool node_of_device(uint32_t device, struct node *out);

/* What is in no directory: an image, by a path: 0, -ENOENT, or -ENOTDIR: the path leads on below one. May sleep. */
int32_t node_of_image_at(uint32_t address, struct node *out);

/* What the link of a descriptor, or of the program, says. Not for files of the tree. */
void name_of_special_link(const struct system_call *call, uint32_t special, char target[PATH_BYTES]);

#endif
