/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between record.c, which knows where records are, and record_pages.c, which has their pages brought in and taken out.
 * Pages are counted from the beginning of a table.
 */
#ifndef RECORD_INTERNAL_H
#define RECORD_INTERNAL_H

#include "record.h"

/* Pages of the first `count` records; and a page of a table, as one of the object space. */
uint32_t record_pages_for(const struct record_layout *layout, uint32_t count);
struct page_key record_page(const struct record_layout *layout, uint32_t index);

/* Whether units of a table come and go wherever they are; pages of one unit. */
bool record_has_holes(enum record_type type);
uint32_t record_unit_pages(enum record_type type);

/* Records of one unit; and whether all those of the one that begins at `index` are free. */
uint32_t record_unit_size(enum record_type type);
bool record_unit_is_free(enum record_type type, uint32_t index);

bool record_page_is_present(enum record_type type, uint32_t page);
bool record_page_is_moving(enum record_type type, uint32_t page);

/* The page behind the last one that is present. */
uint32_t record_end_page(enum record_type type);

/* Changes what a unit is; its first page stands for it. */
void record_set_unit(enum record_type type, uint32_t page, bool is_here, bool is_moving);

/*
 * The first page at or behind *page of a unit whose records may all be free, because one was freed since
 * record_is_in_use(). False: there is none.
 */
bool record_next_loosened(enum record_type type, uint32_t *page);
void record_is_in_use(enum record_type type, uint32_t page);

/* The first index of a table that a record may have, and one that no free record is below. */
uint32_t record_first_index(enum record_type type);
uint32_t record_first_free(enum record_type type);

#endif
