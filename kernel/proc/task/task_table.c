/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tasks that live in this boot, by the index of their records and by program; and the one whose thread is running.
 */
#include "arch/pmap.h"
#include "atomic.h"
#include "log.h"
#include "task.h"

static struct task *tasks[TASKS_MAX];
static struct task *of_program[PROGRAMS_MAX + 1]; /* its tasks, the oldest first */
static uint32_t count;                            /* of tasks */
static uint16_t borrowers[PROGRAMS_MAX + 1];      /* programs whose lender it is */

struct task *task_current(void)
{
    return (struct task *)thread_current_context();
}

struct task *task_at(uint32_t index)
{
    return tasks[index];
}

uint32_t task_count(void)
{
    return count;
}

struct task *task_first_of(struct program_id program)
{
    return program.number <= PROGRAMS_MAX ? of_program[program.number] : NULL;
}

struct task *task_find(struct task_id tid)
{
    if (tid.number >= FIRST_THREAD_ID) {
        uint32_t index = tid.number - FIRST_THREAD_ID;
        return index < TASKS_MAX && tasks[index] != NULL && tasks[index]->record->tid.number == tid.number
                   ? tasks[index]
                   : NULL;
    }
    struct task *task = task_first_of((struct program_id){tid.number});
    while (task != NULL && task->record->tid.number != tid.number) {
        task = task->next_of_program;
    }
    return task;
}

void task_add(uint32_t index, struct task *task)
{
    struct task **end = &of_program[task->program_id.number];

    while (*end != NULL) {
        end = &(*end)->next_of_program;
    }
    *end = task;
    task->next_of_program = NULL;
    tasks[index] = task;
    count++;
}

void task_remove(uint32_t index)
{
    struct task **at = &of_program[tasks[index]->program_id.number];

    while (*at != tasks[index]) {
        at = &(*at)->next_of_program;
    }
    *at = tasks[index]->next_of_program;
    tasks[index] = NULL;
    count--;
}

void task_end_others(const struct task *task)
{
    for (struct task *other = task_first_of(task->program_id); other != NULL; other = other->next_of_program) {
        if (other != task) {
            other->dying = true;
            thread_interrupt(other->thread);
        }
    }
}

/* The program whose space a task runs in. */
static struct program_id memory_of(const struct task *task)
{
    return task->program->lender.number != 0 ? task->program->lender : task->program_id;
}

void task_count_borrower(struct program_id lender)
{
    if (lender.number != 0) {
        borrowers[lender.number]++;
    }
}

void task_set_lender(struct program_record *program, struct program_id lender)
{
    DOES_NOT_SLEEP();
    if (program->lender.number != 0) {
        ASSERT(borrowers[program->lender.number] > 0);
        borrowers[program->lender.number]--;
    }
    program->lender = lender;
    task_count_borrower(lender);
}

bool task_has_borrowers(struct program_id program)
{
    return borrowers[program.number] > 0;
}

/* Those who have lent their space wait until it is theirs again, and pay for the others' tasks. */
void task_move_program(struct program_id program, struct space_id space)
{
    DOES_NOT_SLEEP();
    for (struct task *task = of_program[program.number]; task != NULL; task = task->next_of_program) {
        task->context.space = space;
    }
    for (uint32_t i = 0; borrowers[program.number] > 0 && i < TASKS_MAX; i++) {
        if (tasks[i] != NULL && memory_of(tasks[i]).number == program.number) {
            tasks[i]->context.space = space;
        }
    }
    if (task_current() != NULL && memory_of(task_current()).number == program.number) {
        pmap_activate(space);
    }
}
