/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots: the two layers of change, and how they become generations.
 *
 * Sealing only moves a layer; it is what happens while programs stand still. Committing is in store_commit.c.
 */
#include "atomic.h"
#include "log.h"
#include "store_commit.h"
#include "store_suspect.h"

/* Fold a snapshot that was given up into the open layer, if there is memory for it. */
static void unstick(struct store *store)
{
    if (store_layer_reserve(&store->open, &store->sealed) == OK) {
        store_layer_merge_under(&store->open, &store->sealed, store_space_release_entry, &store->space);
        store_layer_clear(&store->sealed);
        store->is_stuck = false;
    }
}

enum error store_snapshot_seal(struct store *store)
{
    DOES_NOT_SLEEP();
    if (store->read_only || store->is_waiting) {
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
    if (store->open_generation == DISK_GENERATION_MAX) {
        return ERROR_RANGE;
    }
    store->sealed = store->open;
    store->open = (struct layer){0};
    store->sealed_generation = store->open_generation++;
    store->open_is_stamped = false;
    store->is_confirmed = false;
    store->is_sealed = true;
    store->stop_ns = 0;
    return OK;
}

void store_snapshot_abort(struct store *store)
{
    ASSERT(store->is_sealed);
    store->is_sealed = false;
    if (store_layer_is_empty(&store->sealed) && store_layer_is_empty(&store->open) && !store->open_is_stamped) {
        store->open_generation = store->sealed_generation; /* nothing bears the number */
        store_unread_forget(store);                        /* and nothing waits to be made durable */
    }
    store->is_stuck = true;
    unstick(store);
}

void store_snapshot_note_stop(struct store *store, uint64_t stop_ns)
{
    store->stop_ns = stop_ns;
}

enum error store_snapshot_commit(struct store *store, const void *record, uint32_t length, uint64_t wall_time_ns)
{
    ASSERT(length <= STORE_SYSTEM_RECORD_MAX);
    if (!store->is_sealed) {
        return ERROR_INVALID;
    }
    mutex_lock(&store->commit_lock, LOCK_COMMIT);
    enum error error = store_commit_layer(store, &store->sealed, store->sealed_generation, COMMIT_CHANGES, record,
                                          length, wall_time_ns);
    if (error == OK) {
        store->is_sealed = false;
    }
    mutex_unlock(&store->commit_lock, LOCK_COMMIT);
    if (error != OK) {
        store_snapshot_abort(store);
    }
    return error;
}

/* The next generation is as the last one; what it is made for happens beside. The caller holds commit_lock. */
static enum error commit_nothing(struct store *store, enum commit_purpose purpose, uint64_t wall_time_ns)
{
    struct layer nothing = {0};
    store->stop_ns = 0;
    return store_commit_layer(store, &nothing, store->open_generation++, purpose, store->system, store->system_bytes,
                              wall_time_ns);
}

bool store_is_compact(const struct store *store)
{
    return !store_merge_would_help(store);
}

enum error store_compact(struct store *store, uint64_t wall_time_ns)
{
    if (store->read_only || store->is_waiting) {
        return ERROR_READ_ONLY;
    }
    if (store->is_sealed) {
        return ERROR_BUSY;
    }
    mutex_lock(&store->commit_lock, LOCK_COMMIT);
    enum error error = commit_nothing(store, COMMIT_COMPACTS, wall_time_ns);
    mutex_unlock(&store->commit_lock, LOCK_COMMIT);
    return error;
}

enum error store_reclaim(struct store *store, uint64_t wall_time_ns)
{
    if (store->read_only || store->is_waiting) {
        return ERROR_READ_ONLY;
    }
    if (store->is_sealed) {
        return ERROR_BUSY;
    }
    bool is_least = store->root->window_count <= HISTORY_MIN && store->ladder->count == 0 &&
                    store_committed_generation(store) == store->reclaimed;
    if (is_least && !store->wants_rebuild) {
        return ERROR_NO_SPACE;
    }
    mutex_lock(&store->commit_lock, LOCK_COMMIT);
    enum error error = commit_nothing(store, COMMIT_RECLAIMS, wall_time_ns);
    store->reclaimed = error == OK ? store_committed_generation(store) : store->reclaimed;
    mutex_unlock(&store->commit_lock, LOCK_COMMIT);
    return error;
}
