/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs: address space, regions and files that tasks share; their creation, and how many are alive. (Their end is in
 * program_end.c, their return after a boot in program_resume.c.)
 *
 * A program's index is its process id. The record persists; the page tables of its space are volatile and fill by
 * faults.
 */
#include "atomic.h"
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

enum error program_create_in(const char *name, uint32_t parent, struct space_id space, uint32_t *out_index)
{
    DOES_NOT_SLEEP();
    uint32_t index;

    if (!record_find_free(RECORD_PROGRAM, &index)) {
        return ERROR_NO_MEMORY;
    }
    enum error error = program_account_open(index);
    if (error != OK) {
        return error;
    }
    struct program_record *program = program_at(index);
    memset(program, 0, sizeof(*program));
    program->state = PROGRAM_RUNNING;
    program->parent = parent;
    program->space = space.number;
    program->umask = 022;
    limits_set_defaults(program);
    program->process_group = index;
    program->session = index;
    kernel_snprintf(program->name, sizeof(program->name), "%s", name);
    space_set_owner(space, index);
    programs_alive++;
    *out_index = index;
    return OK;
}

void program_create_undo(uint32_t index)
{
    space_set_owner((struct space_id){program_at(index)->space}, 0);
    program_account_close(index);
    program_forget(index);
    programs_alive--;
}

static enum error reserve_with_space(void)
{
    enum error error;
    struct record_rounds rounds = {0};

    do {
        record_round_begin(&rounds);
        error = program_reserve();
        error = error == OK ? space_reserve(1) : error;
    } while (record_round_again(&rounds, &error));
    return error;
}

enum error program_create(const char *name, uint32_t parent, uint32_t *out_index)
{
    thread_may_sleep();
    struct space_id space;
    enum error error = reserve_with_space();

    if (error == OK) {
        error = space_create(&space);
    }
    if (error != OK) {
        return error;
    }
    error = program_create_in(name, parent, space, out_index);
    if (error != OK) {
        space_forget(space);
    }
    return error;
}

enum error program_revive(uint32_t index)
{
    struct program_record *program = program_at(index);
    enum error error = program_account_open(index);

    if (error == OK) {
        program_account_restore(index, program->counters);
        if (program->space != 0) {
            space_set_owner((struct space_id){program->space}, index);
        }
        programs_alive++;
    }
    return error;
}

void program_forget(uint32_t index)
{
    memset(program_at(index), 0, sizeof(struct program_record));
}

uint32_t program_count(void)
{
    return programs_alive;
}

void program_uncount(void)
{
    programs_alive--;
}
