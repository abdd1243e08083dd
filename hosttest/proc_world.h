/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Worlds for the whole kernel: families of programs (host_family.h) that live through several boots of one image, on a
 * disk that takes its time, with power cuts, failing requests, failing allocations and short memory, all from a seed.
 *
 * At each stop the host notes what each program is: its registers, and its books. A boot, however it came about, must
 * find one stop, whole: all programs that were alive, each at the instruction it had reached, its memory byte for byte
 * what its books say; and no stop older than what a sync had confirmed. Each disk state that is looked at is really
 * booted, and its programs run on for a while.
 */
#ifndef PROC_WORLD_H
#define PROC_WORLD_H

#include "types.h"

struct proc_world_options {
    uint64_t seed;
    uint32_t boots;       /* that the world lives through */
    uint32_t states;      /* crash states looked at after each boot, about */
    void (*mutate)(void); /* called before each boot: plants a mistake; or NULL */
};

struct proc_world_counters {
    uint64_t boots, states, ends, stops, resumed, refused, checks;
};
extern struct proc_world_counters proc_world_counters;

/* Live through a world. What is wrong ends the process with a message that names the seed. */
void proc_world_live(const struct proc_world_options *options);

#endif
