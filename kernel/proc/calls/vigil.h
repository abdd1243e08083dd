/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what poll() and select() have in common: watching files while a call sleeps, its deadline and its
 * mask.
 */
#ifndef VIGIL_H
#define VIGIL_H

#include "call.h"
#include "record.h"
#include "watch.h"

/* What poll() reports unasked. */
#define POLL_ALWAYS (POLLERR | POLLHUP | POLLNVAL)

/* What a call watches while it sleeps. */
struct vigil {
    struct watcher watcher;
    struct watch watches[PROGRAM_FILES_MAX];
    struct file_id held[PROGRAM_FILES_MAX]; /* what is watched, which another thread may close meanwhile */
    uint32_t count;
    bool looks_again;   /* there is something that tells nobody when it changes */
    uint64_t moment_ns; /* when something will have changed by itself, by the monotonic clock */
};

/* How a program gives a time: a timeval, or one of the timespecs. */
enum time_form { TIME_TIMEVAL, TIME_TIMESPEC32, TIME_TIMESPEC64 };

/* Nothing is watched yet. A vigil is large: it is not zeroed. */
void vigil_begin(struct vigil *vigil);

/* Watch a descriptor, if it is open and may change; `events` are those that are waited for. */
void vigil_add(struct vigil *vigil, const struct file_record *file, uint32_t events);

/* Why not to sleep: -ETIMEDOUT, -EINTR, or 0. */
int32_t vigil_is_over(const struct system_call *call, uint64_t deadline_ns);

/* Sleep until something watched may have changed: 0 to look again, or a negative errno. Ends the vigil. */
int32_t vigil_keep(const struct system_call *call, struct vigil *vigil, struct call_pace *pace, uint64_t deadline_ns);

/* The deadline of the call, set once: UINT64_MAX never. */
uint64_t vigil_deadline(const struct system_call *call, bool limited, uint64_t length_ns);

/*
 * What is left until the deadline of the call, in place of the time that the program said: as Linux does it, also with
 * an error, and without one of its own if there is no writing there. Nothing is written for a time of 0.
 */
void vigil_time_left_out(const struct system_call *call, uint32_t address, enum time_form form, uint64_t length_ns);

/* The signal mask that ppoll() and pselect() bring along, at `address` if that is not 0. */
int32_t vigil_begin_mask(const struct system_call *call, uint32_t address, uint32_t bytes);

/* Give the mask of before back, unless a handler is about to run and will do so when it returns. */
int32_t vigil_end_mask(const struct system_call *call, int32_t result);

#endif
