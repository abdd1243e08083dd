/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs at the beginning of a boot: none, or those that the records hold.
 */
#include "atomic.h"
#include "children.h"
#include "file/file.h"
#include "file/pipe.h"
#include "log.h"
#include "program_hold.h"
#include "programs.h"
#include "signal/timer.h"
#include "signal/timer_table.h"
#include "space/limits.h"
#include "space/object.h"
#include "space/regions.h"
#include "space/space.h"

enum error program_start_empty(void)
{
    enum error error = regions_start();

    object_start();
    if (error == OK) {
        error = pipe_start();
    }
    return error == OK ? timer_start() : error;
}

/* What a program without a space of its own runs in, if it runs (SPACE-2). */
static bool lender_is_sound(const struct program_record *program)
{
    if (program->lender.number == 0) {
        return true; /* in its own space, if it has a task */
    }
    if (program->space.number != 0 || !program_is_in_table(program->lender)) {
        return false;
    }
    const struct program_record *lender = program_at(program->lender);
    return lender->state == PROGRAM_RUNNING && lender->space.number != 0 && lender->lender.number == 0;
}

/* A record that a program could not have made is not trusted to be one. */
static enum error program_adopt(struct program_id id)
{
    const struct program_record *program = program_at(id);
    enum error error = OK;

    if (program->state > PROGRAM_ZOMBIE || program->name[PROGRAM_NAME_MAX - 1] != 0 ||
        (program->held & ~(uint32_t)PROGRAM_HOLDS_KNOWN) != 0) {
        error = ERROR_FORMAT_DAMAGED;
    }
    for (uint32_t i = 0; i < PROGRAM_FILES_MAX; i++) {
        if (program->files[i].number >= record_committed(RECORD_FILE) && program->files[i].number != 0) {
            error = ERROR_FORMAT_DAMAGED;
        }
    }
    if (!space_is_in_table(program->space) || !program_is_in_table(program->parent) || !limits_are_sound(program) ||
        !lender_is_sound(program) ||
        (program->space.number != 0 &&
         (space_at(program->space)->state != SPACE_USED || space_owner(program->space).number != 0))) {
        error = ERROR_FORMAT_DAMAGED;
    }
    if (error != OK) {
        log_line("program: record %u is not sound: %s", id.number, error_text(error));
        return error;
    }
    return OK;
}

enum error program_adopt_all(void)
{
    enum error error = regions_adopt();

    if (error == OK) {
        error = pipe_start();
    }
    if (error == OK) {
        error = space_resume();
    }
    if (error == OK) {
        error = memory_resume();
    }
    if (error == OK) {
        error = object_resume();
    }
    for (struct program_id id = PROGRAM_FIRST; error == OK && program_is_in_table(id); id.number++) {
        if (program_at(id)->state == PROGRAM_FREE) {
            continue;
        }
        error = program_adopt(id);
        if (error == OK) {
            children_add(program_at(id)->parent, id);
        }
        if (error == OK && program_at(id)->state != PROGRAM_ZOMBIE) {
            error = program_revive(id);
        }
    }
    if (error == OK) {
        error = file_resume();
    }
    if (error == OK && !vm_region_table_is_whole(&region_table)) {
        log_line("program: regions that belong to no space");
        error = ERROR_FORMAT_DAMAGED;
    }
    return error == OK ? task_adopt_all() : error;
}

enum error program_resume_all(void)
{
    thread_may_sleep();
    enum error error = task_resume_all();

    timer_table_resume();
    if (error == OK) {
        error = timer_start();
    }
    for (struct program_id id = PROGRAM_FIRST; error == OK && program_is_in_table(id); id.number++) {
        if (program_at(id)->state == PROGRAM_FREE || program_at(id)->state == PROGRAM_ZOMBIE) {
            continue;
        }
        if (program_at(id)->task_count == 0) {
            program_destroy(id);
        } else {
            timer_resume(id);
        }
    }
    if (error == OK) {
        regions_are_adopted();
        space_abandon_unowned();
        memory_collect_all();
        object_resume_end();
        object_collect();
        record_trim(false);
    }
    return error;
}
