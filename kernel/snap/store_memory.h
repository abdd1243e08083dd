/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the store: whole frames of the machine, and lists of runs made of them. There is no heap.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "error.h"
#include "types.h"

/* A zeroed page of memory. ERROR_NO_MEMORY. Does not sleep. */
MUST_CHECK enum error store_page_new(void **out);

/* Give it back; NULL is allowed. */
void store_page_free(void *page);

/*
 * Runs of blocks in the order they were appended, each with a tag (a generation, or 0); neighbours with the same tag
 * are joined. A zeroed list is empty.
 */
struct run {
    uint32_t first;
    uint32_t count;
    uint64_t tag;
};

struct run_list {
    struct run_page *first, *last;
    uint32_t blocks; /* sum of all counts */
};

/* ERROR_NO_MEMORY: the list is unchanged. */
MUST_CHECK enum error store_run_list_append(struct run_list *list, uint32_t first, uint32_t count, uint64_t tag);

/* Make sure that `count` runs, at most a few, can be appended without fail. ERROR_NO_MEMORY. */
MUST_CHECK enum error store_run_list_reserve(struct run_list *list, uint32_t count);

/* Walk: start with a zeroed cursor; false at the end. The list may grow meanwhile. */
struct run_cursor {
    const struct run_page *page;
    uint32_t index;
    bool started;
};
bool store_run_list_next(const struct run_list *list, struct run_cursor *cursor, struct run *out);

/* Append all of `from`, which becomes empty. Cannot fail. */
void store_run_list_join(struct run_list *into, struct run_list *from);

void store_run_list_clear(struct run_list *list);

#endif
