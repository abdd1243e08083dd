/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power cuts: every scenario is cut before every event of its disk, and each cut is combined with losses, reorderings
 * and torn sectors of what was not durable. What is then recovered must be, byte for byte, a committed generation that
 * is not older than the last confirmed one. Some of the states are cut again during their recovery; of some the whole
 * image is checked, the history compared, and a further commit made.
 *
 * A state has an id, SCENARIO:CUT:VARIANT[:CUT:VARIANT]. The id of a failing one is printed, and can be run alone.
 */
#ifndef STORE_CRASH_H
#define STORE_CRASH_H

#include "store_fixture.h"

struct crash_run {
    const char *only;                 /* the id of the one state to look at, or NULL */
    enum fake_disk_mutation mutation; /* what is wrong with the order of the disk's events */
    bool is_quiet;
    uint64_t states; /* looked at so far */
};

/* Whether all states of a scenario are right. */
bool crash_scenario(struct crash_run *run, uint64_t seed);

#endif
