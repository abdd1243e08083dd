/*
 * The write phase: listed pages go to fresh blocks in batches, each batch in as few requests as the free space allows.
 *
 * What is written is stable: a page's frame that nobody can write to (a fault swaps it for a copy and leaves it to us),
 * or the copy. A page of zeroes takes no block. A page becomes writable again, with its D bit clear, as soon as its
 * content is on its way out of the lists; in between snapshots the hardware alone notes what is written.
 *
 *     SNAP-2  A page's content is in the generation being written, or in a copy that is, before the page changes.
 */
#include "snap_write.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "block_device.h"
#include "log.h"
#include "store.h"
#include "thread.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_snapshot.h"
#include <string.h>

#define BATCH_PAGES BLOCK_REQUEST_PAGES_MAX

struct batch {
    uint32_t count;  /* pages begun */
    uint32_t blocks; /* of them, those with a block: they come first in `content` */
    struct vm_page *pages[BATCH_PAGES];
    struct store_entry entries[BATCH_PAGES];
    void *content[BATCH_PAGES];
    struct extent extents[BATCH_PAGES];
    struct block_request requests[BATCH_PAGES];
    uint32_t extent_count;
};

/* The snapshot thread's own; too large for its stack. */
static struct batch batch;

static bool is_zero(const void *content)
{
    const uint32_t *words = content;

    for (uint32_t i = 0; i < PAGE_SIZE / sizeof(*words); i++) {
        if (words[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Take up to BATCH_PAGES pages from the list. Does not sleep. */
static void begin_batch(struct store *store, struct vm_map *map)
{
    uint32_t room = vm_snapshot_dirty_count(map);

    batch.count = 0;
    batch.blocks = 0;
    batch.extent_count = 0;
    for (uint32_t tried = 0; tried < room && batch.count < BATCH_PAGES; tried++) {
        struct vm_page *page = vm_snapshot_first_dirty(map);
        if (!vm_page_try_lock(page)) {
            vm_snapshot_defer(map, page);
            continue;
        }
        struct frame frame = vm_snapshot_begin_write(map, page);
        vm_snapshot_defer(map, page);
        vm_page_unlock(page);
        const void *content = frame_address(frame);
        struct store_entry *entry = &batch.entries[batch.count];
        entry->generation = store_sealed_generation(store);
        entry->checksum = store_checksum(store, page->gpn, entry->generation, content);
        entry->block = BLOCK_NONE;
        batch.pages[batch.count] = page;
        if (!is_zero(content)) {
            batch.content[batch.blocks++] = frame_address(frame);
            entry->block.number = batch.blocks; /* its place in `content`, one up, until blocks are known */
        }
        batch.count++;
    }
}

/* Blocks for the whole batch, in few runs. */
static enum error allocate_blocks(struct store *store)
{
    uint32_t have = 0;

    while (have < batch.blocks) {
        struct extent *extent = &batch.extents[batch.extent_count];
        enum error error = store_allocate(store, batch.blocks - have, extent);
        if (error != OK) {
            return error;
        }
        batch.extent_count++;
        have += extent->count;
    }
    return OK;
}

static void release_blocks(struct store *store)
{
    for (uint32_t i = 0; i < batch.extent_count; i++) {
        store_release(store, batch.extents[i]);
    }
}

/* All requests are in flight together; all are waited for, whatever becomes of one. */
static enum error write_blocks(struct store *store)
{
    struct block_device *device = store_device(store);
    enum error result = OK;
    uint32_t at = 0;

    for (uint32_t i = 0; i < batch.extent_count; i++) {
        batch.requests[i] = (struct block_request){
            .operation = BLOCK_WRITE,
            .first = batch.extents[i].first,
            .count = batch.extents[i].count,
            .pages = &batch.content[at],
        };
        at += batch.extents[i].count;
        block_submit(device, &batch.requests[i]);
    }
    for (uint32_t i = 0; i < batch.extent_count; i++) {
        enum error error = block_wait(device, &batch.requests[i]);
        if (error != OK) {
            result = error;
        }
    }
    return result;
}

static struct block block_at(uint32_t place)
{
    for (uint32_t i = 0; i < batch.extent_count; i++) {
        if (place < batch.extents[i].count) {
            return (struct block){batch.extents[i].first.number + place};
        }
        place -= batch.extents[i].count;
    }
    panic("snap", "expected a block for each page of a batch, saw none for one");
}

/* A record that holds nothing any more, because its page was discarded while the snapshot still owed it. */
static void drop_record(struct vm_map *map, struct vm_page *page)
{
    if (page->state == VM_PAGE_NEW) {
        enum error error = vm_map_delete(map, page->gpn);
        ASSERT(error == OK || error == ERROR_BUSY);
    }
}

/*
 * The page is out of the snapshot's hands: writable again with D clear. If a copy was written, the page itself is
 * another one by now, and what its D bit says has happened after the stop.
 */
static void finish_page(struct vm_map *map, struct vm_page *page, const struct store_entry *entry)
{
    vm_page_lock(page);
    struct frame copy = vm_snapshot_end_write(map, page, entry->block, entry->checksum, entry->generation);
    vm_snapshot_commit(map, page);
    if (!frame_is_none(copy)) {
        frame_free(copy);
    } else if (pmap_query(page->gpn, NULL)) {
        (void)pmap_clear_dirty(page->gpn);
        vm_allow_write(page);
    }
    vm_page_unlock(page);
    drop_record(map, page);
}

static void fail_pages(struct vm_map *map, uint32_t from)
{
    for (uint32_t i = from; i < batch.count; i++) {
        vm_page_lock(batch.pages[i]);
        vm_snapshot_fail_write(map, batch.pages[i]);
        vm_page_unlock(batch.pages[i]);
    }
}

/* Give each page with content its block. */
static void place_pages(void)
{
    for (uint32_t i = 0; i < batch.count; i++) {
        struct block *block = &batch.entries[i].block;
        if (!block_is_none(*block)) {
            *block = block_at(block->number - 1);
        }
    }
}

/* Pages from this one on could not be put: what was written of them is of no use to anyone. */
static void give_up_pages(struct store *store, struct vm_map *map, uint32_t from)
{
    for (uint32_t i = from; i < batch.count; i++) {
        if (!block_is_none(batch.entries[i].block)) {
            store_release(store, (struct extent){batch.entries[i].block, 1});
        }
    }
    fail_pages(map, from);
}

static enum error put_pages(struct store *store, struct vm_map *map, struct snap_write_totals *totals)
{
    place_pages();
    for (uint32_t i = 0; i < batch.count; i++) {
        enum error error = store_snapshot_put(store, batch.pages[i]->gpn, &batch.entries[i]);
        if (error != OK) {
            give_up_pages(store, map, i);
            return error;
        }
        finish_page(map, batch.pages[i], &batch.entries[i]);
    }
    totals->pages += batch.count;
    totals->bytes += (uint64_t)batch.blocks * PAGE_SIZE;
    return OK;
}

/* All pages that are left are locked, by faults that sleep: wait for one of them. */
static void wait_for_page(struct vm_map *map)
{
    struct vm_page *page = vm_snapshot_first_dirty(map);

    vm_page_lock(page);
    vm_page_unlock(page);
}

static enum error write_batch(struct store *store, struct vm_map *map, struct snap_write_totals *totals)
{
    begin_batch(store, map);
    if (batch.count == 0) {
        wait_for_page(map);
        return OK;
    }
    enum error error = allocate_blocks(store);
    if (error == OK) {
        error = write_blocks(store);
    }
    if (error != OK) {
        release_blocks(store);
        fail_pages(map, 0);
        return error;
    }
    return put_pages(store, map, totals);
}

enum error snap_write_pages(struct store *store, struct snap_write_totals *totals)
{
    struct vm_map *map = vm_object_space();
    enum error error = OK;

    *totals = (struct snap_write_totals){0};
    while (error == OK && vm_snapshot_dirty_count(map) > 0) {
        error = write_batch(store, map, totals);
        if (thread_should_yield()) {
            thread_yield();
        }
    }
    return error;
}

void snap_return_pages(void)
{
    struct vm_map *map = vm_object_space();
    struct vm_page *page;

    while ((page = vm_snapshot_first_dirty(map)) != NULL) {
        vm_page_lock(page);
        struct vm_remains remains = vm_snapshot_abort(map, page);
        vm_page_unlock(page);
        if (!frame_is_none(remains.frame)) {
            frame_free(remains.frame);
        }
        drop_record(map, page);
    }
}
