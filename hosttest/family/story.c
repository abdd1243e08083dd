/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stories: steps that follow each other as chance would seldom have it.
 *
 * There is one: pages in a row are shared with a clone; then the first of them get other rights, and one in the middle
 * is mapped anew; then the clone's end is waited for. When the memory of the two becomes one again, the page in the
 * middle becomes one region with its neighbours on both sides, which begins below it and not at the row's first page.
 */
#include "parts.h"

#define PERIOD     20u /* steps, in which a story is told at the beginning or not at all */
#define ONE_IN     2u
#define ROW        8u
#define ROW_CLOSED 2u
#define MIDDLE     5u

static const struct {
    uint32_t instruction, first, count;
} parts[] = {{MAP, 0, ROW}, {FORK, 0, 0}, {PROTECT, 0, ROW_CLOSED}, {MAP, MIDDLE, 1}, {WAIT, 0, 0}};

uint32_t family_story(struct family_step *step)
{
    uint32_t part = step->number % PERIOD, dice = family_mix(step->seed, 1000 + step->number / PERIOD);

    if (dice % ONE_IN != 0 || part >= sizeof(parts) / sizeof(parts[0])) {
        return INSTRUCTIONS;
    }
    if (parts[part].count != 0) {
        step->first = (dice >> 8) % (ARENA_SLOTS - ROW + 1) + parts[part].first;
        step->count = step->fresh = parts[part].count;
    }
    return parts[part].instruction;
}
