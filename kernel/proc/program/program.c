/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs: address space, regions and files that tasks share; their creation, and how many are alive. (Their end is in
 * program_end.c, their return after a boot in program_resume.c.)
 *
 * A program's id is its process id. The record persists; the page tables of its space are volatile and fill by
 * faults.
 */
#include "atomic.h"
#include "children.h"
#include "log.h"
#include "programs.h"
#include "space/limits.h"
#include "space/space.h"
#include "task/program_account.h"
#include <string.h>

static uint32_t programs_alive;

/* Creation --------------------------------------------------------------------------------------------------------- */

enum error program_reserve(void)
{
    return record_reserve(RECORD_PROGRAM, 1);
}

enum error program_create_in(const char *name, struct program_id parent, struct address_space space,
                             struct program_id *out_program)
{
    DOES_NOT_SLEEP();
    struct program_id id;

    if (!record_find_free(RECORD_PROGRAM, &id.number)) {
        return ERROR_NO_MEMORY;
    }
    enum error error = program_account_open(id);
    if (error != OK) {
        return error;
    }
    struct program_record *program = program_at(id);
    memset(program, 0, sizeof(*program));
    program->state = PROGRAM_RUNNING;
    program->parent = parent;
    children_add(parent, id);
    program->space = space;
    program->umask = 022;
    program->nice = NICE_START;
    limits_set_defaults(program);
    program->process_group = (struct group_id){id.number};
    program->session = (struct session_id){id.number};
    kernel_snprintf(program->name, sizeof(program->name), "%s", name);
    space_set_owner(space, id);
    programs_alive++;
    *out_program = id;
    return OK;
}

void program_create_undo(struct program_id id)
{
    space_set_owner(program_at(id)->space, PROGRAM_NONE);
    task_set_lender(program_at(id), PROGRAM_NONE);
    program_account_close(id);
    program_forget(id);
    programs_alive--;
}

static enum error reserve_with_space(void)
{
    enum error error;
    struct record_rounds rounds = {0};

    do {
        record_round_begin(&rounds);
        error = program_reserve();
        if (error == OK) {
            error = space_reserve();
        }
        if (error == OK) {
            error = memory_reserve(1);
        }
    } while (record_round_again(&rounds, &error));
    return error;
}

/* Does not sleep: see reserve_with_space(). */
static enum error create_space(struct address_space *out)
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
    }
    return error;
}

enum error program_create(const char *name, struct program_id parent, struct program_id *out_program)
{
    thread_may_sleep();
    struct address_space space;
    enum error error = reserve_with_space();

    if (error == OK) {
        error = create_space(&space);
    }
    if (error != OK) {
        return error;
    }
    error = program_create_in(name, parent, space, out_program);
    if (error != OK) {
        struct space_id memory = space_window(space);
        space_forget(space);
        memory_forget(memory);
    }
    return error;
}

enum error program_revive(struct program_id id)
{
    struct program_record *program = program_at(id);
    enum error error = program_account_open(id);

    if (error == OK) {
        program_account_restore(id, program->counters);
        space_set_owner(program->space, id);
        task_count_borrower(program->lender);
        programs_alive++;
    }
    return error;
}

void program_forget(struct program_id id)
{
    children_remove(program_at(id)->parent, id);
    memset(program_at(id), 0, sizeof(struct program_record));
    record_freed(RECORD_PROGRAM, id.number);
}

uint32_t program_count(void)
{
    return programs_alive;
}

void program_uncount(void)
{
    programs_alive--;
}
