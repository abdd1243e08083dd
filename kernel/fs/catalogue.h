/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/fs: the catalogue, a B+-tree of all names, by directory and hash.
 *
 * Functions of plans answer ERROR_BUSY when a page is missing (grip.h).
 *
 *     CATALOGUE-1  Keys ascend in a leaf, and from leaf to leaf. A node's keys lie between the key that leads to it and
 *                  the next one's, but for the first of its level.
 *     CATALOGUE-2  Every page below the head's end is the head, a node, or on the list of free ones, once.
 */
#ifndef CATALOGUE_H
#define CATALOGUE_H

#include "grip.h"
#include "node.h"

#define HEIGHT_MAX 6u

/* From a leaf, level 0, up to the root. */
struct catalogue_path {
    uint32_t height;
    uint32_t pages[HEIGHT_MAX];
    uint32_t index[HEIGHT_MAX]; /* of the branch taken; from level 1 on */
    uint64_t limit;             /* the lowest key of the next leaf; UINT64_MAX: there is none */
};

static inline struct page_key catalogue_key(uint32_t page)
{
    return page_key_make(FS_OBJECT_CATALOGUE, page);
}

/* Plans: the head; a node of a level, by its page. NULL: grip_error(). */
const struct fs_catalogue_head *catalogue_head(struct fs_grip *grip);
const void *catalogue_node(struct fs_grip *grip, uint32_t page, uint32_t level);

/* The way to the leaf where a key is or would be. ERROR_NOT_FOUND: there is no node at all. */
MUST_CHECK enum error catalogue_descend(struct fs_grip *grip, uint64_t key, struct catalogue_path *out);

/* The entry with a key; the first one from it on, and where to look after that. ERROR_NOT_FOUND. */
MUST_CHECK enum error catalogue_at(struct fs_grip *grip, uint64_t key, const struct fs_entry **out);
MUST_CHECK enum error catalogue_next(struct fs_grip *grip, uint64_t key, const struct fs_entry **out);

/*
 * The entry of a name in a directory.
 * - ERROR_NOT_FOUND; then *out_free is a key that it can have, or 0 if there is none.
 */
MUST_CHECK enum error catalogue_find(struct fs_grip *grip, uint32_t directory, struct fs_name name,
                                     const struct fs_entry **out, uint64_t *out_free);

/* The hash of a name as the first of the keys that it can have. */
uint32_t catalogue_hash(const uint32_t seed[2], struct fs_name name);

/* A new entry; what the plan has found is for the change, which is done in the same attempt. */
struct catalogue_insert {
    uint64_t key; /* a free one */
    struct fs_name name;
    uint32_t inode, type;
    struct catalogue_path path;
    uint32_t fresh[HEIGHT_MAX + 1], fresh_count;
    uint32_t first_free, end; /* of the head, once they are taken */
};
MUST_CHECK enum error catalogue_plan_insert(struct fs_grip *grip, struct catalogue_insert *insert);
void catalogue_insert(struct fs_grip *grip, const struct catalogue_insert *insert);

/* An entry goes; or it leads to another inode. The change may come after an insertion. */
MUST_CHECK enum error catalogue_plan_remove(struct fs_grip *grip, uint64_t key);
void catalogue_remove(struct fs_grip *grip, uint64_t key);
void catalogue_lead(struct fs_grip *grip, uint64_t key, uint32_t inode, uint32_t type);

/*
 * Before a name goes: if the leaf that it is in is sparse already, it becomes one with a neighbour, and so on upwards.
 * These are operations by themselves, of which nobody sees anything; what cannot be done now is not done. May sleep.
 */
void catalogue_tidy(struct fs_grip *grip, uint32_t directory, struct fs_name name);

#endif
