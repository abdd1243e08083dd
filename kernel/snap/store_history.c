/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * History: which generations stay, and what becomes free when one goes.
 *
 * Each record lists what its generation no longer needs of the one before ("dead": replaced page blocks, nodes, merged
 * records), with the generation that first had it. When a generation is dropped, exactly the dead of its successor may
 * become free: those that no rung and no pinned generation has. So dropping costs what changed, not what there is.
 *
 * A pinned generation stays whatever branch the image takes. Where one is of another branch than the newest, this rule
 * frees too little: what was replaced there between the fork and the pin is needed by neither. The root says which pins
 * may be such; what they alone withhold is left to a rebuild, which is due with the next opening, or when space runs
 * short.
 *
 * A generation that becomes a rung of the ladder (store_ladder.h) gives nothing up: the rung has what its successor does
 * without. That is found when the rung goes (store_rung.c).
 *
 * When one of these lists cannot be read, the blocks it would have freed are found by a rebuild of the free-space map.
 *
 * Lists that were on the disk when the image was opened are input. Each is proved when its turn has come, by the
 * generation that is dropped (store_dead.h). A block that is not proved to be dead stays used, and the map is made anew
 * with the next opening.
 */
#include "log.h"
#include "store_drop.h"
#include "store_ladder.h"

#include <string.h>

#define FREE_SHARE    8u /* history is given up, down to HISTORY_MIN, while less than 1/8 of the disk is free */
#define RUNGS_AT_ONCE 4u

/*
 * Whether the ladder has what was there from `birth` on: rungs are older than whatever leaves the window. It goes when
 * the last of those that have it does.
 */
static bool is_of_ladder(struct drop *drop, uint64_t birth, uint32_t blocks)
{
    const struct disk_ladder *ladder = drop->commit->ladder;
    bool is = ladder->count > 0 && birth <= ladder->rungs[0].generation;
    drop->commit->root->ladder_blocks += is ? blocks : 0;
    return is;
}

static enum error free_place(void *context, const struct store_place *place)
{
    struct drop *drop = context;
    bool has_copy = store_drop_is_copy(drop, place);
    drop->is_doubtful = drop->is_doubtful || has_copy != (place->copy != 0);
    enum error error = store_drop_blocks(drop, place->block, 1);
    return error != OK || !has_copy ? error : store_drop_blocks(drop, place->copy, 1);
}

/* A block of a record that the ladder has. */
static enum error count_place(void *context, const struct store_place *place)
{
    struct drop *drop = context;
    bool has_copy = store_drop_is_copy(drop, place);
    drop->is_doubtful = drop->is_doubtful || has_copy != (place->copy != 0);
    drop->commit->root->ladder_blocks += has_copy ? 2 : 1;
    return OK;
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
    bool stays = (count == 0 && dead->count > 0) || is_of_ladder(drop, dead->birth, count) ||
                 store_drop_is_pinned(drop, dead->birth);
    return stays ? OK : store_drop_blocks(drop, dead->block, count);
}

static enum error free_record(struct drop *drop, const struct disk_record_ref *ref)
{
    struct record_visitor visitor = {.context = drop, .block = free_place};
    if (drop->proof != NULL && !store_dead_proof_take_record(drop->proof, ref)) {
        drop->is_doubtful = true;
        return OK;
    }
    if (is_of_ladder(drop, ref->generation, 0)) {
        visitor.block = count_place;
    } else if (store_drop_is_pinned(drop, ref->generation)) {
        return OK;
    }
    return store_record_read(drop->commit->store, ref, &visitor);
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

static bool space_is_short(const struct commit *commit)
{
    const struct space *space = &commit->store->space;
    return store_space_free(space) + commit->freed.blocks < space->block_count / FREE_SHARE;
}

/* Drop the oldest generation of the new root's window; what it has stays if it becomes a rung. */
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
    if (!commit->is_reclaiming && !space_is_short(commit) && store_ladder_wants(&root->rules, commit->ladder, oldest)) {
        store_ladder_push(commit->ladder, oldest);
        commit->ladder_changed = true;
    }
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
        is_any = is_any || store_drop_is_of_branch(root, root->pins[i].record.generation);
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
static void branch(struct commit *commit, const struct disk_record_ref *from)
{
    struct disk_root *root = commit->root;
    uint32_t rungs = commit->ladder->count;
    store_ladder_cut(root, commit->ladder, from);
    commit->ladder_changed = commit->ladder->count != rungs;
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

/* Give up rungs that the rules do not ask for: few at a time, so that no commit takes long. */
static enum error ladder_thin(struct commit *commit, bool *goes_on)
{
    struct disk_ladder *ladder = commit->ladder;
    enum error error = OK;
    for (uint32_t i = 0; i < RUNGS_AT_ONCE && error == OK && *goes_on; i++) {
        uint32_t surplus = store_ladder_surplus(&commit->root->rules, ladder);
        if (surplus == ladder->count) {
            return OK;
        }
        error = store_rung_give_up(commit, surplus, goes_on);
    }
    return error;
}

static bool ladder_holds_too_much(const struct commit *commit)
{
    if (commit->is_reclaiming) {
        return true; /* what is short of room may need more than counts as short: history is given up as a whole */
    }
    return commit->root->ladder_blocks > store_ladder_room(commit->store, commit->root) || space_is_short(commit);
}

/*
 * Give up what the rules do not ask for, and the oldest rungs while they hold more than their share, or the disk is short
 * of room. A commit that begins a branch leaves the ladder as it is: the map is still that of the generations that it
 * replaces. What cannot be given up for want of memory is the next commit's.
 */
static enum error ladder_advance(struct commit *commit)
{
    struct disk_ladder *ladder = commit->ladder;
    bool goes_on = commit->store->branch_from == 0;
    enum error error = ladder_thin(commit, &goes_on);
    while (error == OK && goes_on && ladder->count > 0 && ladder_holds_too_much(commit)) {
        error = store_rung_give_up(commit, ladder->count - 1, &goes_on);
    }
    return error;
}

/* Drop generations of the window: more than are to stay, and all but the least while the disk is short of room. */
static enum error window_advance(struct commit *commit)
{
    struct disk_root *root = commit->root;
    enum error error = OK;
    while (error == OK && root->window_count > commit->history && root->window_count > HISTORY_MIN) {
        error = drop_oldest(commit);
    }
    if (error == OK) {
        error = ladder_advance(commit);
    }
    while (error == OK && root->window_count > HISTORY_MIN && space_is_short(commit)) {
        error = drop_oldest(commit);
        if (error == OK) {
            error = ladder_advance(commit);
        }
    }
    return error;
}

enum error store_history_advance(struct commit *commit)
{
    struct disk_root *root = commit->root;
    if (commit->store->branch_from != 0) {
        branch(commit, &commit->store->state.record);
    }
    pins_range_trim(root);
    if (root->window_count == DISK_WINDOW_MAX) {
        root->window_count--; /* never happens with the windows this version writes */
    }
    memmove(&root->window[1], &root->window[0], root->window_count * sizeof(root->window[0]));
    memset(&root->window[0], 0, sizeof(root->window[0]));
    root->window[0].generation = commit->generation;
    root->window_count++;
    enum error error = window_advance(commit);
    bool is_due = commit->is_withheld || commit->store->has_lost;
    commit->store->wants_rebuild = commit->store->wants_rebuild || (is_due && space_is_short(commit));
    memset(&root->window[root->window_count], 0, (DISK_WINDOW_MAX - root->window_count) * sizeof(root->window[0]));
    return error;
}
