/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads: further tasks of a program, their beginning and their end.
 *
 * Both are one step for whoever looks, siblings and snapshots alike: with the task comes its number in memory and in
 * the call that made it, so a call that is issued again after a boot does not make another one; and with the task goes
 * the word that says so to whoever joins it, who may take its stack away the next moment.
 */
#include "arch/context.h"
#include "arch/cpu.h"
#include "arch/frame.h"
#include "atomic.h"
#include "programs.h"
#include "robust.h"
#include "space/address_space.h"
#include "signal/share.h"
#include "space/space.h"
#include "space/user_memory.h"
#include "space/futex_word.h"
#include "task/futex.h"
#include "task/pending.h"
#include "vm_reclaim.h"
#include <string.h>

#define THREADS_LEAST         8u   /* tasks of a program, whatever memory there is */
#define FRAMES_FOR_ONE        128u /* of memory, for each task that one program may have */
#define FRAMES_FOR_ONE_OF_ALL 32u  /* and for each that all may have beside their first */

#define THREAD_FRAMES 8u /* that one takes at most: of its stack, its record, page tables */

/* Beginning -------------------------------------------------------------------------------------------------------- */

static enum error make_task(const struct program_clone_options *options, struct task_id *out_tid)
{
    DOES_NOT_SLEEP();
    struct task *maker = task_current();
    struct registers registers = *maker->registers;

    cpu_user_save(&maker->context);
    registers.eax = 0;
    registers.esp = options->stack_pointer != 0 ? options->stack_pointer : registers.esp;
    enum error error = task_create(maker->program_id, &registers, &maker->context.fpu,
                                   options->tls != NULL ? options->tls : maker->context.tls, out_tid);
    if (error == OK) {
        struct task_record *record = task_find(*out_tid)->record;
        memcpy(record->signal_mask, maker->record->signal_mask, sizeof(record->signal_mask));
        task_inherit_name(record, maker->record);
        record->child_tid = options->tid_address;
        record->clear_child_tid = options->clear_tid_address;
    }
    return error;
}

/* A place for the number, in a bracket; without one, a bracket all the same. May sleep before it. */
static bool begin_number(struct user_range *range, uint32_t address)
{
    thread_may_sleep();
    bool has_place = address != 0 && user_begin(range, (struct vaddr){address}, sizeof(uint32_t), PMAP_WRITE) == OK;

    if (!has_place) {
        atomic_begin();
    }
    return has_place;
}

static void end_number(struct user_range *range, bool has_place)
{
    if (has_place) {
        user_end(range);
    } else {
        atomic_end();
    }
}

/* The kernel's reserve of frames is not for threads: they cost a program what pages would. May sleep. */
static enum error wait_for_frames(const struct task *maker)
{
    thread_may_sleep();
    if (frame_count(FRAME_FREE) >= vm_frame_reserve() + THREAD_FRAMES) {
        return OK;
    }
    return vm_reclaim_wait(space_window(address_space_of_task(maker)));
}

static uint32_t within(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

uint32_t thread_limit(void)
{
    return within(frame_limit() / FRAMES_FOR_ONE, THREADS_LEAST, THREADS_MAX);
}

uint32_t thread_limit_of_all(void)
{
    return within(frame_limit() / FRAMES_FOR_ONE_OF_ALL, 2 * THREADS_LEAST, TASKS_MAX);
}

/* A program that runs in its lender's memory is about to be another one: it makes no threads there. */
static bool may_have_more(const struct program_record *program)
{
    return program->task_count < thread_limit() && task_count() < program_count() + thread_limit_of_all() &&
           program->lender.number == 0 && program->state == PROGRAM_RUNNING && program->sole_task.number == 0;
}

enum error thread_of_program(const struct program_clone_options *options, uint32_t parent_tid_address,
                             struct task_id *out_tid)
{
    thread_may_sleep();
    const struct task *maker = task_current();
    struct user_range range;
    enum error error;
    uint32_t index;

    for (;;) {
        error = may_have_more(maker->program) ? wait_for_frames(maker) : ERROR_NO_SPACE;
        if (error == OK) {
            error = task_reserve();
        }
        if (error != OK) {
            return error;
        }
        bool has_place = begin_number(&range, parent_tid_address);
        bool is_ready = may_have_more(maker->program) && record_find_free(RECORD_TASK, &index);
        if (is_ready) {
            error = make_task(options, out_tid);
        }
        if (is_ready && error == OK) {
            program_call_commit();
            if (has_place) {
                *(uint32_t *)range.address = out_tid->number;
            }
        }
        end_number(&range, has_place);
        if (is_ready) {
            return error;
        }
    }
}

/* The end ---------------------------------------------------------------------------------------------------------- */

enum error thread_end_siblings(void)
{
    thread_may_sleep();
    struct task *task = task_current();
    struct program_record *program = task->program;

    while (program->task_count > 1) {
        if (task->dying || program->state != PROGRAM_RUNNING) {
            return ERROR_INTERRUPTED;
        }
        if (program->sole_task.number == 0) {
            program->sole_task = task->record->tid;
            task_end_others(task);
        }
        enum error error = wait_queue_sleep(&task->alone, DEADLINE_NEVER, true);
        if (error != OK && !task_wait_goes_on(error)) {
            return ERROR_INTERRUPTED;
        }
    }
    return OK;
}

/* The word that says that the task is there, if anybody is left who could look at it; 0: none. */
static uint32_t word_to_clear(const struct task *task)
{
    const struct program_record *program = task->program;
    bool is_shared = program->lender.number != 0 || (program->task_count > 1 && program->state == PROGRAM_RUNNING);

    return is_shared && !task->dying ? task->record->clear_child_tid : 0;
}

void thread_leave_program(void)
{
    thread_may_sleep();
    struct task *task = task_current();
    struct address_space space = address_space_of_task(task);
    uint32_t address = word_to_clear(task);
    struct user_range range;

    robust_let_go();
    bool has_word = begin_number(&range, address);
    if (has_word) {
        *(uint32_t *)range.address = 0;
        (void)futex_wake(futex_key(space, address), UINT32_MAX, 1);
    }
    signal_leave_behind(task);
    task_leave();
    end_number(&range, has_word);
}
