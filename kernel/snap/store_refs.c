/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of references: pages of memory, filled from either end.
 */
#include "store_refs.h"
#include "log.h"
#include "store_memory.h"

#define REFS_PER_PAGE 127u

struct ref_page {
    struct ref_page *next;
    uint32_t first, end; /* refs[first .. end) are there */
    struct disk_record_ref refs[REFS_PER_PAGE];
};

_Static_assert(sizeof(struct ref_page) <= PAGE_SIZE, "reference page");

static enum error page_new(uint32_t at, struct ref_page **out)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error == OK) {
        *out = page;
        (*out)->first = (*out)->end = at;
    }
    return error;
}

enum error store_ref_list_reserve(struct ref_list *list)
{
    if (list->last != NULL && list->last->end < REFS_PER_PAGE) {
        return OK;
    }
    struct ref_page *page;
    enum error error = page_new(0, &page);
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

enum error store_ref_list_append(struct ref_list *list, const struct disk_record_ref *ref)
{
    enum error error = store_ref_list_reserve(list);
    if (error == OK) {
        list->last->refs[list->last->end++] = *ref;
        list->count++;
    }
    return error;
}

enum error store_ref_list_prepend(struct ref_list *list, const struct disk_record_ref *ref)
{
    if (list->first == NULL || list->first->first == 0) {
        struct ref_page *page;
        enum error error = page_new(REFS_PER_PAGE, &page);
        if (error != OK) {
            return error;
        }
        page->next = list->first;
        list->first = page;
        list->last = list->last == NULL ? page : list->last;
    }
    list->first->refs[--list->first->first] = *ref;
    list->count++;
    return OK;
}

const struct disk_record_ref *store_ref_list_next(const struct ref_list *list, struct ref_cursor *cursor)
{
    if (!cursor->started) {
        cursor->started = true;
        cursor->page = list->first;
        cursor->index = list->first == NULL ? 0 : list->first->first;
    }
    while (cursor->page != NULL && cursor->index == cursor->page->end) {
        cursor->page = cursor->page->next;
        cursor->index = cursor->page == NULL ? 0 : cursor->page->first;
    }
    return cursor->page == NULL ? NULL : &cursor->page->refs[cursor->index++];
}

void store_ref_list_drop(struct ref_list *list, uint64_t generation)
{
    while (list->first != NULL) {
        struct ref_page *page = list->first;
        while (page->first < page->end && page->refs[page->first].generation <= generation) {
            page->first++;
            list->count--;
        }
        if (page->first < page->end) {
            return;
        }
        list->first = page->next;
        store_page_free(page);
    }
    list->last = NULL;
}

void store_ref_list_clear(struct ref_list *list)
{
    store_ref_list_drop(list, UINT64_MAX);
    ASSERT(list->count == 0);
}
