/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: timers that are read (timerfd_create()).
 */
#ifndef FILE_TIMER_H
#define FILE_TIMER_H

#include "record.h"

struct timer_setting;

/* What one has left until the next moment that is still to come, and to set one; none sleeps. */
struct timer_setting file_timer_left(const struct file_record *file);
void file_timer_set(struct file_record *file, enum time_base base, uint64_t deadline_ns, uint64_t interval_ns);

#endif
