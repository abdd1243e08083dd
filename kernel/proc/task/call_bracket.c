/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system call that the current task is in: its beginning, the change it is for, its end (CALL-2).
 */
#include "arch/cpu.h"
#include "atomic.h"
#include "linux/linux_errno.h"
#include "pending.h"
#include "task.h"
#include <string.h>

/* A call that is issued again after a boot finds what it had achieved. */
static void begin_progress(struct task *task)
{
    if (task->record->call.active == 0) {
        memset(&task->record->call, 0, sizeof(task->record->call));
        task->has_progress = false;
    }
    task->record->call.active = 0;
}

void program_call_begin(struct registers *registers)
{
    struct task *task = task_current();

    task->registers = registers;
    task->call_number = registers->eax;
    if (task->has_progress) {
        begin_progress(task);
    }
    task->in_call = true;
}

static void end_call(struct task *task)
{
    task_keep(task);
    task->in_call = false;
}

/*
 * A call that was interrupted only to stop is made again when the program is continued, and goes on from what it had
 * achieved, as after a boot. (What returns from a handler is no interrupted call, whatever it returns: it has changed
 * something.)
 */
static void put_back(struct task *task, struct registers *registers)
{
    registers->eip -= SYSTEM_CALL_BYTES;
    registers->eax = task->call_number;
    task->record->call.active = 1;
    task->has_progress = true;
}

void program_call_end(struct registers *registers, int32_t result)
{
    struct task *task = task_current();

    task_runs_on(task);
    if (result == -EINTR && !task->committed && task_is_to_stop(task)) {
        put_back(task, registers);
        end_call(task);
        return;
    }
    registers->eax = (uint32_t)result;
    if (task->record->call.active != 0) {
        task->record->call.active = 0;
    }
    end_call(task);
}

void program_call_commit(void)
{
    struct task *task = task_current();

    if (task != NULL) {
        task_commit(task);
    }
}

void program_call_keep(void)
{
    task_keep(task_current());
}

void program_call_over(void)
{
    end_call(task_current());
}

void task_touch(struct task *task)
{
    task_commit(task);
    task_runs_on(task);
}
