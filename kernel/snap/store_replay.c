/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recovery: from the roots to the state they describe.
 *
 * The newest generation whose record chain proves itself, block by block, is the state of the image; if one does not,
 * the generation before it is tried, and the report says so. Trees and pages are not read here: each block of theirs
 * proves itself when it is. So recovery reads the log, which is bounded, and the chunks of the free-space map that the
 * log changes.
 */
#include "log.h"
#include "store_chain.h"

#include <string.h>

struct replaying {
    struct store *store;
    bool with_space;
    uint64_t space_base;
    struct extent used; /* of the newest marks, not in the free-space map yet; pages mostly lie block by block */
};

static enum error marks_finish(struct replaying *replaying)
{
    struct extent used = replaying->used;
    replaying->used.count = 0;
    return used.count == 0 ? OK : store_space_mark(&replaying->store->space, used, true);
}

static enum error mark(struct replaying *replaying, uint32_t first, uint32_t count, bool is_used)
{
    struct extent *used = &replaying->used;
    if (first < DISK_RESERVED) {
        return ERROR_FORMAT_DAMAGED;
    }
    if (is_used && count == 1 && used->count > 0 && used->first.number + used->count == first) {
        used->count++;
        return OK;
    }
    enum error error = marks_finish(replaying);
    if (error == OK && is_used) {
        *used = (struct extent){{first}, count};
        return OK;
    }
    return error == OK ? store_space_mark(&replaying->store->space, (struct extent){{first}, count}, is_used) : error;
}

static size_t block_offset(uint16_t put)
{
    return put == DISK_ITEM_PUT ? offsetof(struct disk_put, block) : offsetof(struct disk_map_entry, block);
}

static enum error space_item(struct replaying *replaying, uint16_t type, const void *item)
{
    struct disk_extent extent;
    uint32_t block;
    switch (type) {
    case DISK_ITEM_PUT:
    case DISK_ITEM_PUT_STAMPED:
        memcpy(&block, (const uint8_t *)item + block_offset(type), sizeof(block));
        return block == 0 ? OK : mark(replaying, block, 1, true);
    case DISK_ITEM_ALLOCATED:
    case DISK_ITEM_BAD:
        memcpy(&extent, item, sizeof(extent));
        return mark(replaying, extent.first, extent.count, true);
    case DISK_ITEM_FREED:
        memcpy(&extent, item, sizeof(extent));
        return mark(replaying, extent.first, extent.count, false);
    default:
        return OK;
    }
}

static enum error replay_item(void *context, const struct disk_head *head, const struct disk_run *run, const void *item)
{
    struct replaying *replaying = context;
    if (run->type == DISK_ITEM_BAD) {
        struct disk_extent extent;
        memcpy(&extent, item, sizeof(extent));
        enum error error = store_run_list_append(&replaying->store->bad, extent.first, extent.count, 0);
        if (error != OK) {
            return error;
        }
    }
    if (!replaying->with_space || head->generation <= replaying->space_base) {
        return OK;
    }
    return space_item(replaying, run->type, item);
}

static enum error replay_block(void *context, const struct store_place *place)
{
    struct replaying *replaying = context;
    if (!replaying->with_space) {
        return OK;
    }
    enum error error = mark(replaying, place->block, 1, true);
    return error != OK || place->copy == 0 ? error : mark(replaying, place->copy, 1, true);
}

static enum error state_take(struct store *store, const struct disk_record_ref *ref, const struct disk_head *head)
{
    if (head->page_tree.height > DISK_HEIGHT_MAX || head->space_tree.height > DISK_HEIGHT_MAX) {
        return ERROR_FORMAT_DAMAGED;
    }
    store->state = (struct state){
        .record = *ref,
        .map_base = head->map_base,
        .space_base = head->space_base,
        .page_tree = head->page_tree,
        .space_tree = head->space_tree,
        .merge_end = head->merge_end,
        .merge_next = head->merge_next,
        .pages_live = head->pages_live,
        .stop_ns = head->stop_ns,
    };
    store->system_bytes = head->system_bytes;
    memcpy(store->system, store_record_system(head), head->system_bytes);
    return OK;
}

static void state_forget(struct store *store)
{
    store_layer_clear(&store->recent);
    store_layer_clear(&store->merging);
    store_ref_list_clear(&store->log);
    store_run_list_clear(&store->bad);
    store_space_clear(&store->space);
    store->state = (struct state){0};
    store->system_bytes = 0;
}

static enum error log_apply(struct store *store, const struct disk_head *head, bool with_space)
{
    struct replaying replaying = {.store = store, .with_space = with_space, .space_base = head->space_base};
    struct ref_cursor cursor = {0};
    const struct disk_record_ref *ref;
    while ((ref = store_ref_list_next(&store->log, &cursor)) != NULL) {
        struct layer *layer = ref->generation <= head->merge_end ? &store->merging : &store->recent;
        bool in_space_log = ref->generation > head->space_base;
        struct record_visitor visitor = {&replaying, in_space_log ? replay_block : NULL, replay_item};
        enum error error = store_chain_apply(store, ref, layer, &visitor);
        if (error == OK) {
            error = marks_finish(&replaying);
        }
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

/* Take the state from one record. Where it fails, everything is as before. */
static enum error replay_record(struct store *store, const struct disk_record_ref *ref, bool with_space)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_head *head = page;
    store->window = store_read_window_open();
    error = store_chain_collect(store, ref, head, &store->log);
    if (error == OK) {
        error = state_take(store, ref, head);
    }
    if (error == OK && with_space) {
        store->space_source = head->space_tree; /* chunks are loaded as the log is applied */
    }
    if (error == OK) {
        error = store_space_initialise(&store->space, store, store_space_tree_load, store->block_count, 0);
    }
    if (error == OK) {
        error = log_apply(store, head, with_space);
    }
    if (error == OK && with_space && (head->blocks_used < DISK_RESERVED || head->blocks_used > store->block_count)) {
        error = ERROR_FORMAT_DAMAGED;
    }
    store_read_window_close(store->window);
    store->window = NULL;
    if (error == OK) {
        store->space.used = head->blocks_used <= store->block_count ? head->blocks_used : store->block_count;
        store->space.cursor = head->cursor < store->block_count ? head->cursor : 0;
    } else {
        state_forget(store);
    }
    store_page_free(page);
    return error;
}

/*
 * As replay_record; damage of the free-space map alone does not make a generation unreadable: it can be made anew.
 */
static enum error replay_generation(struct store *store, const struct disk_record_ref *ref)
{
    bool with_space = !store->wants_rebuild;
    enum error error = replay_record(store, ref, with_space);
    if (with_space && store_is_damage(error)) {
        error = replay_record(store, ref, false);
        store->wants_rebuild = error == OK;
    }
    return error;
}

/* The newest generation that proves itself. */
static enum error replay_newest(struct store *store, struct store_report *report)
{
    const struct disk_root *root = store->root;
    for (uint32_t i = 0; i < root->window_count + store->ladder->count; i++) {
        const struct disk_record_ref *ref =
            i < root->window_count ? &root->window[i] : &store->ladder->rungs[i - root->window_count];
        enum error error = replay_generation(store, ref);
        if (error == OK) {
            report->fell_back = report->fell_back || i > 0;
            store->wants_rebuild = store->wants_rebuild || i > 0;
            return OK;
        }
        if (error == ERROR_NO_MEMORY) {
            return error;
        }
        store_report_say(report, "generation %llu: %s", (unsigned long long)ref->generation, error_text(error));
        report->read_failed = report->read_failed || error == ERROR_IO;
    }
    return ERROR_FORMAT_DAMAGED;
}

/*
 * An earlier generation, asked for by number. The free-space map stays that of the newest, so that until the first
 * commit of the branch is durable nothing of the generations it replaces is overwritten.
 */
static enum error replay_earlier(struct store *store, uint64_t generation, struct store_report *report)
{
    const struct disk_record_ref *ref = store_kept_find(store, generation);
    if (ref == NULL) {
        return ERROR_NOT_FOUND;
    }
    enum error error = replay_newest(store, report);
    if (error != OK || store_committed_generation(store) == generation) {
        return error;
    }
    error = store->wants_rebuild && !store->read_only ? store_rebuild(store) : OK;
    if (error != OK) {
        return error;
    }
    struct space space = store->space;
    struct run_list bad = store->bad;
    store->space = (struct space){0};
    store->bad = (struct run_list){0};
    state_forget(store);
    error = replay_record(store, ref, false);
    if (error != OK) {
        store_report_say(report, "generation %llu: %s", (unsigned long long)generation, error_text(error));
        store_space_clear(&space);
        store_run_list_clear(&bad);
        return error;
    }
    store_space_clear(&store->space);
    store_run_list_clear(&store->bad);
    store->space = space;
    store->bad = bad;
    return OK;
}

enum error store_replay(struct store *store, uint64_t generation, struct store_report *report)
{
    const struct disk_root *root = store->root;
    store->wants_rebuild = (root->flags & DISK_ROOT_REBUILD) != 0;
    if (root->window_count == 0) {
        return generation == 0 ? store_space_initialise(&store->space, store, store_space_tree_load, store->block_count,
                                                        DISK_RESERVED)
                               : ERROR_NOT_FOUND;
    }
    enum error error = generation == 0 ? replay_newest(store, report) : replay_earlier(store, generation, report);
    if (error == OK && store_committed_generation(store) != root->window[0].generation) {
        store->branch_from = store_committed_generation(store);
    }
    return error;
}

enum error store_replay_before(struct store *store, uint64_t before, struct store_report *report)
{
    const struct disk_root *root = store->root;
    const struct disk_ladder *ladder = store->ladder;
    for (uint32_t i = 0; i < root->window_count + ladder->count; i++) {
        uint64_t generation =
            i < root->window_count ? root->window[i].generation : ladder->rungs[i - root->window_count].generation;
        if (generation < before) {
            report->generation.number = generation;
            return store_replay(store, generation, report);
        }
    }
    return ERROR_NOT_FOUND;
}
