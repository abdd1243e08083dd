/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Differences of two generations as programs see them.
 */
#ifndef IMAGE_DIFF_H
#define IMAGE_DIFF_H

#include "image_symbols.h"
#include "image_tool.h"

/* Pages of which the maps of two generations say different things, in order of keys. */
struct page_list {
    struct page_key *keys;
    size_t count, room;
};

/*
 * Tell of each program what differs in its memory: by regions, and by symbols.
 * - program: its number; NULL: of all.
 * - symbols: of that program; NULL: none are known.
 * - differs: whether anything does.
 * - returns STATUS_SOUND, or another after a message.
 */
int diff_programs(const struct image *from, const struct image *to, const struct page_list *pages, const char *program,
                  const struct symbols *symbols, bool *differs);

#endif
