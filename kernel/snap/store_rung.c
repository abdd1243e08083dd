/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving up a generation in the middle of history: what it alone needs.
 *
 * A block that it needs, the rung before needs too if it is not younger than that; the rung after needs it if it is where
 * that has the same page, node, chunk or record. So the trees are walked only where they are younger than the rung
 * before, and the pages found there are looked up in the generation after: it costs what changed between the rungs, and
 * their logs. No list is kept of what dies between rungs; what is on the disk says so itself.
 *
 * Pins of the same branch between two rungs are neighbours like them, as far as freeing goes. What the ladder holds
 * (LADDER-2) is counted without them.
 */
#include "atomic.h"
#include "log.h"
#include "store_drop.h"
#include "store_ladder.h"
#include "store_node.h"

#include <string.h>

struct rung {
    struct drop drop;
    struct disk_record_ref ref;
    uint64_t since;            /* of the rung before; 0: it is the oldest */
    struct dead_proof *before; /* stands at the rung; what dies is in its list */
    struct dead_proof *after;  /* stands at the generation after it */
};

/* What dies --------------------------------------------------------------------------------------------------------- */

/* A page of the rung: has the generation after it another content, or none? */
static enum error page_compare(struct rung *rung, const struct disk_map_entry *entry)
{
    struct disk_map_entry newer;
    uint64_t birth = store_when_birth(entry->when);
    if (entry->block == 0 || birth <= rung->since) {
        return OK;
    }
    enum layer_answer answer = store_layer_find(&rung->after->pages, entry->key, &newer);
    enum error error = answer == LAYER_HAS ? OK : ERROR_NOT_FOUND;
    if (answer == LAYER_SILENT) {
        error = store_tree_find(rung->after->store, &rung->after->page_tree, entry->key, &newer);
    }
    thread_give_way();
    if (store_is_damage(error)) {
        rung->before->is_partial = true;
        return OK; /* it may be needed */
    }
    if (error == OK && newer.block == entry->block) {
        return OK;
    }
    return error == OK || error == ERROR_NOT_FOUND ? store_dead_proof_note(rung->before, entry->block, birth) : error;
}

static enum error node_look(void *context, const struct disk_tree_ref *ref, uint32_t level, bool *enter)
{
    const struct rung *rung = context;
    (void)level;
    *enter = store_link_generation(ref->when) > rung->since;
    return OK;
}

/* A page of the tree, as far as the log does not speak of it. */
static enum error entry_look(void *context, const struct disk_map_entry *entry)
{
    struct rung *rung = context;
    struct disk_map_entry newer;
    bool counts = store_layer_find(&rung->before->pages, entry->key, &newer) == LAYER_SILENT;
    return counts ? page_compare(rung, entry) : OK;
}

static enum error tree_damage(void *context, const struct disk_tree_ref *ref, uint32_t level, enum error error)
{
    struct rung *rung = context;
    (void)ref;
    (void)level;
    rung->before->is_partial = true;
    return store_is_damage(error) ? OK : error;
}

static enum error pages_die(struct rung *rung)
{
    struct tree_visitor visitor = {rung, node_look, entry_look, tree_damage};
    const struct index *log = &rung->before->pages.pages;
    enum error error = store_tree_walk(rung->before->store, &rung->before->page_tree, &visitor);
    for (const struct disk_map_entry *entry = store_index_next(log, 0); error == OK && entry != NULL;
         entry = store_index_after(entry)) {
        error = page_compare(rung, entry);
    }
    return error;
}

static enum error place_dies(void *context, const struct store_place *place)
{
    struct rung *rung = context;
    enum error error = store_dead_proof_note(rung->before, place->block, place->generation);
    bool has_copy = store_drop_is_copy(&rung->drop, place);
    rung->before->is_partial = rung->before->is_partial || has_copy != (place->copy != 0);
    return error == OK && has_copy ? store_dead_proof_note(rung->before, place->copy, place->generation) : error;
}

static bool has_record(const struct dead_proof *proof, const struct disk_record_ref *ref)
{
    struct ref_cursor cursor = {0};
    const struct disk_record_ref *found;
    while ((found = store_ref_list_next(&proof->records, &cursor)) != NULL) {
        if (found->block == ref->block) {
            return true;
        }
    }
    return false;
}

/* Records of its log that the log after it does without. */
static enum error records_die(struct rung *rung)
{
    struct record_visitor visitor = {.context = rung, .block = place_dies};
    struct ref_cursor cursor = {0};
    const struct disk_record_ref *ref;
    enum error error = OK;
    while (error == OK && (ref = store_ref_list_next(&rung->before->records, &cursor)) != NULL) {
        if (ref->generation <= rung->since || has_record(rung->after, ref)) {
            continue;
        }
        error = store_record_read(rung->before->store, ref, &visitor);
        if (store_is_damage(error)) {
            rung->before->is_partial = true;
            error = OK;
        }
    }
    return error;
}

/* Find out what the rung needs, and neither the rung before nor generation `after` does. */
static enum error find_dead(struct rung *rung, const struct disk_record_ref *after)
{
    struct store *store = rung->drop.commit->store;
    enum error error = store_dead_proof_start(rung->before, store, &rung->ref);
    if (error == OK) {
        error = store_dead_proof_start(rung->after, store, after);
    }
    if (error == OK) {
        error = pages_die(rung);
    }
    if (error == OK) {
        error = store_dead_proof_tree(rung->before, &rung->after->page_tree, rung->since, false);
    }
    if (error == OK) {
        error = store_dead_proof_tree(rung->before, &rung->after->space_tree, rung->since, true);
    }
    return error == OK ? records_die(rung) : error;
}

/* Giving it up ------------------------------------------------------------------------------------------------------ */

static enum error run_free(struct rung *rung, const struct disk_extent *run)
{
    return run->count == 0 ? OK : store_drop_blocks(&rung->drop, run->first, run->count);
}

/* Free what no pin needs, neighbours together. */
static enum error dead_free(struct rung *rung)
{
    struct disk_extent run = {0};
    enum error error = OK;
    for (const struct disk_map_entry *dead = store_index_next(&rung->before->dies, 0); error == OK && dead != NULL;
         dead = store_index_after(dead)) {
        if (store_drop_is_pinned(&rung->drop, dead->when)) {
            continue;
        }
        if (run.count > 0 && run.first + run.count == dead->key) {
            run.count++;
            continue;
        }
        error = run_free(rung, &run);
        run = (struct disk_extent){(uint32_t)dead->key, 1};
    }
    return error == OK ? run_free(rung, &run) : error;
}

static uint32_t dead_count(const struct rung *rung)
{
    uint32_t count = 0;
    for (const struct disk_map_entry *dead = store_index_next(&rung->before->dies, 0); dead != NULL;
         dead = store_index_after(dead)) {
        count++;
    }
    return count;
}

/* The oldest pin of this branch between the rung and what comes after it; NULL: there is none. */
static const struct disk_record_ref *pin_after(const struct disk_root *root, const struct disk_record_ref *ref,
                                               const struct disk_record_ref *after)
{
    const struct disk_record_ref *best = NULL;
    for (uint32_t i = 0; i < root->pin_count; i++) {
        const struct disk_record_ref *pin = &root->pins[i].record;
        bool is_between = pin->generation > ref->generation && pin->generation < after->generation;
        if (is_between && !store_drop_is_of_branch(root, pin->generation) &&
            (best == NULL || pin->generation < best->generation)) {
            best = pin;
        }
    }
    return best;
}

/* Find out what the ladder holds no more, and which of that may be free. */
static enum error dead_find(struct rung *rung, const struct disk_record_ref *after, uint32_t *held)
{
    const struct disk_record_ref *pin = pin_after(rung->drop.commit->root, &rung->ref, after);
    enum error error = find_dead(rung, after);
    *held = dead_count(rung);
    rung->drop.successor = after->generation;
    if (error == OK && pin != NULL) {
        error = find_dead(rung, pin);
        rung->drop.successor = pin->generation;
    }
    return error;
}

static enum error rung_begin(struct rung *rung, struct commit *commit, uint32_t index)
{
    const struct disk_ladder *ladder = commit->ladder;
    void *pages[3] = {NULL, NULL, NULL};
    enum error error = OK;
    for (uint32_t i = 0; i < 3 && error == OK; i++) {
        error = store_page_new(&pages[i]);
    }
    *rung = (struct rung){
        .drop = {.commit = commit, .page = pages[0]},
        .ref = ladder->rungs[index],
        .since = index + 1 < ladder->count ? ladder->rungs[index + 1].generation : 0,
        .before = pages[1],
        .after = pages[2],
    };
    return error;
}

static void rung_end(struct rung *rung)
{
    store_page_free(rung->drop.page);
    store_dead_proof_free(rung->before);
    store_dead_proof_free(rung->after);
}

static void say_partial(struct commit *commit, uint64_t generation)
{
    log_line("store: what generation %llu alone had is not known for damage; it is found with the next boot",
             (unsigned long long)generation);
    commit->store->has_lost = true;
}

/* The ladder does without it; what was found is freed. What is not as it must be is found by a rebuild. */
static enum error rung_take(struct rung *rung, uint32_t index, uint32_t held)
{
    struct commit *commit = rung->drop.commit;
    struct disk_root *root = commit->root;
    enum error error = dead_free(rung);
    root->ladder_blocks -= held < root->ladder_blocks ? held : root->ladder_blocks;
    store_ladder_remove(commit->ladder, index);
    commit->ladder_changed = true;
    root->ladder_blocks = commit->ladder->count == 0 ? 0 : root->ladder_blocks;
    if (store_is_damage(error)) {
        commit->store->wants_rebuild = true;
        return OK;
    }
    return error;
}

enum error store_rung_give_up(struct commit *commit, uint32_t index, bool *done)
{
    thread_may_sleep();
    struct rung rung;
    uint32_t held = 0;
    const struct disk_root *root = commit->root;
    const struct disk_ladder *ladder = commit->ladder;
    /* the commit's own generation is the first of the window, and has no record yet */
    const struct disk_record_ref after = index > 0 ? ladder->rungs[index - 1] : root->window[root->window_count - 1];
    enum error error = rung_begin(&rung, commit, index);
    if (error == OK) {
        error = dead_find(&rung, &after, &held);
    }
    *done = error != ERROR_NO_MEMORY;
    if (*done) {
        if (error != OK || rung.before->is_partial) {
            say_partial(commit, rung.ref.generation);
        }
        bool is_found = error == OK || store_is_damage(error);
        if (is_found) {
            error = rung_take(&rung, index, held);
        }
    }
    rung_end(&rung);
    return *done ? error : OK;
}
