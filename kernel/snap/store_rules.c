/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of what is kept, as callers have them and as roots say them. What follows from them: store_ladder.c.
 */
#include "store_rules.h"
#include "zero.h"

bool store_rules_are_valid(const struct store_rules *rules)
{
    bool is_small =
        rules->minutes <= STORE_RUNGS_MAX && rules->hours <= STORE_RUNGS_MAX && rules->days <= STORE_RUNGS_MAX;
    return is_small && rules->minutes + rules->hours + rules->days <= STORE_RUNGS_MAX &&
           rules->percent <= STORE_PERCENT_MAX &&
           (rules->newest == 0 || (rules->newest >= HISTORY_MIN && rules->newest <= HISTORY_MAX));
}

void store_rules_note(struct disk_root *root, const struct store_rules *rules)
{
    root->rules = (struct disk_rules){
        .newest = (uint16_t)rules->newest,
        .minutes = (uint16_t)rules->minutes,
        .hours = (uint16_t)rules->hours,
        .days = (uint16_t)rules->days,
        .percent = (uint16_t)rules->percent,
    };
    if (!memory_is_zero(&root->rules, sizeof(root->rules))) {
        root->write_features |= DISK_FEATURE_LADDER;
    }
}

void store_rules_get(const struct store *store, struct store_rules *out)
{
    const struct disk_rules *rules = &store->root->rules;
    *out = (struct store_rules){rules->newest, rules->minutes, rules->hours, rules->days, rules->percent};
}
