/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Becoming another program (execve): a new space over an image that is there already.
 *
 * The new space is built as a program of its own that has no task: a cut in the middle leaves it for the next boot to
 * clear away, and the caller as it was, about to issue the call again. When it is complete the two change places, in
 * one step: the caller gets the new space and starts at its first instruction, and the other program ends with the old
 * one; with none, if the caller's was its lender's.
 */
#include "arch/context.h"
#include "arch/cpu.h"
#include "atomic.h"
#include "file/file.h"
#include "linux/linux_abi.h"
#include "space/regions.h"
#include "space/space.h"
#include "start.h"
#include <string.h>

/* The image that is meant: one by its name, or the caller's own. */
static struct space_id find(const char *name)
{
    return name != NULL ? space_image_named(name) : space_image_of(task_current()->program);
}

static struct elf_plan plan_of(const struct space_record *image)
{
    return (struct elf_plan){.entry = image->image.entry,
                             .headers_address = image->image.headers_address,
                             .header_count = image->image.header_count,
                             .image_end = image->image.end};
}

/* Give a new program the regions of an image, which stays as long as the program's space does. */
static enum error copy_image(struct program_record *program, struct space_id image)
{
    if (image.number == 0) {
        return ERROR_NOT_FOUND;
    }
    space_set_source(program->space, image);
    enum error error = vm_region_reserve_clone(&region_table, space_regions(image), 1);
    return error == OK ? space_copy_regions(image, &program->region_root) : error;
}

/* A program over an image, with its stack and without a task. Nothing is left of it after an error. May sleep. */
static enum error build(const char *name, const struct program_image *words, struct program_id *out_program,
                        uint32_t *stack_pointer)
{
    thread_may_sleep();
    enum error error = program_create("exec", PROGRAM_NONE, out_program);

    if (error != OK) {
        return error;
    }
    struct space_id image = find(name);
    error = copy_image(program_at(*out_program), image);
    if (error == OK) {
        struct elf_plan plan = plan_of(space_at(image));
        error = start_fill_stack(*out_program, words, &plan, stack_pointer);
    }
    if (error != OK) {
        program_destroy(*out_program);
    }
    return error;
}

/* What a program keeps of its past when it becomes another one: who it is, and its open files. */
static void forget_past(struct program_record *program, const struct space_record *image)
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
    memcpy(program->name, image->image.name, sizeof(program->name));
    program->image_end = image->image.end;
    program->break_start = (image->image.end + PAGE_MASK) & ~PAGE_MASK;
    program->break_end = program->break_start;
}

static void exchange_spaces(struct program_record *a, struct program_id a_id, struct program_record *b,
                            struct program_id b_id)
{
    struct space_id space = a->space;
    uint32_t regions = a->region_root;

    a->space = b->space;
    a->region_root = b->region_root;
    b->space = space;
    b->region_root = regions;
    a->lender = PROGRAM_NONE;
    space_set_owner(a->space, a_id);
    space_set_owner(b->space, b_id);
    task_move_program(a_id, a->space);
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
    record->robust_list = record->robust_list_length = 0;
    program_call_over();
}

enum error program_become(const char *name, const struct program_image *words)
{
    thread_may_sleep();
    struct task *task = task_current();
    struct program_id other;
    uint32_t stack_pointer;

    enum error error = build(name, words, &other, &stack_pointer);
    if (error != OK) {
        return error;
    }
    atomic_begin();
    exchange_spaces(task->program, task->program_id, program_at(other), other);
    const struct space_record *image = space_at(space_image_of(task->program));
    forget_past(task->program, image);
    restart(task, image->image.entry, stack_pointer);
    program_release_parent(task->program);
    atomic_end();
    program_destroy(other);
    return OK;
}
