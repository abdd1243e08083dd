/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks: threads of programs, their life. (What a task is goes into its record in capture.c.)
 */
#include "arch/cpu.h"
#include "atomic.h"
#include "arch/frame.h"
#include "arch/pmap.h"
#include "log.h"
#include "pool.h"
#include "programs.h"
#include "space/address_space.h"
#include "space/space.h"
#include "task/futex.h"
#include "task/program_account.h"
#include "task/program_usage.h"
#include <string.h>

static struct pool task_pool = {.object_bytes = 0};

static struct task_record *task_record_at(uint32_t index)
{
    return record_at(RECORD_TASK, index);
}

static void task_main(void *argument)
{
    struct task *task = argument;
    struct registers registers = task->record->registers;

    thread_set_user_context(task->thread, &task->context);
    cpu_enter_user(&registers);
}

static enum error task_revive(uint32_t index)
{
    struct task_record *record = task_record_at(index);
    void *memory;

    if (task_pool.object_bytes == 0) {
        pool_init(&task_pool, (sizeof(struct task) + 15u) & ~15u, FRAME_RECORDS);
    }
    enum error error = pool_allocate(&task_pool, &memory);
    if (error != OK) {
        return error;
    }
    struct task *task = memory;
    task->record = record;
    task->program_id = record->program;
    task->program = program_at(record->program);
    task->context.space = space_window(address_space_of(record->program));
    task->context.fpu = record->fpu;
    memcpy(task->context.tls, record->tls, sizeof(record->tls));
    task->has_progress = true;
    error = thread_create(task->program->name, task_main, task, &task->thread);
    if (error != OK) {
        pool_free(&task_pool, task);
        return error;
    }
    usage_resume(task);
    task_add(index, task);
    futex_resume(task);
    return OK;
}

enum error task_reserve(void)
{
    return record_reserve(RECORD_TASK, 1);
}

enum error task_create(struct program_id program, const struct registers *registers, const struct cpu_fpu *fpu,
                       const struct cpu_tls *tls, struct task_id *out_tid)
{
    uint32_t index;
    enum error error = task_reserve();

    if (error != OK || !record_find_free(RECORD_TASK, &index)) {
        return error != OK ? error : ERROR_NO_MEMORY;
    }
    struct task_record *record = task_record_at(index);
    memset(record, 0, sizeof(*record));
    record->state = TASK_ALIVE;
    record->program = program;
    record->tid.number = program_at(program)->task_count == 0 ? program.number : FIRST_THREAD_ID + index;
    record->registers = *registers;
    record->fpu = *fpu;
    memcpy(record->tls, tls, sizeof(record->tls));
    error = task_revive(index);
    if (error != OK) {
        record->state = TASK_FREE;
        record_freed(RECORD_TASK, index);
        return error;
    }
    program_at(program)->task_count++;
    *out_tid = record->tid;
    return OK;
}

static uint32_t index_of(const struct task *task)
{
    return record_index(RECORD_TASK, task->record);
}

void task_leave(void)
{
    struct task *task = task_current();

    futex_leave(task);
    task_unlist(task);
    task_remove(index_of(task));
    task->record->state = TASK_FREE;
    record_freed(RECORD_TASK, index_of(task));
    task->program->task_count--;
    if (task->program->task_count == 1) {
        wait_queue_wake(&task_first_of(task->program_id)->alone, 1);
    }
    program_account_save(task->program_id, task->program->counters);
    usage_keep(task);
    thread_set_user_context(thread_current(), NULL);
    pmap_activate(SPACE_SYSTEM);
    pool_free(&task_pool, task);
}

static enum error task_validate(uint32_t index)
{
    const struct task_record *record = task_record_at(index);

    if (record->state > TASK_ALIVE || record->program.number == 0 || !program_is_in_table(record->program) ||
        program_at(record->program)->state == PROGRAM_FREE || address_space_of(record->program).number == 0) {
        log_line("task: record %u is not sound", index);
        return ERROR_FORMAT_DAMAGED;
    }
    return OK;
}

enum error task_adopt_all(void)
{
    DOES_NOT_SLEEP();
    enum error error = OK;

    for (uint32_t i = 0; error == OK && i < record_committed(RECORD_TASK); i++) {
        error = task_record_at(i)->state == TASK_FREE ? OK : task_validate(i);
    }
    return error;
}

/* Its program ends, or becomes another one in a sibling. */
static bool is_to_end(const struct task *task)
{
    uint32_t sole_task = task->program->sole_task.number;

    return task->program->state == PROGRAM_EXITING || (sole_task != 0 && sole_task != task->record->tid.number);
}

enum error task_resume_all(void)
{
    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        if (program_at(id)->state != PROGRAM_FREE) {
            program_at(id)->task_count = 0;
        }
    }
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        if (task_record_at(i)->state == TASK_FREE) {
            continue;
        }
        enum error error = task_revive(i);
        if (error != OK) {
            return error;
        }
        task_at(i)->dying = is_to_end(task_at(i));
        task_at(i)->program->task_count++;
        program_account_restore(task_at(i)->program_id, task_at(i)->record->counters);
    }
    return OK;
}
