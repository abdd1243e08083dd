/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths: from name to name, through links.
 */
#ifndef FS_WALK_H
#define FS_WALK_H

#include "fs.h"

#define FS_PATH_MAX       4096u /* bytes of a path, with its zero */
#define FS_WALK_LINKS_MAX 40u   /* that one walk follows */
#define FS_WALK_WINDOW    264u

/*
 * Where a path comes from.
 * - piece(): its bytes from an offset on, until a zero byte or `capacity` of them. ERROR_RANGE: there are more;
 *   errors of
 *   its own end the walk.
 * - special(): what else a name in a directory may be, a number of the caller's; 0: nothing. It may not sleep.
 */
struct fs_path {
    enum error (*piece)(void *context, uint32_t offset, char *out, uint32_t capacity);
    uint32_t (*special)(void *context, uint32_t folder, struct fs_name name);
    void *context;
};

/* Where a walk has led to. */
struct fs_found {
    struct fs_id folder; /* that the last name is in */
    struct fs_id file;   /* none: there is no such name */
    uint32_t mode;
    uint32_t special;  /* or it is that */
    bool wants_folder; /* the path ends with a slash */
    bool is_dots;      /* the last name is ".", "..", or there is none: `file` is the directory */
    uint32_t length;   /* of the last name */
    char name[FS_NAME_MAX + 1];
};

static inline struct fs_name fs_found_name(const struct fs_found *found)
{
    return (struct fs_name){found->name, found->length};
}

/*
 * Follow a path.
 * - from: the directory that it begins in, unless it begins with a slash. follows: a link as the last name, too.
 * - ERROR_NOT_FOUND: a directory on the way, or the path is empty; ERROR_NOT_FOLDER, ERROR_TOO_LONG, ERROR_LOOP, and
 *   what
 *   fs.h says. That the last name is not there is no error. May sleep.
 */
MUST_CHECK enum error fs_walk(struct fs_grip *grip, struct fs_id from, const struct fs_path *path, bool follows,
                              struct fs_found *out);

#endif
