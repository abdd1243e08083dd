/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/fs: the inode table.
 *
 *     INODE-1  Every inode below the head's end is in use or on the list of free ones, once; the head says how many are in use.
 */
#ifndef INODE_H
#define INODE_H

#include "grip.h"
#include "fs_layout.h"

static inline struct page_key inode_page(uint32_t inode)
{
    return page_key_make(FS_OBJECT_INODES, inode / FS_INODES_OF_PAGE);
}

/* Plans: an inode in use, by its number. ERROR_NOT_FOUND: it is free. ERROR_BUSY: its page is missing (grip.h). */
MUST_CHECK enum error inode_look(struct fs_grip *grip, uint32_t inode, const struct fs_inode **out);

/* The same for the very file; and for one that the change will write to; and a directory. ERROR_NOT_FOLDER. */
MUST_CHECK enum error inode_of(struct fs_grip *grip, struct fs_id id, const struct fs_inode **out);
MUST_CHECK enum error inode_mark(struct fs_grip *grip, uint32_t inode, const struct fs_inode **out);
MUST_CHECK enum error inode_folder(struct fs_grip *grip, struct fs_id id, const struct fs_inode **out);

/* Changes: an inode that was marked. */
struct fs_inode *inode_bytes(struct fs_grip *grip, uint32_t inode);

/* A free inode, which the change takes: then it has another generation, and all else is zeroes. ERROR_NO_SPACE. */
MUST_CHECK enum error inode_plan_new(struct fs_grip *grip, uint32_t *out);
struct fs_inode *inode_new(struct fs_grip *grip, uint32_t inode);

/* One becomes free. */
MUST_CHECK enum error inode_plan_free(struct fs_grip *grip, uint32_t inode, const struct fs_inode **out);
void inode_free(struct fs_grip *grip, uint32_t inode);

static inline bool mode_is_folder(uint32_t mode)
{
    return (mode & 0170000u) == 0040000u;
}

static inline bool mode_is_link(uint32_t mode)
{
    return (mode & 0170000u) == 0120000u;
}

/*
 * A file is about to lose its last name: whoever may have it open can keep it (struct fs_client). In the change it has
 * lost it.
 */
MUST_CHECK enum error inode_plan_last(struct fs_grip *grip, uint32_t inode);
void inode_last(uint32_t inode, const struct fs_inode *of);

#endif
