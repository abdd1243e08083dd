/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files: names, directories and what is known of each file. Content is objects (kernel/vm_map/object_content.c).
 *
 * Every operation is one instant to programs and to snapshots (kernel/fs/grip.h): it has happened, or it has failed and
 * nothing has changed. So any generation holds a whole tree, without a journal. Nothing of it is wired; the cost of an
 * operation follows the height of the tree of names.
 *
 *     FS-3  Every name leads to an inode in use; an inode's links are its names, and those of a directory two and one for
 *           each directory in it.
 *     FS-4  An inode in use without links has a record of its object, or it was never seen: whoever holds the record last
 *           frees the inode (struct fs_client).
 *     FS-5  A directory's parent and key say where its name is.
 */
#ifndef FS_H
#define FS_H

#include "error.h"
#include "fs_layout.h"
#include "types.h"

/* A file, by its inode; the generation tells it from others that had or will have the same inode. */
struct fs_id {
    uint32_t inode, generation;
};
#define FS_ID_NONE ((struct fs_id){0, 0})

struct fs_name {
    const char *bytes; /* no zero byte at the end */
    uint32_t length;
};

/* What an operation has in hand; on the stack of whoever makes some of them, one after the other. */
struct vm_page;
#define FS_GRIP_PAGES 40u
struct fs_grip {
    struct space_id payer; /* that waits for memory */
    uint64_t now_ns;       /* for the times of files */
    uint32_t count;
    bool wants_room; /* the rest is grip.c's */
    struct page_key wanted;
    struct vm_page *waits_for;
    struct fs_held {
        struct page_key key;
        struct vm_page *page;
        void *bytes;
        bool is_marked;
    } held[FS_GRIP_PAGES];
};

/* Begin and end: nothing is in hand. */
void fs_begin(struct fs_grip *grip, struct space_id payer, uint64_t now_ns);
void fs_end(struct fs_grip *grip);

/*
 * Who keeps files that have no name any more, because somebody has them open: by records (FS-4).
 * - has_room(): a file can lose its last name now; reserve(): make it so, may sleep. ERROR_NO_MEMORY.
 * - keep(): it has lost it, in this instant. Does not sleep.
 * And whether a wait for memory that ended with an error is to be taken up again: goes_on().
 */
struct fs_client {
    bool (*has_room)(uint32_t inode);
    enum error (*reserve)(void);
    void (*keep)(uint32_t inode, const struct fs_inode *of);
    bool (*goes_on)(enum error error);
};

/* Once, before any operation. */
void fs_set_client(const struct fs_client *client);

/*
 * All below may sleep before they change anything, and not after; so what they answer goes on until the caller sleeps.
 * Besides what is said, they answer ERROR_NO_MEMORY, ERROR_IO, ERROR_CHECKSUM, ERROR_INTERRUPTED, and
 * ERROR_FORMAT_DAMAGED: what was read makes no sense. After an error nothing has changed.
 * - a directory or a file that has gone meanwhile: ERROR_NOT_FOUND.
 */

/* Make the first directories of a new object space, unless they are there. seed: of the hash of names. */
MUST_CHECK enum error fs_start(struct fs_grip *grip, const uint32_t seed[2]);

/* The root, as the inode table says. */
MUST_CHECK enum error fs_root(struct fs_grip *grip, struct fs_id *out);

/* What is known of a file. */
MUST_CHECK enum error fs_inode_of(struct fs_grip *grip, struct fs_id id, struct fs_inode *out);

/* A name in a directory: ERROR_NOT_FOUND: there is none; ERROR_NOT_FOLDER. */
MUST_CHECK enum error fs_find(struct fs_grip *grip, struct fs_id folder, struct fs_name name, struct fs_id *out,
                              uint32_t *out_mode);

/*
 * The key of a name, which is where fs_entry_at() looks for it; and the entry there that leads to an inode, with its
 * name, FS_NAME_MAX bytes at most: ERROR_NOT_FOUND: it has another name now, or none.
 */
MUST_CHECK enum error fs_key(struct fs_grip *grip, struct fs_name name, uint32_t *out);
MUST_CHECK enum error fs_entry_at(struct fs_grip *grip, uint32_t folder, uint32_t key, uint32_t inode,
                                  struct fs_id *out_folder, char name[FS_NAME_MAX], uint32_t *out_length);

/* The directory that one is in: of the root, itself. */
MUST_CHECK enum error fs_parent(struct fs_grip *grip, struct fs_id folder, struct fs_id *out);

/* And its name there, FS_NAME_MAX bytes at most. */
MUST_CHECK enum error fs_name_of(struct fs_grip *grip, struct fs_id folder, struct fs_id *out_parent,
                                 char name[FS_NAME_MAX], uint32_t *out_length);

/*
 * The entries of a directory from a position on: 0 is the first. One call is one instant.
 * - each(): "." and ".." come first. next: the position behind it. False: no more, and this one was not taken.
 */
typedef bool fs_lister(void *what, struct fs_name name, uint32_t inode, uint32_t type, uint64_t next);
MUST_CHECK enum error fs_list(struct fs_grip *grip, struct fs_id folder, uint64_t position, fs_lister *each,
                              void *what);

/*
 * A new file, in a directory or without a name (length 0; FS-4).
 * - what: its mode, user, group and device; of a symbolic link its target, up to FS_TARGET_MAX bytes.
 * - ERROR_EXISTS; ERROR_NO_SPACE: too many files, or names of the same hash; ERROR_LINKS: directories in it.
 */
struct fs_new {
    uint32_t mode, user, group, device;
    const char *target;
    uint32_t target_length;
};
MUST_CHECK enum error fs_make(struct fs_grip *grip, struct fs_id folder, struct fs_name name, const struct fs_new *what,
                              struct fs_id *out);

/* One more name. ERROR_EXISTS, ERROR_LINKS; ERROR_DENIED: a directory. */
MUST_CHECK enum error fs_link(struct fs_grip *grip, struct fs_id file, struct fs_id folder, struct fs_name name);

/*
 * Take a name away: of a directory, if `is_folder`, or of anything else.
 * - ERROR_NOT_EMPTY, ERROR_NOT_FOLDER, ERROR_IS_FOLDER; ERROR_IN_USE: what is there from the beginning.
 */
MUST_CHECK enum error fs_remove(struct fs_grip *grip, struct fs_id folder, struct fs_name name, bool is_folder);

/*
 * Another name, in place of what has it, if that may be.
 * - replaces: false: ERROR_EXISTS if there is anything. ERROR_INVALID: into itself. Errors as above.
 */
MUST_CHECK enum error fs_rename(struct fs_grip *grip, struct fs_id from, struct fs_name old, struct fs_id to,
                                struct fs_name new, bool replaces);

/* Change what is known of a file: `mask` says what, of `to`. */
enum fs_attribute {
    FS_MODE = 1, /* the rights */
    FS_USER = 2,
    FS_GROUP = 4,
    FS_SIZE = 8,
    FS_ACCESS_TIME = 16,
    FS_MODIFY_TIME = 32,
    FS_CHANGE_TIME = 64, /* else it becomes now */
};
MUST_CHECK enum error fs_set(struct fs_grip *grip, struct fs_id id, uint32_t mask, const struct fs_inode *to);

/*
 * The inode of a file that has no name and no content any more is free; with it, `also` is done, in the same instant.
 * ERROR_BUSY: it has a name.
 */
MUST_CHECK enum error fs_free(struct fs_grip *grip, uint32_t inode, void (*also)(void *what), void *what);

/* By its number alone, for whoever keeps it from being used anew: what is known of it. */
MUST_CHECK enum error fs_inode_at(struct fs_grip *grip, uint32_t inode, struct fs_inode *out);

/* Bytes of the target of a symbolic link, from `offset` on. out_count: fewer at its end. */
MUST_CHECK enum error fs_target(struct fs_grip *grip, struct fs_id link, uint32_t offset, char *out, uint32_t capacity,
                                uint32_t *out_count);

/* How many files there are, and how many there can be. */
MUST_CHECK enum error fs_count(struct fs_grip *grip, uint32_t *out_in_use, uint32_t *out_free);

static inline struct object_id fs_object(uint32_t inode)
{
    return (struct object_id){FS_FILES_FIRST + inode};
}

static inline bool fs_is_file(struct object_id object)
{
    return object.number > FS_FILES_FIRST && object.number < FS_FILES_FIRST + FS_INODES_MAX;
}

#endif
