/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commits: a layer of changes becomes the next generation.
 *
 * The order on the disk is: pages, nodes, chunks and record; flush; root; flush. What is freed is free in memory only
 * after that, so no block is written that a durable root leads to.
 */
#include "store_commit.h"
#include "atomic.h"
#include "log.h"
#include "store_ladder.h"
#include "store_suspect.h"
#include "thread.h"

#include <string.h>

#define ATTEMPTS_MAX 4u
#define ROOM_SHARE   8u

static enum error commit_begin(struct commit *commit)
{
    struct store *store = commit->store;
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    commit->root = page;
    *commit->root = *store->root;
    error = store_page_new(&page);
    if (error == OK) {
        commit->ladder = page;
        *commit->ladder = *store->ladder;
        error = store_write_queue_start(&commit->queue, store);
    }
    if (error != OK) {
        store_page_free(commit->root);
        store_page_free(commit->ladder);
        return error;
    }
    commit->next = store->state;
    store_tree_edit_begin(&commit->page_edit, store, &store->state.page_tree, commit->generation);
    store_tree_edit_begin(&commit->space_edit, store, &store->state.space_tree, commit->generation);
    return OK;
}

/* Sealed entries hold the stamp of their checksum only; here is their place in history. */
static uint64_t entry_when(const struct commit *commit, const struct disk_map_entry *entry)
{
    return store_when_make(commit->generation, entry->when);
}

static enum error append_dead(struct commit *commit, uint32_t first, uint32_t count, uint64_t birth)
{
    struct disk_dead dead = {first, count, birth};
    return store_record_append(&commit->writer, DISK_ITEM_DEAD, &dead);
}

/* Pages whose old content this generation does without. What cannot be found for damage cannot be freed either. */
static enum error page_dies(struct run_list *dead, struct commit *commit, const struct disk_map_entry *old)
{
    commit->next.pages_live--;
    commit->pages_changed++;
    return old->block == 0 ? OK : store_run_list_append(dead, old->block, 1, store_when_birth(old->when));
}

static enum error range_dies(struct run_list *dead, struct commit *commit, uint64_t first, uint64_t last)
{
    uint64_t at = first;
    while (at <= last) {
        struct disk_map_entry old;
        enum error error = store_committed_next(commit->store, at, &old);
        if (error == ERROR_NOT_FOUND || store_is_damage(error) || (error == OK && old.key > last)) {
            return OK;
        }
        if (error == OK) {
            error = page_dies(dead, commit, &old);
        }
        if (error != OK) {
            return error;
        }
        thread_give_way();
        at = old.key + 1;
    }
    return OK;
}

/* Collect the blocks of committed pages that the sealed layer deletes or replaces, and count the pages. */
static enum error dead_collect(struct commit *commit, struct run_list *dead)
{
    uint64_t next = 0, first, last;
    while (store_layer_next_range(commit->sealed, &next, &first, &last)) {
        enum error error = range_dies(dead, commit, first, last);
        if (error != OK) {
            return error;
        }
    }
    const struct index *pages = &commit->sealed->pages;
    for (const struct disk_map_entry *entry = store_index_next(pages, 0); entry != NULL;
         entry = store_index_after(entry)) {
        commit->next.pages_live++;
        commit->pages_changed++;
        if (store_layer_covers(commit->sealed, entry->key)) {
            continue; /* its range has seen to the old content */
        }
        struct disk_map_entry old;
        enum error error = store_committed_find(commit->store, entry->key, &old);
        if (error == OK) {
            commit->pages_changed--; /* one change, not two */
            error = page_dies(dead, commit, &old);
        }
        if (error != OK && error != ERROR_NOT_FOUND && !store_is_damage(error)) {
            return error;
        }
        thread_give_way();
    }
    return OK;
}

static enum error append_runs(struct commit *commit, enum disk_item_type type, const struct run_list *list)
{
    struct run_cursor cursor = {0};
    struct run run;
    while (store_run_list_next(list, &cursor, &run)) {
        struct disk_extent extent = {run.first, run.count};
        enum error error = type == DISK_ITEM_DEAD ? append_dead(commit, run.first, run.count, run.tag)
                                                  : store_record_append(&commit->writer, type, &extent);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

static enum error append_ranges(struct commit *commit, enum disk_item_type type, const struct layer *layer)
{
    uint64_t next = 0, first, last;
    while (store_layer_next_range(layer, &next, &first, &last)) {
        struct disk_extent pages = {(uint32_t)first, (uint32_t)(last - first) + 1};
        enum error error = store_record_append_page(&commit->writer, type, first, &pages);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

/* What could not be merged goes into the log again. */
static enum error append_carried(struct commit *commit)
{
    enum error error = append_ranges(commit, DISK_ITEM_CARRIED, &commit->carried);
    const struct index *pages = &commit->carried.pages;
    for (const struct disk_map_entry *entry = store_index_next(pages, 0); entry != NULL && error == OK;
         entry = store_index_after(entry)) {
        struct disk_map_entry newer;
        if (store_layer_find(&commit->store->recent, entry->key, &newer) == LAYER_SILENT &&
            store_layer_find(commit->sealed, entry->key, &newer) == LAYER_SILENT) {
            error = store_record_append(&commit->writer, DISK_ITEM_PUT_STAMPED, entry);
        }
    }
    return error;
}

static enum error append_puts(struct commit *commit)
{
    const struct index *pages = &commit->sealed->pages;
    for (const struct disk_map_entry *entry = store_index_next(pages, 0); entry != NULL;
         entry = store_index_after(entry)) {
        struct disk_put put = {(uint32_t)entry->key, entry->block, entry->checksum};
        struct disk_map_entry stamped = *entry;
        stamped.when = entry_when(commit, entry);
        enum error error = entry->when == commit->generation
                               ? store_record_append_page(&commit->writer, DISK_ITEM_PUT, entry->key, &put)
                               : store_record_append(&commit->writer, DISK_ITEM_PUT_STAMPED, &stamped);
        if (error != OK) {
            return error;
        }
        thread_give_way();
    }
    return OK;
}

static enum error append_changes(struct commit *commit)
{
    struct run_list dead = {0};
    enum error error = append_carried(commit);
    if (error == OK) {
        error = append_ranges(commit, DISK_ITEM_DELETE, commit->sealed);
    }
    if (error == OK) {
        error = append_puts(commit);
    }
    if (error == OK) {
        error = dead_collect(commit, &dead);
    }
    if (error == OK) {
        error = append_runs(commit, DISK_ITEM_DEAD, &dead);
    }
    store_run_list_clear(&dead);
    return error;
}

/* Records that the log does without from now on. */
static enum error append_dead_records(struct commit *commit)
{
    struct ref_cursor cursor = {0};
    const struct disk_record_ref *ref;
    while (commit->merge_ends && (ref = store_ref_list_next(&commit->store->log, &cursor)) != NULL &&
           ref->generation <= commit->next.map_base) {
        enum error error = store_record_append(&commit->writer, DISK_ITEM_DEAD_RECORD, ref);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

static uint32_t sealed_blocks(const struct commit *commit)
{
    uint32_t count = 0;
    const struct index *pages = &commit->sealed->pages;
    for (const struct disk_map_entry *entry = store_index_next(pages, 0); entry != NULL;
         entry = store_index_after(entry)) {
        count += entry->block != 0;
    }
    return count;
}

static void head_fill(struct commit *commit, uint64_t wall_time_ns)
{
    struct store *store = commit->store;
    struct disk_head *head = commit->writer.head;
    const struct state *next = &commit->next;
    uint32_t pages = sealed_blocks(commit);
    head->predecessor = store->state.record;
    head->map_base = next->map_base;
    head->space_base = next->space_base;
    head->page_tree = commit->page_edit.root;
    head->space_tree = commit->space_edit.root;
    head->merge_end = next->merge_end;
    head->merge_next = next->merge_next;
    head->wall_time_ns = wall_time_ns;
    head->stop_ns = store->stop_ns;
    head->pages_live = next->pages_live;
    head->pages_changed = commit->pages_changed;
    uint32_t metadata = commit->nodes.blocks + commit->chunk_blocks.blocks + commit->record_blocks.blocks +
                        commit->ladder_blocks.blocks;
    head->blocks_used = store->space.used - store->new_bad.blocks + pages + metadata - commit->freed.blocks;
    head->blocks_written = pages + metadata;
    head->cursor = store->space.cursor;
}

/*
 * The blocks retired so far are this record's to name. A page-out may retire more while the commit runs: those are the
 * next one's, and neither a chunk written before nor the count of blocks in this head knows of them.
 */
static void bad_take(struct store *store, struct commit *commit)
{
    commit->bad = store->new_bad;
    store->new_bad = (struct run_list){0};
}

/*
 * A generation with more pages than the one before leaves some of the disk free, as much as memory may hold dirty but
 * at most 1/8. So there is room for one that has not: it may be what makes room again, and its pages need blocks while
 * those that it does without are still needed.
 */
static bool leaves_room(const struct commit *commit)
{
    const struct store *store = commit->store;
    uint32_t share = store->block_count / ROOM_SHARE;
    uint32_t room = frame_limit() < share ? frame_limit() : share;
    return commit->next.pages_live <= store->state.pages_live ||
           store->block_count - commit->writer.head->blocks_used >= room;
}

static enum error record_write(struct commit *commit, const void *system, uint32_t bytes, uint64_t wall_time_ns)
{
    struct store *store = commit->store;
    struct record_writer *writer = &commit->writer;
    enum error error =
        store_record_begin(writer, store, &commit->queue, &commit->record_blocks, commit->generation, system, bytes);
    if (error != OK) {
        return error;
    }
    error = store_tree_edit_seal(&commit->page_edit, &commit->queue, &commit->nodes);
    if (error == OK) {
        error = store_tree_edit_seal(&commit->space_edit, &commit->queue, &commit->nodes);
    }
    if (error == OK) {
        error = append_runs(commit, DISK_ITEM_ALLOCATED, &commit->nodes);
    }
    if (error == OK) {
        error = append_runs(commit, DISK_ITEM_ALLOCATED, &commit->chunk_blocks);
    }
    if (error == OK) {
        bad_take(store, commit);
        error = append_runs(commit, DISK_ITEM_BAD, &commit->bad);
    }
    if (error == OK) {
        error = append_changes(commit);
    }
    if (error == OK) {
        error = append_runs(commit, DISK_ITEM_DEAD, &commit->page_edit.dead);
    }
    if (error == OK) {
        error = append_runs(commit, DISK_ITEM_DEAD, &commit->space_edit.dead);
    }
    if (error == OK) {
        error = append_dead_records(commit);
    }
    if (error == OK) {
        error = store_history_advance(commit);
    }
    if (error == OK) {
        error = store_ladder_write(commit);
    }
    if (error == OK) {
        error = store_record_close(writer);
    }
    if (error == OK) {
        head_fill(commit, wall_time_ns);
        error = leaves_room(commit) ? OK : ERROR_NO_SPACE;
    }
    if (error == OK) {
        store_record_finish(writer, &commit->next.record);
    }
    return error;
}

/* Nothing else is in the log: the sealed layer becomes its newest part as it stands. */
static bool is_all_of_log(const struct commit *commit)
{
    return store_layer_is_empty(&commit->store->recent) && store_layer_is_empty(&commit->carried);
}

/* Room in memory for what commit_adopt() will do. */
static enum error commit_reserve(struct commit *commit)
{
    struct store *store = commit->store;
    if (is_all_of_log(commit)) {
        return store_ref_list_reserve(&store->log);
    }
    enum error error = store_layer_reserve(&store->recent, &commit->carried);
    if (error == OK) {
        error = store_layer_reserve(&store->recent, commit->sealed);
    }
    return error == OK ? store_ref_list_reserve(&store->log) : error;
}

static enum error root_write(struct commit *commit)
{
    struct disk_root *root = commit->root;
    root->window[0] = commit->next.record;
    if (commit->map_is_whole && commit->store->branch_from == 0) {
        root->flags &= ~DISK_ROOT_REBUILD;
    }
    root->flags |= commit->is_withheld || commit->store->has_lost ? DISK_ROOT_REBUILD : 0;
    enum error error = store_root_confirm(commit->store);
    return error == OK ? store_root_commit(commit->store, root) : error;
}

static enum error commit_prepare(struct commit *commit, const void *system, uint32_t bytes, uint64_t wall_time_ns)
{
    enum error error = store_merge_step(commit);
    if (store_is_damage(error)) {
        commit->store->map_is_stale = true; /* its tree cannot be read: the next attempt writes a new one */
    }
    if (error == OK) {
        error = record_write(commit, system, bytes, wall_time_ns);
    }
    return error == OK ? commit_reserve(commit) : error;
}

static void runs_apply(struct space *space, const struct run_list *list, void (*apply)(struct space *, struct extent))
{
    struct run_cursor cursor = {0};
    struct run run;
    while (store_run_list_next(list, &cursor, &run)) {
        apply(space, (struct extent){{run.first}, run.count});
    }
}

static void blocks_adopt(struct commit *commit)
{
    struct space *space = &commit->store->space;
    const struct index *pages = &commit->sealed->pages;
    for (const struct disk_map_entry *entry = store_index_next(pages, 0); entry != NULL;
         entry = store_index_after(entry)) {
        if (entry->block != 0) {
            store_space_take(space, (struct extent){{entry->block}, 1});
        }
    }
    runs_apply(space, &commit->nodes, store_space_take);
    runs_apply(space, &commit->chunk_blocks, store_space_take);
    runs_apply(space, &commit->record_blocks, store_space_take);
    runs_apply(space, &commit->ladder_blocks, store_space_take);
    runs_apply(space, &commit->freed, store_space_drop);
}

static void layers_adopt(struct commit *commit)
{
    struct store *store = commit->store;
    struct index *pages = &commit->sealed->pages;
    for (struct disk_map_entry *entry = store_index_next(pages, 0); entry != NULL; entry = store_index_after(entry)) {
        entry->when = entry_when(commit, entry);
    }
    if (commit->merge_ends) {
        store_layer_clear(&store->merging);
    }
    if (is_all_of_log(commit)) {
        store_layer_clear(&store->recent);
        store->recent = *commit->sealed;
        *commit->sealed = (struct layer){0};
        return;
    }
    store_layer_merge_under(&store->recent, &commit->carried, NULL, NULL);
    store_layer_merge_over(&store->recent, commit->sealed);
    store_layer_clear(commit->sealed);
}

/* The root is durable: what was prepared is the state. Nothing here can fail, and it does not sleep. */
static void commit_adopt(struct commit *commit, const void *system, uint32_t bytes)
{
    DOES_NOT_SLEEP();
    struct store *store = commit->store;
    struct disk_ladder *old_ladder = store->ladder;
    blocks_adopt(commit);
    layers_adopt(commit);
    store->ladder = commit->ladder;
    commit->ladder = old_ladder;
    commit->next.page_tree = commit->page_edit.root;
    commit->next.space_tree = commit->space_edit.root;
    store_tree_edit_keep(&commit->page_edit);
    store_tree_edit_keep(&commit->space_edit);
    store->state = commit->next;
    if (store_ref_list_append(&store->log, &store->state.record) != OK) {
        panic("store", "the list of the log has no room for what was reserved");
    }
    store_ref_list_drop(&store->log, store->state.map_base);
    if (commit->bad_is_in_tree) {
        store_run_list_clear(&store->bad);
    }
    store_run_list_join(&store->bad, &commit->bad);
    store->map_is_stale = store->map_is_stale && !commit->map_is_whole;
    if (store->branch_from == 0) {
        store->space_source = store->state.space_tree;
    }
    store->wants_rebuild = store->wants_rebuild || store->branch_from != 0;
    store->branch_from = 0;
    store->system_bytes = bytes;
    memmove(store->system, system, bytes);
    store->epoch++;
}

/* Retire the blocks whose writing failed; they are used from now on, and the next record says so. */
static void failed_retire(struct commit *commit)
{
    struct store *store = commit->store;
    struct run_cursor cursor = {0};
    struct run run;
    while (store_run_list_next(&commit->queue.failed, &cursor, &run)) {
        /* Without memory for the note the blocks are merely tried again. */
        if (store_run_list_append(&store->new_bad, run.first, run.count, 0) == OK) {
            (void)!store_space_mark(&store->space, (struct extent){{run.first}, run.count}, true);
        }
    }
}

/* Nothing was committed: give back what was prepared. */
static void commit_abandon(struct commit *commit)
{
    struct store *store = commit->store;
    struct run_cursor cursor = {0};
    struct run run;
    atomic_begin();
    store_run_list_join(&store->new_bad, &commit->bad);
    store_tree_edit_abandon(&commit->page_edit);
    store_tree_edit_abandon(&commit->space_edit);
    runs_apply(&store->space, &commit->chunk_blocks, store_space_release);
    runs_apply(&store->space, &commit->record_blocks, store_space_release);
    runs_apply(&store->space, &commit->ladder_blocks, store_space_release);
    runs_apply(&store->space, &commit->freed, store_space_stay);
    while (store_run_list_next(&commit->chunks, &cursor, &run)) {
        for (uint32_t i = 0; i < run.count; i++) {
            store_space_set_changed(&store->space, run.first + i, true);
        }
    }
    atomic_end();
    failed_retire(commit);
}

static void commit_end(struct commit *commit)
{
    store_record_end(&commit->writer);
    store_layer_clear(&commit->carried);
    store_run_list_clear(&commit->nodes);
    store_run_list_clear(&commit->chunk_blocks);
    store_run_list_clear(&commit->record_blocks);
    store_run_list_clear(&commit->ladder_blocks);
    store_run_list_clear(&commit->freed);
    store_run_list_clear(&commit->chunks);
    store_run_list_clear(&commit->queue.failed);
    store_page_free(commit->root);
    store_page_free(commit->ladder);
}

static enum error commit_write(struct commit *commit, const void *system, uint32_t bytes, uint64_t wall_time_ns)
{
    struct store *store = commit->store;
    store_write_begin(store);
    enum error error = store_suspects_rewrite(store, commit->sealed);
    if (error == OK) {
        error = commit_prepare(commit, system, bytes, wall_time_ns);
    }
    enum error written = store_write_queue_finish(&commit->queue);
    if (error == OK) {
        error = written;
    }
    if (error == OK) {
        error = store_flush(store); /* everything a root will lead to is durable before the root is written */
    }
    return error == OK ? root_write(commit) : error;
}

static enum error commit_attempt(struct commit *commit, const void *system, uint32_t bytes, uint64_t wall_time_ns)
{
    struct store *store = commit->store;
    enum error error = store_root_resolve(store);
    if (error == OK && !store->is_confirmed) {
        error = store_root_confirm(store);
    }
    if (error == OK && store->wants_rebuild && store->branch_from == 0) {
        error = store_rebuild(store);
    }
    if (error != OK) {
        return error;
    }
    store_merge_begin(store, commit->is_compacting);
    error = commit_begin(commit);
    if (error != OK) {
        return error;
    }
    error = commit_write(commit, system, bytes, wall_time_ns);
    if (error == OK) {
        commit_adopt(commit, system, bytes);
    } else {
        commit_abandon(commit);
    }
    commit_end(commit);
    return error;
}

enum error store_commit_layer(struct store *store, struct layer *sealed, uint64_t generation,
                              enum commit_purpose purpose, const void *system, uint32_t bytes, uint64_t wall_time_ns)
{
    enum error error = OK;
    for (uint32_t i = 0; i < ATTEMPTS_MAX; i++) {
        struct commit commit = {
            .store = store,
            .sealed = sealed,
            .generation = generation,
            .history = purpose == COMMIT_RECLAIMS ? HISTORY_MIN : store->tuning.history,
            .is_reclaiming = purpose == COMMIT_RECLAIMS,
            .is_compacting = purpose == COMMIT_COMPACTS,
        };
        error = commit_attempt(&commit, system, bytes, wall_time_ns);
        if (!store_is_damage(error) || store->in_doubt) {
            break; /* other blocks, or a new free-space tree, would not help */
        }
    }
    return error;
}
