/*
 * Recovery: from the roots to the state they describe.
 *
 * The newest generation whose record chain proves itself, block by block, is the state of the image; if one does not,
 * the generation before it is tried, and the report says so. Pages are not read: each proves itself when it is.
 */
#include "store_record.h"

#include <string.h>

/* References of a chain, newest first, in pages of memory linked from the oldest. */
struct ref_page {
    struct ref_page *newer;
    uint32_t count;
    struct disk_record_ref refs[127];
};

_Static_assert(sizeof(struct ref_page) <= PAGE_SIZE, "reference page");

static enum error chain_push(struct ref_page **chain, const struct disk_record_ref *ref)
{
    if (*chain == NULL || (*chain)->count == 127) {
        void *page;
        enum error error = memory_page_new(&page);
        if (error != OK) {
            return error;
        }
        struct ref_page *older = page;
        older->newer = *chain;
        *chain = older;
    }
    (*chain)->refs[(*chain)->count++] = *ref;
    return OK;
}

static void chain_free(struct ref_page *chain)
{
    while (chain != NULL) {
        struct ref_page *newer = chain->newer;
        memory_page_free(chain);
        chain = newer;
    }
}

static void take_head(struct store *store, const struct disk_head *head)
{
    store->committed_generation = head->generation;
    store->wall_time_ns = head->wall_time_ns;
    store->log_base = head->map_base;
    store->space.cursor = head->cursor < store->block_count ? head->cursor : DISK_RESERVED;
    store->system_bytes = head->system_bytes;
    memcpy(store->system, head->bytes, head->system_bytes);
}

/* The records that make up the state, from `newest` back to the base of the log. */
static enum error chain_collect(struct store *store, const struct disk_record_ref *newest, struct ref_page **chain)
{
    void *page;
    enum error error = memory_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_head *head = page;
    struct disk_record_ref ref = *newest;
    bool is_first = true;
    while (error == OK && ref.block != 0 && (is_first || ref.generation > store->log_base)) {
        error = record_read_head(store, &ref, head);
        if (error == OK && is_first) {
            take_head(store, head);
            is_first = false;
        }
        error = error != OK ? error : chain_push(chain, &ref);
        ref = head->predecessor;
    }
    memory_page_free(page);
    return error;
}

static enum error replay_block(void *context, uint32_t block)
{
    struct store *store = context;
    struct extent extent = {{block}, 1};
    enum error error = space_claim(&store->space, extent);
    return error != OK ? error : extent_list_append(&store->log, extent);
}

static enum error replay_put(struct store *store, const struct disk_map_entry *entry)
{
    struct disk_map_entry replaced;
    bool sound = entry->block == 0 || (entry->block >= DISK_RESERVED && entry->block < store->block_count);
    store->log_items++;
    return sound ? layer_put(&store->committed, entry, &replaced) : ERROR_FORMAT_DAMAGED;
}

static enum error replay_item(void *context, const struct disk_head *head, enum disk_item_type type, const void *item)
{
    struct store *store = context;
    if (type == DISK_ITEM_PUT) {
        struct disk_put put;
        memcpy(&put, item, sizeof(put));
        struct disk_map_entry entry = {put.page, put.block, put.checksum,
                                       when_make(head->generation, head->generation)};
        return replay_put(store, &entry);
    }
    if (type == DISK_ITEM_PUT_STAMPED) {
        struct disk_map_entry entry;
        memcpy(&entry, item, sizeof(entry));
        return entry.when == 0 ? ERROR_FORMAT_DAMAGED : replay_put(store, &entry);
    }
    if (type == DISK_ITEM_DELETE) {
        struct disk_extent pages;
        memcpy(&pages, item, sizeof(pages));
        if (pages.count == 0 || pages.count - 1 > UINT32_MAX - pages.first) {
            return ERROR_FORMAT_DAMAGED;
        }
        return layer_delete(&store->committed, pages.first, pages.first + (pages.count - 1), NULL, NULL);
    }
    return OK;
}

static enum error pages_claim(struct store *store)
{
    const struct disk_map_entry *entry = index_next(&store->committed.pages, 0);
    while (entry != NULL) {
        enum error error = OK;
        if (entry->block != 0) {
            error = space_claim(&store->space, (struct extent){{entry->block}, 1});
        }
        if (error != OK) {
            return error;
        }
        entry = index_after(&store->committed.pages, entry);
    }
    return OK;
}

static void forget(struct store *store)
{
    layer_clear(&store->committed);
    extent_list_clear(&store->log);
    space_clear(&store->space);
    store->log_records = 0;
    store->log_items = 0;
    store->log_base = 0;
    store->committed_generation = 0;
}

static enum error replay_record(struct store *store, const struct disk_record_ref *newest)
{
    struct ref_page *chain = NULL;
    struct record_visitor visitor = {store, replay_block, replay_item};
    enum error error = space_initialise(&store->space, store->block_count);
    error = error != OK ? error : chain_collect(store, newest, &chain);
    for (const struct ref_page *page = chain; page != NULL && error == OK; page = page->newer) {
        for (uint32_t i = page->count; i > 0 && error == OK; i--) {
            error = record_read(store, &page->refs[i - 1], &visitor);
            store->log_records++;
        }
    }
    chain_free(chain);
    error = error != OK ? error : pages_claim(store);
    if (error != OK) {
        forget(store);
    }
    return error;
}

enum error replay(struct store *store, uint64_t generation, struct store_report *report)
{
    const struct disk_root *root = store->root;
    if (root->window_count == 0) {
        return generation == 0 ? space_initialise(&store->space, store->block_count) : ERROR_NOT_FOUND;
    }
    enum error error = ERROR_NOT_FOUND;
    for (uint32_t i = 0; i < root->window_count; i++) {
        if (generation != 0 && root->window[i].generation != generation) {
            continue;
        }
        error = replay_record(store, &root->window[i]);
        if (error == OK) {
            report->fell_back = report->fell_back || (i > 0 && generation == 0);
            return OK;
        }
        report_say(report, "generation %llu: %s", (unsigned long long)root->window[i].generation, error_text(error));
        if (error == ERROR_NO_MEMORY || generation != 0) {
            return error;
        }
    }
    return error == ERROR_NOT_FOUND ? error : ERROR_FORMAT_DAMAGED;
}
