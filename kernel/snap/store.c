/*
 * The store's life: format, open, close; and the calls that look pages up and change the open layer.
 */
#include "store_internal.h"
#include "log.h"
#include "store_checksum.h"

#include <string.h>

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
    enum error error = root_write_first(device, options);
    error = error != OK ? error : block_flush(device);
    error = error != OK ? error : label_write(device, options);
    return error != OK ? error : block_flush(device);
}

/* Say in the roots that the image is in use, and by whom. */
static enum error mark_use(struct store *store, const struct store_open_options *options)
{
    void *page;
    enum error error = memory_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_root *root = page;
    *root = *store->root;
    root->flags &= ~DISK_ROOT_CLEAN;
    root->user = store->user;
    memset(root->kernel, 0, sizeof(root->kernel));
    if (options->kernel_version != NULL) {
        size_t length = strnlen(options->kernel_version, sizeof(root->kernel) - 1);
        memcpy(root->kernel, options->kernel_version, length);
    }
    error = root_commit(store, root);
    memory_page_free(root);
    return error;
}

static enum error recover(struct store *store, const struct store_open_options *options, struct store_report *report)
{
    enum error error = label_read(store, report);
    error = error != OK ? error : root_read(store, report);
    if (error != OK) {
        return error;
    }
    report->clean = (store->root->flags & DISK_ROOT_CLEAN) != 0;
    error = replay(store, options->generation.number, report);
    if (error != OK) {
        return error;
    }
    const struct disk_root *root = store->root;
    store->open_generation = (root->window_count == 0 ? 0 : root->window[0].generation) + 1;
    report->generation.number = store->committed_generation;
    report->wall_time_ns = store->wall_time_ns;
    return store->read_only ? OK : mark_use(store, options);
}

static void store_free(struct store *store)
{
    layer_clear(&store->open);
    layer_clear(&store->sealed);
    layer_clear(&store->committed);
    extent_list_clear(&store->log);
    extent_list_clear(&store->dying);
    space_clear(&store->space);
    memory_page_free(store->root);
    memory_page_free(store);
}

enum error store_open(struct block_device *device, const struct store_open_options *options, struct store **out,
                      struct store_report *report)
{
    *report = (struct store_report){0};
    if (device->read_only && !options->read_only) {
        return ERROR_READ_ONLY;
    }
    void *page;
    enum error error = memory_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct store *store = page;
    store->device = device;
    store->read_only = options->read_only;
    store->user = options->user == 0 ? 1 : options->user;
    error = recover(store, options, report);
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
    if (!store->read_only && !store->is_sealed) {
        error = doubt_settle(store);
        error = error != OK ? error : root_confirm(store);
        if (error == OK) {
            struct disk_root *root = store->root;
            root->flags |= DISK_ROOT_CLEAN;
            root->user = 0;
            error = root_commit(store, root);
        }
    }
    store_free(store);
    return error;
}

static void entry_give(const struct disk_map_entry *entry, bool is_committed, struct store_entry *out)
{
    out->block.number = entry->block;
    out->checksum = entry->checksum;
    out->generation.number = is_committed ? when_stamp(entry->when) : entry->when;
}

/* STORE-3, from `top` down: 0 is the open layer, 1 the sealed one. */
static enum error find_from(struct store *store, uint32_t top, uint32_t page, struct store_entry *out)
{
    const struct layer *layers[] = {&store->open, &store->sealed, &store->committed};
    for (uint32_t i = top; i < 3; i++) {
        struct disk_map_entry entry;
        enum layer_answer answer = layer_find(layers[i], page, &entry);
        if (answer == LAYER_HAS) {
            entry_give(&entry, i == 2, out);
            return OK;
        }
        if (answer == LAYER_DELETED) {
            return ERROR_NOT_FOUND;
        }
    }
    return ERROR_NOT_FOUND;
}

enum error store_find(struct store *store, struct gpn page, struct store_entry *out)
{
    return find_from(store, 0, page.number, out);
}

enum error store_find_sealed(struct store *store, struct gpn page, struct store_entry *out)
{
    return find_from(store, 1, page.number, out);
}

enum error store_next(struct store *store, struct gpn from, struct gpn *page, struct store_entry *out)
{
    const struct layer *layers[] = {&store->open, &store->sealed, &store->committed};
    uint32_t at = from.number;
    while (true) {
        const struct disk_map_entry *nearest = NULL;
        for (uint32_t i = 0; i < 3; i++) {
            const struct disk_map_entry *entry = index_next(&layers[i]->pages, at);
            if (entry != NULL && (nearest == NULL || entry->page < nearest->page)) {
                nearest = entry;
            }
        }
        if (nearest == NULL) {
            return ERROR_NOT_FOUND;
        }
        page->number = nearest->page;
        enum error error = find_from(store, 0, page->number, out);
        if (error != ERROR_NOT_FOUND || page->number == UINT32_MAX) {
            return error;
        }
        at = page->number + 1;
    }
}

enum error store_read(struct store *store, struct gpn page, const struct store_entry *entry, void *content)
{
    if (block_is_none(entry->block)) {
        memset(content, 0, PAGE_SIZE);
        return OK;
    }
    enum error error = block_read(store->device, entry->block, content);
    if (error != OK) {
        return error;
    }
    return store_checksum(store, page, entry->generation, content) == entry->checksum ? OK : ERROR_CHECKSUM;
}

uint64_t store_checksum(const struct store *store, struct gpn page, struct generation generation, const void *content)
{
    return checksum_page(store->space_id, page.number, generation.number, content);
}

struct generation store_committed(const struct store *store)
{
    return (struct generation){store->committed_generation};
}

struct generation store_open_generation(const struct store *store)
{
    return (struct generation){store->open_generation};
}

struct generation store_sealed_generation(const struct store *store)
{
    return (struct generation){store->is_sealed ? store->sealed_generation : 0};
}

bool store_sealed_is_empty(const struct store *store)
{
    return layer_is_empty(&store->sealed);
}

struct block_device *store_device(const struct store *store)
{
    return store->device;
}

enum error store_system_record(struct store *store, void *record, uint32_t *length)
{
    if (store->committed_generation == 0) {
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

enum error store_allocate(struct store *store, uint32_t wanted, struct extent *out)
{
    if (store->read_only) {
        return ERROR_READ_ONLY;
    }
    enum error error = doubt_settle(store);
    return error != OK ? error : space_allocate(&store->space, wanted, reserve_blocks(store), out);
}

void store_release(struct store *store, struct extent extent)
{
    space_release(&store->space, extent);
}

static void block_release(void *context, const struct disk_map_entry *entry)
{
    struct store *store = context;
    if (entry->block != 0) {
        space_release(&store->space, (struct extent){{entry->block}, 1});
    }
}

static enum error put(struct store *store, struct layer *layer, struct gpn page, const struct store_entry *entry)
{
    if (!block_is_none(entry->block) && !space_is_held(&store->space, entry->block)) {
        return ERROR_INVALID;
    }
    struct disk_map_entry replaced;
    enum error error = layer_put(layer,
                                 &(struct disk_map_entry){.page = page.number,
                                                          .block = entry->block.number,
                                                          .checksum = entry->checksum,
                                                          .when = entry->generation.number},
                                 &replaced);
    if (error == OK && !entry_is_empty(&replaced)) {
        block_release(store, &replaced);
    }
    return error;
}

enum error store_put(struct store *store, struct gpn page, const struct store_entry *entry)
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

enum error store_snapshot_put(struct store *store, struct gpn page, const struct store_entry *entry)
{
    if (!store->is_sealed || entry->generation.number == 0 || entry->generation.number > store->sealed_generation) {
        return ERROR_INVALID;
    }
    return put(store, &store->sealed, page, entry);
}

enum error store_delete(struct store *store, struct gpn first, uint32_t count)
{
    if (store->read_only) {
        return ERROR_READ_ONLY;
    }
    if (count == 0) {
        return OK;
    }
    if (count - 1 > UINT32_MAX - first.number) {
        return ERROR_RANGE;
    }
    return layer_delete(&store->open, first.number, first.number + (count - 1), block_release, store);
}
