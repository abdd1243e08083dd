/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How files lie in the object space: two objects with what is known of them, and one with the content of each.
 *
 * The inode table has inode i in slot i; slot 0 is its head. The catalogue has all directories in one B+-tree: page 0
 * is its head, the others are nodes. What is in no page is zeroes, and no files at all are a table and a catalogue of
 * zeroes. Little-endian, the same on 32 and 64 bits; read by the kernel and by tools that look into images.
 */
#ifndef FS_LAYOUT_H
#define FS_LAYOUT_H

#include "types.h"

#define FS_VERSION          1u
#define FS_OBJECT_INODES    ((struct object_id){0x10000})
#define FS_OBJECT_CATALOGUE ((struct object_id){0x10001})
#define FS_FILES_FIRST      0x100000u /* the object of inode 0; that of inode i is the i-th after it */

#define FS_INODE_BYTES     128u
#define FS_INODES_OF_PAGE  (PAGE_SIZE / FS_INODE_BYTES)
#define FS_INODES_MAX      (1u << 24)
#define FS_INODES_MAGIC    0x444F4E49u /* "INOD" */
#define FS_CATALOGUE_MAGIC 0x474C5443u /* "CTLG" */
#define FS_NAME_MAX        255u
#define FS_LINKS_MAX       65000u
#define FS_TARGET_MAX      (PAGE_SIZE - 1) /* of a symbolic link */

struct fs_inode {
    uint32_t mode; /* type and rights; 0: a free inode */
    /* names; of a directory: and the entries "." and ".." that lead to it. 0: it goes with the last who has it open */
    uint32_t links;
    uint32_t user, group;
    uint64_t size; /* as of when it was open last: while it has a record, that tells */
    uint64_t access_ns, modify_ns, change_ns;
    uint32_t generation; /* another one each time that the inode is used anew */
    uint32_t device;     /* of a device */
    uint32_t parent;     /* of a directory: the one that it is in; its own of the root */
    uint32_t name_key;   /* of a directory: the key of its name there */
    uint32_t entries;    /* of a directory: names in it */
    uint32_t next_free;  /* of a free one */
    /* of a symbolic link that is short enough; a longer one is the object's content */
    char target[FS_INODE_BYTES - 72];
};
_Static_assert(sizeof(struct fs_inode) == FS_INODE_BYTES, "inodes are 128 bytes");

struct fs_inode_head {
    uint32_t magic, version;
    uint32_t first_free; /* the list of free ones; 0: its end */
    uint32_t end;        /* no inode from here on has been used */
    uint32_t in_use;
    uint8_t reserved[FS_INODE_BYTES - 20];
};
_Static_assert(sizeof(struct fs_inode_head) == FS_INODE_BYTES, "the head is the first slot");

struct fs_catalogue_head {
    uint32_t magic, version;
    uint32_t root;       /* page of the root node; 0: there is none, nor any name */
    uint32_t height;     /* nodes from the root to a leaf */
    uint32_t first_free; /* page; a free one begins with the number of the next */
    uint32_t end;        /* no page from here on has been used */
    uint64_t names;
    uint32_t seed[2]; /* of the hash of names */
};

/* A node: leaves are of level 0. */
struct fs_node_head {
    uint16_t level;
    uint16_t used; /* bytes behind the head */
    uint32_t magic;
    uint64_t reserved;
};
_Static_assert(sizeof(struct fs_node_head) == 16, "node heads are 16 bytes");
#define FS_NODE_MAGIC 0x45444F4Eu /* "NODE" */
#define FS_NODE_BYTES (PAGE_SIZE - (uint32_t)sizeof(struct fs_node_head))

struct fs_free_page {
    uint32_t next; /* 0: it is the last */
    uint32_t magic;
};
#define FS_FREE_MAGIC 0x45455246u /* "FREE" */

/*
 * Of a node above the leaves: what has this key or a higher one, up to the next entry's, is below `page`. The first
 * entry of a node stands for all lower keys as well.
 */
struct fs_branch {
    uint32_t key, directory;
    uint32_t page;
};

/* Of a leaf, in ascending order of directory and key. The name follows, and zeroes up to a multiple of 4 bytes. */
struct fs_entry {
    uint32_t key, directory;
    uint32_t inode;
    uint8_t type; /* of its mode, >> 12 */
    uint8_t length;
    uint8_t name[2];
};
#define FS_ENTRY_BYTES(length) ((14u + (length) + 3u) & ~3u)
#define FS_ENTRY_MAX           FS_ENTRY_BYTES(FS_NAME_MAX)

/*
 * The key of a name: 27 bits of hash, and 4 that tell names of the same hash apart. A directory with seventeen such
 * names cannot be: the last of them finds no place.
 */
#define FS_KEY_TWINS 16u
#define FS_KEY_FIRST FS_KEY_TWINS                 /* below: "." and ".." */
#define FS_KEY_LAST  (0x7FFFFFFFu - FS_KEY_TWINS) /* so that one more than any key is a positive number */

/* What is there from the beginning, by its inode. */
enum fs_fixed { FS_ROOT = 1, FS_DEV, FS_SHM, FS_PROC, FS_SELF, FS_FD, FS_TMP, FS_HOME, FS_FIXED_END };

#endif
