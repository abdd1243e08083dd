/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capturing tasks: what a running task is goes into its record for a snapshot.
 *
 * While a task runs, its registers are on its kernel stack and its FPU state in its context; its record is brought up
 * to date for a snapshot only, and only if it ran since the last one. The stop itself does no more than turn two lists
 * round: the tasks that ran become those that are due. A due task is captured before it runs on, the others before the
 * first chunk of records opens; until then that chunk is closed, so nothing in it has changed since the stop, and the
 * capture completes it by writing to the frames behind the protection. A task captured in the middle of a system call
 * goes on, after a boot, by issuing that call again: its program counter is put back over the two bytes of `int 0x80`,
 * and what the call had achieved stands in record->call.
 */
#include "arch/cpu.h"
#include "arch/window.h"
#include "log.h"
#include "program.h"
#include "program_account.h"
#include "program_usage.h"
#include "task.h"
#include "vm_fault.h"
#include <string.h>

/* Tasks to capture: one half lists those that ran since the last stop, the other those that are due for it. */
static struct task *to_capture[2];
uint32_t task_running_half;

/* Complete the record of a due task as of the stop. Its chunk is closed, so the record is reached through its frame. */
static void capture(const struct task *task)
{
    struct vaddr address = window_address(task->record);
    uint8_t *content = vm_content_at_stop(page_key_at(SPACE_SYSTEM, address));
    struct task_record *record = (struct task_record *)(content + (address.value & PAGE_MASK));

    record->fpu = task->context.fpu;
    memcpy(record->tls, task->context.tls, sizeof(record->tls));
    program_account_save(task->program_id, record->counters);
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
    if (!task->listed[task_running_half]) {
        task->listed[task_running_half] = true;
        task->next_listed[task_running_half] = to_capture[task_running_half];
        to_capture[task_running_half] = task;
    }
}

void task_stop(void)
{
    task_running_half ^= 1;
    ASSERT(to_capture[task_running_half] == NULL);
}

void task_capture_due(void)
{
    uint32_t due_half = task_running_half ^ 1;

    while (to_capture[due_half] != NULL) {
        struct task *task = to_capture[due_half];
        to_capture[due_half] = task->next_listed[due_half];
        if (task->listed[due_half]) {
            task->listed[due_half] = false;
            capture(task);
        }
    }
}

void task_capture_or_list(struct task *task)
{
    uint32_t due_half = task_running_half ^ 1;

    if (task->listed[due_half]) {
        task->listed[due_half] = false; /* it stays linked, which task_capture_due() expects */
        capture(task);
    }
    list_as_run(task);
}

/* A task that ends leaves all lists. */
void task_unlist(struct task *task)
{
    task_capture_due();
    for (struct task **at = &to_capture[task_running_half]; *at != NULL; at = &(*at)->next_listed[task_running_half]) {
        if (*at == task) {
            *at = task->next_listed[task_running_half];
            return;
        }
    }
}
