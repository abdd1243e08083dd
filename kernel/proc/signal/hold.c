/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holding programs, and letting them go. See program_hold.h.
 *
 * A task that is held sleeps in trap_return(), where the task's registers are those it will go on with: a capture there
 * is one of a task in user mode, or, after a boot, one that still has its call to issue again. The sleep takes part in
 * no time slice and writes nothing, so a held program costs a snapshot nothing.
 */
#include "atomic.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "program_hold.h"
#include "task/task.h"
#include <string.h>

void program_hold(struct program_id program, enum program_hold why)
{
    DOES_NOT_SLEEP();
    program_at(program)->held |= why;
}

void program_let_go(struct program_id program, uint32_t why)
{
    DOES_NOT_SLEEP();
    struct program_record *record = program_at(program);

    if ((record->held & why) != 0) {
        record->held &= ~why;
        for (struct task *task = task_first_of(program); task != NULL; task = task->next_of_program) {
            wait_queue_wake(&task->released, UINT32_MAX);
        }
    }
}

uint32_t program_count_not_held(void)
{
    uint32_t count = 0;

    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        const struct program_record *program = program_at(id);
        bool is_alive = program->state == PROGRAM_RUNNING || program->state == PROGRAM_EXITING;
        count += is_alive && program->held == 0;
    }
    return count;
}

void program_end_at_boot(struct program_id program)
{
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        struct task_record *task = record_at(RECORD_TASK, i);
        if (task->state == TASK_ALIVE && task->program.number == program.number) {
            task->signal_pending[0] |= 1u << (SIGKILL - 1);
        }
    }
}

static bool is_killed(const struct task *task)
{
    return (task->record->signal_pending[0] & 1u << (SIGKILL - 1)) != 0;
}

bool program_hold_wait(void)
{
    struct task *task = task_current();

    while (task->program->held != 0 && !task->dying && !is_killed(task)) {
        (void)!wait_queue_sleep(&task->released, DEADLINE_NEVER, true);
    }
    return !is_killed(task) || task->dying;
}

/* Whether a pointer is that of a task that lives in this boot. */
static bool is_task(const struct task *task)
{
    for (uint32_t i = 0; i < TASKS_MAX; i++) {
        if (task_at(i) == task) {
            return true;
        }
    }
    return false;
}

bool program_on_processor(struct program_id *program, struct program_id *parent, char *name)
{
    DOES_NOT_SLEEP();
    const struct task *task = thread_current() != NULL ? task_current() : NULL;

    if (task == NULL || !is_task(task) || task->program_id.number == 0 || !program_is_in_table(task->program_id)) {
        return false;
    }
    *program = task->program_id;
    *parent = program_at(*program)->parent;
    memcpy(name, program_at(*program)->name, PROGRAM_NAME_MAX);
    name[PROGRAM_NAME_MAX - 1] = 0;
    return true;
}
