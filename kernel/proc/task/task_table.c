/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tasks that live in this boot, by the index of their records; and the one whose thread is running.
 */
#include "arch/pmap.h"
#include "atomic.h"
#include "task.h"

static struct task *tasks[TASKS_MAX];

struct task *task_current(void)
{
    return (struct task *)thread_current_context();
}

struct task *task_at(uint32_t index)
{
    return tasks[index];
}

struct task *task_find(struct task_id tid)
{
    for (uint32_t i = 0; i < TASKS_MAX; i++) {
        if (tasks[i] != NULL && tasks[i]->record->tid.number == tid.number) {
            return tasks[i];
        }
    }
    return NULL;
}

void task_set_at(uint32_t index, struct task *task)
{
    tasks[index] = task;
}

void task_end_others(const struct task *task)
{
    for (uint32_t i = 0; i < TASKS_MAX; i++) {
        if (tasks[i] != NULL && tasks[i] != task && tasks[i]->program_id.number == task->program_id.number) {
            tasks[i]->dying = true;
            thread_interrupt(tasks[i]->thread);
        }
    }
}

/* The program whose space a task runs in. */
static struct program_id memory_of(const struct task *task)
{
    return task->program->lender.number != 0 ? task->program->lender : task->program_id;
}

void task_move_program(struct program_id program, struct space_id space)
{
    DOES_NOT_SLEEP();
    for (uint32_t i = 0; i < TASKS_MAX; i++) {
        if (tasks[i] != NULL && memory_of(tasks[i]).number == program.number) {
            tasks[i]->context.space = space;
        }
    }
    if (task_current() != NULL && memory_of(task_current()).number == program.number) {
        pmap_activate(space);
    }
}
