/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Becoming another program (execve): a new space that begins with a file.
 *
 * The new space is built beside the old one, and is no program's: a cut in the middle leaves it for the next boot to
 * take back, and the caller as it was, about to issue the call again. When it is complete the program names it in place
 * of the old one and starts at its first instruction, in one step; the old one is given up, if it was not the lender's.
 */
#include "arch/context.h"
#include "arch/cpu.h"
#include "atomic.h"
#include "elf_load.h"
#include "program_load.h"
#include "file/file.h"
#include "linux/linux_abi.h"
#include "signal/signal.h"
#include "signal/timer.h"
#include "space/address_space.h"
#include "space/object.h"
#include "space/regions.h"
#include "space/space.h"
#include "start.h"
#include <string.h>

/* Records for a space with its memory. May sleep. */
static enum error reserve(void)
{
    thread_may_sleep();
    enum error error;
    struct record_rounds rounds = {0};

    do {
        record_round_begin(&rounds);
        error = space_reserve();
        if (error == OK) {
            error = memory_reserve(1);
        }
    } while (record_round_again(&rounds, &error));
    return error;
}

/* An empty space. The current program pays for it. */
static enum error create(struct address_space *out)
{
    DOES_NOT_SLEEP();
    struct space_id memory;
    enum error error = memory_create(&memory);

    if (error != OK) {
        return error;
    }
    error = space_create(memory, out);
    if (error != OK) {
        memory_forget(memory);
        return error;
    }
    space_set_owner(*out, task_current()->program_id);
    return OK;
}

/* The segments of the file, and a stack for the words. May sleep. */
static enum error fill(struct object_id file, struct elf_plan *plan, const struct program_image *words,
                       struct program_become *out)
{
    thread_may_sleep();
    const char *complaint;
    enum error error = program_load(out->space, file, plan, &out->entry, &complaint);

    return error == OK ? start_fill_stack(out->space, words, plan, &out->stack_pointer) : error;
}

/* A space that is ready to be run in. Nothing is left of it after an error. */
static enum error prepare(struct object_id file, struct elf_plan *plan, const struct program_image *words,
                          struct program_become *out)
{
    enum error error = reserve();

    if (error == OK) {
        error = create(&out->space);
    }
    if (error != OK) {
        return error;
    }
    error = fill(file, plan, words, out);
    if (error != OK) {
        memory_collect(space_abandon(out->space));
    }
    return error;
}

enum error program_become_prepare(struct object_id file, const char name[PROGRAM_NAME_MAX],
                                  const struct program_image *words, struct program_become *out)
{
    thread_may_sleep();
    struct space_id payer = space_window(address_space_of(task_current()->program_id));
    const char *complaint;
    struct elf_plan plan;

    enum error error = elf_examine_kept(file, payer, &plan, &complaint);
    memcpy(out->name, name, PROGRAM_NAME_MAX);
    return error == OK ? prepare(file, &plan, words, out) : error;
}

/* What a program keeps of its past when it becomes another one: who it is, and its open files. */
static void forget_past(struct program_record *program, const char name[PROGRAM_NAME_MAX])
{
    for (uint32_t descriptor = 0; descriptor < PROGRAM_FILES_MAX; descriptor++) {
        if (program->files[descriptor].number != 0 && (program->file_flags[descriptor] & FD_CLOEXEC) != 0) {
            file_close(program, descriptor);
        }
    }
    for (uint32_t signal = 0; signal < SIGNALS_MAX; signal++) {
        bool stays = program->actions[signal].handler == SIG_IGN;
        program->actions[signal] = (struct signal_action){.handler = stays ? SIG_IGN : SIG_DFL};
    }
    memcpy(program->name, name, sizeof(program->name));
}

/* The old space is given up; what is returned of it is for memory_collect(). */
static struct space_id exchange_spaces(struct program_record *program, struct program_id id, struct address_space space)
{
    struct space_id old = space_abandon(program->space);

    program->space = space;
    task_set_lender(program, PROGRAM_NONE);
    task_move_program(id, space_window(space));
    return old;
}

/* The task starts anew. The call it is in is over: it is not issued again after a boot. */
static void restart(struct task *task, uint32_t entry, uint32_t stack_pointer)
{
    struct task_record *record = task->record;

    task_touch(task);
    *task->registers = start_registers(entry, stack_pointer);
    cpu_fpu_initialise(&task->context.fpu);
    memset(task->context.tls, 0, sizeof(task->context.tls));
    cpu_user_load(&task->context);
    memset(&record->call, 0, sizeof(record->call));
    memset(record->signal_stack, 0, sizeof(record->signal_stack));
    record->clear_child_tid = 0;
    record->tid.number = task->program_id.number; /* whichever of its threads it was */
    task->program->sole_task = (struct task_id){0};
    record->robust_list = record->robust_list_length = 0;
    record->has_name = 0;
    program_call_over();
}

enum error program_become(const struct program_become *prepared)
{
    thread_may_sleep();
    struct task *task = task_current();
    struct address_space space = prepared->space;
    enum error error = thread_end_siblings();

    if (error != OK) {
        memory_collect(space_abandon(space));
        return error;
    }
    atomic_begin();
    struct space_id old = exchange_spaces(task->program, task->program_id, space);
    forget_past(task->program, prepared->name);
    timer_forget_made(task->program_id);
    signal_drop_timers(task);
    restart(task, prepared->entry, prepared->stack_pointer);
    program_release_parent(task->program);
    atomic_end();
    memory_collect(old);
    return OK;
}
