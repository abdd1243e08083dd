/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The free-space map on the disk: a tree from the number of a chunk to the block with its bits.
 */
#include "store_space_tree.h"
#include "atomic.h"
#include "log.h"
#include "store_checksum.h"
#include "store_internal.h"
#include "store_node.h"
#include "store_suspect.h"

#include <string.h>

enum error store_space_tree_load(struct store *store, uint32_t chunk, void *bits)
{
    struct disk_map_entry entry;
    struct disk_tree_ref root = store->space_source;
    enum error error = store_tree_find(store, &root, chunk, &entry);
    if (chunk == 0) {
        *(uint8_t *)bits = (1u << DISK_RESERVED) - 1;
    }
    if (error == ERROR_NOT_FOUND && (chunk != 0 || root.block == 0)) { /* none of its blocks was ever used */
        return OK;
    }
    error = error == ERROR_NOT_FOUND ? ERROR_FORMAT_DAMAGED : error; /* the reserved ones always are */
    if (error == OK && (entry.block < DISK_RESERVED || entry.block >= store->block_count)) {
        error = ERROR_FORMAT_DAMAGED;
    }
    if (error == OK) {
        error = store_read_blocks(store, (struct block){entry.block}, 1, &bits);
    }
    if (error == OK && store_checksum_block(store->space_id, entry.block, entry.when, bits) != entry.checksum) {
        error = ERROR_CHECKSUM;
    }
    if (store_is_damage(error)) {
        store->wants_rebuild = true;
    }
    return error;
}

/* Note that the new version of the tree does without the block a chunk had. */
static enum error chunk_retire(struct tree_edit *edit, uint32_t chunk)
{
    struct disk_map_entry old;
    enum error error = store_tree_find(edit->store, &edit->root, chunk, &old);
    if (error == ERROR_NOT_FOUND) {
        return OK;
    }
    return error == OK ? store_run_list_append(&edit->dead, old.block, 1, old.when) : error;
}

enum error store_space_tree_write(struct tree_edit *edit, uint32_t chunk, struct write_queue *queue,
                                  struct run_list *blocks)
{
    struct store *store = edit->store;
    const void *bits;
    void *page = NULL;
    struct extent extent = {BLOCK_NONE, 0};
    enum error error = chunk_retire(edit, chunk);
    if (error == OK) {
        error = store_page_new(&page);
    }
    if (error == OK) {
        error = store_space_allocate(&store->space, 1, 0, &extent);
    }
    if (error == OK) {
        error = store_space_bits(&store->space, chunk, &bits);
    }
    if (error == OK) {
        memcpy(page, bits, PAGE_SIZE);
        struct disk_map_entry entry = {.key = chunk, .block = extent.first.number, .when = edit->generation};
        entry.checksum = store_checksum_block(store->space_id, entry.block, entry.when, page);
        error = store_tree_set(edit, &entry);
    }
    if (error == OK) {
        error = store_run_list_append(blocks, extent.first.number, 1, 0);
    }
    if (error != OK) {
        store_page_free(page);
        if (extent.count > 0) {
            store_space_release(&store->space, extent);
        }
        return error;
    }
    store_space_set_changed(&store->space, chunk, false);
    store_write_queue_add(queue, extent.first.number, page, true);
    return OK;
}

static enum error walk_node(void *context, const struct disk_tree_ref *ref, uint32_t level, bool *enter)
{
    (void)level;
    (void)enter;
    struct tree_edit *edit = context;
    uint64_t generation = store_link_generation(ref->when);
    uint32_t copy = store_link_copy(ref->block, store_tree_link_proved(edit->store, ref));
    enum error error = store_run_list_append(&edit->dead, ref->block, 1, generation);
    return error != OK || copy == 0 ? error : store_run_list_append(&edit->dead, copy, 1, generation);
}

static enum error walk_entry(void *context, const struct disk_map_entry *entry)
{
    struct tree_edit *edit = context;
    return entry->key >= DISK_SPACE_BAD ? OK : store_run_list_append(&edit->dead, entry->block, 1, entry->when);
}

static enum error walk_damage(void *context, const struct disk_tree_ref *ref, uint32_t level, enum error error)
{
    (void)context;
    (void)ref;
    (void)level;
    return store_is_damage(error) ? OK : error;
}

enum error store_space_tree_restart(struct tree_edit *edit)
{
    struct disk_tree_ref old = edit->root;
    struct tree_visitor visitor = {edit, walk_node, walk_entry, walk_damage};
    edit->root = (struct disk_tree_ref){0};
    return store_tree_walk(edit->store, &old, &visitor);
}

enum error store_space_tree_retired(struct store *store, const struct disk_tree_ref *root, struct run_list *out)
{
    thread_may_sleep();
    struct disk_map_entry entry = {.key = DISK_SPACE_BAD - 1};
    enum error error = OK;
    while (error == OK) {
        error = store_tree_next(store, root, entry.key + 1, &entry);
        if (error == OK && (entry.block != entry.key - DISK_SPACE_BAD || entry.block >= store->block_count)) {
            error = ERROR_FORMAT_DAMAGED;
        }
        if (error == OK) {
            error = store_run_list_append(out, entry.block, 1, 0);
        }
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}
