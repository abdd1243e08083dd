/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write phase: listed pages go to fresh blocks in batches (place.c). While one batch is on its way to the disk, the
 * next is made ready, so that checksums and the disk take their time side by side.
 *
 * What is written is stable: a page's frame that nobody can write to (a fault swaps it for a copy and leaves it to us),
 * or the copy. A page of zeroes takes no block. A page becomes writable again, with its D bit clear, as soon as its
 * content is on its way out of the lists; in between snapshots the hardware alone notes what is written.
 *
 * So a page's content is in the generation being written, or in a copy that is, before the page changes (SNAP-2).
 */
#include "snap_write.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "log.h"
#include "place.h"
#include "store.h"
#include "thread.h"
#include "vm_account.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_snapshot.h"
#include "zero.h"
#include <string.h>

#define BATCH_PAGES PLACE_PAGES_MAX
#define BATCHES     4u /* on their way at a time */
#define NO_CONTENT  UINT32_MAX

struct batch {
    uint32_t count; /* pages begun */
    struct vm_page *pages[BATCH_PAGES];
    struct store_entry entries[BATCH_PAGES];
    uint32_t places[BATCH_PAGES]; /* index in the placement; NO_CONTENT: a page of zeroes */
    struct placement placement;
};

/* The snapshot thread's own; too large for its stack. */
static struct batch batches[BATCHES];

static void add_page(struct store *store, struct batch *batch, struct vm_page *page, void *content)
{
    struct store_entry *entry = &batch->entries[batch->count];

    entry->generation = store_sealed_generation(store);
    entry->checksum = store_checksum(store, vm_page_key(page), entry->generation, content);
    entry->block = BLOCK_NONE;
    batch->pages[batch->count] = page;
    batch->places[batch->count] = NO_CONTENT;
    if (!memory_is_zero(content, PAGE_SIZE)) {
        batch->places[batch->count] = batch->placement.count;
        batch->placement.contents[batch->placement.count++] = content;
    }
    batch->count++;
}

/* Take up to BATCH_PAGES pages from the list, but for those that others have locked. Programs get their turns. */
static void collect(struct store *store, struct vm_map *map, struct batch *batch)
{
    uint32_t room = vm_snapshot_count(map);
    struct vm_page *page;

    batch->count = 0;
    batch->placement.count = 0;
    for (uint32_t tried = 0; tried < room && batch->count < BATCH_PAGES; tried++) {
        if ((page = vm_snapshot_first(map)) == NULL) {
            return;
        }
        if (!vm_page_try_lock(page)) {
            vm_snapshot_defer(map, page);
            continue;
        }
        struct frame frame = vm_snapshot_begin_write(map, page);
        vm_page_unlock(page);
        add_page(store, batch, page, frame_address(frame));
        if (thread_should_yield()) {
            thread_yield();
        }
    }
}

/* A record that no longer holds anything, because its page was discarded while the snapshot still owed it. */
static void drop_record(struct vm_map *map, struct vm_page *page)
{
    if (page->state == VM_PAGE_NEW) {
        enum error error = vm_map_delete(map, vm_page_key(page));
        ASSERT(error == OK || error == ERROR_BUSY);
    }
}

/*
 * The page is out of the snapshot's hands: writable again with D clear. If a copy was written, the page itself is
 * another one by now, and what its D bit says has happened after the stop.
 */
static void finish_page(struct vm_map *map, struct vm_page *page)
{
    vm_page_lock(page);
    struct frame copy = vm_snapshot_end_write(map, page);
    if (!frame_is_none(copy)) {
        frame_free(copy);
    } else {
        vm_views_clean(page);
    }
    vm_page_unlock(page);
    drop_record(map, page);
}

static void fail_pages(struct vm_map *map, const struct batch *batch, uint32_t from)
{
    for (uint32_t i = from; i < batch->count; i++) {
        vm_page_lock(batch->pages[i]);
        vm_snapshot_fail_write(map, batch->pages[i]);
        vm_page_unlock(batch->pages[i]);
    }
}

/* Pages from this one on could not be put: what was written of them is of no use to anyone. */
static void give_up_pages(struct store *store, struct vm_map *map, const struct batch *batch, uint32_t from)
{
    for (uint32_t i = from; i < batch->count; i++) {
        if (!block_is_none(batch->entries[i].block)) {
            store_release(store, (struct extent){batch->entries[i].block, 1});
        }
    }
    fail_pages(map, batch, from);
}

static enum error put_pages(struct store *store, struct vm_map *map, struct batch *batch,
                            struct snap_write_totals *totals)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t place = batch->places[i];
        batch->entries[i].block = place == NO_CONTENT ? BLOCK_NONE : batch->placement.blocks[place];
    }
    for (uint32_t i = 0; i < batch->count; i++) {
        enum error error = store_snapshot_put(store, vm_page_key(batch->pages[i]), &batch->entries[i]);
        if (error != OK) {
            give_up_pages(store, map, batch, i);
            return error;
        }
        vm_account_count(vm_page_window(batch->pages[i]), EIDOLON_PAGES_WRITTEN);
        finish_page(map, batch->pages[i]);
    }
    totals->pages += batch->count;
    totals->bytes += (uint64_t)batch->placement.count * PAGE_SIZE;
    return OK;
}

static enum error begin_batch(struct store *store, struct vm_map *map, struct batch *batch)
{
    collect(store, map, batch);
    enum error error = snap_place_begin(store, &batch->placement);
    if (error != OK) {
        fail_pages(map, batch, 0);
        batch->count = 0;
    }
    return error;
}

static enum error end_batch(struct store *store, struct vm_map *map, struct batch *batch,
                            struct snap_write_totals *totals)
{
    enum error error = snap_place_end(store, &batch->placement);
    if (error != OK) {
        fail_pages(map, batch, 0);
        return error;
    }
    return put_pages(store, map, batch, totals);
}

/* All pages that are left are locked, by faults that sleep: wait for one of them. */
static void wait_for_page(struct vm_map *map)
{
    struct vm_page *page = vm_snapshot_first(map);

    if (page != NULL) {
        vm_page_lock(page);
        vm_page_unlock(page);
        drop_record(map, page); /* it may have been paged out */
    }
}

enum error snap_write_pages(struct store *store, struct snap_write_totals *totals)
{
    struct vm_map *map = vm_object_space();
    uint32_t begun = 0, ended = 0; /* batches; those in between are on their way */
    enum error error = OK;

    *totals = (struct snap_write_totals){0};
    while (begun > ended || (error == OK && vm_snapshot_count(map) > 0)) {
        bool begins = error == OK && begun - ended < BATCHES && vm_snapshot_count(map) > 0;
        if (begins) {
            error = begin_batch(store, map, &batches[begun % BATCHES]);
            begins = batches[begun % BATCHES].count > 0;
        }
        if (begins) {
            begun++;
        } else if (begun > ended) {
            enum error end_error = end_batch(store, map, &batches[ended++ % BATCHES], totals);
            if (error == OK) {
                error = end_error;
            }
            vm_snapshot_progressed();
        } else if (error == OK) {
            wait_for_page(map);
        }
        if (thread_should_yield()) {
            thread_yield();
        }
    }
    return error;
}

void snap_return_pages(void)
{
    thread_may_sleep();
    struct vm_map *map = vm_object_space();
    struct vm_page *page;

    while ((page = vm_snapshot_first(map)) != NULL) {
        vm_page_lock(page);
        /* A page-out that was under way at the stop may have been what the lock waited for. */
        struct frame copy = vm_snapshot_has(map, page) ? vm_snapshot_abort(map, page) : FRAME_NONE;
        vm_page_unlock(page);
        if (!frame_is_none(copy)) {
            frame_free(copy);
        }
        drop_record(map, page);
    }
    vm_snapshot_progressed();
}
