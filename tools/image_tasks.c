/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads of programs in images. See image_tasks.h.
 */
#include "image_tasks.h"
#include "eidolon/eidolon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names of calls ---------------------------------------------------------------------------------------------------- */

struct call_name {
    uint32_t number;
    const char *name;
};

static const struct call_name call_names[] = {
#define CALL(number, name, function)     {number, #name},
#define OWN_CALL(number, name, function) {number, #name},
#include "calls/list.h"
#undef CALL
#undef OWN_CALL
};

static const char *call_name(uint32_t number)
{
    for (size_t i = 0; i < sizeof(call_names) / sizeof(call_names[0]); i++) {
        if (call_names[i].number == number) {
            return call_names[i].name;
        }
    }
    return NULL;
}

/* Whether the thread goes on with `int 0x80`: it is in that call, and makes it again after a boot. */
static bool is_in_call(const struct image *image, const struct space_record *space, const struct task_record *task)
{
    uint8_t code[2] = {0, 0};
    return image_program_read(image, space, task->registers.eip, sizeof(code), code) == OK && code[0] == 0xCD &&
           code[1] == 0x80;
}

void task_text(const struct image *image, const struct space_record *space, const struct task_record *task, char *text,
               size_t room)
{
    const struct registers *from = &task->registers;
    const char *name = call_name(from->eax);
    if (!is_in_call(image, space, task)) {
        snprintf(text, room, "runs at 0x%08x", from->eip);
    } else if (name == NULL) {
        snprintf(text, room, "in call %u at 0x%08x", from->eax, from->eip);
    } else {
        snprintf(text, room, "in %s(0x%x, 0x%x, 0x%x) at 0x%08x", name, from->ebx, from->ecx, from->edx, from->eip);
    }
}

/* Threads ----------------------------------------------------------------------------------------------------------- */

enum error tasks_walk(const struct image *image, uint32_t program, task_visit *visit, void *context)
{
    enum error error = OK;
    for (uint32_t index = 0; index < TASKS_MAX && error == OK; index++) {
        struct task_record task;
        error = image_record_read(image, RECORD_TASK, index, &task);
        if (error == OK && task.state == TASK_ALIVE && task.program.number == program) {
            error = visit(&task, context);
        }
    }
    return error;
}

static enum error task_add(const struct task_record *task, void *context)
{
    struct program_view *view = context;
    struct task_record *grown = realloc(view->tasks, (view->task_count + 1) * sizeof(*grown));
    if (grown == NULL) {
        return ERROR_NO_MEMORY;
    }
    view->tasks = grown;
    view->tasks[view->task_count++] = *task;
    return OK;
}

static int tasks_collect(struct program_view *view)
{
    enum error error = tasks_walk(&view->image, view->index, task_add, view);
    if (error != OK) {
        complain("%s: the threads of program %u: %s", view->image.path, view->index, error_text(error));
        return STATUS_FOUND;
    }
    if (view->program.state != PROGRAM_RUNNING || view->task_count == 0) {
        complain("%s: program %u has ended in generation %llu", view->image.path, view->index,
                 (unsigned long long)view->image.report.generation.number);
        return STATUS_NOT_RUN;
    }
    return STATUS_SOUND;
}

int program_view_open(struct program_view *view, const char *path, const char *which, const char *program)
{
    *view = (struct program_view){0};
    int status = image_open(&view->image, path, FILE_DISK_READ, which);
    if (status != STATUS_SOUND) {
        return status;
    }
    status = records_check(&view->image);
    status = status == STATUS_SOUND ? program_named(&view->image, program, &view->index, &view->program, &view->space)
                                    : status;
    status = status == STATUS_SOUND ? tasks_collect(view) : status;
    if (status != STATUS_SOUND) {
        (void)program_view_close(view);
    }
    return status;
}

int program_view_close(struct program_view *view)
{
    free(view->tasks);
    view->tasks = NULL;
    return image_close(&view->image);
}

/* Generations ------------------------------------------------------------------------------------------------------- */

int generations_list(const char *path, uint64_t **numbers, uint32_t *count)
{
    struct image image;
    struct store_kept kept = {0};
    *numbers = NULL;
    *count = 0;
    int status = image_open(&image, path, FILE_DISK_READ, NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    while (status == STATUS_SOUND && store_kept_before(image.store, kept.generation, &kept) == OK) {
        uint64_t *grown = realloc(*numbers, (*count + 1) * sizeof(*grown));
        if (grown == NULL) {
            complain("no memory for the list of generations");
            status = STATUS_NOT_RUN;
        } else {
            *numbers = grown;
            (*numbers)[(*count)++] = kept.generation.number;
        }
    }
    if (status == STATUS_SOUND && *count == 0) {
        complain("%s: nothing has been committed to the image yet", path);
        status = STATUS_NOT_RUN;
    }
    int closed = image_close(&image);
    status = status == STATUS_SOUND ? closed : status;
    if (status != STATUS_SOUND) {
        free(*numbers);
        *numbers = NULL;
    }
    return status;
}
