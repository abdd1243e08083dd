/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of what will be acted upon later: dead lists when their generation leaves the window, merged pages when the
 * log no longer answers for them. A commit cannot afford to prove these; whoever verifies an image can.
 */
#include "store_check_lists.h"
#include "atomic.h"
#include "log.h"
#include "store_dead.h"

#include <string.h>

struct lists {
    struct store *store;
    const struct lists_listener *listener;
    struct dead_proof proof; /* of the generation whose list is being read */
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

static enum error run_check(struct lists *lists, const struct disk_head *head, const struct disk_dead *dead)
{
    struct dead_proof *proof = &lists->proof;
    if (dead->count == 0 || dead->block >= lists->store->block_count ||
        dead->count > lists->store->block_count - dead->block) {
        wrong(lists, "generation %llu gives up %u blocks from %u on", (unsigned long long)head->generation, dead->count,
              dead->block);
        return OK;
    }
    for (uint32_t i = 0; i < dead->count; i++) {
        if (!store_dead_proof_take(proof, dead->block + i, dead->birth) && !proof->is_partial) {
            wrong(lists, "generation %llu gives up block %u, of generation %llu, without right",
                  (unsigned long long)head->generation, dead->block + i, (unsigned long long)dead->birth);
        }
    }
    return OK;
}

static enum error item_check(void *context, const struct disk_head *head, const struct disk_run *run, const void *item)
{
    struct lists *lists = context;
    struct disk_dead dead;
    struct disk_record_ref ref;
    if (run->type == DISK_ITEM_DEAD) {
        memcpy(&dead, item, sizeof(dead));
        return run_check(lists, head, &dead);
    }
    if (run->type != DISK_ITEM_DEAD_RECORD) {
        return OK;
    }
    memcpy(&ref, item, sizeof(ref));
    if (!store_dead_proof_take_record(&lists->proof, &ref) && !lists->proof.is_partial) {
        wrong(lists, "generation %llu gives up the record of generation %llu, block %u, without right",
              (unsigned long long)head->generation, (unsigned long long)ref.generation, ref.block);
    }
    return OK;
}

/* What died and is named by no list is never freed. */
static void rest_check(const struct lists *lists, uint64_t generation)
{
    uint32_t block = 0;
    while (!lists->proof.is_partial && store_dead_proof_rest(&lists->proof, block, &block)) {
        wrong(lists, "block %u is not needed from generation %llu on, and that does not say so", block,
              (unsigned long long)generation);
        block++;
    }
}

static enum error list_check(struct lists *lists, const struct disk_record_ref *before,
                             const struct disk_record_ref *ref)
{
    struct record_visitor visitor = {.context = lists, .item = item_check};
    struct dead_proof *proof = &lists->proof;
    enum error error =
        proof->generation == before->generation ? OK : store_dead_proof_start(proof, lists->store, before);
    if (error == OK) {
        error = store_dead_proof_advance(proof, ref);
    }
    if (error == OK) {
        error = store_record_read(lists->store, ref, &visitor);
    }
    if (error == OK) {
        rest_check(lists, ref->generation);
    }
    return store_is_damage(error) ? OK : error; /* the walk over the image has found that */
}

/* Oldest first: what each is proved by is the state of the one before. */
static enum error dead_check(struct lists *lists)
{
    const struct disk_root *root = lists->store->root;
    enum error error = OK;
    for (uint32_t i = root->window_count; error == OK && i-- > 1;) {
        error = list_check(lists, &root->window[i], &root->window[i - 1]);
    }
    return error;
}

/* The merge -------------------------------------------------------------------------------------------------------- */

/* What the layers above say does not matter here; what could not be merged is in the log again. */
static bool is_carried(const struct store *store, uint64_t key)
{
    struct disk_map_entry ignored;
    return store_layer_find(&store->recent, key, &ignored) != LAYER_SILENT;
}

static enum error page_check(const struct lists *lists, uint64_t key, const struct disk_map_entry *merged)
{
    struct store *store = lists->store;
    struct disk_map_entry found = {0};
    enum error error = store_tree_find(store, &store->state.page_tree, key, &found);
    if (error != OK && error != ERROR_NOT_FOUND) {
        return store_is_damage(error) ? OK : error;
    }
    bool agrees = merged == NULL ? error == ERROR_NOT_FOUND
                                 : error == OK && found.block == merged->block && found.when == merged->when &&
                                       found.checksum == merged->checksum;
    if (!agrees && !is_carried(store, key)) {
        struct page_key page = {key};
        wrong(lists, "page %08x of object %u is not in the map as the log has it", page_key_offset(page),
              page_key_object(page).number);
    }
    return OK;
}

/* Pages of the tree in a range whose pages were deleted. */
static enum error range_check(const struct lists *lists, uint64_t first, uint64_t last)
{
    struct store *store = lists->store;
    struct disk_map_entry found, put;
    uint64_t at = first;
    enum error error = OK;
    while (error == OK && at <= last && at < store->state.merge_next) {
        error = store_tree_next(store, &store->state.page_tree, at, &found);
        if (error != OK || found.key > last || found.key >= store->state.merge_next) {
            break;
        }
        if (store_layer_find(&store->merging, found.key, &put) != LAYER_HAS) {
            error = page_check(lists, found.key, NULL);
        }
        at = found.key + 1;
    }
    return error == ERROR_NOT_FOUND || store_is_damage(error) ? OK : error;
}

static enum error merge_check(const struct lists *lists)
{
    const struct store *store = lists->store;
    const struct index *pages = &store->merging.pages;
    enum error error = OK;
    if (store->state.merge_end == 0) {
        return OK;
    }
    for (const struct disk_map_entry *entry = store_index_next(pages, 0);
         error == OK && entry != NULL && entry->key < store->state.merge_next; entry = store_index_after(entry)) {
        error = page_check(lists, entry->key, entry);
    }
    uint64_t next = 0, first, last;
    while (error == OK && store_layer_next_range(&store->merging, &next, &first, &last)) {
        error = range_check(lists, first, last);
    }
    return error;
}

enum error store_lists_check(struct store *store, const struct lists_listener *listener)
{
    thread_may_sleep();
    struct lists lists = {.store = store, .listener = listener};
    if (store->root->window_count == 0) {
        return OK;
    }
    enum error error = dead_check(&lists);
    store_dead_proof_clear(&lists.proof);
    return error == OK ? merge_check(&lists) : error;
}
