/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time on the processor, of tasks and programs.
 */
#include "arch/clock.h"
#include "program_account.h"
#include "program_usage.h"
#include "task.h"

static void add(struct usage *to, const struct usage *what)
{
    to->user_ns += what->user_ns;
    to->system_ns += what->system_ns;
    to->minor_faults += what->minor_faults;
    to->major_faults += what->major_faults;
}

void usage_enter(struct task *task)
{
    if (!task->in_kernel) {
        task->user_cycles += thread_lap();
        task->in_kernel = true;
    }
}

void usage_leave(struct task *task)
{
    task->system_cycles += thread_lap();
    task->in_kernel = false;
}

static void times_of(const struct task *task, uint64_t *user_ns, uint64_t *system_ns)
{
    uint64_t lap = thread_lap_so_far(task->thread);

    *user_ns = task->user_ns + clock_cycles_ns(task->user_cycles + (task->in_kernel ? 0 : lap));
    *system_ns = task->system_ns + clock_cycles_ns(task->system_cycles + (task->in_kernel ? lap : 0));
}

static void faults_of(struct program_id program, struct usage *out)
{
    uint32_t minor, major;

    program_account_faults(program, &minor, &major);
    out->minor_faults = minor;
    out->major_faults = major;
}

void usage_of_task(const struct task *task, struct usage *out)
{
    times_of(task, &out->user_ns, &out->system_ns);
    faults_of(task->program_id, out);
}

void usage_of_program(struct program_id id, const struct program_record *program, struct usage *out)
{
    *out = program->used;
    for (const struct task *task = task_first_of(id); task != NULL; task = task->next_of_program) {
        struct usage of_task = {0};
        times_of(task, &of_task.user_ns, &of_task.system_ns);
        add(out, &of_task);
    }
    faults_of(id, out);
}

void usage_capture(const struct task *task, struct task_record *record)
{
    times_of(task, &record->user_ns, &record->system_ns);
}

void usage_resume(struct task *task)
{
    task->user_ns = task->record->user_ns;
    task->system_ns = task->record->system_ns;
    task->user_cycles = task->system_cycles = 0;
    task->in_kernel = true;
}

void usage_keep(const struct task *task)
{
    struct usage used = {0};

    times_of(task, &used.user_ns, &used.system_ns);
    add(&task->program->used, &used);
    faults_of(task->program_id, &task->program->used);
}

void usage_of_ended(const struct program_record *child, struct usage *out)
{
    *out = child->used;
    add(out, &child->used_by_children);
}

void usage_inherit(struct program_record *parent, const struct program_record *child)
{
    struct usage used;

    usage_of_ended(child, &used);
    add(&parent->used_by_children, &used);
}
