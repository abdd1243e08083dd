/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for open files that have no object but their record. See file_waiting.h.
 */
#include "file_waiting.h"
#include "atomic.h"
#include "log.h"
#include "program_time.h"
#include "task/pending.h"

static struct watch_list watchers[FILES_MAX];

static struct watch_list *watchers_of(const struct file_record *file)
{
    return &watchers[record_index(RECORD_FILE, file)];
}

bool file_watch(const struct file_record *file, uint32_t events, struct watch *watch, struct watcher *watcher)
{
    (void)events;
    watch_begin(watchers_of(file), watch, watcher);
    return true;
}

void file_notify(const struct file_record *file)
{
    DOES_NOT_SLEEP();
    watch_notify(watchers_of(file));
}

bool file_is_still_open(const struct system_call *call, const struct file_record *file)
{
    uint32_t descriptor = call->arguments[0];

    return descriptor < PROGRAM_FILES_MAX && call->program->files[descriptor].number == record_index(RECORD_FILE, file);
}

int32_t file_wait(const struct system_call *call, const struct file_record *file, uint64_t moment_ns,
                  struct call_pace *pace)
{
    struct watcher watcher = {0};
    struct watch watch;

    if ((file->flags & O_NONBLOCK) != 0) {
        file_signal_unwatch();
        return -EAGAIN;
    }
    if (task_has_signal(call->task)) { /* CALL-3 */
        file_signal_unwatch();
        return call_interrupted(call);
    }
    uint64_t until_ns = call_pace_next(call, pace, moment_ns);
    (void)file_watch(file, 0, &watch, &watcher);
    enum error error =
        watcher_sleep(&watcher, until_ns == UINT64_MAX ? DEADLINE_NEVER : time_boot_deadline_ns(until_ns));
    watch_end(&watch);
    file_signal_unwatch();
    if (!file_is_still_open(call, file)) {
        return -EBADF;
    }
    return error == OK || error == ERROR_TIMED_OUT || error == ERROR_INTERRUPTED ? 0 : system_call_errno(error);
}

int32_t file_write_nothing(const struct system_call *call, const struct file_record *file, uint32_t base,
                           uint32_t length, uint32_t offset)
{
    (void)call;
    (void)file;
    (void)base;
    (void)length;
    (void)offset;
    return -EINVAL;
}

struct file_record *file_change(const struct system_call *call, const struct file_record *file)
{
    (void)call_change_task(call);
    return record_at(RECORD_FILE, record_index(RECORD_FILE, file));
}

void file_signal_unwatch(void)
{
    DOES_NOT_SLEEP();
    struct task *task = task_current();

    task->awaited[0] = task->awaited[1] = 0;
}
