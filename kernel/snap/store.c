/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store's life: format, open, close; and the calls that look pages up and change the open layer.
 */
#include "atomic.h"
#include "store_internal.h"
#include "log.h"
#include "store_checksum.h"
#include "store_dead.h"
#include "store_ladder.h"
#include "store_rules.h"
#include "store_space_tree.h"
#include "store_suspect.h"

#include <string.h>

#define LOG_RECORDS 64u

_Static_assert(HISTORY_MAX + 2 <= DISK_WINDOW_MAX, "the window has room for the history");
_Static_assert(sizeof(struct store) <= PAGE_SIZE, "the store's state is one page");

enum error store_format(struct block_device *device, const struct store_format_options *options)
{
    if (device->read_only) {
        return ERROR_READ_ONLY;
    }
    if (device->block_count < STORE_BLOCKS_MIN) {
        return ERROR_TOO_SMALL;
    }
    if (device->block_count > STORE_BLOCKS_MAX) {
        return ERROR_RANGE;
    }
    if (!store_rules_are_valid(&options->rules)) {
        return ERROR_RANGE;
    }
    enum error error = store_root_write_first(device, options);
    if (error == OK) {
        error = block_flush(device);
    }
    if (error == OK) {
        error = store_label_write(device, options);
    }
    return error == OK ? block_flush(device) : error;
}

/* Say in the roots that the image is in use, and by whom. */
static enum error mark_use(struct store *store, const char *kernel_version)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_root *root = page;
    *root = *store->root;
    root->user = store->user;
    if (!store->maintenance) {
        root->flags &= ~DISK_ROOT_CLEAN;
        memset(root->kernel, 0, sizeof(root->kernel));
        if (kernel_version != NULL) {
            memcpy(root->kernel, kernel_version, strnlen(kernel_version, sizeof(root->kernel) - 1));
        }
    }
    error = store_root_commit(store, root);
    store_page_free(root);
    return error;
}

static enum error ask_to_accept(struct store *store, const struct store_open_options *options)
{
    uint32_t length = STORE_SYSTEM_RECORD_MAX;
    void *page;

    if (options->accept == NULL || store_committed_generation(store) == 0) {
        return OK;
    }
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    error = store_system_record(store, page, &length);
    if (error == OK) {
        error = options->accept(page, length);
    }
    store_page_free(page);
    return error;
}

/*
 * What is retired stays so on a branch, which goes on from a state that may not know of it yet: its first record names
 * again what the newest generation knows. What damage hides is found again when writing it fails.
 */
static enum error retired_inherit(struct store *store)
{
    struct disk_tree_ref newest = store->space_source;
    store_run_list_join(&store->new_bad, &store->bad);
    enum error error = store_space_tree_retired(store, &newest, &store->new_bad);
    return store_is_damage(error) ? OK : error;
}

/* How many generations stay in the window: what the caller wants, or what the image says. */
static void history_choose(struct store *store)
{
    uint32_t *history = &store->tuning.history;
    if (*history < HISTORY_MIN || *history > HISTORY_MAX) {
        uint32_t newest = store->root->rules.newest;
        *history = newest == 0 ? HISTORY_MAX : newest;
    }
}

static enum error recover(struct store *store, const struct store_open_options *options, struct store_report *report)
{
    struct generation generation = options->generation;
    enum error error = store_label_read(store, report);
    if (error == OK) {
        error = store_root_read(store, report);
    }
    if (error == OK && !store->read_only && (store->root->write_features & ~DISK_WRITE_FEATURES) != 0) {
        store_report_say(report, "format %u with features %x; this version only reads such an image", DISK_VERSION,
                         store->root->write_features);
        error = ERROR_FORMAT_VERSION;
    }
    if (error == OK) {
        error = store_ladder_load(store, report);
    }
    if (error != OK) {
        return error;
    }
    history_choose(store);
    if (options->name != NULL) {
        error = store_pin_find(store, options->name, &generation);
        if (error != OK) {
            return error;
        }
    }
    report->clean = (store->root->flags & DISK_ROOT_CLEAN) != 0;
    error = options->before.number != 0 ? store_replay_before(store, options->before.number, report)
                                        : store_replay(store, generation.number, report);
    if (error != OK) {
        return error;
    }
    const struct disk_root *root = store->root;
    uint64_t newest = root->window_count == 0 ? 0 : root->window[0].generation;
    store->open_generation = newest + 1;
    store->inherited = store_committed_generation(store);
    report->generation.number = store_committed_generation(store);
    report->newest.number = newest;
    report->wall_time_ns = store->state.record.wall_time_ns;
    report->newest_wall_time_ns = root->window_count == 0 ? 0 : root->window[0].wall_time_ns;
    if (store->read_only) {
        return OK;
    }
    error = ask_to_accept(store, options);
    if (error != OK) {
        return error;
    }
    bool is_branch = (generation.number != 0 || options->before.number != 0) && store->branch_from != 0;
    if (is_branch) {
        store_report_say(report, "the next commit replaces generations %llu to %llu",
                         (unsigned long long)store_committed_generation(store) + 1, (unsigned long long)newest);
        error = retired_inherit(store);
        if (error != OK) {
            return error;
        }
    }
    error = store->wants_rebuild && !is_branch ? store_rebuild(store) : OK;
    return error != OK || store->is_waiting ? error : mark_use(store, options->kernel_version);
}

enum error store_use(struct store *store, const char *kernel_version)
{
    thread_may_sleep();
    enum error error = mark_use(store, kernel_version);
    store->is_waiting = store->is_waiting && error != OK;
    return error;
}

static void store_free(struct store *store)
{
    store_layer_clear(&store->open);
    store_layer_clear(&store->sealed);
    store_layer_clear(&store->recent);
    store_layer_clear(&store->merging);
    store_ref_list_clear(&store->log);
    store_run_list_clear(&store->bad);
    store_run_list_clear(&store->new_bad);
    store_space_clear(&store->space);
    store_cache_clear(&store->cache);
    store_unread_free(store->unread);
    store_dead_proof_free(store->proof);
    store_page_free(store->system);
    store_page_free(store->root);
    store_page_free(store->ladder);
    store_page_free(store);
}

static void tuning_set(struct store *store, const struct store_tuning *wanted)
{
    struct store_tuning *tuning = &store->tuning;
    *tuning = *wanted;
    tuning->log_records = tuning->log_records == 0 ? LOG_RECORDS : tuning->log_records;
    if (tuning->cache_nodes == 0) {
        tuning->cache_nodes = frame_limit() / 32;
    }
}

enum error store_open(struct block_device *device, const struct store_open_options *options, struct store **out,
                      struct store_report *report)
{
    *report = (struct store_report){0};
    if (device->read_only && !options->read_only) {
        return ERROR_READ_ONLY;
    }
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct store *store = page;
    store->device = device;
    store->read_only = options->read_only;
    store->is_waiting = options->waits && !options->read_only;
    store->maintenance = options->maintenance;
    store->user = options->user == 0 ? 1 : options->user;
    tuning_set(store, &options->tuning);
    error = store_page_new(&page);
    if (error == OK) {
        store->system = page;
        error = store_page_new(&page);
    }
    if (error == OK) {
        store->ladder = page;
        error = store_cache_initialise(&store->cache, store->tuning.cache_nodes);
    }
    if (error == OK) {
        error = store_unread_new(&store->unread);
    }
    if (error == OK) {
        error = recover(store, options, report);
    }
    if (error != OK) {
        store_free(store);
        return error;
    }
    *out = store;
    return OK;
}

enum error store_close(struct store *store)
{
    enum error error = OK;
    if (!store->read_only && !store->is_waiting && !store->is_sealed) {
        mutex_lock(&store->commit_lock, LOCK_COMMIT);
        error = store_root_resolve(store);
        if (error == OK) {
            error = store_root_confirm(store);
        }
        if (error == OK) {
            struct disk_root *root = store->root;
            root->flags |= store->maintenance ? 0 : DISK_ROOT_CLEAN;
            root->user = 0;
            error = store_root_commit(store, root);
        }
        mutex_unlock(&store->commit_lock, LOCK_COMMIT);
    }
    store_free(store);
    return error;
}

struct generation store_committed(const struct store *store)
{
    return (struct generation){store_committed_generation(store)};
}

struct generation store_open_generation(struct store *store)
{
    store->open_is_stamped = true;
    return (struct generation){store->open_generation};
}

struct generation store_sealed_generation(const struct store *store)
{
    return (struct generation){store->is_sealed ? store->sealed_generation : 0};
}

bool store_sealed_is_empty(const struct store *store)
{
    return store_layer_is_empty(&store->sealed);
}

uint32_t store_open_changes(const struct store *store)
{
    return store->open.pages.slots + store->open.deleted.slots;
}

uint32_t store_sealed_changes(const struct store *store)
{
    return store->sealed.pages.slots + store->sealed.deleted.slots;
}

struct block_device *store_device(const struct store *store)
{
    return store->device;
}

void store_statistics(const struct store *store, struct store_statistics *out)
{
    *out = (struct store_statistics){
        .blocks = store->block_count,
        .blocks_used = store->space.used,
        .blocks_held = store->space.held,
        .pages = store->state.pages_live,
        .log_records = store->log.count,
        .log_entries = store->recent.pages.slots + store->merging.pages.slots,
        .merge_is_under_way = store->state.merge_end != 0,
        .rungs = store->ladder->count,
        .ladder_blocks = store->root->ladder_blocks,
        .memory_pages = frame_count(FRAME_STORE),
    };
    out->created_ns = store->created_ns;
    memcpy(out->space_id, store->space_id, sizeof(out->space_id));
    memcpy(out->kernel, store->root->kernel, sizeof(store->root->kernel));
}

enum error store_system_record(struct store *store, void *record, uint32_t *length)
{
    if (store->state.record.block == 0) {
        return ERROR_NOT_FOUND;
    }
    if (*length < store->system_bytes) {
        return ERROR_RANGE;
    }
    memcpy(record, store->system, store->system_bytes);
    *length = store->system_bytes;
    return OK;
}

/* Blocks that only commits may use, so that a full disk can still free what history holds. */
static uint32_t reserve_blocks(const struct store *store)
{
    uint32_t share = store->block_count / 256;
    return share > 32 ? share : 32;
}

/*
 * Before the first block of a snapshot is taken: nobody else has the image, and no root is in doubt (STORE-5). While a
 * commit runs it has seen to the first itself.
 */
static enum error allowed_to_write(struct store *store)
{
    if (store->in_doubt) {
        mutex_lock(&store->commit_lock, LOCK_COMMIT);
    } else if (store->is_confirmed || !mutex_try_lock(&store->commit_lock, LOCK_COMMIT)) {
        return OK;
    }
    enum error error = store_root_resolve(store);
    error = error != OK || store->is_confirmed ? error : store_root_confirm(store);
    mutex_unlock(&store->commit_lock, LOCK_COMMIT);
    return error;
}

enum error store_allocate(struct store *store, uint32_t wanted, struct extent *out)
{
    thread_may_sleep();
    if (store->read_only || store->is_waiting) {
        return ERROR_READ_ONLY;
    }
    enum error error = allowed_to_write(store);
    if (error != OK) {
        return error;
    }
    return store_space_allocate(&store->space, wanted, reserve_blocks(store), out);
}

void store_retire(struct store *store, struct extent extent)
{
    store_space_release(&store->space, extent);
    /* Without memory for the note the blocks are merely tried again. */
    if (store_run_list_append(&store->new_bad, extent.first.number, extent.count, 0) == OK) {
        (void)!store_space_mark(&store->space, extent, true);
    }
}

void store_release(struct store *store, struct extent extent)
{
    store_space_release(&store->space, extent);
}

static enum error put(struct store *store, struct layer *layer, struct page_key page, const struct store_entry *entry)
{
    if (page.number > DISK_KEY_MAX) {
        return ERROR_RANGE;
    }
    if (!block_is_none(entry->block) && !store_space_is_held(&store->space, entry->block)) { /* STORE-2 */
        return ERROR_INVALID;
    }
    struct disk_map_entry replaced;
    enum error error = store_layer_put(layer,
                                       &(struct disk_map_entry){.key = page.number,
                                                                .block = entry->block.number,
                                                                .checksum = entry->checksum,
                                                                .when = entry->generation.number},
                                       &replaced);
    if (error == OK && !store_entry_is_empty(&replaced) && replaced.block != entry->block.number) {
        store_space_release_entry(&store->space, &replaced);
    }
    return error;
}

enum error store_put(struct store *store, struct page_key page, const struct store_entry *entry)
{
    if (store->read_only) {
        return ERROR_READ_ONLY;
    }
    if (entry->generation.number == 0 || entry->generation.number > store->open_generation) {
        return ERROR_INVALID;
    }
    if (store->open_generation - entry->generation.number > DISK_STAMP_AGE_MAX) {
        return ERROR_RANGE;
    }
    return put(store, &store->open, page, entry);
}

enum error store_snapshot_put(struct store *store, struct page_key page, const struct store_entry *entry)
{
    if (!store->is_sealed || entry->generation.number == 0 || entry->generation.number > store->sealed_generation) {
        return ERROR_INVALID;
    }
    return put(store, &store->sealed, page, entry);
}

enum error store_delete(struct store *store, struct page_key first, uint32_t count)
{
    if (store->read_only) {
        return ERROR_READ_ONLY;
    }
    if (count == 0) {
        return OK;
    }
    if (first.number > DISK_KEY_MAX || count > OBJECT_PAGES - page_key_index(first)) {
        return ERROR_RANGE;
    }
    return store_layer_delete(&store->open, first.number, first.number + (count - 1), store_space_release_entry,
                              &store->space);
}
