/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on the running task: its end, and its thread-local storage.
 */
#include "arch/cpu.h"
#include "calls.h"
#include "program/programs.h"
#include <string.h>

/*
 * The end of one thread; of the last one, it is that of the program, whose status is what its first thread has ended
 * with, whichever ends last.
 */
int32_t call_exit(const struct system_call *call)
{
    uint32_t status = (call->arguments[0] & 0xFFu) << 8;
    bool is_first = call->record->tid.number == call->task->program_id.number;

    if (call->program->task_count > 1 && call->program->state == PROGRAM_RUNNING) {
        if (is_first) {
            call_change_program(call)->exit_status = status;
            program_call_keep(); /* it is set to the same when the call is issued again */
        }
        program_exit_task();
    }
    program_exit(is_first ? status : call->program->exit_status);
}

int32_t call_exit_group(const struct system_call *call)
{
    program_exit((call->arguments[0] & 0xFFu) << 8);
}

int32_t call_set_tid_address(const struct system_call *call)
{
    call_change_task(call)->record->clear_child_tid = call->arguments[0];
    return (int32_t)call->record->tid.number;
}

int32_t call_set_robust_list(const struct system_call *call)
{
    if (call->arguments[1] != sizeof(struct linux_robust_list)) {
        return -EINVAL;
    }
    struct task_record *record = call_change_task(call)->record;

    record->robust_list = call->arguments[0];
    record->robust_list_length = call->arguments[1];
    return 0;
}

/* get_robust_list(task, head, length): of the caller, which is 0, or of another task. */
int32_t call_get_robust_list(const struct system_call *call)
{
    const uint32_t length = sizeof(struct linux_robust_list);
    struct task_id tid = {call->arguments[0]};
    const struct task *task = tid.number == 0 ? call->task : task_find(tid);

    if (task == NULL) {
        return -ESRCH;
    }
    const uint32_t head = task->record->robust_list;
    int32_t result = copy_out(call->arguments[2], &length, sizeof(length));
    return result == 0 ? copy_out(call->arguments[1], &head, sizeof(head)) : result;
}

/* Thread-local storage --------------------------------------------------------------------------------------------- */

#define ENTRY_ANY UINT32_MAX

static bool describes_nothing(const struct linux_user_desc *description)
{
    return description->base == 0 && description->limit == 0 &&
           description->flags == (USER_DESC_READ_ONLY | USER_DESC_NOT_PRESENT);
}

struct cpu_tls call_segment(const struct linux_user_desc *description)
{
    if (describes_nothing(description)) {
        return (struct cpu_tls){0};
    }
    return (struct cpu_tls){
        .base = description->base,
        .limit = description->limit,
        .limit_in_pages = (description->flags & USER_DESC_LIMIT_IN_PAGES) != 0,
        .read_only = (description->flags & USER_DESC_READ_ONLY) != 0,
        .present = (description->flags & USER_DESC_NOT_PRESENT) == 0,
    };
}

static int32_t find_entry(const struct task *task, uint32_t *entry)
{
    if (*entry != ENTRY_ANY) {
        return *entry - CPU_TLS_FIRST_ENTRY < CPU_TLS_ENTRIES ? 0 : -EINVAL;
    }
    for (uint32_t i = 0; i < CPU_TLS_ENTRIES; i++) {
        if (!task->context.tls[i].present) {
            *entry = CPU_TLS_FIRST_ENTRY + i;
            return 0;
        }
    }
    return -ESRCH;
}

int32_t call_set_thread_area(const struct system_call *call)
{
    struct linux_user_desc description;
    int32_t result = copy_in(&description, call->arguments[0], sizeof(description));

    if (result == 0) {
        result = find_entry(call->task, &description.entry_number);
    }
    if (result == 0) {
        result = copy_out(call->arguments[0], &description.entry_number, sizeof(description.entry_number));
    }
    if (result != 0) {
        return result;
    }
    struct task *task = call_change_task(call);
    task_touch(task);
    task->context.tls[description.entry_number - CPU_TLS_FIRST_ENTRY] = call_segment(&description);
    cpu_load_tls(&task->context);
    return 0;
}

int32_t call_get_thread_area(const struct system_call *call)
{
    struct linux_user_desc description;
    int32_t result = copy_in(&description, call->arguments[0], sizeof(description));

    if (result != 0) {
        return result;
    }
    if (description.entry_number - CPU_TLS_FIRST_ENTRY >= CPU_TLS_ENTRIES) {
        return -EINVAL;
    }
    const struct cpu_tls *entry = &call->task->context.tls[description.entry_number - CPU_TLS_FIRST_ENTRY];
    description.base = entry->base;
    description.limit = entry->limit;
    description.flags =
        entry->present ? USER_DESC_32BIT | USER_DESC_USABLE : USER_DESC_READ_ONLY | USER_DESC_NOT_PRESENT;
    description.flags |= entry->present && entry->limit_in_pages ? USER_DESC_LIMIT_IN_PAGES : 0;
    description.flags |= entry->present && entry->read_only ? USER_DESC_READ_ONLY : 0;
    return copy_out(call->arguments[0], &description, sizeof(description));
}
