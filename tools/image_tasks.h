/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads of a program in an image, and where each is; and the generations that an image keeps, one after the other.
 */
#ifndef IMAGE_TASKS_H
#define IMAGE_TASKS_H

#include "image_records.h"

#define TASK_TEXT_MAX 96u

/* A program as one generation has it. */
struct program_view {
    struct image image;
    uint32_t index;
    struct program_record program;
    struct space_record space;
    struct task_record *tasks; /* in the order of their records */
    uint32_t task_count;
};

/*
 * Open a generation and find a living program in it.
 * - which: as image_open(). program: as program_named().
 * - returns STATUS_SOUND, or another after a message; then there is nothing to close.
 */
int program_view_open(struct program_view *view, const char *path, const char *which, const char *program);

/* Returns STATUS_SOUND, or another after a message. */
int program_view_close(struct program_view *view);

/*
 * Where a thread is, for people: the call it is in, with its first arguments, or an address.
 * - room: TASK_TEXT_MAX.
 */
void task_text(const struct image *image, const struct space_record *space, const struct task_record *task, char *text,
               size_t room);

/* What is told of a thread of a program. Errors as image_record_read(), and what `visit` returns. */
typedef enum error task_visit(const struct task_record *task, void *context);
MUST_CHECK enum error tasks_walk(const struct image *image, uint32_t program, task_visit *visit, void *context);

/*
 * The numbers of the generations that an image keeps, newest first, in memory of the caller's to free.
 * - returns STATUS_SOUND, or another after a message.
 */
int generations_list(const char *path, uint64_t **numbers, uint32_t *count);

#endif
