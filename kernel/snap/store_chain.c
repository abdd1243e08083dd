/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading chains. The order of a record's items is of no meaning: bodies are chained newest first. So a delete leaves
 * alone what the same record puts, which has the record's generation as its birth. Items are input: pages and blocks
 * out of range are damage, however well the checksum fits.
 */
#include "store_chain.h"
#include "atomic.h"

#include <string.h>

enum error store_chain_collect(struct store *store, const struct disk_record_ref *newest, struct disk_head *head,
                               struct ref_list *chain)
{
    thread_may_sleep();
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_head *older = page;
    error = store_record_read_head(store, store->window, newest, head);
    if (error == OK) {
        error = store_ref_list_prepend(chain, newest);
    }
    struct disk_record_ref ref = head->predecessor;
    while (error == OK && ref.block != 0 && ref.generation > head->map_base) {
        error = store_record_read_head(store, store->window, &ref, older);
        if (error == OK && older->map_base > head->map_base) {
            error = ERROR_FORMAT_DAMAGED; /* what has left a log does not come back: it was given up */
        }
        if (error == OK) {
            error = store_ref_list_prepend(chain, &ref);
        }
        ref = older->predecessor;
    }
    store_page_free(page);
    return error;
}

struct applying {
    const struct store *store;
    struct layer *layer;
    const struct record_visitor *visitor;
    bool is_gathering;
};

static enum error apply_put(struct applying *applying, const struct disk_map_entry *entry)
{
    struct disk_map_entry replaced;
    bool sound = entry->block == 0 || (entry->block >= DISK_RESERVED && entry->block < applying->store->block_count);
    return sound && entry->key <= DISK_KEY_MAX && entry->when != 0 ? store_layer_put(applying->layer, entry, &replaced)
                                                                   : ERROR_FORMAT_DAMAGED;
}

static enum error apply_delete(struct applying *applying, const struct disk_head *head, const struct disk_run *run,
                               const void *item, bool under)
{
    uint64_t first, last;
    if (!store_item_range(run, item, &first, &last)) {
        return ERROR_FORMAT_DAMAGED;
    }
    return under ? store_layer_delete_under(applying->layer, first, last)
                 : store_layer_delete_before(applying->layer, first, last, head->generation);
}

static enum error apply_pages(struct applying *applying, const struct disk_head *head, const struct disk_run *run,
                              const void *item)
{
    if (run->type == DISK_ITEM_PUT) {
        struct disk_put put;
        memcpy(&put, item, sizeof(put));
        return apply_put(applying,
                         &(struct disk_map_entry){.key = store_item_key(run, &put),
                                                  .block = put.block,
                                                  .checksum = put.checksum,
                                                  .when = store_when_make(head->generation, head->generation)});
    }
    if (run->type == DISK_ITEM_PUT_STAMPED) {
        struct disk_map_entry entry;
        memcpy(&entry, item, sizeof(entry));
        return apply_put(applying, &entry);
    }
    if (run->type == DISK_ITEM_DELETE || run->type == DISK_ITEM_CARRIED) {
        return apply_delete(applying, head, run, item, run->type == DISK_ITEM_CARRIED || applying->is_gathering);
    }
    return OK;
}

static enum error apply_item(void *context, const struct disk_head *head, const struct disk_run *run, const void *item)
{
    struct applying *applying = context;
    enum error error = apply_pages(applying, head, run, item);
    const struct record_visitor *visitor = applying->visitor;
    if (error == OK && visitor != NULL && visitor->item != NULL) {
        error = visitor->item(visitor->context, head, run, item);
    }
    return error;
}

static enum error apply_block(void *context, const struct store_place *place)
{
    const struct applying *applying = context;
    const struct record_visitor *visitor = applying->visitor;
    return visitor != NULL && visitor->block != NULL ? visitor->block(visitor->context, place) : OK;
}

enum error store_chain_apply(struct store *store, const struct disk_record_ref *ref, struct layer *layer,
                             const struct record_visitor *visitor)
{
    thread_may_sleep();
    struct applying applying = {store, layer, visitor, false};
    struct record_visitor own = {&applying, apply_block, apply_item};
    return store_record_read(store, ref, &own);
}

enum error store_chain_gather(struct store *store, const struct disk_record_ref *ref, struct layer *layer,
                              const struct record_visitor *visitor)
{
    struct applying applying = {store, layer, visitor, true};
    struct record_visitor own = {&applying, apply_block, apply_item};
    return store_record_read(store, ref, &own);
}
