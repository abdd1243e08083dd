/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's persistent records, and the memory of programs, as a generation in an image has them.
 *
 * Everything here comes from a file, so indices and sizes are checked before they are used. Nothing is cached beyond
 * one page: what is asked for is read and proved.
 */
#ifndef IMAGE_RECORDS_H
#define IMAGE_RECORDS_H

#include "image_tool.h"
#include "record.h"

/*
 * Whether the generation was written with the records this tool was built with.
 * - returns STATUS_SOUND, or another after a message.
 */
int records_check(const struct image *image);

/* The same without a message. */
bool records_are_known(const struct image *image);

/* The space that a program's record names; no regions and no memory: it names none. Errors as image_record_read(). */
MUST_CHECK enum error image_space_read(const struct image *image, struct address_space number,
                                       struct space_record *out);

/* What a memory is a copy of; 0: nothing. ERROR_FORMAT_DAMAGED, and those of image_page_find(). */
MUST_CHECK enum error image_memory_source(const struct image *image, struct space_id window, struct space_id *out);

/* How many sources there are above a memory. ERROR_FORMAT_DAMAGED: they do not end; and those of image_page_find(). */
MUST_CHECK enum error image_memory_depth(const struct image *image, struct space_id window, uint32_t *out);

/*
 * Where the content of a page of a space is: in the space's memory, or in the one that is a copy of.
 * - page: of the space's memory; becomes the page that has it, which is what its checksum is bound
 * to.
 * - ERROR_NOT_FOUND: nowhere, it is zeroes. ERROR_FORMAT_DAMAGED: the records make no sense. ERROR_CHECKSUM, ERROR_IO.
 */
MUST_CHECK enum error image_page_find(const struct image *image, const struct space_record *space,
                                      struct page_key *page, struct store_entry *entry);

/*
 * Copy bytes of a space, as its program sees it; pages without content are zeroes.
 * - ERROR_RANGE: beyond the window; and those of image_page_find().
 */
MUST_CHECK enum error image_program_read(const struct image *image, const struct space_record *space, uint32_t address,
                                         uint32_t length, void *out);

/* Read one record. ERROR_RANGE: no such index; and those of image_page_find(). */
MUST_CHECK enum error image_record_read(const struct image *image, enum record_type type, uint32_t index, void *out);

/*
 * The regions of a space, in order of address.
 * - visit: returns OK to go on. ERROR_FORMAT_DAMAGED: the tree makes no sense; else what visit or reading returned.
 */
typedef enum error region_visit(const struct vm_region *region, void *context);
MUST_CHECK enum error regions_walk(const struct image *image, const struct space_record *space, region_visit *visit,
                                   void *context);

/* A program, and the space that it runs in: its own, or its lender's. Errors as image_record_read(). */
MUST_CHECK enum error program_find(const struct image *image, uint32_t index, struct program_record *out,
                                   struct space_record *out_space);

/*
 * The program that the command line names by its number, and its space.
 * - returns STATUS_SOUND, or another after a message.
 */
int program_named(const struct image *image, const char *text, uint32_t *out_index, struct program_record *out,
                  struct space_record *out_space);

#endif
