/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Merging: the log into the trees, a few entries with every commit.
 *
 * A merge takes what the log holds when it begins, in order of page, so that many changes meet in one leaf. With each
 * commit it gets on by some entries; the trees named by a commit's record hold what was merged so far, and the layer
 * `merging` still answers for all of it until the merge has ended. Then come the chunks of the free-space map that
 * changed. At the end the records that were merged are needed no more.
 *
 * Replaying a record over a tree that has its entries already changes nothing, so a crash costs nothing but the
 * replay.
 */
#include "log.h"
#include "store_commit.h"
#include "store_space_tree.h"

#define ENTRIES_MIN       1024u /* a merge begins when the log has so many entries */
#define ENTRIES_MAX       65536u
#define PAGES_PER_ENTRY   16u  /* ... or, with about 96 pages a leaf, 6 entries a leaf */
#define COMMITS_PER_MERGE 192u /* a merge takes at most about so many commits */
#define FEW_CHANGES       8u   /* a commit of so few takes no more of a merge than it must */
#define CHANGES_PER_CHUNK 64u  /* a commit of many writes a chunk of the free-space map for so many */
#define DIRTY_MAX         512u /* nodes a commit may hold dirty */
#define MAP_DONE          PAGE_KEYS

static uint64_t entries_limit(const struct store *store)
{
    if (store->tuning.log_entries != 0) {
        return store->tuning.log_entries;
    }
    uint64_t limit = store->state.pages_live / PAGES_PER_ENTRY;
    limit = limit < ENTRIES_MIN ? ENTRIES_MIN : limit;
    return limit > ENTRIES_MAX ? ENTRIES_MAX : limit;
}

static uint64_t layer_slots(const struct layer *layer)
{
    return (uint64_t)layer->pages.slots + layer->deleted.slots;
}

bool store_merge_would_help(const struct store *store)
{
    uint64_t few = store->tuning.log_entries != 0 ? store->tuning.log_entries : ENTRIES_MIN;
    return layer_slots(&store->recent) + layer_slots(&store->merging) > few;
}

void store_merge_begin(struct store *store, bool is_compacting)
{
    struct state *state = &store->state;
    bool is_time = store->log.count >= store->tuning.log_records || layer_slots(&store->recent) >= entries_limit(store);
    is_time = is_time || (is_compacting && store_merge_would_help(store));
    if (state->merge_end != 0 || state->record.block == 0 || !is_time) {
        return;
    }
    ASSERT(store_layer_is_empty(&store->merging));
    store_layer_clear(&store->merging);
    store->merging = store->recent;
    store->recent = (struct layer){0};
    state->merge_end = state->record.generation;
    state->merge_next = 0;
}

static bool entries_equal(const struct disk_map_entry *a, const struct disk_map_entry *b)
{
    return a->key == b->key && a->block == b->block && a->checksum == b->checksum && a->when == b->when;
}

static enum error entry_merge(struct commit *commit, const struct disk_map_entry *entry)
{
    struct disk_map_entry old;
    if (store_tree_set_near(&commit->page_edit, entry)) {
        return OK;
    }
    enum error error = store_tree_find(commit->store, &commit->page_edit.root, entry->key, &old);
    if (error == OK && entries_equal(&old, entry)) {
        return OK;
    }
    error = error == ERROR_NOT_FOUND || error == OK ? store_tree_set(&commit->page_edit, entry) : error;
    if (store_is_damage(error)) {
        struct disk_map_entry replaced;
        error = store_layer_put(&commit->carried, entry, &replaced);
    }
    return error;
}

/* Remove the first page of the tree in first .. last; `done`: the last page that is merged now. */
static enum error range_merge(struct commit *commit, uint64_t first, uint64_t last, uint64_t *done)
{
    struct disk_map_entry found;
    enum error error = store_tree_next(commit->store, &commit->page_edit.root, first, &found);
    *done = last;
    if (error == ERROR_NOT_FOUND || (error == OK && found.key > last)) {
        return OK;
    }
    if (error == OK) {
        error = store_tree_remove(&commit->page_edit, found.key);
        *done = store_is_damage(error) ? last : found.key;
    }
    return store_is_damage(error) ? store_layer_delete_under(&commit->carried, first, last) : error;
}

/* Merge whatever comes first at or after `at`; moves `at` on. */
static enum error merge_one(struct commit *commit, uint64_t *at)
{
    const struct layer *merging = &commit->store->merging;
    const struct disk_map_entry *entry = store_index_next(&merging->pages, *at);
    uint64_t first, last, done;
    bool has_range = store_layer_range_at(merging, *at, &first, &last);
    first = has_range && first < *at ? *at : first;
    enum error error;
    if (entry != NULL && (!has_range || entry->key <= first)) {
        done = entry->key;
        error = entry_merge(commit, entry);
    } else if (has_range) {
        last = entry != NULL && entry->key <= last ? entry->key - 1 : last;
        error = range_merge(commit, first, last, &done);
    } else {
        *at = MAP_DONE;
        return OK;
    }
    *at = error == OK ? done + 1 : *at;
    return error;
}

static uint32_t change_count(const struct commit *commit)
{
    return (uint32_t)layer_slots(commit->sealed);
}

static enum error map_step(struct commit *commit)
{
    const struct layer *merging = &commit->store->merging;
    uint32_t all = (uint32_t)layer_slots(merging);
    uint32_t changes = change_count(commit);
    uint32_t budget = commit->is_compacting ? UINT32_MAX : all / COMMITS_PER_MERGE + 1; /* what is empty ends, too */
    if (changes > FEW_CHANGES && budget < 2 * changes) {
        budget = 2 * changes; /* so that a merge ends before the log has doubled */
    }
    enum error error = OK;
    while (error == OK && budget > 0 && commit->page_edit.dirty < DIRTY_MAX && commit->next.merge_next < MAP_DONE) {
        error = merge_one(commit, &commit->next.merge_next);
        budget--;
    }
    /* Out of space or memory: what was merged so far is good, the rest can wait. */
    return error == ERROR_NO_SPACE || error == ERROR_NO_MEMORY ? OK : error;
}

static enum error chunk_write(struct commit *commit, uint32_t chunk)
{
    enum error error = store_run_list_append(&commit->chunks, chunk, 1, 0);
    if (error != OK) {
        return error;
    }
    return store_space_tree_write(&commit->space_edit, chunk, &commit->queue, &commit->chunk_blocks);
}

/* The retired blocks get their entries. */
static enum error bad_write(struct commit *commit)
{
    struct run_cursor cursor = {0};
    struct run run;
    while (store_run_list_next(&commit->store->bad, &cursor, &run)) {
        for (uint32_t i = 0; i < run.count; i++) {
            struct disk_map_entry entry = {
                .key = DISK_SPACE_BAD + run.first + i, .block = run.first + i, .when = commit->generation};
            enum error error = store_tree_set(&commit->space_edit, &entry);
            if (error != OK) {
                return error;
            }
        }
    }
    commit->bad_is_in_tree = true;
    return OK;
}

static void merge_finish(struct commit *commit)
{
    struct state *next = &commit->next;
    next->map_base = next->merge_end;
    next->space_base = next->space_base > next->merge_end ? next->space_base : next->merge_end;
    next->merge_end = 0;
    next->merge_next = 0;
    commit->merge_ends = true;
}

static enum error space_step(struct commit *commit)
{
    const struct space *space = &commit->store->space;
    uint32_t chunks = store_space_chunk_count(space);
    uint32_t budget = chunks / COMMITS_PER_MERGE + 1 + change_count(commit) / CHANGES_PER_CHUNK;
    budget = commit->is_compacting ? chunks : budget;
    uint32_t chunk = (uint32_t)(commit->next.merge_next - MAP_DONE);
    enum error error = OK;
    for (chunk = store_space_next_changed(space, chunk); error == OK && budget > 0 && chunk < chunks; budget--) {
        error = chunk_write(commit, chunk);
        chunk = store_space_next_changed(space, chunk + 1);
    }
    commit->next.merge_next = MAP_DONE + chunk;
    if (error == OK && chunk >= chunks) {
        error = bad_write(commit);
        if (error == OK) {
            merge_finish(commit);
        }
    }
    return error;
}

/* Write the whole free-space map, because what the disk has of it is stale. */
static enum error space_whole(struct commit *commit)
{
    const struct space *space = &commit->store->space;
    enum error error = store_space_tree_restart(&commit->space_edit);
    for (uint32_t chunk = 0; error == OK && chunk < store_space_chunk_count(space); chunk++) {
        error = chunk_write(commit, chunk);
    }
    if (error == OK) {
        error = bad_write(commit);
    }
    commit->next.space_base = commit->generation - 1;
    commit->map_is_whole = true;
    return error;
}

enum error store_merge_step(struct commit *commit)
{
    struct store *store = commit->store;
    if (store->map_is_stale) {
        enum error error = space_whole(commit);
        if (error != OK) {
            return error;
        }
    }
    if (store->state.merge_end == 0) {
        return OK;
    }
    enum error error = commit->next.merge_next < MAP_DONE ? map_step(commit) : OK;
    bool map_is_done = error == OK && commit->next.merge_next >= MAP_DONE;
    return map_is_done && !commit->map_is_whole ? space_step(commit) : error;
}
