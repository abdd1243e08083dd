/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The note of the last panic: what a kernel that cannot go on leaves in the image for the next boot.
 *
 * It lies outside all generations, in the zeroes of the second label (docs/disk-format.md), so that writing it takes
 * one block that is always there, and neither memory nor a decision. Whoever has opened the store prepares that block
 * while the kernel is sound; the panic only fills it in and has it written (block_last_write()).
 *
 *     NOTE-1  The block is written only while the first label proves itself: it may be torn, and one label must be left.
 *     NOTE-2  What is not whole, or of another image, is no note. Nothing is ever refused because of one.
 */
#ifndef STORE_NOTE_H
#define STORE_NOTE_H

#include "error.h"
#include "store.h"
#include "types.h"

#define STORE_NOTE_NAME_BYTES 32u
#define STORE_NOTE_TEXT_BYTES 256u

struct store_note {
    bool settled;                 /* programs have run on since: the next panic is a new one */
    uint32_t panics;              /* in a row, without progress between them: from 1 */
    struct generation generation; /* the newest durable one at the panic; 0: none */
    struct generation resumed;    /* that boot went on from it; 0: from none */
    uint64_t wall_time_ns;
    uint64_t boot_ns; /* how long that boot had lasted */
    uint32_t boots;   /* since the panic */
    uint32_t program; /* whose task was on the processor; 0: none's */
    uint32_t parent;  /* of that program; 0: none */
    char name[STORE_NOTE_NAME_BYTES];
    char text[STORE_NOTE_TEXT_BYTES];
};

/*
 * The note of an image. May sleep.
 * - ERROR_NOT_FOUND: there is none. ERROR_FORMAT_DAMAGED: none, nor is the block a whole second label: a write was
 *   torn,
 *   and store_note_write() makes it whole. ERROR_IO, ERROR_NO_MEMORY.
 */
MUST_CHECK enum error store_note_read(struct store *store, struct store_note *out);

/*
 * Write the note, or none, and flush. May sleep.
 * - note: its strings end with a zero byte; NULL: the block becomes the second label and nothing else.
 * - ERROR_FORMAT_DAMAGED: the first label does not prove itself (NOTE-1); ERROR_READ_ONLY: store_use() has not been
 *   called, or the store is only read. ERROR_IO, ERROR_NO_MEMORY.
 */
MUST_CHECK enum error store_note_write(struct store *store, const struct store_note *note);

/*
 * Prepare the block for a panic: the label as it is now, without a note.
 * - block: one page. May sleep. Errors as store_note_write().
 */
MUST_CHECK enum error store_note_prepare(struct store *store, void *block);

/*
 * Fill a note into a prepared block. Never sleeps, allocates nothing; for the panic path.
 * - ERROR_FORMAT_DAMAGED: the block is not what was prepared; it must not be written.
 */
MUST_CHECK enum error store_note_fill(void *block, const struct store_note *note);

/* Where the block belongs: the only one that a panic may write. */
struct block store_note_place(void);

#endif
