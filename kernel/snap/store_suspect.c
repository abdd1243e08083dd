/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the device may have forgotten.
 *
 * A device that was gone for a moment (a server that was restarted, a disk whose power failed) shows that in no other
 * way than by a request that fails, and has lost what was written and not flushed. The next flush succeeds all the
 * same. So after any failure, of whatever request, nothing that was not durable by then is believed: metadata is
 * written again from memory; page content, which need not be in memory any more, is read, proved and written again.
 *
 * A block that is bad fails in the same way and cannot be told from that for certain. What such a block costs is
 * bounded instead: a run of blocks that could not be read is not asked for again until a commit has succeeded, unless
 * there is nothing to commit or nobody wants a commit; and a block that cannot be written is retired (place.c). So
 * every bad block costs at most one repetition for each commit.
 *
 * That is how STORE-7 is kept.
 */
#include "store_suspect.h"
#include "atomic.h"
#include "log.h"
#include "store_checksum.h"
#include "store_internal.h"

struct unread {
    uint32_t count, next; /* `next`: to be replaced, once all are taken */
    struct extent runs[UNREAD_RUNS_MAX];
};

_Static_assert(sizeof(struct unread) <= PAGE_SIZE, "what is remembered is one page");

enum error store_unread_new(struct unread **out)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error == OK) {
        *out = page;
    }
    return error;
}

void store_unread_free(struct unread *unread)
{
    store_page_free(unread);
}

void store_unread_forget(struct store *store)
{
    store->unread->count = store->unread->next = 0;
}

void store_expect_commits(struct store *store, bool expected)
{
    DOES_NOT_SLEEP();
    store->expects_no_commits = !expected;
}

static void unread_add(struct unread *unread, struct block first, uint32_t count)
{
    unread->runs[unread->next] = (struct extent){first, count};
    unread->next = (unread->next + 1) % UNREAD_RUNS_MAX;
    unread->count += unread->count < UNREAD_RUNS_MAX;
}

/* Whether the blocks are, or have among them, a run that could not be read. */
static bool unread_has(const struct unread *unread, struct block first, uint32_t count)
{
    for (uint32_t i = 0; i < unread->count; i++) {
        const struct extent *run = &unread->runs[i];
        if (run->first.number >= first.number && run->first.number + run->count <= first.number + count) {
            return true;
        }
    }
    return false;
}

enum error store_read_blocks(struct store *store, struct block first, uint32_t count, void *const *pages)
{
    thread_may_sleep();
    if (!store->expects_no_commits && unread_has(store->unread, first, count)) {
        return ERROR_IO;
    }
    enum error error;
    if (count == 1) {
        error = block_read(store->device, first, pages[0]);
    } else {
        struct block_request request = {.operation = BLOCK_READ, .count = count, .first = first, .pages = pages};
        block_submit(store->device, &request);
        error = block_wait(store->device, &request);
    }
    if (error == ERROR_IO) {
        unread_add(store->unread, first, count);
    }
    return error;
}

static void suspect_all(struct store *store)
{
    store->suspect_until = store->open_generation;
}

/* Whether a request has failed since this was last asked. */
static bool has_failed(struct store *store)
{
    uint32_t failures = store->device->failures;
    bool failed = failures != store->failures_known;
    store->failures_known = failures;
    return failed;
}

void store_write_begin(struct store *store)
{
    if (has_failed(store)) {
        suspect_all(store);
    }
}

enum error store_flush(struct store *store)
{
    thread_may_sleep();
    enum error error = block_flush(store->device);
    bool failed = has_failed(store);
    if (error == OK && !failed) {
        return OK;
    }
    suspect_all(store);
    return error != OK ? error : ERROR_IO;
}

static enum error suspect_rewrite(struct store *store, const struct disk_map_entry *entry, void *page)
{
    struct block block = {entry->block};
    enum error error = block_read(store->device, block, page);
    if (error == OK && store_checksum_page(store->space_id, entry->key, entry->when, page) != entry->checksum) {
        error = ERROR_CHECKSUM;
    }
    return error == OK ? block_write(store->device, block, page) : error;
}

enum error store_suspects_rewrite(struct store *store, const struct layer *layer)
{
    thread_may_sleep();
    if (store->suspect_until == 0) {
        return OK;
    }
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    const struct index *pages = &layer->pages;
    for (const struct disk_map_entry *entry = store_index_next(pages, 0); entry != NULL && error == OK;
         entry = store_index_after(entry)) {
        if (entry->block != 0 && entry->when <= store->suspect_until) {
            error = suspect_rewrite(store, entry, page);
        }
    }
    store_page_free(page);
    return error;
}
