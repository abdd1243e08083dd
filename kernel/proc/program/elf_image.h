/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Program images: static i386 ELF files, judged before anything is done with them.
 *
 * Every number in the file is bounded here, by the file's length and by the addresses a program may have, so that
 * whoever loads by the resulting plan needs no further check. Portable; nothing is kept.
 */
#ifndef ELF_IMAGE_H
#define ELF_IMAGE_H

#include "error.h"
#include "types.h"

#define ELF_SEGMENTS_MAX 16u
#define ELF_HEADER_BYTES 32u         /* of one program header */
#define ELF_BIAS         0x56555000u /* where an image that may lie anywhere is put */
#define ELF_INTERPRETER  128u        /* bytes of the name of one, with its end */
#define ELF_IMAGE_END    0xBF000000u /* no image reaches above: the stack lies there */

/* A piece of the file, and zeroes behind it. Protection is VM_READ and so on of vm_region.h. */
struct elf_segment {
    uint32_t address, memory_bytes;
    uint32_t file_offset, file_bytes;
    uint8_t protection;
};

struct elf_plan {
    uint32_t entry;           /* first instruction */
    uint32_t headers_address; /* where the program headers are in memory; 0: nowhere */
    uint32_t header_count;
    uint32_t bias;                     /* what was added to the addresses in the file */
    uint32_t image_end;                /* first address behind the last segment */
    uint32_t interpreter_base;         /* where that has been put; 0: nowhere */
    char interpreter[ELF_INTERPRETER]; /* path of the file that begins in its place, with it in memory; "": none */
    uint32_t segment_count;
    struct elf_segment segments[ELF_SEGMENTS_MAX]; /* ascending; two may share a page, but no byte */
};

/* Where the bytes of a file are had from. */
struct elf_file {
    uint32_t size;
    /* [offset, offset + length) lies within it. */
    enum error (*read)(const struct elf_file *file, uint32_t offset, void *to, uint32_t length);
    const void *context; /* of whoever reads */
};
struct elf_file elf_file_of_bytes(const void *bytes, uint32_t size);

/*
 * Judge a file and say how it is to be loaded. Sleeps if reading does.
 * - complaint: why not, for people, after ERROR_INVALID; else NULL. Errors of reading.
 */
MUST_CHECK enum error elf_examine(const struct elf_file *file, struct elf_plan *out, const char **complaint);

/* The same plan at other addresses, for a file that may lie anywhere (bias is not 0). */
void elf_move(struct elf_plan *plan, uint32_t bias);

#endif
