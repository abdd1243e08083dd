/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `cat`: bytes of a program's memory, as they are.
 */
#include "image_records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE (64u * PAGE_SIZE)

/* A number in C's notation, at most `max`. */
static bool number_parse(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == 0 && text[0] != '-' && *out <= max;
}

/* How far the program's regions reach from an address on without a hole. */
struct reach {
    uint64_t end;
};

static enum error extend(const struct vm_region *region, void *context)
{
    struct reach *reach = context;
    uint64_t first = (uint64_t)region->first_page << PAGE_SHIFT;
    uint64_t end = first + ((uint64_t)region->page_count << PAGE_SHIFT);

    if (first <= reach->end && end > reach->end) {
        reach->end = end;
    }
    return OK;
}

/* Whether a program has the whole range. Returns an exit status. */
static int range_check(const struct image *image, uint32_t index, const struct space_record *space, uint64_t address,
                       uint64_t length)
{
    struct reach reach = {.end = address};
    uint64_t end = address + length < USER_END ? address + length : USER_END;
    enum error error = regions_walk(image, space, extend, &reach);

    if (error != OK) {
        complain("%s: the regions of program %u: %s", image->path, index, error_text(error));
        return STATUS_FOUND;
    }
    if (reach.end < end) {
        complain("%s: program %u has nothing at 0x%08x; image picture shows what it has", image->path, index,
                 (uint32_t)reach.end);
        return STATUS_NOT_RUN;
    }
    return STATUS_SOUND;
}

static int copy_out(const struct image *image, uint32_t index, const struct space_record *space, uint32_t address,
                    uint64_t length)
{
    static uint8_t piece[PIECE];
    while (length > 0) {
        uint32_t part = length < PIECE ? (uint32_t)length : PIECE;
        enum error error = image_program_read(image, space, address, part, piece);
        if (error != OK) {
            complain("%s: program %u at 0x%08x: %s", image->path, index, address, error_text(error));
            return STATUS_FOUND;
        }
        if (fwrite(piece, 1, part, stdout) != part) {
            complain("standard output: %s", strerror(errno));
            return STATUS_NOT_RUN;
        }
        address += part;
        length -= part;
    }
    if (fflush(stdout) != 0) {
        complain("standard output: %s", strerror(errno));
        return STATUS_NOT_RUN;
    }
    return STATUS_SOUND;
}

int command_cat(int argc, char **argv)
{
    struct image image;
    uint64_t address, length;
    if (argc != 5 && argc != 6) {
        complain("usage: cat FILE PROGRAM ADDRESS LENGTH [GENERATION]");
        return STATUS_NOT_RUN;
    }
    if (!number_parse(argv[3], UINT32_MAX, &address) || !number_parse(argv[4], UINT32_MAX, &length) ||
        address + length > KERNEL_START) {
        complain("%s %s: not an address and a length below 0x%08x", argv[3], argv[4], KERNEL_START);
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_READ, argc == 6 ? argv[5] : NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    uint32_t index;
    struct program_record program;
    struct space_record space;
    status = records_check(&image);
    status = status == STATUS_SOUND ? program_named(&image, argv[2], &index, &program, &space) : status;
    status = status == STATUS_SOUND ? range_check(&image, index, &space, address, length) : status;
    status = status == STATUS_SOUND ? copy_out(&image, index, &space, (uint32_t)address, length) : status;
    int closed = image_close(&image);
    return status != STATUS_SOUND ? status : closed;
}
