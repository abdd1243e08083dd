/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lies: an image of a real run in which one field says something else, and every checksum is right.
 *
 *     lie_image.c    the image in memory, and who vouches for whom in it: checksums mended up to the roots
 *     lie_fields.c   what the fields of every structure are called, and what their limits are
 *     lie_draw.c     a lie drawn from a seed
 *     lie_disk.c     the image as the disk of the image tool's commands
 *     lie_try.c      what is done with a lie: the image tool's commands and a store that goes on
 *     lie_boot.c     or boots of the whole kernel
 */
#ifndef LIE_H
#define LIE_H

#include "file_disk.h"
#include "disk_format.h"
#include "record.h"
#include "types.h"

enum lie_kind {
    LIE_LABEL,
    LIE_ROOT,
    LIE_LADDER,
    LIE_HEAD,
    LIE_BODY,
    LIE_NODE,
    LIE_CHUNK,
    LIE_CONTENT, /* of a page */
    LIE_KINDS
};

/* A checksum and what it is of. */
struct lie_reference {
    uint32_t holder;  /* block that the checksum stands in */
    uint16_t start;   /* of the structure that it is part of, in the block */
    uint16_t bytes;   /* of that structure */
    uint16_t offset;  /* of the checksum */
    uint16_t run;     /* FORM_PUT: start of the header of its run, which has a part of the key */
    uint8_t form;     /* enum lie_form */
    uint32_t target;  /* block that is vouched for */
    uint64_t page;    /* key of the one that its content belongs to */
    uint64_t written; /* generation that it is bound to */
    uint32_t next;    /* of the same target; 0: none */
};

enum lie_form { FORM_RECORD, FORM_BODY, FORM_TREE, FORM_CHILD, FORM_PUT, FORM_ENTRY, FORM_CHUNK, FORM_LADDER };

struct lie_block {
    bool is_known;
    uint8_t kind;        /* enum lie_kind */
    bool is_space_tree;  /* of a node */
    bool is_changed;     /* and those who vouch for it have not been told */
    uint32_t copy;       /* has the same bytes; 0: none */
    uint32_t references; /* first in the list of them */
};

struct lie_image {
    const char *path;
    uint8_t *bytes; /* changes stay in this process */
    uint32_t block_count;
    uint64_t writes; /* blocks written by those who had it as a disk */
    uint64_t space_id[2];
    struct lie_block *blocks;
    struct lie_reference *references; /* [0] is none */
    uint32_t reference_count, reference_room;
    uint32_t *order; /* of the known blocks: those that are vouched for come before those who vouch */
    uint32_t order_count;

    uint32_t *record_pages;  /* of the system window: block that has it in the newest generation; 0: none */
    bool is_about_records;   /* the lie that was told, not about the format */
    uint64_t generations[2]; /* two that are kept */
    char pin[DISK_NAME_BYTES];
};

/* Read an image and find out all about it; ends the process with a message if that cannot be done. */
void lie_image_open(struct lie_image *image, const char *path);

uint8_t *lie_block(const struct lie_image *image, uint32_t block);

/* A byte of the kernel's records in the newest generation; NULL: that page has no content of its own. */
uint8_t *lie_record_byte(const struct lie_image *image, uint32_t address);
uint32_t lie_record_block(const struct lie_image *image, uint32_t address);

/* Make every checksum right after bytes of a block were changed. */
void lie_mend(struct lie_image *image, uint32_t block);

/* The same for what the changed bytes [offset, offset + length) vouch for: it is proved by them from now on. */
void lie_vouch(struct lie_image *image, uint32_t block, uint32_t offset, uint32_t length);

/* A field, or an array of them. */
struct lie_field {
    const char *name;
    uint16_t offset, bytes, count;
    uint32_t limit; /* values below it mean something; 0: no such limit; LIE_BLOCKS: the blocks of the image */
};
#define LIE_BLOCKS UINT32_MAX

struct lie_structure {
    const char *name;
    uint32_t bytes;
    const struct lie_field *fields;
    uint32_t field_count;
};

extern const struct lie_structure lie_note, lie_label, lie_root, lie_ladder, lie_head, lie_body, lie_node, lie_run,
    lie_system;
extern const struct lie_structure lie_items[DISK_ITEM_TYPES];
extern const struct lie_structure lie_records[RECORD_TYPES];
extern const struct lie_structure lie_region_header, lie_outbox;

/* Tell the lie of a seed in an image. `what` is told what it is. */
void lie_tell(struct lie_image *image, uint64_t seed, char *what, size_t room);

/* The blocks of an image for file_disk.h. */
struct file_disk *lie_disk_use(struct lie_image *image);

/* The machine that a store needs, if the program has one that is not always there. */
void lie_machine(bool is_on);

/* What is to be survived; the seed chooses some of it. Returns what went wrong, or NULL. */
const char *lie_try(struct lie_image *image, uint64_t seed);

#endif
