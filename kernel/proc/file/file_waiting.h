/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: waiting for open files that have no object but their record: events, timers, signals.
 *
 * Each has a list of those who watch it (watch.h), by the number of its record. Volatile.
 */
#ifndef FILE_WAITING_H
#define FILE_WAITING_H

#include "call.h"
#include "record.h"
#include "watch.h"

/* As `watch` of struct file_operations: every change is told. */
bool file_watch(const struct file_record *file, uint32_t events, struct watch *watch, struct watcher *watcher);

/* It has changed: those who watch it look again. Does not sleep. */
void file_notify(const struct file_record *file);

/*
 * Whether the descriptor that a call is about, its first argument, is still this file: while the call slept another
 * task of the program may have closed it, and its record be another's.
 */
bool file_is_still_open(const struct system_call *call, const struct file_record *file);

/*
 * In a call that finds nothing to do with a file yet: sleep until that may have changed.
 * - moment_ns: of the monotonic clock, when it will have by itself; UINT64_MAX: never. pace: of the call.
 * - 0: look again. -EAGAIN: the file is not to be waited for. -EBADF: it is closed. Else what the call answers.
 */
int32_t file_wait(const struct system_call *call, const struct file_record *file, uint64_t moment_ns,
                  struct call_pace *pace);

/* As `write` of struct file_operations, of what cannot be written to: -EINVAL. */
int32_t file_write_nothing(const struct system_call *call, const struct file_record *file, uint32_t base,
                           uint32_t length, uint32_t offset);

/* The record of a file, to be changed, which commits the call as call_change_task() does. */
struct file_record *file_change(const struct system_call *call, const struct file_record *file);

/* The current task no longer waits for the signals of signalfd()s that it has watched. Does not sleep. */
void file_signal_unwatch(void);

#endif
