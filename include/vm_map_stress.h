/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stress of the page map: threads that read, write, page out, drop, discard and delete the same few pages while
 * snapshots are taken, fail and are given up, over a store of three layers that lives in memory.
 *
 * It runs wherever the map does: inside the kernel as one of its own tests, on the host with threads that are truly
 * parallel outside the kernel, so that whatever a page's mutex does not order is a data race.
 */
#ifndef VM_MAP_STRESS_H
#define VM_MAP_STRESS_H

#include "types.h"

struct vm_map_stress_options {
    uint64_t seed;
    uint32_t turns; /* of each thread */
    /* Runs work(context), which touches frames and nothing of the kernel, and lets other threads run meanwhile. */
    void (*outside)(void (*work)(void *context), void *context);
};

struct vm_map_stress_result {
    const char *failure; /* the first condition that did not hold, or NULL */
    int line;            /* of stress.c */
    /* How often something happened. All of them do if there are turns enough. */
    uint32_t reads, writes, copies, page_outs, drops, discards, deletes, commits, aborts, contended;
};

/* Returns when its threads have ended their work; sleeps. It leaves no page, frame or record behind. */
void vm_map_stress(const struct vm_map_stress_options *options, struct vm_map_stress_result *out);

#endif
