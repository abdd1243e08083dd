/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks: threads of programs, their life and their capture.
 *
 * While a task runs, its registers are on its kernel stack and its FPU state in its context; its record is brought up
 * to date for a snapshot only, and only if it ran since the last one. The stop itself does no more than turn two lists
 * round: the tasks that ran become those that are due. A due task is captured before it runs on, the others before the
 * first chunk of records opens; until then that chunk is closed, so nothing in it has changed since the stop, and the
 * capture completes it by writing to the frames behind the protection. A task captured in the middle of a system call
 * goes on, after a boot, by issuing that call again: its program counter is put back over the two bytes of `int 0x80`,
 * and what the call had achieved stands in record->call.
 */
#include "task/task.h"
#include "arch/pmap.h"
#include "arch/window.h"
#include "space/limits.h"
#include "log.h"
#include "pool.h"
#include "task/program_account.h"
#include "program_hold.h"
#include "signal/program_signal.h"
#include "task/program_usage.h"
#include "thread.h"
#include "space/user_memory.h"
#include "vm_fault.h"
#include <string.h>

#define SYSTEM_CALL_BYTES 2u    /* of `int 0x80` */
#define FIRST_THREAD_ID   4096u /* above every process id */

static struct pool task_pool = {.object_bytes = 0};
static struct task *tasks[TASKS_MAX];

/* Tasks to capture: one half lists those that ran since the last stop, the other those that are due for it. */
static struct task *to_capture[2];
static uint32_t running_half;

struct task *task_current(void)
{
    return (struct task *)thread_user_context(thread_current());
}

struct task *task_at(uint32_t index)
{
    return tasks[index];
}

struct task *task_find(uint32_t tid)
{
    for (uint32_t i = 0; i < TASKS_MAX; i++) {
        if (tasks[i] != NULL && tasks[i]->record->tid == tid) {
            return tasks[i];
        }
    }
    return NULL;
}

static struct task_record *task_record_at(uint32_t index)
{
    return record_at(RECORD_TASK, index);
}

/* Capture -----------------------------------------------------------------------------------------------------------
 */

/* Complete the record of a due task as of the stop. Its chunk is closed, so the record is reached through its frame. */
static void capture(const struct task *task)
{
    struct vaddr address = window_address(task->record);
    uint8_t *content = vm_content_at_stop(gpn_make(SPACE_SYSTEM, address));
    struct task_record *record = (struct task_record *)(content + (address.value & PAGE_MASK));

    record->fpu = task->context.fpu;
    memcpy(record->tls, task->context.tls, sizeof(record->tls));
    program_account_save(task->program_index, record->counters);
    usage_capture(task, record);
    if (task->registers == NULL) {
        return;
    }
    record->registers = *task->registers;
    if (task->in_call) {
        record->registers.eip -= SYSTEM_CALL_BYTES;
        record->registers.eax = task->call_number;
        record->call.active = 1;
    }
}

static void list_as_run(struct task *task)
{
    if (!task->listed[running_half]) {
        task->listed[running_half] = true;
        task->next_listed[running_half] = to_capture[running_half];
        to_capture[running_half] = task;
    }
}

void task_stop(void)
{
    running_half ^= 1;
    ASSERT(to_capture[running_half] == NULL);
}

void task_capture_due(void)
{
    uint32_t due_half = running_half ^ 1;

    while (to_capture[due_half] != NULL) {
        struct task *task = to_capture[due_half];
        to_capture[due_half] = task->next_listed[due_half];
        if (task->listed[due_half]) {
            task->listed[due_half] = false;
            capture(task);
        }
    }
}

static void touch(struct task *task)
{
    uint32_t due_half = running_half ^ 1;

    if (task->listed[due_half]) {
        task->listed[due_half] = false; /* it stays linked, which task_capture_due() expects */
        capture(task);
    }
    list_as_run(task);
}

void task_touch(struct task *task)
{
    program_call_commit();
    touch(task);
}

/* A task that ends is on no list any more. */
static void unlist(struct task *task)
{
    task_capture_due();
    for (struct task **at = &to_capture[running_half]; *at != NULL; at = &(*at)->next_listed[running_half]) {
        if (*at == task) {
            *at = task->next_listed[running_half];
            return;
        }
    }
}

/* Life --------------------------------------------------------------------------------------------------------------
 */

/* A new task leaves its number where its maker wished, as the first thing that its own memory sees of it. */
static void leave_tid(struct task *task)
{
    uint32_t address = task->record->child_tid;

    if (address != 0) {
        enum error error = user_copy_out((struct vaddr){address}, &task->record->tid, sizeof(task->record->tid));
        task->record->child_tid = 0;
        if (error != OK) {
            log_line("%s: no place for its number at 0x%x", task->program->name, address);
        }
    }
}

static void task_main(void *argument)
{
    struct task *task = argument;
    struct registers registers = task->record->registers;

    thread_set_user_context(task->thread, &task->context);
    program_hold_wait();
    leave_tid(task);
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
    task->context.space = (struct space_id){program_at(program_memory(record->program))->space};
    task->context.fpu = record->fpu;
    memcpy(task->context.tls, record->tls, sizeof(record->tls));
    error = thread_create(task->program->name, task_main, task, &task->thread);
    if (error != OK) {
        pool_free(&task_pool, task);
        return error;
    }
    usage_resume(task);
    tasks[index] = task;
    return OK;
}

enum error task_reserve(void)
{
    return record_reserve(RECORD_TASK, 1);
}

enum error task_create(uint32_t program, const struct registers *registers, const struct cpu_fpu *fpu,
                       const struct cpu_tls *tls, uint32_t *out_tid)
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
    return record_index(RECORD_TASK, task->record);
}

_Noreturn void task_exit(void)
{
    struct task *task = task_current();
    uint32_t program = task->program_index;

    unlist(task);
    tasks[index_of(task)] = NULL;
    task->record->state = TASK_FREE;
    task->program->task_count--;
    program_account_save(program, task->program->counters);
    usage_keep(task);
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

void task_move_program(uint32_t program, struct space_id space)
{
    for (uint32_t i = 0; i < TASKS_MAX; i++) {
        if (tasks[i] != NULL && program_memory(tasks[i]->program_index) == program) {
            tasks[i]->context.space = space;
        }
    }
    if (task_current() != NULL && program_memory(task_current()->program_index) == program) {
        pmap_activate(space);
    }
}

static enum error task_validate(uint32_t index)
{
    const struct task_record *record = task_record_at(index);

    if (record->state > TASK_ALIVE || record->program == 0 || record->program >= record_committed(RECORD_PROGRAM) ||
        program_at(record->program)->state == PROGRAM_FREE ||
        program_at(program_memory(record->program))->space == 0) {
        log_line("task: record %u is not sound", index);
        return ERROR_FORMAT_DAMAGED;
    }
    return OK;
}

enum error task_adopt_all(void)
{
    enum error error = OK;

    for (uint32_t i = 0; error == OK && i < record_committed(RECORD_TASK); i++) {
        error = task_record_at(i)->state == TASK_FREE ? OK : task_validate(i);
    }
    return error;
}

enum error task_resume_all(void)
{
    for (uint32_t i = 1; i < record_committed(RECORD_PROGRAM); i++) {
        if (program_at(i)->state != PROGRAM_FREE) {
            program_at(i)->task_count = 0;
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
        tasks[i]->dying = tasks[i]->program->state == PROGRAM_ZOMBIE;
        tasks[i]->program->task_count++;
        program_account_restore(tasks[i]->program_index, tasks[i]->record->counters);
    }
    return OK;
}

/* System calls and returns ------------------------------------------------------------------------------------------
 */

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

    touch(task);
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

void trap_return(struct registers *registers)
{
    struct task *task = task_current();

    task->registers = registers;
    usage_enter(task); /* after an interrupt, which nobody has told of */
    limits_check_processor(task);
    while (thread_should_yield()) {
        thread_yield();
    }
    program_hold_wait();
    signal_deliver(registers);
    if (task->dying) {
        task_exit();
    }
    usage_leave(task);
    touch(task);
}
