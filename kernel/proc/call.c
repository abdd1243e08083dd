/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all system calls share. See call.h.
 */
#include "call.h"
#include "arch/cpu.h"
#include "log.h"
#include "program_time.h"
#include "signal/signal.h"
#include "task/pending.h"

#define PACE_FIRST_NS  50000000u
#define CALL_WORD_MARK 3u /* of record->call.words: changes when a wait leaves a mark */

int32_t system_call_errno(enum error error)
{
    switch (error) {
    case OK:
        return 0;
    case ERROR_NO_MEMORY:
        return -ENOMEM;
    case ERROR_EXISTS:
        return -EEXIST;
    case ERROR_NOT_FOUND:
        return -ENOENT;
    case ERROR_BUSY:
        return -EBUSY;
    case ERROR_DENIED:
        return -EFAULT;
    case ERROR_NO_SPACE:
        return -ENOSPC;
    case ERROR_READ_ONLY:
        return -EROFS;
    case ERROR_TIMED_OUT:
        return -ETIMEDOUT;
    case ERROR_INTERRUPTED:
        return -EINTR;
    case ERROR_UNSUPPORTED:
        return -ENOSYS;
    case ERROR_NOT_FOLDER:
        return -ENOTDIR;
    case ERROR_IS_FOLDER:
        return -EISDIR;
    case ERROR_NOT_EMPTY:
        return -ENOTEMPTY;
    case ERROR_TOO_LONG:
        return -ENAMETOOLONG;
    case ERROR_LOOP:
        return -ELOOP;
    case ERROR_LINKS:
        return -EMLINK;
    case ERROR_IN_USE:
        return -EBUSY;
    case ERROR_IO:
    case ERROR_CHECKSUM:
    case ERROR_FORMAT_DAMAGED:
        return -EIO;
    default:
        return -EINVAL;
    }
}

int32_t copy_in(void *destination, uint32_t source, uint32_t length)
{
    return system_call_errno(user_copy_in(destination, (struct vaddr){source}, length));
}

int32_t copy_out(uint32_t destination, const void *source, uint32_t length)
{
    return system_call_errno(user_copy_out((struct vaddr){destination}, source, length));
}

/* The caller's task, which handlers cannot change. */
static struct task *task_of(const struct system_call *call)
{
    return (struct task *)call->task;
}

struct task *call_change_task(const struct system_call *call)
{
    struct task *task = task_of(call);

    task_commit(task);
    return task;
}

struct program_record *call_change_program(const struct system_call *call)
{
    return call_change_task(call)->program;
}

struct call_progress *call_progress(const struct system_call *call)
{
    struct task *task = task_of(call);

    task_keep(task);
    task->has_progress = true;
    return &task->record->call;
}

int32_t call_interrupted(const struct system_call *call)
{
    if (!task_restarts_call(call->task)) {
        return -EINTR;
    }
    struct task *task = call_change_task(call);
    task_touch(task);
    task->registers->eip -= 2; /* back over `int 0x80`, with the number in EAX again */
    return (int32_t)call->number;
}

void call_exchange_mask(const struct system_call *call, uint32_t low, uint32_t high)
{
    signal_mask_exchange(call_change_task(call), low, high);
    program_call_keep();
}

void call_let_others_run(void)
{
    if (thread_should_yield()) {
        thread_yield();
    }
}

uint64_t call_pace_next(const struct system_call *call, struct call_pace *pace, uint64_t deadline_ns)
{
    uint64_t now = time_monotonic_ns();

    if (deadline_ns == UINT64_MAX) {
        return deadline_ns;
    }
    pace->gap_ns = pace->gap_ns == 0 ? PACE_FIRST_NS : pace->gap_ns * 2;
    call_progress(call)->words[CALL_WORD_MARK] = (uint32_t)now;
    return deadline_ns > now && deadline_ns - now > pace->gap_ns ? now + pace->gap_ns : deadline_ns;
}

int32_t call_sleep_until(const struct system_call *call, uint64_t deadline_ns)
{
    struct call_pace pace = {0};

    while (time_monotonic_ns() < deadline_ns) {
        if (task_has_signal(call->task)) { /* CALL-3 */
            return -EINTR;
        }
        uint64_t until = call_pace_next(call, &pace, deadline_ns);
        enum error error = thread_sleep_until(time_boot_deadline_ns(until));
        if (error != OK && error != ERROR_INTERRUPTED) {
            return system_call_errno(error);
        }
    }
    return 0;
}
