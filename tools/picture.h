/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the picture of an image: its disk, block by block, and the windows of its programs. Each part is asked
 * how high it will be, and then drawn from a place downwards.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include "image_records.h"
#include "store_check.h"

#include <stdio.h>

#define PICTURE_PROGRAMS_MAX 64u /* programs whose windows are drawn; of more it is said how many are left out */

struct picture_program {
    uint32_t index;
    struct program_record record;
    struct space_record space;
};

/* What a block is. */
enum picture_block {
    PICTURE_FREE,
    PICTURE_ROOT,    /* label and roots */
    PICTURE_RECORD,  /* of a commit */
    PICTURE_MAP,     /* where pages are */
    PICTURE_FREEMAP, /* what is free */
    PICTURE_CONTENT, /* a page as this generation has it; whose it is stands beside it */
    PICTURE_OTHERS,  /* the same, of a program that is not drawn */
    PICTURE_HISTORY, /* a page that only other generations have */
    PICTURE_RETIRED,
    PICTURE_BLOCKS
};

struct picture {
    struct image image;
    const char *path;
    uint32_t block_count;
    uint32_t block_end; /* behind the last block that is in use: what is drawn; never 0 */
    uint16_t
        *blocks; /* kind << 12 | program of PICTURE_CONTENT; 0: programs share it, SVG_KERNEL: the kernel's records */
    uint32_t program_count, programs_left_out;
    struct picture_program programs[PICTURE_PROGRAMS_MAX];
};

#define PICTURE_BLOCK(kind, program) ((uint16_t)((uint32_t)(kind) << 12 | (program)))

static inline enum picture_block picture_kind_of(uint16_t block)
{
    return (enum picture_block)(block >> 12);
}

static inline uint32_t picture_program_of(uint16_t block)
{
    return block & 0xFFFu;
}

/* Find out which programs see which objects; and say of one what it is called and who sees it beside `program`. */
void picture_note_viewers(const struct picture *picture);
void picture_object_text(const struct picture *picture, struct object_id object, uint32_t program, char *out,
                         size_t bytes);

uint32_t picture_disk_height(const struct picture *picture);
void picture_disk_draw(const struct picture *picture, FILE *file, uint32_t y);

uint32_t picture_window_height(const struct picture *picture, const struct picture_program *program);

/*
 * Where the image cannot be read the window ends with a line that says so.
 * - ERROR_CHECKSUM, ERROR_IO, ERROR_FORMAT_DAMAGED: of the program's regions or the map.
 */
MUST_CHECK enum error picture_window_draw(const struct picture *picture, const struct picture_program *program,
                                          FILE *file, uint32_t y);

#endif
