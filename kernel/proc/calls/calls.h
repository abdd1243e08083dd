/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the system calls, and what some of them lend to others.
 */
#ifndef CALLS_H
#define CALLS_H

#include "call.h"

/* All handlers. */
#define CALL(number, name, function)     system_call_handler function;
#define OWN_CALL(number, name, function) system_call_handler function;
#include "list.h"
#undef CALL
#undef OWN_CALL

struct system_call_entry {
    const char *name;
    system_call_handler *handler;
};

/* The entry of a number, or NULL when there is no such call. */
const struct system_call_entry *system_call_find(uint32_t number);

/* A timespec in the program's memory, of 32 or 64 bits, as nanoseconds: 0 or a negative errno. */
int32_t call_timespec_in(uint32_t address, bool wide, uint64_t *out_ns);

/*
 * call_clock.c: what timers and sleeps on a clock follow: a base, or -EINVAL: there is none, -EOPNOTSUPP: not that one.
 */
int32_t call_clock_base(const struct system_call *call, uint32_t clock);

/* The time until `value_ns` of a clock, or of so much from now on: the base that it is of, and the moment. */
uint64_t call_clock_moment(const struct system_call *call, uint32_t flags, enum time_base *base, uint64_t value_ns);

/* call_time.c: an itimerspec in the program's memory, and what to write into one. */
struct timer_setting;
#define ITIMERSPEC_BYTES_MAX 32u
int32_t call_itimerspec_in(uint32_t address, bool wide, struct timer_setting *out);
uint32_t call_itimerspec_put(void *out, bool wide, const struct timer_setting *setting);

/* call_usage.c: what was used, as struct rusage: 0 or a negative errno. */
struct usage;
int32_t call_usage_out(uint32_t address, const struct usage *used);

/* The time of a clock of the processor, by its number on Linux: 0, or -EINVAL if there is no such clock. */
int32_t call_processor_clock(const struct system_call *call, uint32_t clock, uint64_t *out_ns);

/* call_lock.c: the commands of fcntl() that are about locks; the descriptor is open. */
int32_t call_fcntl_lock(const struct system_call *call);

/* call_memory.c: whether the program has a mapping all over the range of arguments 0 and 1: 0, -EINVAL or -ENOMEM. */
int32_t mapped_range_check(const struct system_call *call);

/* call_task.c: a descriptor of a segment as what the processor is given. */
struct cpu_tls call_segment(const struct linux_user_desc *description);

#endif
