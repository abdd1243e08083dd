/*
 * Tasks: threads of programs, their life and their capture.
 *
 * While a task runs, its registers are on its kernel stack and its FPU state in its context; its record is brought up to
 * date only at a stop, and only if it ran since the last one. A task captured in the middle of a system call goes on,
 * after a boot, by issuing that call again: its program counter is put back over the two bytes of `int 0x80`, and what the
 * call had achieved stands in record->call.
 */
#include "task.h"
#include "arch/pmap.h"
#include "log.h"
#include "pool.h"
#include "program_signal.h"
#include "thread.h"
#include <string.h>

#define SYSTEM_CALL_BYTES 2u    /* of `int 0x80` */
#define FIRST_THREAD_ID   4096u /* above every process id */

static struct pool task_pool = {.object_bytes = 0};
static struct task *tasks[TASKS_MAX];

struct task *task_current(void)
{
    return (struct task *)thread_user_context(thread_current());
}

struct task *task_at(uint32_t index)
{
    return tasks[index];
}

static struct task_record *task_record_at(uint32_t index)
{
    return record_at(RECORD_TASK, index);
}

/* Life -------------------------------------------------------------------------------------------------------------- */

static void task_main(void *argument)
{
    struct task *task = argument;
    struct registers registers = task->record->registers;

    thread_set_user_context(task->thread, &task->context);
    cpu_sanitise(&registers);
    trap_return(&registers);
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
    task->program_index = record->program;
    task->program = program_at(record->program);
    task->context.space = (struct space_id){record->program};
    task->context.fpu = record->fpu;
    memcpy(task->context.tls, record->tls, sizeof(record->tls));
    task->captured = true;
    error = thread_create(task->program->name, task_main, task, &task->thread);
    if (error != OK) {
        pool_free(&task_pool, task);
        return error;
    }
    tasks[index] = task;
    return OK;
}

static enum error find_free_record(uint32_t *out)
{
    for (uint32_t index = 0; index < TASKS_MAX; index++) {
        enum error error = record_commit(RECORD_TASK, index + 1);
        if (error != OK) {
            return error;
        }
        if (task_record_at(index)->state == TASK_FREE) {
            *out = index;
            return OK;
        }
    }
    return ERROR_NO_MEMORY;
}

enum error task_create(uint32_t program, const struct registers *registers, const struct cpu_fpu *fpu,
                       const struct cpu_tls *tls, uint32_t *out_tid)
{
    uint32_t index;
    enum error error = find_free_record(&index);

    if (error != OK) {
        return error;
    }
    struct task_record *record = task_record_at(index);
    memset(record, 0, sizeof(*record));
    record->state = TASK_ALIVE;
    record->program = program;
    record->tid = program_at(program)->task_count == 0 ? program : FIRST_THREAD_ID + index;
    record->registers = *registers;
    record->fpu = *fpu;
    memcpy(record->tls, tls, sizeof(record->tls));
    error = task_revive(index);
    if (error != OK) {
        record->state = TASK_FREE;
        return error;
    }
    program_at(program)->task_count++;
    *out_tid = record->tid;
    return OK;
}

static uint32_t index_of(const struct task *task)
{
    return (uint32_t)(task->record - task_record_at(0));
}

_Noreturn void task_exit(void)
{
    struct task *task = task_current();
    uint32_t program = task->program_index;

    tasks[index_of(task)] = NULL;
    task->record->state = TASK_FREE;
    task->program->task_count--;
    thread_set_user_context(thread_current(), NULL);
    pmap_activate(SPACE_SYSTEM);
    pool_free(&task_pool, task);
    if (program_at(program)->task_count == 0) {
        program_destroy(program);
    }
    thread_exit();
}

void task_end_others(const struct task *task)
{
    for (uint32_t i = 0; i < TASKS_MAX; i++) {
        if (tasks[i] != NULL && tasks[i] != task && tasks[i]->program_index == task->program_index) {
            tasks[i]->dying = true;
            thread_interrupt(tasks[i]->thread);
        }
    }
}

static enum error task_validate(uint32_t index)
{
    const struct task_record *record = task_record_at(index);

    if (record->state > TASK_ALIVE || record->program == 0 || record->program >= record_committed(RECORD_PROGRAM) ||
        program_at(record->program)->state == PROGRAM_FREE) {
        log_line("task: record %u is not sound", index);
        return ERROR_FORMAT_DAMAGED;
    }
    return OK;
}

enum error task_resume_all(void)
{
    for (uint32_t i = 1; i < record_committed(RECORD_PROGRAM); i++) {
        program_at(i)->task_count = 0;
    }
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        if (task_record_at(i)->state == TASK_FREE) {
            continue;
        }
        enum error error = task_validate(i);
        if (error == OK) {
            error = task_revive(i);
        }
        if (error != OK) {
            return error;
        }
        tasks[i]->dying = tasks[i]->program->state == PROGRAM_ZOMBIE;
        tasks[i]->program->task_count++;
    }
    return OK;
}

/* System calls and returns ------------------------------------------------------------------------------------------ */

void program_call_begin(struct registers *registers)
{
    struct task *task = task_current();

    task->registers = registers;
    task->call_number = registers->eax;
    if (task->record->call.active == 0) {
        memset(&task->record->call, 0, sizeof(task->record->call));
    }
    task->record->call.active = 0;
    task->captured = false;
    task->in_call = true;
}

void program_call_end(struct registers *registers, int32_t result)
{
    struct task *task = task_current();

    registers->eax = (uint32_t)result;
    task->in_call = false;
    task->captured = false;
    if (task->record->call.active != 0) {
        task->record->call.active = 0;
    }
}

void trap_return(struct registers *registers)
{
    struct task *task = task_current();

    task->registers = registers;
    task->captured = false;
    while (thread_should_yield()) {
        thread_yield();
    }
    signal_deliver(registers);
    if (task->dying) {
        task_exit();
    }
    task->captured = false;
}

/* Capture ----------------------------------------------------------------------------------------------------------- */

static void capture(struct task *task)
{
    struct task_record *record = task->record;

    record->fpu = task->context.fpu;
    memcpy(record->tls, task->context.tls, sizeof(record->tls));
    if (task->registers != NULL) {
        record->registers = *task->registers;
        if (task->in_call) {
            record->registers.eip -= SYSTEM_CALL_BYTES;
            record->registers.eax = task->call_number;
            record->call.active = 1;
        }
    }
    task->captured = true;
}

void program_capture_all(void)
{
    for (uint32_t i = 0; i < record_committed(RECORD_TASK); i++) {
        if (tasks[i] != NULL && !tasks[i]->captured) {
            capture(tasks[i]);
        }
    }
}
