/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who pays when the disk is full and memory too.
 *
 * Pages that exist have to fit the disk and memory together. When they do not, no page that is written to gives its frame
 * back, and whoever needs one waits for room. It comes only if somebody gives up what can be kept no longer: pages that
 * have come into being since the last snapshot that succeeded. So who made most of these ends, or is refused if it is the
 * one that asks. Somebody who came by little at a time, between snapshots that succeeded, is found by all that it ever
 * took. Copies of a program have on their account what their sources took, so that many small ones do not hide what
 * they are together. Others who have taken more than half as much as that one are refused with it: one after the other
 * they would take what each gives back. And as long as one of those waits who need not pay, they stand back.
 *
 * All of this is volatile. After a boot everybody begins with nothing on the account.
 */
#include "vm_growth.h"
#include "arch/clock.h"
#include "log.h"
#include "object_space.h"
#include <string.h>

#define MANY_PAGES  64u           /* since the last snapshot: then they alone decide */
#define PATIENCE_NS 5000000000ull /* somebody who was told has this long to end, before the next one is told */

struct growth {
    uint32_t epoch;  /* of `recent`: any other than the current one makes it 0 */
    uint32_t recent; /* pages since the last snapshot that succeeded */
    uint32_t total;  /* pages ever; 0: nobody who could be told to end */
};

static struct growth growths[SPACES_MAX];
static uint32_t epoch = 1; /* moves on with every snapshot that succeeds */
static bool disk_is_full;
static struct space_id ending; /* who was told to end; 0: nobody, or it has */
static uint32_t others_waiting; /* faults of those who would not pay, on a full disk */
static uint64_t patience_ns;   /* until when it is waited for */

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

    for (uint32_t i = SPACE_SHARED.number + 1; i < SPACE_SYSTEM.number; i++) {
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
