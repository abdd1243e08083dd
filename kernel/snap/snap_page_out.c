/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page-out: content of dirty pages goes to fresh blocks before there is a snapshot that commits it.
 *
 * What is written is noted in the store's open layer, and so becomes part of the next generation without being written
 * again. A stop may come while a page is on its way: then its content is the snapshot's, which waits for the page's
 * mutex, and the note goes to the sealed layer. Both follow from where the page stands when the disk is done, with no
 * sleep between that look and the note.
 *
 *     SNAP-4  A page that is paged out is noted in the layer of the interval it was dirtied in.
 */
#include "snap_page_out.h"
#include "arch/frame.h"
#include "log.h"
#include "place.h"
#include "store.h"
#include "vm_fault.h"
#include "vm_map.h"
#include "vm_snapshot.h"
#include "zero.h"

#define NOTES_PER_FRAME 2u /* of memory; beyond that a commit is due, which takes the notes off memory */
#define NO_CONTENT      UINT32_MAX

/* One page-out runs at a time. */
static struct placement placement;
static struct store_entry entries[VM_PAGE_OUT_MAX];
static uint32_t places[VM_PAGE_OUT_MAX]; /* index in the placement; NO_CONTENT: a page of zeroes */

static void describe(struct store *store, struct vm_page *const pages[], uint32_t count)
{
    placement.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        void *content = frame_address(vm_page_frame(pages[i]));
        vm_page_begin_write(pages[i]);
        entries[i].generation = store_open_generation(store);
        entries[i].checksum = store_checksum(store, vm_page_key(pages[i]), entries[i].generation, content);
        entries[i].block = BLOCK_NONE;
        places[i] = NO_CONTENT;
        if (!memory_is_zero(content, PAGE_SIZE)) {
            places[i] = placement.count;
            placement.contents[placement.count++] = content;
        }
    }
}

static enum error put(struct store *store, struct vm_page *page, const struct store_entry *entry)
{
    struct vm_map *map = vm_object_space();
    bool is_snapshots = vm_snapshot_has(map, page);
    /* A snapshot that has just failed no longer has a layer; what it owed is the next one's. */
    bool is_sealed = is_snapshots && store_sealed_generation(store).number != 0;
    struct page_key key = vm_page_key(page);
    enum error error = is_sealed ? store_snapshot_put(store, key, entry) : store_put(store, key, entry);

    if (error != OK) {
        return error;
    }
    if (is_snapshots) {
        struct frame copy = vm_snapshot_end_write(map, page);
        ASSERT(frame_is_none(copy));
        vm_snapshot_progressed();
    } else {
        vm_page_end_write(map, page);
    }
    return OK;
}

static enum error put_all(struct store *store, struct vm_page *const pages[], uint32_t count)
{
    enum error error = OK;

    for (uint32_t i = 0; i < count; i++) {
        entries[i].block = places[i] == NO_CONTENT ? BLOCK_NONE : placement.blocks[places[i]];
        enum error put_error = put(store, pages[i], &entries[i]);
        if (put_error == OK) {
            continue;
        }
        error = put_error;
        vm_page_fail_write(pages[i]);
        if (!block_is_none(entries[i].block)) {
            store_release(store, (struct extent){entries[i].block, 1});
        }
    }
    return error;
}

enum error snap_page_out(struct store *store, struct vm_page *const pages[], uint32_t count)
{
    ASSERT(count > 0 && count <= VM_PAGE_OUT_MAX);
    if (store_open_changes(store) >= NOTES_PER_FRAME * frame_limit()) {
        return ERROR_BUSY;
    }
    describe(store, pages, count);
    enum error error = snap_place_begin(store, &placement);
    if (error == OK) {
        error = snap_place_end(store, &placement);
    }
    if (error == OK) {
        return put_all(store, pages, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        vm_page_fail_write(pages[i]);
    }
    return error;
}
