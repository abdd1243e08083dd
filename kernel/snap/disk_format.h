/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of an image, as docs/disk-format.md defines them; that document is the authority, this file mirrors it.
 *
 * All numbers are little-endian, and every structure is checked for size and offsets at compile time. The machines
 * served are little-endian, so fields are plain integers. Nothing here is a pointer, nothing is a bit-field, nothing
 * is left without a checksum.
 *
 *     block 0      label          what the image is; written once
 *     block 1, 2   roots          written in turn; the newest that proves itself is the state of the image
 *     block 3      label, again   used when block 0 does not prove itself; and the note of the last panic
 *     block 4 ...  everything else, allocated and freed: pages, commit records, map nodes, free-space chunks
 */
#ifndef DISK_FORMAT_H
#define DISK_FORMAT_H

#include "types.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structures of the disk are read and written in place");

#define DISK_VERSION     2u
#define DISK_BLOCK_BYTES 4096u
#define DISK_LABEL_BLOCK 0u
#define DISK_ROOT_BLOCK  1u /* and 2 */
#define DISK_ROOTS       2u
#define DISK_LABEL_COPY  3u
#define DISK_RESERVED    4u /* blocks at the start that are never allocated */

#define DISK_WHEN_BITS      40u
#define DISK_GENERATION_MAX ((UINT64_C(1) << DISK_WHEN_BITS) - 1)
#define DISK_STAMP_AGE_MAX  ((UINT64_C(1) << (64u - DISK_WHEN_BITS)) - 1)

#define DISK_KEY_MAX  (PAGE_KEYS - 1) /* of a page: its object's number, and 20 bits of index */
#define DISK_KEY_BITS 32u             /* of a key are in an item, those above in the item's run */

#define DISK_LABEL_MAGIC  UINT64_C(0x4E4F4C4F44494502) /* "\2EIDOLON" */
#define DISK_ROOT_MAGIC   UINT64_C(0x544F4F5244494502) /* "\2EIDROOT" */
#define DISK_HEAD_MAGIC   0x44414548u                  /* "HEAD" */
#define DISK_BODY_MAGIC   0x59444F42u                  /* "BODY" */
#define DISK_NODE_MAGIC   0x45444F4Eu                  /* "NODE" */
#define DISK_LADDER_MAGIC 0x5244414Cu                  /* "LADR" */

/* `checksum` covers the rest of the block; see docs/disk-format.md for what each checksum is bound to. */
struct disk_label {
    uint64_t magic;
    uint32_t version;
    uint32_t block_bytes;
    uint32_t block_count;
    uint32_t unused;
    uint64_t space_id[2];
    uint64_t created_ns; /* UTC since 1970 */
    char text[80];       /* for people who look at the file */
    uint8_t zero[3960];
    uint64_t checksum;
};

/*
 * What a kernel that panics leaves for the next boot, in the second label's zeroes. It has a checksum of its own: a
 * label that a cut has torn may still have a whole note, and the other way round.
 */
#define DISK_NOTE_MAGIC   UINT64_C(0x45544F4E44494502) /* "\2EIDNOTE" */
#define DISK_NOTE_OFFSET  512u                         /* in block DISK_LABEL_COPY */
#define DISK_NOTE_SETTLED 1u                           /* programs have run on since: the next panic is a new one */

struct disk_note {
    uint64_t magic;
    uint32_t flags;
    uint32_t panics;       /* in a row, without progress between them */
    uint64_t generation;   /* the newest durable one at the panic; 0: none */
    uint64_t resumed;      /* that boot went on from it; 0: from none */
    uint64_t wall_time_ns; /* UTC since 1970 */
    uint64_t boot_ns;      /* how long that boot had lasted */
    uint32_t boots;        /* since the panic */
    uint32_t program;      /* whose task was on the processor; 0: none's */
    uint32_t parent;       /* of that program; 0: none */
    uint32_t unused;
    char name[32];  /* of the program, zero-padded, with at least one zero */
    char text[256]; /* of the panic, likewise */
    uint8_t zero[664];
    uint64_t checksum;
};

/* Where a commit record begins, and what proves it. */
struct disk_record_ref {
    uint64_t generation;
    uint64_t checksum; /* of the record's head block */
    uint32_t block;
    uint32_t copy; /* the same bytes once more; 0: none */
    uint64_t wall_time_ns;
};

#define DISK_WINDOW_MAX   18u /* history kept, newest first, and what is about to leave it */
#define DISK_PINS_MAX     32u
#define DISK_NAME_BYTES   32u /* of a pin, with at least one zero at the end */
#define DISK_KERNEL_BYTES 64u

struct disk_pin {
    struct disk_record_ref record;
    char name[DISK_NAME_BYTES];
};

#define DISK_SEQUENCE_MAX (UINT64_MAX >> 1) /* of a root; no image lives to see it */

#define DISK_FEATURE_LADDER 1u /* to write: rungs, and rules for them; older versions would free what they need */

#define DISK_READ_FEATURES  0u /* that this version knows */
#define DISK_WRITE_FEATURES DISK_FEATURE_LADDER

#define DISK_ROOT_CLEAN   1u /* the last user closed the image properly */
#define DISK_ROOT_REBUILD 2u /* the free-space map is not to be trusted: it must be made anew */

/* Where the ladder is. All zero: there is none. */
struct disk_ladder_ref {
    uint32_t block;
    uint32_t copy; /* the same bytes once more; 0: none */
    uint64_t checksum;
    uint64_t generation; /* that it was written with */
};

/* How many generations are to stay, and how much of the disk those of the ladder may hold. */
struct disk_rules {
    uint16_t newest; /* in the window; 0: as many as the version that writes likes */
    uint16_t minutes, hours, days;
    uint16_t percent;
    uint16_t unused;
};

struct disk_root {
    uint64_t magic;
    uint32_t version;
    uint32_t flags;
    uint64_t sequence;    /* root n is written to block DISK_ROOT_BLOCK + n % DISK_ROOTS */
    uint64_t space_id[2]; /* of the label */
    uint64_t user;        /* who has the image open: random, chosen at each open for writing; 0 when clean */
    uint32_t window_count;
    uint32_t pin_count;
    char kernel[DISK_KERNEL_BYTES]; /* version of the kernel that wrote this root */
    struct disk_record_ref window[DISK_WINDOW_MAX];
    struct disk_pin pins[DISK_PINS_MAX];
    uint64_t branch_after; /* pins in branch_after + 1 .. branch_until may be of another branch; 0: none are */
    uint64_t branch_until;
    uint32_t read_features;        /* who does not know all of these must not read the image, */
    uint32_t write_features;       /* ... or all of these must not write to it */
    struct disk_ladder_ref ladder; /* from here on: with DISK_FEATURE_LADDER only */
    struct disk_rules rules;
    uint32_t ladder_blocks; /* that rungs need and generations of the window do not */
    uint8_t zero[1280];
    uint64_t checksum;
};

/*
 * Generations that stay when they have left the window: one a minute, an hour, a day. The block is written anew when one
 * comes or goes.
 */
#define DISK_RUNGS_MAX 127u

struct disk_ladder {
    uint32_t magic;
    uint32_t count;
    uint64_t generation; /* that it was written with */
    uint64_t unused[2];
    struct disk_record_ref rungs[DISK_RUNGS_MAX]; /* newest first */
};

/* One page in a map node or in memory. `when` is the generation that committed it, and the age of its stamp. */
struct disk_map_entry {
    uint64_t key;   /* page_key_make() */
    uint32_t block; /* 0: a page of zeroes */
    uint32_t unused;
    uint64_t checksum;
    uint64_t when; /* bits 0-39: birth; bits 40-63: birth - stamp, the generation its checksum is bound to */
};

/*
 * A node of a tree. In leaves (level 0) an entry is what the tree is about; in inner nodes it is a child: the lowest
 * key that may be below it, its block and checksum, and in `when` the generation it was written in (bits 0-39) and
 * how many blocks further on the same bytes are once more (bits 40-63, signed; 0: nowhere).
 */
#define DISK_NODE_ENTRIES 127u

struct disk_node {
    uint32_t magic;
    uint16_t level;
    uint16_t count;
    uint64_t generation;
    uint64_t unused[2];
    struct disk_map_entry entries[DISK_NODE_ENTRIES];
};

#define DISK_HEIGHT_MAX 6u

struct disk_tree_ref {
    uint32_t block; /* 0: the tree is empty */
    uint32_t height;
    uint64_t checksum;
    uint64_t when; /* as in the entries of inner nodes */
};

/*
 * The free-space tree maps the number of a chunk to a block that holds one bit for each of the chunk's blocks, set if
 * the block is used; a chunk that is missing has none used. Keys from DISK_SPACE_BAD on name retired blocks.
 */
#define DISK_CHUNK_BLOCKS (DISK_BLOCK_BYTES * 8u)
#define DISK_SPACE_BAD    0x80000000u

/*
 * A commit record: a chain of blocks, the head first; each names the next by place and checksum. Items follow the
 * system record in the head, and fill the bodies.
 */
struct disk_head {
    uint32_t magic;
    uint32_t item_bytes; /* after the system record, which is padded to 8 */
    uint64_t generation;
    uint64_t next_checksum;
    uint32_t next_block;                /* 0: no body */
    uint32_t next_copy;                 /* the same bytes once more; 0: none */
    struct disk_record_ref predecessor; /* block 0: none */
    uint64_t map_base;                  /* records up to this generation are merged into the page tree */
    uint64_t space_base;                /* ... into the free-space tree */
    struct disk_tree_ref page_tree;
    struct disk_tree_ref space_tree;
    uint64_t merge_end;      /* a merge under way takes records up to this generation; 0: none */
    uint64_t merge_next;     /* its first key not yet merged; 2^48: only the free-space tree is left */
    uint64_t wall_time_ns;   /* UTC since 1970 */
    uint64_t stop_ns;        /* how long programs stood still for this generation */
    uint64_t pages_live;     /* pages with content in this generation, those of zeroes included */
    uint64_t pages_changed;  /* puts and deletes of this generation */
    uint32_t blocks_used;    /* by this and all kept generations */
    uint32_t blocks_written; /* for this generation, roots excepted */
    uint32_t cursor;         /* where allocation goes on */
    uint32_t chain_blocks;   /* of this record, the head included, copies not */
    uint32_t system_bytes;
    uint32_t unused[9];
    uint8_t bytes[3864];
};

struct disk_body {
    uint32_t magic;
    uint32_t item_bytes;
    uint64_t generation;
    uint64_t next_checksum;
    uint32_t next_block;
    uint32_t next_copy;
    uint8_t bytes[4064];
};

/*
 * Items come in runs of one type: a run header, then `count` items of the size the type has. Items that name a page have
 * the lower bits of its key; the upper ones are those of the run.
 */
struct disk_run {
    uint16_t type;
    uint16_t count;
    uint32_t key_high; /* of types whose items have none: 0 */
};

enum disk_item_type {
    DISK_ITEM_PUT = 1,     /* disk_put: a page whose stamp is the record's generation */
    DISK_ITEM_PUT_STAMPED, /* disk_map_entry: a page with another stamp */
    DISK_ITEM_DELETE,      /* disk_extent of pages, within one object: no content any more */
    DISK_ITEM_DEAD,        /* disk_dead: blocks that this generation no longer needs and earlier ones do */
    DISK_ITEM_DEAD_RECORD, /* disk_record_ref: a commit record, all its blocks, of which the same is true */
    DISK_ITEM_FREED,       /* disk_extent of blocks: needed by no kept generation */
    DISK_ITEM_ALLOCATED,   /* disk_extent of blocks: map nodes and free-space chunks of this generation */
    DISK_ITEM_BAD,         /* disk_extent of blocks: retired for ever */
    DISK_ITEM_CARRIED,     /* the same, where no record of the log says otherwise */
    DISK_ITEM_TYPES
};

struct disk_put {
    uint32_t key_low;
    uint32_t block;
    uint64_t checksum;
};

struct disk_extent {
    uint32_t first;
    uint32_t count;
};

struct disk_dead {
    uint32_t block;
    uint32_t count;
    uint64_t birth;
};

_Static_assert(sizeof(struct disk_label) == DISK_BLOCK_BYTES, "label");
_Static_assert(offsetof(struct disk_label, space_id) == 24, "label");
_Static_assert(offsetof(struct disk_label, text) == 48, "label");
_Static_assert(sizeof(struct disk_note) == 1024, "note");
_Static_assert(offsetof(struct disk_note, generation) == 16, "note");
_Static_assert(offsetof(struct disk_note, boots) == 48, "note");
_Static_assert(offsetof(struct disk_note, name) == 64, "note");
_Static_assert(offsetof(struct disk_note, text) == 96, "note");
_Static_assert(DISK_NOTE_OFFSET >= offsetof(struct disk_label, zero) &&
                   DISK_NOTE_OFFSET + sizeof(struct disk_note) <= offsetof(struct disk_label, checksum),
               "the note lies within the label's zeroes");
_Static_assert(sizeof(struct disk_record_ref) == 32, "record reference");
_Static_assert(sizeof(struct disk_pin) == 64, "pin");
_Static_assert(sizeof(struct disk_root) == DISK_BLOCK_BYTES, "root");
_Static_assert(offsetof(struct disk_root, user) == 40, "root");
_Static_assert(offsetof(struct disk_root, kernel) == 56, "root");
_Static_assert(offsetof(struct disk_root, window) == 120, "root");
_Static_assert(offsetof(struct disk_root, pins) == 696, "root");
_Static_assert(offsetof(struct disk_root, branch_after) == 2744, "root");
_Static_assert(offsetof(struct disk_root, read_features) == 2760, "root");
_Static_assert(offsetof(struct disk_root, ladder) == 2768, "root");
_Static_assert(offsetof(struct disk_root, rules) == 2792, "root");
_Static_assert(offsetof(struct disk_root, ladder_blocks) == 2804, "root");
_Static_assert(sizeof(struct disk_ladder_ref) == 24, "reference to the ladder");
_Static_assert(sizeof(struct disk_rules) == 12, "rules");
_Static_assert(sizeof(struct disk_ladder) == DISK_BLOCK_BYTES, "ladder");
_Static_assert(offsetof(struct disk_ladder, rungs) == 32, "ladder");
_Static_assert(sizeof(struct disk_map_entry) == 32, "map entry");
_Static_assert(offsetof(struct disk_map_entry, checksum) == 16, "map entry");
_Static_assert(sizeof(struct disk_tree_ref) == 24, "tree reference");
_Static_assert(sizeof(struct disk_head) == DISK_BLOCK_BYTES, "record head");
_Static_assert(offsetof(struct disk_head, predecessor) == 32, "record head");
_Static_assert(offsetof(struct disk_head, page_tree) == 80, "record head");
_Static_assert(offsetof(struct disk_head, merge_end) == 128, "record head");
_Static_assert(offsetof(struct disk_head, blocks_used) == 176, "record head");
_Static_assert(offsetof(struct disk_head, bytes) == 232, "record head");
_Static_assert(sizeof(struct disk_node) == DISK_BLOCK_BYTES, "node");
_Static_assert(offsetof(struct disk_node, entries) == 32, "node");
_Static_assert(sizeof(struct disk_body) == DISK_BLOCK_BYTES, "record body");
_Static_assert(sizeof(struct disk_run) == 8, "run");
_Static_assert(sizeof(struct disk_put) == 16, "put");
_Static_assert(sizeof(struct disk_extent) == 8, "extent");
_Static_assert(sizeof(struct disk_dead) == 16, "dead");

#endif
