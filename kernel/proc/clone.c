/*
 * Cloning a program (fork): one instant, whatever the program is made of.
 *
 * First the program's space is settled with the source it may have, so that sources do not pile up (space_settle.c),
 * and records are reserved; that may sleep, and leaves nothing that would matter after a cut. Then, without a sleep:
 * both sides get a space whose regions are copies of the program's, the clone gets a record, open files and a task, and
 * the program's space becomes a source with all the pages it has, wherever they are.
 */
#include "arch/context.h"
#include "file.h"
#include "log.h"
#include "program.h"
#include "space.h"
#include "task.h"
#include "thread.h"
#include "vm_region.h"
#include <string.h>

/* A clone that is being put together. */
struct clone {
    const struct program_clone_options *options;
    struct program_record *parent;
    uint32_t parent_index;
    struct space_id source;                    /* the parent's space as it was */
    struct space_id parent_space, child_space; /* as they will be */
    uint32_t parent_regions, child_regions;
    uint32_t child;
};

/* Reserving -------------------------------------------------------------------------------------------------------- */

/* Others may take records while this sleeps; it has not slept if it did not have to commit any. */
static enum error reserve(const struct program_record *parent)
{
    enum error error;
    uint32_t before;

    do {
        before = record_changes();
        error = program_reserve();
        error = error == OK ? task_reserve() : error;
        error = error == OK ? space_reserve(2) : error;
        error = error == OK ? vm_region_reserve_clone(&region_table, &parent->region_root, 2) : error;
    } while (error == OK && record_changes() != before);
    return error;
}

/* Putting together: nothing sleeps from here on -------------------------------------------------------------------- */

static void drop_space(struct space_id space, uint32_t *regions)
{
    vm_region_clear(&region_table, regions);
    space_forget(space);
}

static enum error make_spaces(struct clone *clone)
{
    enum error error = space_create(&clone->parent_space);

    if (error != OK) {
        return error;
    }
    error = space_create(&clone->child_space);
    if (error != OK) {
        space_forget(clone->parent_space);
        return error;
    }
    error = space_copy_regions(clone->source, &clone->parent_regions);
    if (error == OK) {
        error = space_copy_regions(clone->source, &clone->child_regions);
    }
    if (error != OK) {
        drop_space(clone->parent_space, &clone->parent_regions);
        drop_space(clone->child_space, &clone->child_regions);
    }
    return error;
}

/* What a clone has from its parent, but for memory and files. */
static void inherit(struct program_record *child, const struct program_record *parent)
{
    child->break_start = parent->break_start;
    child->break_end = parent->break_end;
    child->image_end = parent->image_end;
    child->umask = parent->umask;
    child->process_group = parent->process_group;
    child->session = parent->session;
    child->terminal = parent->terminal;
    memcpy(child->actions, parent->actions, sizeof(child->actions));
}

static enum error make_task(const struct clone *clone)
{
    const struct program_clone_options *options = clone->options;
    struct task *parent = task_current();
    struct registers registers = *parent->registers;
    uint32_t tid;

    cpu_user_save(&parent->context);
    registers.eax = 0;
    registers.esp = options->stack_pointer != 0 ? options->stack_pointer : registers.esp;
    enum error error = task_create(clone->child, &registers, &parent->context.fpu,
                                   options->tls != NULL ? options->tls : parent->context.tls, &tid);
    if (error == OK) {
        struct task_record *record = task_find(tid)->record;
        memcpy(record->signal_mask, parent->record->signal_mask, sizeof(record->signal_mask));
        memcpy(record->signal_stack, parent->record->signal_stack, sizeof(record->signal_stack));
        record->child_tid = options->tid_address;
    }
    return error;
}

static enum error make_program(struct clone *clone)
{
    enum error error = program_create_in(clone->parent->name, clone->parent_index, clone->child_space, &clone->child);

    if (error != OK) {
        return error;
    }
    struct program_record *child = program_at(clone->child);
    child->region_root = clone->child_regions;
    child->parent_waits = clone->options->holds_parent;
    inherit(child, clone->parent);
    error = make_task(clone);
    if (error != OK) {
        program_create_undo(clone->child);
    }
    return error;
}

/* What the parent had becomes the source of both. */
static void divide(struct clone *clone)
{
    struct space_record *source = space_at(clone->source);

    space_set_owner(clone->source, 0);
    source->region_root = clone->parent->region_root;
    source->state = SPACE_SOURCE;
    clone->parent->region_root = clone->parent_regions;
    clone->parent->space = clone->parent_space.number;
    space_set_owner(clone->parent_space, clone->parent_index);
    space_set_source(clone->parent_space, clone->source);
    space_set_source(clone->child_space, clone->source);
    task_move_program(clone->parent_index, clone->parent_space);
    file_share_all(program_at(clone->child), clone->parent);
}

/* One instant: a stop sees a clone whole or not at all. */
static enum error make_clone(struct clone *clone)
{
    enum error error = make_spaces(clone);

    if (error != OK) {
        return error;
    }
    error = make_program(clone);
    if (error != OK) {
        drop_space(clone->parent_space, &clone->parent_regions);
        drop_space(clone->child_space, &clone->child_regions);
        return error;
    }
    divide(clone);
    return OK;
}

enum error program_clone(const struct program_clone_options *options, uint32_t *out_index)
{
    struct task *task = task_current();
    enum error error = space_settle(task->program_index);

    if (error == OK) {
        error = space_bound_sources(task->program_index);
    }
    if (error == OK) {
        error = reserve(task->program);
    }
    struct clone clone = {.options = options,
                          .parent = task->program,
                          .parent_index = task->program_index,
                          .source = {task->program->space}};
    if (error != OK) {
        return error;
    }
    atomic_begin();
    error = make_clone(&clone);
    atomic_end();
    if (error == OK) {
        *out_index = clone.child;
    }
    return error;
}
