/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of references to commit records, oldest first.
 */
#ifndef STORE_REFS_H
#define STORE_REFS_H

#include "disk_format.h"
#include "error.h"

/* A zeroed list is empty. */
struct ref_list {
    struct ref_page *first, *last;
    uint32_t count;
};

/* ERROR_NO_MEMORY: the list is unchanged. */
MUST_CHECK enum error store_ref_list_append(struct ref_list *list, const struct disk_record_ref *ref);

/* Put a reference before all others. ERROR_NO_MEMORY: the list is unchanged. */
MUST_CHECK enum error store_ref_list_prepend(struct ref_list *list, const struct disk_record_ref *ref);

/* Make sure that one reference can be appended without fail. ERROR_NO_MEMORY. */
MUST_CHECK enum error store_ref_list_reserve(struct ref_list *list);

/* Walk: start with a zeroed cursor; NULL at the end. */
struct ref_cursor {
    struct ref_page *page;
    uint32_t index;
    bool started;
};
const struct disk_record_ref *store_ref_list_next(const struct ref_list *list, struct ref_cursor *cursor);

/* Remove the references at the front whose generation is at most `generation`. */
void store_ref_list_drop(struct ref_list *list, uint64_t generation);

void store_ref_list_clear(struct ref_list *list);

#endif
