/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store as the pager of the object space: what pages hold that are not in memory.
 *
 * Pages that were written together lie together, so neighbours in the space are often neighbours on the disk; those are
 * read with one request.
 */
#include "atomic.h"
#include "snap_pager.h"
#include "snap.h"
#include "snap_page_out.h"
#include "store.h"
#include "store_suspect.h"
#include <string.h>

static struct store *backing;

static bool find_block(struct page_key page, struct store_entry *out)
{
    return store_find(backing, page, out) == OK && !block_is_none(out->block);
}

/* How many of the pages at page + step, page + 2 * step ... have blocks that follow in the same direction. */
static uint32_t count_followers(struct page_key page, struct block block, int32_t step, uint32_t count_max)
{
    uint32_t count = 0;
    struct store_entry entry;

    while (count < count_max) {
        int64_t distance = step * (int64_t)(count + 1);
        if (!find_block((struct page_key){page.number + (uint64_t)distance}, &entry) ||
            entry.block.number != block.number + (uint32_t)distance) {
            break;
        }
        count++;
    }
    return count;
}

static enum error measure(struct page_key page, uint32_t before_max, uint32_t after_max, struct vm_cluster_extent *out)
{
    struct store_entry entry;
    enum error error = store_find(backing, page, &entry);

    if (error == ERROR_NOT_FOUND || (error == OK && block_is_none(entry.block))) {
        *out = (struct vm_cluster_extent){.is_zero = true, .is_absent = error == ERROR_NOT_FOUND};
        return OK;
    }
    if (error == OK) {
        *out = (struct vm_cluster_extent){
            .before = count_followers(page, entry.block, -1, before_max),
            .after = count_followers(page, entry.block, 1, after_max),
        };
    }
    return error;
}

/* Read the blocks that follow each other from the first page's on, and judge each page by its own checksum. */
static void read_cluster(struct page_key first, uint32_t count, void *const contents[], bool out_good[])
{
    struct store_entry entries[VM_CLUSTER_PAGES];
    uint32_t run = 0;

    for (uint32_t i = 0; i < count; i++) {
        bool found = find_block((struct page_key){first.number + i}, &entries[i]);
        out_good[i] = found && run == i && entries[i].block.number == entries[0].block.number + i;
        run += out_good[i] ? 1 : 0;
    }
    if (run == 0) {
        return;
    }
    bool arrived = store_read_blocks(backing, entries[0].block, run, contents) == OK;
    for (uint32_t i = 0; i < run; i++) {
        struct page_key key = (struct page_key){first.number + i};
        out_good[i] =
            arrived && store_checksum(backing, key, entries[i].generation, contents[i]) == entries[i].checksum;
    }
}

static enum error read_one(struct page_key page, void *content)
{
    struct store_entry entry;
    enum error error = store_find(backing, page, &entry);

    if (error == ERROR_NOT_FOUND || (error == OK && block_is_none(entry.block))) {
        memset(content, 0, PAGE_SIZE);
        return OK;
    }
    return error == OK ? store_read(backing, page, &entry, content) : error;
}

static enum error discard_pages(struct page_key first, uint32_t count)
{
    return store_delete(backing, first, count);
}

static enum error page_out(struct vm_page *const pages[], uint32_t count)
{
    return snap_page_out(backing, pages, count);
}

enum error snap_pager_next(struct page_key from, struct page_key *out)
{
    thread_may_sleep();
    struct store_entry entry;

    return store_next(backing, from, out, &entry);
}

static const struct vm_pager store_pager = {.measure = measure,
                                            .read = read_cluster,
                                            .read_one = read_one,
                                            .discard = discard_pages,
                                            .next = snap_pager_next,
                                            .page_out = page_out,
                                            .clean = snap_sync};

const struct vm_pager *snap_pager(struct store *store)
{
    backing = store;
    return &store_pager;
}
