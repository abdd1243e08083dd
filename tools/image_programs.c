/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `programs`: what lives in an image.
 */
#include "image_tasks.h"

#include <stdio.h>
#include <string.h>

/* What a program's regions amount to. */
struct extent_of_program {
    uint64_t pages;
    uint32_t regions;
};

static enum error add_region(const struct vm_region *region, void *context)
{
    struct extent_of_program *sum = context;
    sum->regions++;
    sum->pages += region->page_count;
    return OK;
}

/* Pages of a space that have content in the image; 0 is none. */
static enum error count_content(const struct image *image, struct space_id space, uint64_t *out)
{
    struct page_key from = page_key_at(space, (struct vaddr){0}), page;
    struct store_entry entry;
    enum error error = OK;
    *out = 0;
    while (space.number != 0 && (error = store_next(image->store, from, &page, &entry)) == OK &&
           page_key_object(page).number == space.number) {
        (*out)++;
        from.number = page.number + 1;
    }
    return error == ERROR_NOT_FOUND ? OK : error;
}

static const char *state_text(const struct program_record *program)
{
    return program->state != PROGRAM_RUNNING ? "ended" : program->held != 0 ? "held" : "alive";
}

static enum error print_program(const struct image *image, uint32_t index, const struct program_record *program)
{
    struct extent_of_program sum = {0};
    uint64_t content = 0;
    struct space_record space;
    enum error error = image_space_read(image, program->space, &space);

    if (error == OK) {
        error = regions_walk(image, &space, add_region, &sum);
    }
    if (error == OK) {
        error = count_content(image, space.memory, &content);
    }
    if (error == OK) {
        printf("%7u  %6u  %-7s  %5u  %7u  %10s", index, program->parent.number, state_text(program),
               program->task_count, sum.regions, bytes_text(sum.pages * PAGE_SIZE));
        printf("  %10s  %.*s\n", bytes_text(content * PAGE_SIZE), (int)PROGRAM_NAME_MAX, program->name);
    }
    return error;
}

/* A thread, on a line of its own. */
struct of_space {
    const struct image *image;
    const struct space_record *space;
};

static enum error print_thread(const struct task_record *task, void *context)
{
    const struct of_space *of = context;
    char text[TASK_TEXT_MAX];
    task_text(of->image, of->space, task, text, sizeof(text));
    printf("%7s  thread %u %s\n", "", task->tid.number, text);
    return OK;
}

static enum error print_threads(const struct image *image, uint32_t index)
{
    struct program_record program;
    struct space_record space;
    enum error error = program_find(image, index, &program, &space);
    struct of_space of = {image, &space};
    return error == OK ? tasks_walk(image, index, print_thread, &of) : error;
}

static enum error print_programs(const struct image *image, bool with_threads)
{
    printf("%7s  %6s  %-7s  %5s  %7s  %10s  %10s  %s\n", "program", "parent", "state", "tasks", "regions", "mapped",
           "content", "name");
    for (uint32_t index = 1; index <= PROGRAMS_MAX; index++) {
        struct program_record program;
        enum error error = image_record_read(image, RECORD_PROGRAM, index, &program);
        if (error == OK && program.state != PROGRAM_FREE) {
            error = print_program(image, index, &program);
            if (error == OK && with_threads) {
                error = print_threads(image, index);
            }
        }
        if (error != OK) {
            complain("%s: program %u: %s", image->path, index, error_text(error));
            return error;
        }
    }
    return OK;
}

/* `ps` tells of threads, too. */
int command_programs(int argc, char **argv)
{
    struct image image;
    bool with_threads = strcmp(argv[0], "ps") == 0;
    if (argc != 2 && argc != 3) {
        complain("usage: %s FILE [GENERATION]", argv[0]);
        return STATUS_NOT_RUN;
    }
    int status = image_open(&image, argv[1], FILE_DISK_READ, argc == 3 ? argv[2] : NULL);
    if (status != STATUS_SOUND) {
        return status;
    }
    status = records_check(&image);
    if (status == STATUS_SOUND && print_programs(&image, with_threads) != OK) {
        status = STATUS_FOUND;
    }
    int closed = image_close(&image);
    return status != STATUS_SOUND ? status : closed;
}
