/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making the free-space map anew, from what the kept generations reach.
 *
 * It is needed where freeing what changed is not enough: a name is unpinned, a branch replaces newer generations, or
 * part of the image is damaged. It reads all trees, so it is rare; the root says (DISK_ROOT_REBUILD) if it is still
 * due.
 */
#include "store_reach.h"

#include <string.h>

static enum error load_nothing(struct store *store, uint32_t chunk, void *bits)
{
    (void)store;
    if (chunk == 0) {
        *(uint8_t *)bits = (1u << DISK_RESERVED) - 1; /* BLOCK-2 */
    }
    return OK;
}

static enum error reached_quietly(void *context, const struct reach_item *item)
{
    (void)context;
    (void)item;
    return OK;
}

/* How much would be used without the ladder. */
static enum error count_without_ladder(struct store *store, uint32_t *out)
{
    struct space space;
    struct reach_visitor visitor = {.item = reached_quietly};
    enum error error = store_space_initialise(&space, store, load_nothing, store->block_count, DISK_RESERVED);
    if (error != OK) {
        return error;
    }
    error = store_reach(store, store_committed_generation(store), false, &space, &visitor);
    *out = space.used;
    store_space_clear(&space);
    return error;
}

/* Only the retired blocks need a note: the new free-space tree will name them again. */
static enum error reached(void *context, const struct reach_item *item)
{
    struct store *store = context;
    return item->kind == REACH_BAD ? store_run_list_append(&store->bad, item->block, 1, 0) : OK;
}

static enum error mark_bad(struct space *space, const struct run_list *bad)
{
    struct run_cursor cursor = {0};
    struct run run;
    enum error error = OK;
    while (error == OK && store_run_list_next(bad, &cursor, &run)) {
        error = store_space_mark(space, (struct extent){{run.first}, run.count}, true);
    }
    return error;
}

/* The map must not depend on chunks of the old one. */
static enum error load_all(struct space *space)
{
    enum error error = OK;
    for (uint32_t i = 0; error == OK && i < store_space_chunk_count(space); i++) {
        const void *bits;
        error = store_space_bits(space, i, &bits);
    }
    return error;
}

enum error store_rebuild(struct store *store)
{
    struct space space;
    uint32_t without = 0, with = 0;
    struct reach_visitor visitor = {.context = store, .item = reached};
    enum error error = store_space_initialise(&space, store, load_nothing, store->block_count, DISK_RESERVED);
    if (error != OK) {
        return error;
    }
    error = load_all(&space);
    if (error == OK) {
        error = store_reach(store, store_committed_generation(store), true, &space, &visitor);
    }
    with = space.used;
    if (error == OK && store->ladder->count > 0) {
        error = count_without_ladder(store, &without);
    }
    if (error == OK) {
        error = mark_bad(&space, &store->bad);
    }
    if (error == OK) {
        error = mark_bad(&space, &store->new_bad);
    }
    if (error == OK) {
        store_space_adopt(&store->space, &space);
        store->root->ladder_blocks = store->ladder->count == 0 || with < without ? 0 : with - without;
        store->wants_rebuild = false;
        store->has_lost = false;
        store->map_is_stale = true;
    } else {
        store_space_clear(&space);
    }
    return error;
}
