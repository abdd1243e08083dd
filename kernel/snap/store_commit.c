/*
 * Snapshots: seal, commit, abort.
 *
 * A commit prepares everything that can fail before the root is written; after that nothing can. The order on the disk
 * is: pages and record, flush, root, flush. What the generation before needs and this one does not is freed by the
 * next commit, so the two newest generations are always whole.
 */
#include "log.h"
#include "store_record.h"

#include <string.h>

#define LOG_RECORDS_MAX 64u

struct commit {
    struct store *store;
    struct record_writer writer;
    struct extent_list dead; /* used by the generation before, not by this one */
    bool is_full;            /* the record lists every page and becomes the base of the log */
    uint64_t items;
};

/* Fold a snapshot that was given up into the open layer, if there is memory for it. */
static void unstick(struct store *store);

enum error store_snapshot_seal(struct store *store)
{
    if (store->read_only) {
        return ERROR_READ_ONLY;
    }
    if (store->is_sealed) {
        return ERROR_BUSY;
    }
    if (store->is_stuck) {
        unstick(store);
        if (store->is_stuck) {
            return ERROR_NO_MEMORY;
        }
    }
    store->sealed = store->open;
    store->open = (struct layer){0};
    store->sealed_generation = store->open_generation++;
    store->is_sealed = true;
    return OK;
}

static void drop_entry(void *context, const struct disk_map_entry *entry)
{
    struct store *store = context;
    if (entry->block != 0) {
        space_release(&store->space, (struct extent){{entry->block}, 1});
    }
}

static void unstick(struct store *store)
{
    if (layer_reserve(&store->open, &store->sealed) == OK) {
        layer_merge_under(&store->open, &store->sealed, drop_entry, store);
        layer_clear(&store->sealed);
        store->is_stuck = false;
    }
}

void store_snapshot_abort(struct store *store)
{
    ASSERT(store->is_sealed);
    store->is_sealed = false;
    store->is_stuck = true;
    unstick(store);
}

void store_snapshot_note_stop(struct store *store, uint64_t stop_ns)
{
    store->stop_ns = stop_ns;
}

static enum error dead_add(struct commit *commit, uint32_t block)
{
    return block == 0 ? OK : extent_list_append(&commit->dead, (struct extent){{block}, 1});
}

/* Blocks of committed pages that the sealed layer deletes or replaces. */
static enum error dead_collect(struct commit *commit)
{
    struct store *store = commit->store;
    uint64_t next = 0;
    uint32_t first, last;
    while (layer_next_range(&store->sealed, &next, &first, &last)) {
        const struct disk_map_entry *old = index_next(&store->committed.pages, first);
        while (old != NULL && old->page <= last) {
            enum error error = dead_add(commit, old->block);
            if (error != OK) {
                return error;
            }
            old = index_after(&store->committed.pages, old);
        }
    }
    const struct disk_map_entry *entry = index_next(&store->sealed.pages, 0);
    while (entry != NULL) {
        const struct disk_map_entry *old = index_find(&store->committed.pages, entry->page);
        if (old != NULL && !entry_is_empty(old) && !layer_covers(&store->sealed, entry->page)) {
            enum error error = dead_add(commit, old->block);
            if (error != OK) {
                return error;
            }
        }
        entry = index_after(&store->sealed.pages, entry);
    }
    return OK;
}

/* Give the sealed entries their place in history: committed first in this generation. */
static void stamp_entries(struct store *store)
{
    struct disk_map_entry *entry = index_next(&store->sealed.pages, 0);
    while (entry != NULL) {
        entry->when = when_make(store->sealed_generation, entry->when);
        entry = index_after(&store->sealed.pages, entry);
    }
}

static void unstamp_entries(struct store *store)
{
    struct disk_map_entry *entry = index_next(&store->sealed.pages, 0);
    while (entry != NULL) {
        entry->when = when_stamp(entry->when);
        entry = index_after(&store->sealed.pages, entry);
    }
}

static enum error append_entry(struct commit *commit, const struct disk_map_entry *entry)
{
    commit->items++;
    uint64_t generation = commit->store->sealed_generation;
    if (entry->when != when_make(generation, generation)) {
        return record_append(&commit->writer, DISK_ITEM_PUT_STAMPED, entry);
    }
    struct disk_put put = {entry->page, entry->block, entry->checksum};
    return record_append(&commit->writer, DISK_ITEM_PUT, &put);
}

static enum error append_index(struct commit *commit, const struct index *pages, const struct layer *unless)
{
    const struct disk_map_entry *entry = index_next(pages, 0);
    while (entry != NULL) {
        struct disk_map_entry newer;
        if (unless == NULL || layer_find(unless, entry->page, &newer) == LAYER_SILENT) {
            enum error error = append_entry(commit, entry);
            if (error != OK) {
                return error;
            }
        }
        entry = index_after(pages, entry);
    }
    return OK;
}

static enum error append_deletes(struct commit *commit)
{
    uint64_t next = 0;
    uint32_t first, last;
    while (layer_next_range(&commit->store->sealed, &next, &first, &last)) {
        struct disk_extent pages = {first, last - first + 1};
        enum error error = record_append(&commit->writer, DISK_ITEM_DELETE, &pages);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

static enum error append_all(struct commit *commit)
{
    struct store *store = commit->store;
    enum error error = OK;
    if (commit->is_full) {
        error = append_index(commit, &store->committed.pages, &store->sealed);
    } else {
        error = append_deletes(commit);
    }
    return error != OK ? error : append_index(commit, &store->sealed.pages, NULL);
}

static enum error record_write(struct commit *commit, const void *record, uint32_t length, uint64_t wall_time_ns,
                               struct disk_record_ref *out)
{
    struct store *store = commit->store;
    enum error error = record_begin(&commit->writer, store, store->sealed_generation, record, length);
    if (error != OK) {
        return error;
    }
    error = append_all(commit);
    struct disk_head *head = commit->writer.head;
    const struct disk_root *root = store->root;
    for (uint32_t i = 0; i < root->window_count && !commit->is_full; i++) {
        if (root->window[i].generation == store->committed_generation) {
            head->predecessor = root->window[i];
        }
    }
    head->map_base = commit->is_full ? store->sealed_generation - 1 : store->log_base;
    head->space_base = head->map_base;
    head->wall_time_ns = wall_time_ns;
    head->stop_ns = store->stop_ns;
    head->pages_changed = commit->items;
    head->cursor = store->space.cursor;
    error = error != OK ? error : record_finish(&commit->writer, out);
    record_end(&commit->writer);
    return error;
}

/* Write the root that names the new record before the generations it follows. */
static enum error root_advance(struct store *store, const struct disk_record_ref *record)
{
    void *page;
    enum error error = memory_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_root *root = page;
    *root = *store->root;
    root->window_count = 1;
    root->window[0] = *record;
    for (uint32_t i = 0; i < store->root->window_count; i++) {
        if (store->root->window[i].generation == store->committed_generation) {
            root->window[1] = store->root->window[i];
            root->window_count = 2;
        }
    }
    error = root_confirm(store);
    error = error != OK ? error : root_commit(store, root);
    memory_page_free(root);
    return error;
}

/* Everything that can fail after the record is written and before the root is. */
static enum error commit_prepare(struct commit *commit)
{
    struct store *store = commit->store;
    struct extent_cursor cursor = {0};
    struct extent extent;
    enum error error = layer_reserve(&store->committed, &store->sealed);
    while (error == OK && commit->is_full && extent_list_next(&store->log, &cursor, &extent)) {
        error = extent_list_append(&commit->dead, extent);
    }
    return error != OK ? error : dead_collect(commit);
}

static void blocks_settle(struct commit *commit)
{
    struct store *store = commit->store;
    const struct disk_map_entry *entry = index_next(&store->sealed.pages, 0);
    while (entry != NULL) {
        if (entry->block != 0) {
            space_take(&store->space, (struct extent){{entry->block}, 1});
        }
        entry = index_after(&store->sealed.pages, entry);
    }
    struct extent_cursor cursor = {0};
    struct extent extent;
    while (extent_list_next(&commit->writer.blocks, &cursor, &extent)) {
        space_take(&store->space, extent);
    }
    cursor = (struct extent_cursor){0};
    while (extent_list_next(&store->dying, &cursor, &extent)) {
        space_drop(&store->space, extent);
    }
    extent_list_clear(&store->dying);
    extent_list_join(&store->dying, &commit->dead);
}

/* The root is durable: the new generation is the state. Nothing here can fail. */
static void commit_finish(struct commit *commit, const void *record, uint32_t length, uint64_t wall_time_ns)
{
    struct store *store = commit->store;
    blocks_settle(commit);
    if (commit->is_full) {
        extent_list_clear(&store->log);
        store->log_base = store->sealed_generation - 1;
        store->log_records = 0;
        store->log_items = 0;
    }
    extent_list_join(&store->log, &commit->writer.blocks);
    store->log_records++;
    store->log_items += commit->items;
    layer_merge_over(&store->committed, &store->sealed);
    layer_clear(&store->sealed);
    store->committed_generation = store->sealed_generation;
    store->is_sealed = false;
    store->wall_time_ns = wall_time_ns;
    store->system_bytes = length;
    memcpy(store->system, record, length);
}

/* Nothing was committed: give the record's blocks back and the snapshot up. */
static void commit_undo(struct commit *commit)
{
    struct store *store = commit->store;
    struct extent_cursor cursor = {0};
    struct extent extent;
    while (extent_list_next(&commit->writer.blocks, &cursor, &extent)) {
        space_release(&store->space, extent);
    }
    extent_list_clear(&commit->writer.blocks);
    extent_list_clear(&commit->dead);
    unstamp_entries(store);
    store_snapshot_abort(store);
}

enum error store_snapshot_commit(struct store *store, const void *record, uint32_t length, uint64_t wall_time_ns)
{
    ASSERT(length <= STORE_SYSTEM_RECORD_MAX);
    if (!store->is_sealed) {
        return ERROR_INVALID;
    }
    struct commit commit = {.store = store};
    commit.is_full = store->committed_generation == 0 ||
                     (store->log_records >= LOG_RECORDS_MAX && store->log_items >= store->committed.pages.slots);
    struct disk_record_ref ref;
    stamp_entries(store);
    enum error error = doubt_settle(store);
    error = error != OK ? error : record_write(&commit, record, length, wall_time_ns, &ref);
    error = error != OK ? error : commit_prepare(&commit);
    error = error != OK ? error : block_flush(store->device); /* pages and record before the root */
    error = error != OK ? error : root_advance(store, &ref);
    if (error == OK) {
        commit_finish(&commit, record, length, wall_time_ns);
    } else {
        commit_undo(&commit);
    }
    return error;
}
