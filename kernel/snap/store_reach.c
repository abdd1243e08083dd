/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reaching what the kept generations need.
 *
 * Generations share most of their trees, so a node met before is not entered again. That alone would be wrong for pages
 * that some log speaks of: below the same node they are alive in one generation and replaced in another. So the pages
 * and ranges that any log touches are gathered first and left out of the walk over the trees; then each generation is
 * asked about each of them. The cost is the trees once, and the logs once a generation.
 */
#include "store_reach.h"
#include "store_node.h"

#include <string.h>

struct reaching {
    struct store *store;
    uint64_t newest;
    bool with_ladder;
    struct space *seen;
    const struct reach_visitor *visitor;
    struct layer touched;  /* what the logs speak of; entries are not looked at, only their pages */
    struct layer *overlay; /* of the generation being asked */
    struct disk_tree_ref tree;
    uint64_t generation;
};

static enum error see(struct reaching *reaching, const struct reach_item *item)
{
    struct extent extent = {{item->block}, 1};
    if (item->block < DISK_RESERVED || item->block >= reaching->store->block_count) {
        return ERROR_FORMAT_DAMAGED;
    }
    const struct reach_visitor *visitor = reaching->visitor;
    enum error error = store_space_prepare(reaching->seen, extent);
    if (error != OK) {
        return error;
    }
    if (store_space_is_used(reaching->seen, extent.first)) {
        return visitor->again == NULL ? OK : visitor->again(visitor->context, item);
    }
    error = store_space_mark(reaching->seen, extent, true);
    return error == OK ? visitor->item(visitor->context, item) : error;
}

static bool was_seen(const struct reaching *reaching, uint32_t block)
{
    return block >= DISK_RESERVED && block < reaching->store->block_count &&
           store_space_prepare(reaching->seen, (struct extent){{block}, 1}) == OK &&
           store_space_is_used(reaching->seen, (struct block){block});
}

static enum error report_damage(struct reaching *reaching, enum error error)
{
    if (!store_is_damage(error)) {
        return error;
    }
    const struct reach_visitor *visitor = reaching->visitor;
    return visitor->damage == NULL ? OK : visitor->damage(visitor->context, reaching->generation, error);
}

static enum error see_page(struct reaching *reaching, const struct disk_map_entry *entry)
{
    if (entry->block == 0) {
        return OK;
    }
    struct reach_item item = {.kind = REACH_PAGE,
                              .block = entry->block,
                              .key = entry->key,
                              .generation = store_when_birth(entry->when),
                              .checksum = entry->checksum,
                              .stamp = store_when_stamp(entry->when)};
    return see(reaching, &item);
}

static const struct disk_record_ref *kept_at(const struct reaching *reaching, uint32_t index)
{
    const struct disk_root *root = reaching->store->root;
    bool is_rung = index >= root->window_count + root->pin_count;
    return is_rung && !reaching->with_ladder ? NULL : store_kept_at(reaching->store, index);
}

/* Do something for each kept generation, with its head. Damage in one does not keep the others from being reached. */
static enum error each_kept(struct reaching *reaching,
                            enum error (*act)(struct reaching *reaching, const struct disk_head *head,
                                              struct ref_list *chain))
{
    void *head;
    enum error error = store_page_new(&head);
    if (error != OK) {
        return error;
    }
    const struct disk_record_ref *ref;
    for (uint32_t i = 0; error == OK && (ref = kept_at(reaching, i)) != NULL; i++) {
        if (i < reaching->store->root->window_count && ref->generation > reaching->newest) {
            continue; /* a pinned one is kept even so */
        }
        struct ref_list chain = {0};
        reaching->generation = ref->generation;
        error = store_chain_collect(reaching->store, ref, head, &chain);
        if (error == OK) {
            error = act(reaching, head, &chain);
        }
        store_ref_list_clear(&chain);
        error = error != OK ? report_damage(reaching, error) : OK;
    }
    store_page_free(head);
    return error;
}

/* A block of metadata and its copy. */
static enum error see_place(struct reaching *reaching, enum reach_kind kind, const struct store_place *place)
{
    struct reach_item item = {.kind = kind,
                              .block = place->block,
                              .generation = place->generation,
                              .checksum = place->checksum,
                              .bound = place->block};
    enum error error = see(reaching, &item);
    if (error == OK && place->copy != 0) {
        item.block = place->copy;
        error = see(reaching, &item);
    }
    return error;
}

static enum error see_record_block(void *context, const struct store_place *place)
{
    return see_place(context, REACH_RECORD, place);
}

static enum error see_records(struct reaching *reaching, const struct disk_head *head, struct ref_list *chain)
{
    (void)head;
    struct record_visitor visitor = {reaching, see_record_block, NULL};
    struct ref_cursor cursor = {0};
    const struct disk_record_ref *ref;
    while ((ref = store_ref_list_next(chain, &cursor)) != NULL) {
        if (was_seen(reaching, ref->block)) {
            continue;
        }
        enum error error = store_chain_gather(reaching->store, ref, &reaching->touched, &visitor);
        error = error != OK ? report_damage(reaching, error) : OK;
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

static enum error see_node(void *context, const struct disk_tree_ref *ref, uint32_t level, bool *enter)
{
    (void)level;
    struct reaching *reaching = context;
    *enter = !was_seen(reaching, ref->block);
    struct store_place place = {.block = ref->block,
                                .copy = store_link_copy(ref->block, ref->when),
                                .generation = store_link_generation(ref->when),
                                .checksum = ref->checksum};
    return see_place(reaching, REACH_NODE, &place);
}

static enum error see_untouched(void *context, const struct disk_map_entry *entry)
{
    struct reaching *reaching = context;
    struct disk_map_entry ignored;
    bool touched = store_layer_find(&reaching->touched, entry->key, &ignored) != LAYER_SILENT;
    return touched ? OK : see_page(reaching, entry);
}

static enum error tree_damage(void *context, const struct disk_tree_ref *ref, uint32_t level, enum error error)
{
    (void)ref;
    (void)level;
    return report_damage(context, error);
}

static enum error see_tree(struct reaching *reaching, const struct disk_head *head, struct ref_list *chain)
{
    (void)chain;
    struct tree_visitor visitor = {reaching, see_node, see_untouched, tree_damage};
    return store_tree_walk(reaching->store, &head->page_tree, &visitor);
}

/* A retired block is its key's, a chunk one that the image has. */
static bool chunk_entry_is_sound(const struct reaching *reaching, const struct disk_map_entry *entry)
{
    return entry->key >= DISK_SPACE_BAD ? entry->block == entry->key - DISK_SPACE_BAD
                                        : entry->key < store_space_chunk_count(&reaching->store->space);
}

static enum error see_chunk(void *context, const struct disk_map_entry *entry)
{
    if (!chunk_entry_is_sound(context, entry)) {
        return report_damage(context, ERROR_FORMAT_DAMAGED);
    }
    struct reach_item item = {.kind = entry->key >= DISK_SPACE_BAD ? REACH_BAD : REACH_CHUNK,
                              .block = entry->block,
                              .key = entry->key,
                              .generation = entry->when,
                              .checksum = entry->checksum,
                              .bound = entry->block};
    return see(context, &item);
}

static enum error see_space_tree(struct reaching *reaching, const struct disk_head *head, struct ref_list *chain)
{
    (void)chain;
    struct tree_visitor visitor = {reaching, see_node, see_chunk, tree_damage};
    return store_tree_walk(reaching->store, &head->space_tree, &visitor);
}

/* A touched page as the generation being asked has it. */
static enum error ask_page(struct reaching *reaching, uint64_t key)
{
    struct disk_map_entry entry;
    enum layer_answer answer = store_layer_find(reaching->overlay, key, &entry);
    enum error error = OK;
    if (answer == LAYER_SILENT) {
        error = store_tree_find(reaching->store, &reaching->tree, key, &entry);
    }
    if (answer == LAYER_DELETED || error == ERROR_NOT_FOUND) {
        return OK;
    }
    return error != OK ? report_damage(reaching, error) : see_page(reaching, &entry);
}

/* The pages of the tree in a touched range. */
static enum error ask_range(struct reaching *reaching, uint64_t first, uint64_t last)
{
    uint64_t at = first;
    while (at <= last) {
        struct disk_map_entry found;
        enum error error = store_tree_next(reaching->store, &reaching->tree, at, &found);
        if (error == ERROR_NOT_FOUND || (error == OK && found.key > last)) {
            return OK;
        }
        if (error != OK) {
            return report_damage(reaching, error);
        }
        error = ask_page(reaching, found.key);
        if (error != OK) {
            return error;
        }
        at = found.key + 1;
    }
    return OK;
}

static enum error ask_all(struct reaching *reaching)
{
    const struct index *pages = &reaching->touched.pages;
    for (const struct disk_map_entry *entry = store_index_next(pages, 0); entry != NULL;
         entry = store_index_after(entry)) {
        enum error error = ask_page(reaching, entry->key);
        if (error != OK) {
            return error;
        }
    }
    uint64_t next = 0, first, last;
    while (store_layer_next_range(&reaching->touched, &next, &first, &last)) {
        enum error error = ask_range(reaching, first, last);
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

static enum error see_touched(struct reaching *reaching, const struct disk_head *head, struct ref_list *chain)
{
    struct layer overlay = {0};
    struct ref_cursor cursor = {0};
    const struct disk_record_ref *ref;
    enum error error = OK;
    while (error == OK && (ref = store_ref_list_next(chain, &cursor)) != NULL) {
        error = store_chain_apply(reaching->store, ref, &overlay, NULL);
    }
    reaching->overlay = &overlay;
    reaching->tree = head->page_tree;
    if (error == OK) {
        error = ask_all(reaching);
    }
    reaching->overlay = NULL;
    store_layer_clear(&overlay);
    return error;
}

/* The block that lists the rungs, which no record leads to. */
static enum error see_ladder(struct reaching *reaching)
{
    const struct disk_ladder_ref *ref = &reaching->store->root->ladder;
    struct store_place place = {ref->block, ref->copy, ref->generation, ref->checksum};
    reaching->generation = ref->generation;
    enum error error = place.block == 0 ? OK : see_place(reaching, REACH_RECORD, &place);
    return error != OK ? report_damage(reaching, error) : OK;
}

enum error store_reach(struct store *store, uint64_t newest, bool with_ladder, struct space *seen,
                       const struct reach_visitor *visitor)
{
    struct reaching reaching = {
        .store = store, .newest = newest, .with_ladder = with_ladder, .seen = seen, .visitor = visitor};
    enum error error = see_ladder(&reaching);
    if (error == OK) {
        error = each_kept(&reaching, see_records);
    }
    if (error == OK) {
        error = each_kept(&reaching, see_tree);
    }
    if (error == OK) {
        error = each_kept(&reaching, see_touched);
    }
    if (error == OK) {
        error = each_kept(&reaching, see_space_tree);
    }
    store_layer_clear(&reaching.touched);
    return error;
}
