/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding out what died with a generation. See store_dead.h.
 *
 * Pages: what the record puts or deletes had another place before, if any. Nodes and chunks: those of the old trees
 * that are in the new ones no more; what the generation has not written itself it shares with the one before, so
 * neither walk enters it. Records: those that its log does without.
 */
#include "store_dead.h"
#include "atomic.h"
#include "store_node.h"

#include <string.h>

/* Damage hides something; what else there is counts. */
static enum error step_around(struct dead_proof *proof, enum error error)
{
    if (!store_is_damage(error)) {
        return error;
    }
    proof->is_partial = true;
    return OK;
}

/* What is kept in `dies`, in the form that an index has. */
static struct disk_map_entry dead_block(uint32_t block, uint64_t birth)
{
    return (struct disk_map_entry){.key = block, .when = birth};
}

static struct disk_map_entry dead_record(const struct disk_record_ref *ref)
{
    return (struct disk_map_entry){
        .key = ref->block, .block = ref->copy, .checksum = ref->checksum, .when = ref->generation};
}

static enum error note(struct dead_proof *proof, const struct disk_map_entry *dead)
{
    struct disk_map_entry *slot;
    if (dead->key < DISK_RESERVED || dead->key >= proof->store->block_count || dead->when == 0) {
        return step_around(proof, ERROR_FORMAT_DAMAGED);
    }
    enum error error = store_index_slot(&proof->dies, dead->key, &slot);
    if (error == OK) {
        *slot = *dead;
    }
    return error;
}

enum error store_dead_proof_note(struct dead_proof *proof, uint32_t block, uint64_t birth)
{
    struct disk_map_entry dead = dead_block(block, birth);
    return note(proof, &dead);
}

/* Pages ------------------------------------------------------------------------------------------------------------ */

static enum error entry_dies(struct dead_proof *proof, const struct disk_map_entry *entry)
{
    return entry->block == 0 ? OK : store_dead_proof_note(proof, entry->block, store_when_birth(entry->when));
}

static enum error page_dies(struct dead_proof *proof, uint64_t key)
{
    struct disk_map_entry old;
    enum layer_answer answer = store_layer_find(&proof->pages, key, &old);
    enum error error = answer == LAYER_HAS ? OK : ERROR_NOT_FOUND;
    if (answer == LAYER_SILENT) {
        error = store_tree_find(proof->store, &proof->page_tree, key, &old);
    }
    if (error == ERROR_NOT_FOUND) {
        return OK;
    }
    return error == OK ? entry_dies(proof, &old) : step_around(proof, error);
}

/* The pages of a range that the log does not speak of. */
static enum error tree_pages_die(struct dead_proof *proof, uint64_t first, uint64_t last)
{
    uint64_t at = first;
    while (at <= last) {
        struct disk_map_entry old, newer;
        enum error error = store_tree_next(proof->store, &proof->page_tree, at, &old);
        if (error == ERROR_NOT_FOUND || (error == OK && old.key > last)) {
            return OK;
        }
        if (error != OK) {
            return step_around(proof, error);
        }
        if (store_layer_find(&proof->pages, old.key, &newer) == LAYER_SILENT) {
            error = entry_dies(proof, &old);
        }
        if (error != OK) {
            return error;
        }
        at = old.key + 1;
    }
    return OK;
}

static enum error pages_die(struct dead_proof *proof, const struct disk_run *run, const void *item)
{
    uint64_t first, last;
    if (!store_item_range(run, item, &first, &last)) {
        return ERROR_FORMAT_DAMAGED;
    }
    const struct index *log = &proof->pages.pages;
    enum error error = OK;
    for (const struct disk_map_entry *entry = store_index_next(log, first);
         error == OK && entry != NULL && entry->key <= last; entry = store_index_after(entry)) {
        error = entry_dies(proof, entry);
    }
    return error == OK ? tree_pages_die(proof, first, last) : error;
}

/* What is only put once more has the birth that it had. */
static enum error item_replaces(void *context, const struct disk_head *head, const struct disk_run *run,
                                const void *item)
{
    struct disk_map_entry entry = {.when = head->generation};
    struct disk_put put;
    switch (run->type) {
    case DISK_ITEM_PUT:
        memcpy(&put, item, sizeof(put));
        entry.key = store_item_key(run, &put);
        break;
    case DISK_ITEM_PUT_STAMPED:
        memcpy(&entry, item, sizeof(entry));
        break;
    case DISK_ITEM_DELETE:
        return pages_die(context, run, item);
    default:
        return OK;
    }
    return store_when_birth(entry.when) == head->generation ? page_dies(context, entry.key) : OK;
}

/* Trees ------------------------------------------------------------------------------------------------------------ */

struct difference {
    struct dead_proof *proof;
    uint64_t since;      /* what was there by then does not count */
    bool is_space;       /* leaves lead to chunks, which are blocks of the tree's own */
    struct index shared; /* by block */
    void *page;
};

static bool is_shared(const struct difference *difference, uint32_t block)
{
    return store_index_find(&difference->shared, block) != NULL;
}

static enum error share(struct difference *difference, uint32_t block)
{
    struct disk_map_entry *slot;
    enum error error = store_index_slot(&difference->shared, block, &slot);
    if (error == OK) {
        slot->when = 1;
    }
    return error;
}

static enum error new_node(void *context, const struct disk_tree_ref *ref, uint32_t level, bool *enter)
{
    struct difference *difference = context;
    bool is_new = store_link_generation(ref->when) > difference->proof->generation;
    *enter = is_new && (level > 0 || difference->is_space);
    return share(difference, ref->block);
}

static enum error new_chunk(void *context, const struct disk_map_entry *entry)
{
    return entry->key >= DISK_SPACE_BAD ? OK : share(context, entry->block);
}

static enum error old_node(void *context, const struct disk_tree_ref *ref, uint32_t level, bool *enter)
{
    struct difference *difference = context;
    struct store_place place = {ref->block, store_link_copy(ref->block, ref->when), store_link_generation(ref->when),
                                ref->checksum};
    *enter = false;
    if (is_shared(difference, ref->block) || place.generation <= difference->since) {
        return OK;
    }
    *enter = level > 0 || difference->is_space;
    enum error error = store_dead_proof_note(difference->proof, place.block, place.generation);
    bool has_copy = place.copy != 0 && store_copy_proves_itself(difference->proof->store, &place, difference->page);
    return error != OK || !has_copy ? error : store_dead_proof_note(difference->proof, place.copy, place.generation);
}

static enum error old_chunk(void *context, const struct disk_map_entry *entry)
{
    struct difference *difference = context;
    bool dies = entry->key < DISK_SPACE_BAD && entry->when > difference->since && !is_shared(difference, entry->block);
    return dies ? store_dead_proof_note(difference->proof, entry->block, entry->when) : OK;
}

static enum error tree_damage(void *context, const struct disk_tree_ref *ref, uint32_t level, enum error error)
{
    (void)ref;
    (void)level;
    return step_around(((struct difference *)context)->proof, error);
}

enum error store_dead_proof_tree(struct dead_proof *proof, const struct disk_tree_ref *after, uint64_t since,
                                 bool is_space)
{
    const struct disk_tree_ref *before = is_space ? &proof->space_tree : &proof->page_tree;
    struct difference difference = {.proof = proof, .since = since, .is_space = is_space};
    struct tree_visitor visit_new = {&difference, new_node, new_chunk, tree_damage};
    struct tree_visitor visit_old = {&difference, old_node, old_chunk, tree_damage};
    if (before->block == after->block) {
        return OK;
    }
    enum error error = store_page_new(&difference.page);
    if (error == OK) {
        error = store_tree_walk(proof->store, after, &visit_new);
    }
    if (error == OK) {
        error = store_tree_walk(proof->store, before, &visit_old);
    }
    store_index_clear(&difference.shared);
    store_page_free(difference.page);
    return error;
}

/* Records ---------------------------------------------------------------------------------------------------------- */

static enum error records_die(struct dead_proof *proof, uint64_t map_base)
{
    struct ref_cursor cursor = {0};
    const struct disk_record_ref *ref;
    enum error error = OK;
    while (error == OK && (ref = store_ref_list_next(&proof->records, &cursor)) != NULL &&
           ref->generation <= map_base) {
        struct disk_map_entry dead = dead_record(ref);
        error = note(proof, &dead);
    }
    return error;
}

/* The proof -------------------------------------------------------------------------------------------------------- */

void store_dead_proof_clear(struct dead_proof *proof)
{
    store_layer_clear(&proof->pages);
    store_ref_list_clear(&proof->records);
    store_index_clear(&proof->dies);
    *proof = (struct dead_proof){0};
}

void store_dead_proof_free(struct dead_proof *proof)
{
    if (proof != NULL) {
        store_dead_proof_clear(proof);
        store_page_free(proof);
    }
}

_Static_assert(sizeof(struct dead_proof) <= PAGE_SIZE, "a proof is in one page");

static enum error log_read(struct dead_proof *proof, const struct disk_record_ref *ref, struct disk_head *head)
{
    struct store *store = proof->store;
    struct read_window *own = store->window == NULL ? store_read_window_open() : NULL;
    struct ref_cursor cursor = {0};
    const struct disk_record_ref *record;
    store->window = own != NULL ? own : store->window;
    enum error error = store_chain_collect(store, ref, head, &proof->records);
    while (error == OK && (record = store_ref_list_next(&proof->records, &cursor)) != NULL) {
        error = store_chain_apply(store, record, &proof->pages, NULL);
    }
    if (own != NULL) {
        store_read_window_close(own);
        store->window = NULL;
    }
    return error;
}

static void stand_at(struct dead_proof *proof, const struct disk_head *head)
{
    proof->generation = head->generation;
    proof->page_tree = head->page_tree;
    proof->space_tree = head->space_tree;
}

enum error store_dead_proof_start(struct dead_proof *proof, struct store *store, const struct disk_record_ref *ref)
{
    thread_may_sleep();
    void *head;
    store_dead_proof_clear(proof);
    proof->store = store;
    enum error error = store_page_new(&head);
    if (error != OK) {
        return error;
    }
    error = log_read(proof, ref, head);
    if (error == OK) {
        stand_at(proof, head);
    } else {
        store_dead_proof_clear(proof);
    }
    store_page_free(head);
    return error;
}

static enum error step(struct dead_proof *proof, const struct disk_record_ref *ref, struct disk_head *head)
{
    struct store *store = proof->store;
    struct record_visitor visitor = {.context = proof, .item = item_replaces};
    enum error error = store_record_read_head(store, store->window, ref, head);
    if (error == OK && head->predecessor.generation != proof->generation) {
        error = ERROR_FORMAT_DAMAGED;
    }
    if (error == OK) {
        error = store_record_read(store, ref, &visitor);
    }
    if (error == OK) {
        error = store_dead_proof_tree(proof, &head->page_tree, 0, false);
    }
    if (error == OK) {
        error = store_dead_proof_tree(proof, &head->space_tree, 0, true);
    }
    if (error == OK) {
        error = store_ref_list_append(&proof->records, ref);
    }
    if (error == OK) {
        error = records_die(proof, head->map_base);
    }
    return error == OK ? store_chain_apply(store, ref, &proof->pages, NULL) : error;
}

/* DEAD-1 once more, one generation on. */
enum error store_dead_proof_advance(struct dead_proof *proof, const struct disk_record_ref *ref)
{
    void *page;
    enum error error = store_page_new(&page);
    if (error != OK) {
        store_dead_proof_clear(proof);
        return error;
    }
    const struct disk_head *head = page;
    store_index_clear(&proof->dies);
    proof->is_partial = false;
    error = step(proof, ref, page);
    if (error == OK) {
        stand_at(proof, head);
        store_ref_list_drop(&proof->records, head->map_base);
    } else {
        store_dead_proof_clear(proof);
    }
    store_page_free(page);
    return error;
}

static bool take(struct dead_proof *proof, const struct disk_map_entry *dead)
{
    struct disk_map_entry *slot = store_index_find(&proof->dies, dead->key);
    if (slot == NULL || store_entry_is_empty(slot) || memcmp(slot, dead, sizeof(*dead)) != 0) {
        return false;
    }
    slot->when = 0;
    return true;
}

bool store_dead_proof_take(struct dead_proof *proof, uint32_t block, uint64_t birth)
{
    struct disk_map_entry dead = dead_block(block, birth);
    return take(proof, &dead);
}

bool store_dead_proof_take_record(struct dead_proof *proof, const struct disk_record_ref *ref)
{
    struct disk_map_entry dead = dead_record(ref);
    return take(proof, &dead);
}

bool store_dead_proof_rest(const struct dead_proof *proof, uint32_t block, uint32_t *out)
{
    const struct disk_map_entry *entry = store_index_next(&proof->dies, block);
    if (entry != NULL) {
        *out = (uint32_t)entry->key;
    }
    return entry != NULL;
}
