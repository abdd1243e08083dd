/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system call that the current task is in: its beginning, the change it is for, its end (CALL-2).
 */
#include "arch/cpu.h"
#include "atomic.h"
#include "task.h"
#include <string.h>

void program_call_begin(struct registers *registers)
{
    struct task *task = task_current();

    task->registers = registers;
    task->call_number = registers->eax;
    if (task->record->call.active == 0) {
        memset(&task->record->call, 0, sizeof(task->record->call));
    }
    task->record->call.active = 0;
    task->in_call = true;
}

void program_call_end(struct registers *registers, int32_t result)
{
    struct task *task = task_current();

    task_runs_on(task);
    registers->eax = (uint32_t)result;
    if (task->record->call.active != 0) {
        task->record->call.active = 0;
    }
    program_call_over();
}

void program_call_commit(void)
{
    struct task *task = task_current();

    if (task != NULL && task->in_call && !task->committed) {
        task->committed = true;
        atomic_begin();
    }
}

void program_call_keep(void)
{
    struct task *task = task_current();

    if (task->committed) {
        task->committed = false;
        atomic_end();
    }
}

void program_call_over(void)
{
    program_call_keep();
    task_current()->in_call = false;
}

void task_touch(struct task *task)
{
    program_call_commit();
    task_runs_on(task);
}
