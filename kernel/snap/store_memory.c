/*
 * Memory of the store: pages and extent lists.
 */
#include "store_memory.h"

#include "arch/frame.h"

#include <string.h>

enum error memory_page_new(void **out)
{
    struct frame frame;
    enum error error = frame_allocate(FRAME_STORE, &frame);
    if (error != OK) {
        return error;
    }
    *out = frame_address(frame);
    memset(*out, 0, PAGE_SIZE);
    return OK;
}

void memory_page_free(void *page)
{
    if (page != NULL) {
        frame_free(frame_containing(page));
    }
}

#define EXTENTS_PER_PAGE ((PAGE_SIZE - 2 * sizeof(void *)) / sizeof(struct extent))

struct extent_page {
    struct extent_page *next;
    uint32_t count;
    struct extent extents[EXTENTS_PER_PAGE];
};

_Static_assert(sizeof(struct extent_page) <= PAGE_SIZE, "extent page");

static bool join(struct extent_page *page, struct extent extent)
{
    if (page == NULL || page->count == 0) {
        return false;
    }
    struct extent *last = &page->extents[page->count - 1];
    if (last->first.number + last->count != extent.first.number) {
        return false;
    }
    last->count += extent.count;
    return true;
}

enum error extent_list_append(struct extent_list *list, struct extent extent)
{
    if (!join(list->last, extent)) {
        if (list->last == NULL || list->last->count == EXTENTS_PER_PAGE) {
            void *page;
            enum error error = memory_page_new(&page);
            if (error != OK) {
                return error;
            }
            if (list->last == NULL) {
                list->first = page;
            } else {
                list->last->next = page;
            }
            list->last = page;
        }
        list->last->extents[list->last->count++] = extent;
    }
    list->blocks += extent.count;
    return OK;
}

bool extent_list_next(const struct extent_list *list, struct extent_cursor *cursor, struct extent *out)
{
    if (!cursor->started) {
        cursor->started = true;
        cursor->page = list->first;
        cursor->index = 0;
    }
    while (cursor->page != NULL && cursor->index == cursor->page->count) {
        cursor->page = cursor->page->next;
        cursor->index = 0;
    }
    if (cursor->page == NULL) {
        return false;
    }
    *out = cursor->page->extents[cursor->index++];
    return true;
}

void extent_list_join(struct extent_list *into, struct extent_list *from)
{
    if (into->last == NULL) {
        into->first = from->first;
    } else {
        into->last->next = from->first;
    }
    into->last = from->last == NULL ? into->last : from->last;
    into->blocks += from->blocks;
    *from = (struct extent_list){0};
}

void extent_list_clear(struct extent_list *list)
{
    struct extent_page *page = list->first;
    while (page != NULL) {
        struct extent_page *next = page->next;
        memory_page_free(page);
        page = next;
    }
    *list = (struct extent_list){0};
}
