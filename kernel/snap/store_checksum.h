/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums of everything on the disk (XXH3, 64 bits), each bound to what it belongs to.
 */
#ifndef STORE_CHECKSUM_H
#define STORE_CHECKSUM_H

#include "types.h"

/* Of a page's content: bound to the space, the whole key and the generation it was written in. */
uint64_t store_checksum_page(const uint64_t space_id[2], uint64_t key, uint64_t generation, const void *content);

/* Of a block of metadata that its parent names: bound to the space, the block and the generation it was written in. */
uint64_t store_checksum_block(const uint64_t space_id[2], uint32_t block, uint64_t generation, const void *content);

/* Of the note of a panic, but for its last field: bound to the space and the generation that it is about. */
struct disk_note;
uint64_t store_checksum_note(const uint64_t space_id[2], uint64_t generation, const struct disk_note *note);

/* Of a label or root: its first 4088 bytes, bound to the block it is written to. */
uint64_t store_checksum_self(uint32_t block, const void *content);

#endif
