/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the fake machine tell each other.
 */
#ifndef FAKE_INTERNAL_H
#define FAKE_INTERNAL_H

#include "machine.h"

void fake_frames_start(uint32_t frames);
void fake_frames_stop(void);
void fake_arenas_stop(void);
void fake_threads_start(void);
void fake_threads_stop(void);
void fake_pmap_start(void);
void fake_pmap_stop_machine(void);
void fake_clock_start(void);

/* Count an attempt to get memory; true: it must fail. */
bool fake_allocation_fails(void);

/* Wake threads whose deadline is not after `now_ns`. */
void fake_threads_expire(uint64_t now_ns);

#endif
