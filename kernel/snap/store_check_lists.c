/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of what will be acted upon later: dead lists when their generation leaves the window, merged pages when the
 * log no longer answers for them. A commit cannot afford to prove these; whoever verifies an image can.
 */
#include "store_check_lists.h"
#include "log.h"
#include "store_reach.h"

#include <string.h>

struct lists {
    struct store *store;
    const struct lists_listener *listener;
    struct space needed; /* by the newest generation */
    struct space listed; /* as dead so far */
};

static void wrong(const struct lists *lists, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void wrong(const struct lists *lists, const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    kernel_vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    lists->listener->wrong(lists->listener->context, text);
}

/* Dead lists ------------------------------------------------------------------------------------------------------- */

static enum error load_nothing(struct store *store, uint32_t chunk, void *bits)
{
    (void)store;
    (void)chunk;
    (void)bits;
    return OK;
}

static enum error need(void *context, const struct reach_item *item)
{
    (void)context;
    (void)item;
    return OK; /* reach() has marked it */
}

static enum error gather_needed(struct lists *lists)
{
    struct store *store = lists->store;
    struct reach_visitor visitor = {.context = lists, .item = need};
    void *page;
    enum error error = memory_page_new(&page);
    if (error != OK) {
        return error;
    }
    struct disk_root *root = page;
    root->window[0] = store->root->window[0];
    root->window_count = 1;
    error = reach(store, root, UINT64_MAX, &lists->needed, &visitor);
    memory_page_free(page);
    return error;
}

static enum error block_dies(struct lists *lists, const struct disk_head *head, uint32_t block)
{
    struct extent extent = {{block}, 1};
    enum error error = space_prepare(&lists->needed, extent);
    error = error != OK ? error : space_prepare(&lists->listed, extent);
    if (error != OK) {
        return error;
    }
    if (space_is_used(&lists->needed, extent.first)) {
        wrong(lists, "block %u is needed, and generation %llu says that it is not", block,
              (unsigned long long)head->generation);
    }
    if (space_is_used(&lists->listed, extent.first)) {
        wrong(lists, "block %u is given up twice; once by generation %llu", block, (unsigned long long)head->generation);
    }
    return space_mark(&lists->listed, extent, true);
}

static enum error item_dies(void *context, const struct disk_head *head, enum disk_item_type type, const void *item)
{
    struct lists *lists = context;
    struct disk_dead dead = {.count = 0};
    if (type == DISK_ITEM_DEAD) {
        memcpy(&dead, item, sizeof(dead));
    } else if (type == DISK_ITEM_DEAD_RECORD) {
        struct disk_record_ref ref;
        memcpy(&ref, item, sizeof(ref));
        dead = (struct disk_dead){.block = ref.block, .count = 1};
    } else {
        return OK;
    }
    if (dead.count == 0 || dead.block < DISK_RESERVED || dead.block >= lists->store->block_count ||
        dead.count > lists->store->block_count - dead.block) {
        wrong(lists, "generation %llu gives up %u blocks from %u on", (unsigned long long)head->generation, dead.count,
              dead.block);
        return OK;
    }
    enum error error = OK;
    for (uint32_t i = 0; i < dead.count && error == OK; i++) {
        error = block_dies(lists, head, dead.block + i);
    }
    return error;
}

static enum error dead_check(struct lists *lists)
{
    const struct disk_root *root = lists->store->root;
    struct record_visitor visitor = {.context = lists, .item = item_dies};
    enum error error = gather_needed(lists);
    for (uint32_t i = 0; error == OK && i + 1 < root->window_count; i++) {
        error = record_read(lists->store, &root->window[i], &visitor);
        error = is_damage(error) ? OK : error; /* the walk over the image has found that */
    }
    return error;
}

/* The merge -------------------------------------------------------------------------------------------------------- */

/* What the layers above say does not matter here; what could not be merged is in the log again. */
static bool is_carried(const struct store *store, uint32_t page)
{
    struct disk_map_entry ignored;
    return layer_find(&store->recent, page, &ignored) != LAYER_SILENT;
}

static enum error page_check(const struct lists *lists, uint32_t page, const struct disk_map_entry *merged)
{
    struct store *store = lists->store;
    struct disk_map_entry found = {0};
    enum error error = tree_find(store, &store->state.page_tree, page, &found);
    if (error != OK && error != ERROR_NOT_FOUND) {
        return is_damage(error) ? OK : error;
    }
    bool agrees = merged == NULL ? error == ERROR_NOT_FOUND
                                 : error == OK && found.block == merged->block && found.when == merged->when &&
                                       found.checksum == merged->checksum;
    if (!agrees && !is_carried(store, page)) {
        wrong(lists, "page %08x of space %u is not in the map as the log has it", page << PAGE_SHIFT, page >> 20);
    }
    return OK;
}

/* Pages of the tree in a range whose pages were deleted. */
static enum error range_check(const struct lists *lists, uint32_t first, uint32_t last)
{
    struct store *store = lists->store;
    struct disk_map_entry found, put;
    uint64_t at = first;
    enum error error = OK;
    while (error == OK && at <= last && at < store->state.merge_next) {
        error = tree_next(store, &store->state.page_tree, (uint32_t)at, &found);
        if (error != OK || found.page > last || found.page >= store->state.merge_next) {
            break;
        }
        if (layer_find(&store->merging, found.page, &put) != LAYER_HAS) {
            error = page_check(lists, found.page, NULL);
        }
        at = (uint64_t)found.page + 1;
    }
    return error == ERROR_NOT_FOUND || is_damage(error) ? OK : error;
}

static enum error merge_check(const struct lists *lists)
{
    const struct store *store = lists->store;
    const struct index *pages = &store->merging.pages;
    enum error error = OK;
    if (store->state.merge_end == 0) {
        return OK;
    }
    for (const struct disk_map_entry *entry = index_next(pages, 0);
         error == OK && entry != NULL && entry->page < store->state.merge_next; entry = index_after(pages, entry)) {
        error = page_check(lists, entry->page, entry);
    }
    uint64_t next = 0;
    uint32_t first, last;
    while (error == OK && layer_next_range(&store->merging, &next, &first, &last)) {
        error = range_check(lists, first, last);
    }
    return error;
}

enum error lists_check(struct store *store, const struct lists_listener *listener)
{
    struct lists lists = {.store = store, .listener = listener};
    if (store->root->window_count == 0) {
        return OK;
    }
    enum error error = space_initialise(&lists.needed, store, load_nothing, store->block_count, 0);
    error = error != OK ? error : space_initialise(&lists.listed, store, load_nothing, store->block_count, 0);
    error = error != OK ? error : dead_check(&lists);
    error = error != OK ? error : merge_check(&lists);
    space_clear(&lists.needed);
    space_clear(&lists.listed);
    return error;
}
