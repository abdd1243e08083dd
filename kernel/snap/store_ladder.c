/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which generations are rungs of the ladder, and the block that lists them. See store_ladder.h.
 *
 * A generation is looked at once, when it leaves the window: it becomes a rung if it is the first of its minute (or
 * hour, or day, if no minutes are kept). Of the rungs those stay that are the first of one of the last so many minutes,
 * hours, days. Only what follows what is compared, in the order of generations: a wall clock that is set back makes
 * other minutes, not more rungs, and one that jumps ahead takes none away.
 */
#include "store_ladder.h"
#include "store_checksum.h"
#include "store_drop.h"
#include "zero.h"

#include <string.h>

#define MINUTE_NS UINT64_C(60000000000)
#define HOUR_NS   (60 * MINUTE_NS)
#define DAY_NS    (24 * HOUR_NS)

enum { UNITS = 3 };

_Static_assert(STORE_RUNGS_MAX < DISK_RUNGS_MAX, "there is room for one that comes before another goes");

/* Which are rungs ------------------------------------------------------------------------------------------------- */

struct unit {
    uint64_t length_ns;
    uint32_t count;
};

static void units_list(const struct disk_rules *rules, struct unit units[UNITS])
{
    units[0] = (struct unit){MINUTE_NS, rules->minutes};
    units[1] = (struct unit){HOUR_NS, rules->hours};
    units[2] = (struct unit){DAY_NS, rules->days};
}

static bool is_other(const struct unit *unit, const struct disk_record_ref *one, const struct disk_record_ref *other)
{
    return one->wall_time_ns / unit->length_ns != other->wall_time_ns / unit->length_ns;
}

bool store_ladder_wants(const struct disk_rules *rules, const struct disk_ladder *ladder,
                        const struct disk_record_ref *ref)
{
    struct unit units[UNITS];
    bool wants = false;
    units_list(rules, units);
    for (uint32_t i = 0; i < UNITS; i++) {
        bool is_first = ladder->count == 0 || is_other(&units[i], ref, &ladder->rungs[0]);
        wants = wants || (units[i].count > 0 && is_first);
    }
    return wants && ladder->count < DISK_RUNGS_MAX;
}

uint32_t store_ladder_surplus(const struct disk_rules *rules, const struct disk_ladder *ladder)
{
    struct unit units[UNITS];
    uint32_t surplus = ladder->count;
    units_list(rules, units);
    for (uint32_t i = 0; i < ladder->count; i++) {
        bool stays = false;
        for (uint32_t k = 0; k < UNITS; k++) {
            bool is_first = i + 1 == ladder->count || is_other(&units[k], &ladder->rungs[i], &ladder->rungs[i + 1]);
            stays = stays || (is_first && units[k].count > 0);
            units[k].count -= is_first && units[k].count > 0 ? 1 : 0;
        }
        surplus = stays ? surplus : i;
    }
    return surplus;
}

uint32_t store_ladder_room(const struct store *store, const struct disk_root *root)
{
    return (uint32_t)((uint64_t)store->block_count * root->rules.percent / 100);
}

/* The list of rungs ------------------------------------------------------------------------------------------------ */

void store_ladder_push(struct disk_ladder *ladder, const struct disk_record_ref *ref)
{
    memmove(&ladder->rungs[1], &ladder->rungs[0], ladder->count * sizeof(ladder->rungs[0]));
    ladder->rungs[0] = *ref;
    ladder->count++;
}

void store_ladder_remove(struct disk_ladder *ladder, uint32_t index)
{
    ladder->count--;
    memmove(&ladder->rungs[index], &ladder->rungs[index + 1], (ladder->count - index) * sizeof(ladder->rungs[0]));
    memset(&ladder->rungs[ladder->count], 0, sizeof(ladder->rungs[0]));
}

void store_ladder_cut(struct disk_root *root, struct disk_ladder *ladder, const struct disk_record_ref *from)
{
    bool leads_to_it = root->window_count > 0 && root->window[root->window_count - 1].generation <= from->generation;
    for (uint32_t i = 0; i < ladder->count; i++) {
        leads_to_it = leads_to_it || ladder->rungs[i].generation == from->generation;
    }
    while (ladder->count > 0 && (!leads_to_it || ladder->rungs[0].generation >= from->generation)) {
        store_ladder_remove(ladder, 0);
    }
}

/* Its block -------------------------------------------------------------------------------------------------------- */

/* LADDER-1, as far as references say. */
static bool is_sound(const struct store *store, const struct disk_ladder *ladder, uint64_t generation)
{
    const struct disk_root *root = store->root;
    uint64_t newer = root->window_count == 0 ? 0 : root->window[root->window_count - 1].generation;
    bool sound = ladder->magic == DISK_LADDER_MAGIC && ladder->generation == generation &&
                 ladder->count <= DISK_RUNGS_MAX &&
                 memory_is_zero(&ladder->rungs[ladder->count],
                                (DISK_RUNGS_MAX - ladder->count) * (uint32_t)sizeof(ladder->rungs[0]));
    for (uint32_t i = 0; sound && i < ladder->count; i++) {
        sound = store_ref_is_sound(store, &ladder->rungs[i]) && ladder->rungs[i].generation < newer;
        newer = ladder->rungs[i].generation;
    }
    return sound;
}

enum error store_ladder_load(struct store *store, struct store_report *report)
{
    thread_may_sleep();
    struct disk_root *root = store->root;
    struct store_place place = {root->ladder.block, root->ladder.copy, root->ladder.generation, root->ladder.checksum};
    if (place.block == 0) {
        return OK;
    }
    enum error error = store_place_read(store, NULL, &place, store->ladder);
    if (error == OK && !is_sound(store, store->ladder, place.generation)) {
        error = ERROR_FORMAT_DAMAGED;
    }
    if (!store_is_damage(error)) {
        return error;
    }
    store_report_say(report, "the ladder of history: %s", error_text(error));
    store->ladder_is_lost = true;
    memset(store->ladder, 0, PAGE_SIZE);
    root->ladder = (struct disk_ladder_ref){0};
    root->ladder_blocks = 0;
    root->flags |= DISK_ROOT_REBUILD;
    return OK;
}

static enum error old_free(struct commit *commit)
{
    struct drop drop = {.commit = commit, .successor = commit->generation};
    const struct disk_ladder_ref *old = &commit->root->ladder;
    if (old->block == 0) {
        return OK;
    }
    struct store_place place = {old->block, old->copy, old->generation, old->checksum};
    enum error error = store_page_new(&drop.page);
    if (error != OK) {
        return error;
    }
    bool has_copy = store_drop_is_copy(&drop, &place);
    commit->store->has_lost = commit->store->has_lost || has_copy != (place.copy != 0);
    error = store_drop_blocks(&drop, place.block, 1);
    if (error == OK && has_copy) {
        error = store_drop_blocks(&drop, place.copy, 1);
    }
    store_page_free(drop.page);
    if (store_is_damage(error)) {
        commit->store->wants_rebuild = true;
        return OK;
    }
    return error;
}

/* Two blocks for it, which this commit's record names (LADDER-3). */
static enum error place_take(struct commit *commit, struct store_place *place)
{
    enum error error = store_run_list_reserve(&commit->ladder_blocks, 2);
    if (error == OK) {
        error = store_place_allocate(commit->store, &place->block, &place->copy);
    }
    if (error != OK) {
        return error;
    }
    const uint32_t blocks[] = {place->block, place->copy};
    for (uint32_t i = 0; i < 2 && error == OK && blocks[i] != 0; i++) {
        error = store_run_list_append(&commit->ladder_blocks, blocks[i], 1, 0);
    }
    for (uint32_t i = 0; i < 2 && error == OK && blocks[i] != 0; i++) {
        struct disk_extent item = {blocks[i], 1};
        error = store_record_append(&commit->writer, DISK_ITEM_ALLOCATED, &item);
    }
    return error;
}

enum error store_ladder_write(struct commit *commit)
{
    struct disk_ladder *ladder = commit->ladder;
    struct disk_root *root = commit->root;
    struct store_place place = {0};
    if (!commit->ladder_changed) {
        return OK;
    }
    enum error error = old_free(commit);
    root->ladder = (struct disk_ladder_ref){0};
    if (error != OK || ladder->count == 0) {
        return error;
    }
    error = place_take(commit, &place);
    if (error != OK) {
        return error;
    }
    ladder->magic = DISK_LADDER_MAGIC;
    ladder->generation = commit->generation;
    store_write_queue_add(&commit->queue, place.block, ladder, false);
    if (place.copy != 0) {
        store_write_queue_add(&commit->queue, place.copy, ladder, false);
    }
    root->ladder = (struct disk_ladder_ref){
        .block = place.block,
        .copy = place.copy,
        .checksum = store_checksum_block(commit->store->space_id, place.block, commit->generation, ladder),
        .generation = commit->generation,
    };
    root->write_features |= DISK_FEATURE_LADDER;
    return OK;
}
