/*
 * The store as the pager of the object space: what a page holds when it is not in memory.
 */
#include "snap_pager.h"
#include "snap.h"
#include "store.h"
#include <string.h>

static struct store *backing;

static enum error read_page(struct gpn page, void *content)
{
    struct store_entry entry;
    enum error error = store_find(backing, page, &entry);

    if (error == ERROR_NOT_FOUND || (error == OK && block_is_none(entry.block))) {
        memset(content, 0, PAGE_SIZE);
        return OK;
    }
    return error == OK ? store_read(backing, page, &entry, content) : error;
}

static enum error discard_pages(struct gpn first, uint32_t count)
{
    return store_delete(backing, first, count);
}

static const struct vm_pager store_pager = {.read = read_page, .discard = discard_pages, .clean = snap_sync};

const struct vm_pager *snap_pager(struct store *store)
{
    backing = store;
    return &store_pager;
}
