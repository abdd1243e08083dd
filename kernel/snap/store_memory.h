/*
 * Memory of the store: whole frames of the machine, and lists of extents made of them. There is no heap.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "error.h"
#include "store.h"
#include "types.h"

/* A zeroed page of memory. ERROR_NO_MEMORY. Does not sleep. */
MUST_CHECK enum error memory_page_new(void **out);

/* Give it back; NULL is allowed. */
void memory_page_free(void *page);

/* Extents in the order they were appended; adjacent ones are joined. A zeroed list is empty. */
struct extent_list {
    struct extent_page *first, *last;
    uint32_t blocks; /* sum of all counts */
};

/* ERROR_NO_MEMORY: the list is unchanged. */
MUST_CHECK enum error extent_list_append(struct extent_list *list, struct extent extent);

/* Walk: start with a zeroed cursor; false at the end. The list may grow meanwhile. */
struct extent_cursor {
    struct extent_page *page;
    uint32_t index;
    bool started;
};
bool extent_list_next(const struct extent_list *list, struct extent_cursor *cursor, struct extent *out);

/* Append all of `from`, which becomes empty. Cannot fail. */
void extent_list_join(struct extent_list *into, struct extent_list *from);

void extent_list_clear(struct extent_list *list);

#endif
