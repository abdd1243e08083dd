/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signalfd(): the pending signals of whoever reads, of a set that is in the record of the open file. Who waits for one
 * awaits its signals, so that one which is blocked wakes it all the same (signal/signal.c).
 */
#include "arch/pmap.h"
#include "call.h"
#include "file_operations.h"
#include "file_waiting.h"
#include "signal/signal.h"
#include "task/pending.h"
#include <string.h>

#define ITEM_BYTES ((uint32_t)sizeof(struct linux_signalfd_siginfo))

static struct linux_signalfd_siginfo information_of(uint32_t signal, const struct signal_taken *taken)
{
    struct linux_signalfd_siginfo out = {.signal = signal, .code = taken->origin.code};

    if (taken->origin.code == SI_TIMER) {
        out.timer = taken->origin.program.number;
        out.overrun = taken->overrun;
    } else {
        out.program = taken->origin.program.number;
    }
    if (signal == SIGCHLD && taken->origin.code > 0) {
        out.status = (int32_t)taken->origin.value;
    } else {
        out.value = (int32_t)taken->origin.value;
        out.pointer = taken->origin.value;
    }
    return out;
}

/* One signal goes into the program's memory, in one step. 0: there is none any more. */
static int32_t take(const struct system_call *call, const struct file_record *file, uint32_t address, uint32_t offset)
{
    struct user_range range;
    enum error error = user_begin(&range, (struct vaddr){address}, ITEM_BYTES, PMAP_WRITE);

    if (error != OK) {
        return system_call_errno(error);
    }
    uint32_t signal = file_is_still_open(call, file) ? task_pending_of(call->task, file->signal.signals) : 0;
    if (signal != 0) {
        struct task *task = call_change_task(call);
        struct signal_taken taken = signal_look(task, signal);
        struct linux_signalfd_siginfo information = information_of(signal, &taken);
        memcpy(range.address, &information, ITEM_BYTES);
        signal_take(task, signal);
        call_progress(call)->done = offset + ITEM_BYTES;
    }
    user_end(&range);
    return file_is_still_open(call, file) ? 0 : -EBADF;
}

static void await(const struct file_record *file)
{
    struct task *task = task_current();

    task->awaited[0] |= file->signal.signals[0];
    task->awaited[1] |= file->signal.signals[1];
}

/* As many as there are and there is room for; one is waited for. */
static int32_t read_signals(const struct system_call *call, const struct file_record *file, uint32_t base,
                            uint32_t length, uint32_t offset)
{
    const uint32_t *done = &call->record->call.done;
    struct call_pace pace = {0};
    int32_t result = length >= ITEM_BYTES ? 0 : -EINVAL;

    while (result == 0 && *done + ITEM_BYTES <= offset + length) {
        if (task_pending_of(call->task, file->signal.signals) != 0) {
            uint32_t at = *done > offset ? *done : offset;
            result = take(call, file, base + (at - offset), at);
        } else if (*done > 0) {
            break;
        } else {
            await(file);
            result = file_wait(call, file, UINT64_MAX, &pace);
        }
    }
    return *done > 0 ? (int32_t)*done : result;
}

static uint32_t signal_events(const struct system_call *call, const struct file_record *file)
{
    return task_pending_of(call->task, file->signal.signals) != 0 ? FILE_READABLE : 0;
}

static bool watch_signals(const struct file_record *file, uint32_t events, struct watch *watch, struct watcher *watcher)
{
    await(file);
    return file_watch(file, events, watch, watcher);
}

const struct file_operations file_signal_operations = {
    .anonymous = "anon_inode:[signalfd]",
    .is_stream = true,
    .read = read_signals,
    .write = file_write_nothing,
    .events = signal_events,
    .watch = watch_signals,
};
