/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dropping generations: what is free then, and what a pin withholds. See store_drop.h.
 */
#include "store_drop.h"
#include "atomic.h"

bool store_drop_is_pinned(const struct drop *drop, uint64_t birth)
{
    const struct disk_root *root = drop->commit->root;
    bool is_withheld = false;
    for (uint32_t i = 0; i < root->pin_count; i++) {
        uint64_t generation = root->pins[i].record.generation;
        if (generation < birth || generation >= drop->successor) {
            continue;
        }
        if (!store_drop_is_of_branch(root, generation)) {
            return true;
        }
        is_withheld = true;
    }
    /* DROP-2 */
    drop->commit->is_withheld = drop->commit->is_withheld || is_withheld;
    return is_withheld;
}

/* DROP-1: blocks that are used, and named by no list before, are about to be dropped: all of a run, or none. */
static enum error blocks_leave(struct space *space, struct extent extent)
{
    enum error error = extent.first.number < DISK_RESERVED ? ERROR_FORMAT_DAMAGED : store_space_prepare(space, extent);
    for (uint32_t i = 0; i < extent.count && error == OK; i++) {
        if (!store_space_leave(space, (struct block){extent.first.number + i})) {
            store_space_stay(space, (struct extent){extent.first, i});
            error = ERROR_FORMAT_DAMAGED;
        }
    }
    return error;
}

enum error store_drop_blocks(struct drop *drop, uint32_t first, uint32_t count)
{
    thread_may_sleep();
    struct commit *commit = drop->commit;
    struct space *space = &commit->store->space;
    struct disk_extent item = {first, count};
    enum error error = blocks_leave(space, (struct extent){{first}, count});
    if (error != OK) {
        return error;
    }
    error = store_record_append(&commit->writer, DISK_ITEM_FREED, &item);
    if (error == OK) {
        error = store_run_list_append(&commit->freed, first, count, 0);
    }
    if (error != OK) {
        store_space_stay(space, (struct extent){{first}, count});
    }
    return error;
}

bool store_drop_is_copy(struct drop *drop, const struct store_place *place)
{
    thread_may_sleep();
    struct store *store = drop->commit->store;
    return place->copy != 0 &&
           (place->generation > store->inherited || store_copy_proves_itself(store, place, drop->page));
}
