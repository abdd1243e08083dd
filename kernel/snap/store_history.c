/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * History: which generations stay, and what becomes free when one goes.
 *
 * Each record lists what its generation no longer needs of the one before ("dead": replaced page blocks, nodes, merged
 * records), with the generation that first had it. When a generation is dropped, exactly the dead of its successor may
 * become free: those that no pinned generation has. So dropping costs what changed, not what there is.
 *
 * A pinned generation stays whatever branch the image takes. Where one is of another branch than the newest, this rule
 * frees too little: what was replaced there between the fork and the pin is needed by neither. The root says which pins
 * may be such; what they alone withhold is left to a rebuild, which is due with the next opening, or when space runs
 * short.
 *
 * When one of these lists cannot be read, the blocks it would have freed are found by a rebuild of the free-space map.
 *
 * Lists that were on the disk when the image was opened are input. Each is proved when its turn has come, by the
 * generation that is dropped (store_dead.h). A block that is not proved to be dead stays used, and the map is made anew
 * with the next opening.
 */
#include "log.h"
#include "store_commit.h"
#include "store_dead.h"

#include <string.h>

#define FREE_SHARE 8u /* history is given up, down to HISTORY_MIN, while less than 1/8 of the disk is free */

struct drop {
    struct commit *commit;
    uint64_t successor;       /* generation whose dead are looked at */
    struct dead_proof *proof; /* of what they are; NULL: this store has listed them itself */
    void *page;               /* for copies */
    bool is_doubtful;         /* something is not proved */
};

static bool is_of_branch(const struct disk_root *root, uint64_t generation)
{
    return root->branch_after < generation && generation <= root->branch_until;
}

/* Whether a pinned generation has what was there from `birth` on, up to the drop's successor. */
static bool is_pinned(const struct drop *drop, uint64_t birth)
{
    const struct disk_root *root = drop->commit->root;
    bool is_withheld = false;
    for (uint32_t i = 0; i < root->pin_count; i++) {
        uint64_t generation = root->pins[i].record.generation;
        if (generation < birth || generation >= drop->successor) {
            continue;
        }
        if (!is_of_branch(root, generation)) {
            return true;
        }
        is_withheld = true;
    }
    drop->commit->is_withheld = drop->commit->is_withheld || is_withheld;
    return is_withheld;
}

/* Blocks that are used, and named by no list before, are about to be dropped: all of a run, or none. */
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

/* Free a run of used blocks, once the commit is durable. */
static enum error blocks_free(struct drop *drop, uint32_t first, uint32_t count)
{
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

/* Of what was found on the disk, a copy is what proves itself to be one. */
static bool is_copy(struct drop *drop, const struct store_place *place)
{
    struct store *store = drop->commit->store;
    return place->copy != 0 &&
           (place->generation > store->inherited || store_copy_proves_itself(store, place, drop->page));
}

static enum error free_place(void *context, const struct store_place *place)
{
    struct drop *drop = context;
    bool has_copy = is_copy(drop, place);
    drop->is_doubtful = drop->is_doubtful || has_copy != (place->copy != 0);
    enum error error = blocks_free(drop, place->block, 1);
    return error != OK || !has_copy ? error : blocks_free(drop, place->copy, 1);
}

/* How many blocks of a run, from its first, may be given up. */
static uint32_t count_proved(struct drop *drop, const struct disk_dead *dead)
{
    uint32_t count = 0;
    while (drop->proof != NULL && count < dead->count &&
           store_dead_proof_take(drop->proof, dead->block + count, dead->birth)) {
        count++;
    }
    count = drop->proof == NULL ? dead->count : count;
    drop->is_doubtful = drop->is_doubtful || count < dead->count;
    return count;
}

static enum error free_run(struct drop *drop, const struct disk_dead *dead)
{
    uint32_t count = count_proved(drop, dead);
    bool stays = (count == 0 && dead->count > 0) || is_pinned(drop, dead->birth);
    return stays ? OK : blocks_free(drop, dead->block, count);
}

static enum error free_record(struct drop *drop, const struct disk_record_ref *ref)
{
    struct record_visitor visitor = {.context = drop, .block = free_place};
    if (drop->proof != NULL && !store_dead_proof_take_record(drop->proof, ref)) {
        drop->is_doubtful = true;
        return OK;
    }
    return is_pinned(drop, ref->generation) ? OK : store_record_read(drop->commit->store, ref, &visitor);
}

static enum error free_dead(void *context, const struct disk_head *head, const struct disk_run *run, const void *item)
{
    (void)head;
    struct disk_dead dead;
    struct disk_record_ref ref;
    switch (run->type) {
    case DISK_ITEM_DEAD:
        memcpy(&dead, item, sizeof(dead));
        return free_run(context, &dead);
    case DISK_ITEM_DEAD_RECORD:
        memcpy(&ref, item, sizeof(ref));
        return free_record(context, &ref);
    default:
        return OK;
    }
}

/* Find out what the successor of a generation does without, unless this store has seen it happen. */
static enum error list_prove(struct drop *drop, const struct disk_record_ref *oldest,
                             const struct disk_record_ref *successor)
{
    struct store *store = drop->commit->store;
    void *page;
    if (successor->generation > store->inherited) {
        store_dead_proof_free(store->proof);
        store->proof = NULL;
        return OK;
    }
    if (store->proof == NULL) {
        enum error error = store_page_new(&page);
        if (error != OK) {
            return error;
        }
        store->proof = page;
    }
    drop->proof = store->proof;
    enum error error =
        drop->proof->generation == oldest->generation ? OK : store_dead_proof_start(drop->proof, store, oldest);
    return error == OK ? store_dead_proof_advance(drop->proof, successor) : error;
}

/* A list is not right, or nobody can say: what it may have lost is found with the next opening. */
static void doubt(struct drop *drop)
{
    if (drop->proof != NULL && drop->proof->generation == drop->successor && !drop->proof->is_partial) {
        log_line("store: generation %llu does not say rightly which blocks it does without; they are found with the "
                 "next boot",
                 (unsigned long long)drop->successor);
    }
    drop->commit->store->has_lost = true;
}

static enum error list_free(struct drop *drop, const struct disk_record_ref *oldest,
                            const struct disk_record_ref *successor)
{
    struct record_visitor visitor = {.context = drop, .item = free_dead};
    uint32_t rest;
    enum error error = list_prove(drop, oldest, successor);
    if (error != OK) {
        doubt(drop);
        return OK; /* nothing is given up: for that the list need not be read */
    }
    error = store_record_read(drop->commit->store, successor, &visitor);
    if (drop->is_doubtful || (drop->proof != NULL && store_dead_proof_rest(drop->proof, 0, &rest))) {
        doubt(drop);
    }
    return error;
}

/* Drop the oldest generation of the new root's window. */
static enum error drop_oldest(struct commit *commit)
{
    struct disk_root *root = commit->root;
    const struct disk_record_ref *oldest = &root->window[root->window_count - 1];
    const struct disk_record_ref *successor = &root->window[root->window_count - 2];
    struct drop drop = {.commit = commit, .successor = successor->generation};
    enum error error = store_page_new(&drop.page);
    if (error != OK) {
        return error;
    }
    root->window_count--;
    error = list_free(&drop, oldest, successor);
    store_page_free(drop.page);
    if (store_is_damage(error)) {
        commit->store->wants_rebuild = true;
        return OK;
    }
    return error;
}

/* Whether a generation is in the root's window. */
static bool is_in_window(const struct disk_root *root, uint64_t generation)
{
    for (uint32_t i = 0; i < root->window_count; i++) {
        if (root->window[i].generation == generation) {
            return true;
        }
    }
    return false;
}

/* Widen the range of pins that may be of another branch: those newer than the point that it goes on from. */
static void pins_note(struct disk_root *root, uint64_t from, uint64_t newest)
{
    bool is_any = root->branch_until != 0;
    root->branch_after = is_any && root->branch_after < from ? root->branch_after : from;
    root->branch_until = is_any && root->branch_until > newest ? root->branch_until : newest;
}

/* Forget the range when no pin is left in it. */
static void pins_range_trim(struct disk_root *root)
{
    bool is_any = false;
    for (uint32_t i = 0; i < root->pin_count; i++) {
        is_any = is_any || is_of_branch(root, root->pins[i].record.generation);
    }
    if (!is_any) {
        root->branch_after = 0;
        root->branch_until = 0;
    }
}

/*
 * The window of the branch that goes on from `from`: what leads to that generation. If it is kept by a pin alone,
 * nothing in the window is known to lead to it.
 */
static void branch(struct disk_root *root, const struct disk_record_ref *from)
{
    uint64_t newest = root->window[0].generation;
    uint32_t kept = 0;
    if (!is_in_window(root, from->generation)) {
        root->window[0] = *from;
        root->window_count = 1;
    }
    for (uint32_t i = 0; i < root->window_count; i++) {
        if (root->window[i].generation <= from->generation) {
            root->window[kept++] = root->window[i];
        }
    }
    root->window_count = kept;
    pins_note(root, from->generation, newest);
    root->flags |= DISK_ROOT_REBUILD;
}

static bool space_is_short(const struct commit *commit)
{
    const struct space *space = &commit->store->space;
    return store_space_free(space) + commit->freed.blocks < space->block_count / FREE_SHARE;
}

enum error store_history_advance(struct commit *commit)
{
    struct disk_root *root = commit->root;
    if (commit->store->branch_from != 0) {
        branch(root, &commit->store->state.record);
    }
    pins_range_trim(root);
    if (root->window_count == DISK_WINDOW_MAX) {
        root->window_count--; /* never happens with the windows this version writes */
    }
    memmove(&root->window[1], &root->window[0], root->window_count * sizeof(root->window[0]));
    memset(&root->window[0], 0, sizeof(root->window[0]));
    root->window[0].generation = commit->generation;
    root->window_count++;
    enum error error = OK;
    while (error == OK && root->window_count > HISTORY_MIN &&
           (root->window_count > commit->history || space_is_short(commit))) {
        error = drop_oldest(commit);
    }
    bool is_due = commit->is_withheld || commit->store->has_lost;
    commit->store->wants_rebuild = commit->store->wants_rebuild || (is_due && space_is_short(commit));
    memset(&root->window[root->window_count], 0, (DISK_WINDOW_MAX - root->window_count) * sizeof(root->window[0]));
    return error;
}
