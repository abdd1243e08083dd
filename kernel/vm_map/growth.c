/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who pays when the disk is full and memory too.
 *
 * All pages together have to fit into disk and memory. When they do not, no dirty page can give its frame back, and
 * whoever needs a frame waits for room. Room comes only if somebody gives up pages that can no longer be kept: those
 * created since the last snapshot that succeeded. So the space that created most of them ends, or is refused if it is
 * the one that asks. If nobody created many since then, the space that ever took most is chosen. A copy of a program
 * starts with its source's account, so that many small copies do not hide what they take together. Spaces that took
 * more than half as much as the chosen one are refused along with it: else they would take, one after the other, what
 * each gives back. And while a space that need not pay is waiting, those who would pay stand back.
 *
 * All of this is volatile. After a boot every account is empty.
 */
#include "vm_growth.h"
#include "arch/clock.h"
#include "log.h"
#include "object_space.h"
#include <string.h>

#define MANY_PAGES  64u           /* since the last snapshot: so many decide alone */
#define PATIENCE_NS 5000000000ull /* how long a program that was told to end has, before the next one is told */

struct growth {
    uint32_t epoch;  /* of `recent`: any other than the current one makes it 0 */
    uint32_t recent; /* pages since the last snapshot that succeeded */
    uint32_t total;  /* pages ever; 0: nobody who could be told to end */
};

static struct growth growths[SPACES_MAX];
static uint32_t epoch = 1; /* moves on with every snapshot that succeeds */
static bool disk_is_full;
static struct space_id ending;  /* told to end; 0: nobody, or it has ended */
static uint32_t others_waiting; /* faults of those who would not pay, on a full disk */
static uint64_t patience_ns;    /* until when we wait for it */

void vm_growth_clear(void)
{
    memset(growths, 0, sizeof(growths));
    ending.number = 0;
    others_waiting = 0;
    disk_is_full = false;
}

void vm_growth_note_snapshot(enum error error)
{
    epoch += error == OK;
    disk_is_full = error == ERROR_NO_SPACE;
}

bool vm_growth_disk_is_full(void)
{
    return disk_is_full;
}

void vm_growth_count(struct space_id space)
{
    struct growth *growth = &growths[space.number];

    if (growth->epoch != epoch) {
        growth->epoch = epoch;
        growth->recent = 0;
    }
    growth->recent++;
    growth->total++;
}

void vm_growth_inherit(struct space_id space, struct space_id source)
{
    growths[space.number] = source.number != 0 ? growths[source.number] : (struct growth){0};
    if (source.number == 0 && ending.number == space.number) {
        ending.number = 0;
    }
}

static uint64_t weight(const struct growth *growth)
{
    uint64_t recent = growth->epoch == epoch && growth->total != 0 ? growth->recent : 0;

    return recent > MANY_PAGES ? recent << 32 : growth->total;
}

/* Space 0 if nobody is on the account. */
static struct space_id find_most(void)
{
    struct space_id most = {0};

    for (uint32_t i = SPACE_NONE.number + 1; i < SPACE_SYSTEM.number; i++) {
        if (weight(&growths[i]) > weight(&growths[most.number])) {
            most.number = i;
        }
    }
    return most;
}

bool vm_growth_would_pay(struct space_id space)
{
    uint64_t own = weight(&growths[space.number]);

    return own > 0 && own > weight(&growths[find_most().number]) / 2;
}

void vm_growth_begin_wait(void)
{
    others_waiting++;
}

void vm_growth_end_wait(void)
{
    ASSERT(others_waiting > 0);
    others_waiting--;
}

bool vm_growth_stands_back(struct space_id space)
{
    return others_waiting > 0 && disk_is_full && vm_growth_would_pay(space);
}

enum error vm_growth_decide(struct space_id space)
{
    struct space_id most;

    if (vm_growth_would_pay(space) || ending.number == space.number) {
        return ERROR_NO_MEMORY;
    }
    if (ending.number != 0 && clock_boot_ns() < patience_ns) {
        return OK;
    }
    ending.number = 0;
    while ((most = find_most()).number != 0 && most.number != space.number) {
        growths[most.number].total = 0;
        if (vm_objects.policy->stop != NULL && vm_objects.policy->stop(most)) {
            ending = most;
            patience_ns = clock_boot_ns() + PATIENCE_NS;
            return OK;
        }
    }
    return ERROR_NO_MEMORY;
}
