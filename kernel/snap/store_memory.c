/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the store: pages and lists of runs.
 */
#include "store_memory.h"
#include "atomic.h"

#include "arch/frame.h"

#include <string.h>

enum error store_page_new(void **out)
{
    DOES_NOT_SLEEP();
    struct frame frame;
    enum error error = frame_allocate(FRAME_STORE, &frame);
    if (error != OK) {
        return error;
    }
    *out = frame_address(frame);
    memset(*out, 0, PAGE_SIZE);
    return OK;
}

void store_page_free(void *page)
{
    if (page != NULL) {
        frame_free(frame_containing(page));
    }
}

#define RUNS_PER_PAGE 255u

struct run_page {
    struct run_page *next;
    uint32_t count;
    struct run runs[RUNS_PER_PAGE];
};

_Static_assert(sizeof(struct run_page) <= PAGE_SIZE, "run page");

static bool join(struct run_page *page, uint32_t first, uint32_t count, uint64_t tag)
{
    if (page == NULL || page->count == 0) {
        return false;
    }
    struct run *last = &page->runs[page->count - 1];
    if (last->tag != tag || last->first + last->count != first) {
        return false;
    }
    last->count += count;
    return true;
}

enum error store_run_list_reserve(struct run_list *list, uint32_t count)
{
    if (list->last != NULL && list->last->count + count <= RUNS_PER_PAGE) {
        return OK;
    }
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    if (list->last == NULL) {
        list->first = page;
    } else {
        list->last->next = page;
    }
    list->last = page;
    return OK;
}

enum error store_run_list_append(struct run_list *list, uint32_t first, uint32_t count, uint64_t tag)
{
    if (!join(list->last, first, count, tag)) {
        enum error error = store_run_list_reserve(list, 1);
        if (error != OK) {
            return error;
        }
        list->last->runs[list->last->count++] = (struct run){first, count, tag};
    }
    list->blocks += count;
    return OK;
}

bool store_run_list_next(const struct run_list *list, struct run_cursor *cursor, struct run *out)
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
    *out = cursor->page->runs[cursor->index++];
    return true;
}

void store_run_list_join(struct run_list *into, struct run_list *from)
{
    if (into->last == NULL) {
        into->first = from->first;
    } else {
        into->last->next = from->first;
    }
    into->last = from->last == NULL ? into->last : from->last;
    into->blocks += from->blocks;
    *from = (struct run_list){0};
}

void store_run_list_clear(struct run_list *list)
{
    struct run_page *page = list->first;
    while (page != NULL) {
        struct run_page *next = page->next;
        store_page_free(page);
        page = next;
    }
    *list = (struct run_list){0};
}
