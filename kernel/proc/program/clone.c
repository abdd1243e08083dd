/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cloning a program (fork): one instant, whatever the program is made of.
 *
 * First the memory of the program's space is collapsed into the source it may have, so that sources do not pile up
 * (space_collapse.c), and records are reserved; that may sleep, and leaves nothing that would matter after a cut. Then,
 * without a sleep: the clone gets a space with the same regions, both sides get memories that are copies of the
 * program's, the clone gets a record, open files and a task, and what was the program's memory becomes a source with
 * all the pages it has, wherever they are.
 *
 * A clone that holds its parent and shares its memory (vfork) gets a record, files and a task, which runs in the
 * parent's space. A program that runs in its parent's may be cloned itself: it is the lender's space, then, that is
 * divided.
 */
#include "arch/context.h"
#include "atomic.h"
#include "arch/cpu.h"
#include "file/file.h"
#include "log.h"
#include "programs.h"
#include "space/address_space.h"
#include "space/regions.h"
#include "space/space.h"
#include "space/space_map.h"
#include <string.h>

/* A clone that is being put together. */
struct clone {
    const struct program_clone_options *options;
    struct program_record *parent;
    struct program_id parent_id;
    struct program_id lender;             /* whose space the parent runs in: its own, or its lender's */
    struct address_space space;           /* that space */
    struct space_id source;               /* its memory as it was */
    struct space_id memory, child_memory; /* as they will be; none if it is shared */
    uint32_t child_regions;
    struct address_space child_space;
    struct program_id child;
};

/* Reserving -------------------------------------------------------------------------------------------------------- */

static enum error reserve(struct address_space space, bool shares)
{
    enum error error;
    struct record_rounds rounds = {0};

    do {
        record_round_begin(&rounds);
        error = program_reserve();
        if (error == OK) {
            error = task_reserve();
        }
        if (error == OK && !shares) {
            error = space_reserve();
        }
        if (error == OK && !shares) {
            error = memory_reserve(2);
        }
        if (error == OK && !shares) {
            error = vm_region_reserve_clone(&region_table, &space_at(space)->region_root, 1);
        }
    } while (record_round_again(&rounds, &error));
    return error;
}

/* Putting together: nothing sleeps from here on -------------------------------------------------------------------- */

static void drop_memories(struct clone *clone)
{
    vm_region_clear(&region_table, &clone->child_regions);
    memory_forget(clone->memory);
    memory_forget(clone->child_memory);
}

static enum error make_memories(struct clone *clone)
{
    enum error error = memory_create(&clone->memory);

    if (error != OK) {
        return error;
    }
    error = memory_create(&clone->child_memory);
    if (error != OK) {
        memory_forget(clone->memory);
        return error;
    }
    error = vm_region_clone(&region_table, space_at(clone->space)->region_root, &clone->child_regions);
    if (error == OK) {
        error = space_create(clone->child_memory, &clone->child_space);
    }
    if (error != OK) {
        drop_memories(clone);
    }
    return error;
}

static void drop_spaces(struct clone *clone)
{
    space_forget(clone->child_space);
    drop_memories(clone);
}

/* What a clone has from its parent, but for memory and files. */
static void inherit(struct program_record *child, const struct program_record *parent)
{
    child->umask = parent->umask;
    child->nice = parent->nice;
    child->process_group = parent->process_group;
    child->session = parent->session;
    child->terminal = parent->terminal;
    memcpy(child->limits, parent->limits, sizeof(child->limits));
    memcpy(child->actions, parent->actions, sizeof(child->actions));
}

static enum error make_task(const struct clone *clone)
{
    const struct program_clone_options *options = clone->options;
    struct task *parent = task_current();
    struct registers registers = *parent->registers;
    struct task_id tid;

    cpu_user_save(&parent->context);
    registers.eax = 0;
    registers.esp = options->stack_pointer != 0 ? options->stack_pointer : registers.esp;
    enum error error = task_create(clone->child, &registers, &parent->context.fpu,
                                   options->tls != NULL ? options->tls : parent->context.tls, &tid);
    if (error == OK) {
        struct task_record *record = task_find(tid)->record;
        memcpy(record->signal_mask, parent->record->signal_mask, sizeof(record->signal_mask));
        memcpy(record->signal_stack, parent->record->signal_stack, sizeof(record->signal_stack));
        task_inherit_name(record, parent->record);
        record->child_tid = options->tid_address;
        record->clear_child_tid = options->clear_tid_address;
    }
    return error;
}

static enum error make_program(struct clone *clone)
{
    enum error error = program_create_in(clone->parent->name, clone->parent_id, clone->child_space, &clone->child);

    if (error != OK) {
        return error;
    }
    struct program_record *child = program_at(clone->child);
    child->parent_waits = clone->options->holds_parent;
    task_set_lender(child, clone->options->shares_memory ? clone->lender : PROGRAM_NONE);
    inherit(child, clone->parent);
    error = make_task(clone);
    if (error != OK) {
        program_create_undo(clone->child);
    }
    return error;
}

/* What was one memory becomes the source of both. */
static void divide(struct clone *clone)
{
    const struct space_record *parent = space_at(clone->space);
    struct space_record *child = space_at(clone->child_space);

    child->region_root = clone->child_regions;
    child->break_start = parent->break_start;
    child->break_end = parent->break_end;
    child->image_end = parent->image_end;
    if (parent->image.number != 0) {
        space_set_image(clone->child_space, parent->image);
    }
    memory_become_source(clone->source);
    space_change_memory(clone->space, clone->memory);
    memory_set_source(clone->memory, clone->source);
    memory_set_source(clone->child_memory, clone->source);
}

/* What has to be done to the memory before it can be divided. May sleep. */
static enum error prepare_memory(struct address_space space)
{
    thread_may_sleep();
    enum error error = space_collapse(space);

    return error == OK ? space_bound_sources(space) : error;
}

/* One instant: a stop sees a clone whole or not at all. */
static enum error make_clone(struct clone *clone)
{
    bool shares = clone->options->shares_memory;
    enum error error = shares ? OK : make_memories(clone);

    if (error != OK) {
        return error;
    }
    error = make_program(clone);
    if (error != OK && !shares) {
        drop_spaces(clone);
    }
    if (error == OK && !shares) {
        divide(clone);
    }
    if (error == OK) {
        file_share_all(program_at(clone->child), clone->parent);
    }
    return error;
}

/* With the map mutex of the space that is divided or shared. */
static enum error clone_in(struct address_space space, const struct program_clone_options *options,
                           struct program_id *out_program)
{
    thread_may_sleep();
    struct task *task = task_current();
    enum error error = options->shares_memory ? OK : prepare_memory(space);

    if (error == OK) {
        error = reserve(space, options->shares_memory);
    }
    if (error != OK) {
        return error;
    }
    struct clone clone = {.options = options,
                          .parent = task->program,
                          .parent_id = task->program_id,
                          .lender = program_memory(task->program_id),
                          .space = space,
                          .source = space_window(space)};
    atomic_begin();
    error = make_clone(&clone);
    if (error == OK) {
        program_call_commit();
    }
    atomic_end();
    if (error == OK) {
        *out_program = clone.child;
    }
    return error;
}

enum error program_clone(const struct program_clone_options *options, struct program_id *out_program)
{
    thread_may_sleep();
    struct address_space space = address_space_of(task_current()->program_id);

    space_lock(space);
    enum error error = clone_in(space, options, out_program);
    space_unlock(space);
    return error;
}
