/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting a program from an image: its segments, its stack with arguments and environment, its first task.
 *
 * The new space is filled from outside: no thread runs in it before its first task does. A cut in the middle leaves a
 * program without a task, which is cleared away at the next boot.
 */
#include "start.h"
#include "arch/cpu.h"
#include "elf_load.h"
#include "program_load.h"
#include "file/file.h"
#include "space/object.h"
#include "space/space.h"
#include "space/user_memory.h"
#include "terminal.h"
#include "terminal/terminal_use.h"
#include "vm_region.h"
#include <string.h>

#define STRINGS_MAX    (128u * 1024u) /* bytes of arguments and environment */
#define EFLAGS_INITIAL 0x202u

_Static_assert(ELF_IMAGE_END == MAPPING_END_PAGE << PAGE_SHIFT, "images end where mappings end");

/* The program ------------------------------------------------------------------------------------------------------ */

/* The last part of the path, as far as it fits and can be shown. */
static void name_program(char name[PROGRAM_NAME_MAX], const struct program_image *image)
{
    const char *path = image->argument_count > 0 ? image->arguments[0] : "program";
    const char *slash = strrchr(path, '/');
    const char *from = slash != NULL && slash[1] != 0 ? slash + 1 : path;
    uint32_t length = 0;

    for (; length < PROGRAM_NAME_MAX - 1 && from[length] != 0; length++) {
        uint8_t byte = (uint8_t)from[length];
        name[length] = byte < 0x20 || byte == 0x7F ? '?' : (char)byte;
    }
    name[length] = 0;
}

struct registers start_registers(uint32_t entry, uint32_t stack_pointer)
{
    uint32_t data = cpu_user_data_selector();

    return (struct registers){
        .ds = data,
        .es = data,
        .ss = data,
        .cs = cpu_user_code_selector(),
        .eip = entry,
        .esp = stack_pointer,
        .eflags = EFLAGS_INITIAL,
    };
}

static enum error create_first_task(struct program_id program, uint32_t entry, uint32_t stack_pointer)
{
    static const struct cpu_tls no_tls[CPU_TLS_ENTRIES];
    struct registers registers = start_registers(entry, stack_pointer);
    struct cpu_fpu fpu;
    struct task_id tid;

    cpu_fpu_initialise(&fpu);
    return task_create(program, &registers, &fpu, no_tls, &tid);
}

/* The image becomes a file, and the program's space begins with it. */
static enum error load_space(struct program_id program, const struct program_image *image, struct elf_plan *plan,
                             uint32_t *entry, const char **complaint)
{
    struct address_space space = address_space_of(program);
    struct object_id file;
    enum error error = elf_keep(program_at(program)->name, image->bytes, image->size, space_window(space), &file);

    if (error == OK) {
        error = program_load(space, file, plan, entry, complaint);
        object_refer(file, -1); /* the space has it */
    }
    return error;
}

enum error start_fill_stack(struct address_space space, const struct program_image *image, const struct elf_plan *plan,
                            uint32_t *stack_pointer)
{
    enum error error = start_map_stack(space);

    return error == OK ? start_build_stack(space_window(space), image, plan, stack_pointer) : error;
}

static enum error judge_arguments(const struct program_image *image, const char **complaint)
{
    uint32_t bytes = start_strings_bytes(image->arguments, image->argument_count) +
                     start_strings_bytes(image->environment, image->environment_count);

    if (bytes > STRINGS_MAX) {
        *complaint = "its arguments and environment are too long (at most 128 KiB); shorten them";
        return ERROR_INVALID;
    }
    return OK;
}

/* Give a new program all it needs to run: memory, descriptors, a task. */
static enum error fill_program(struct program_id program, const struct program_image *image, struct elf_plan *plan,
                               const char **complaint)
{
    uint32_t stack_pointer = 0, entry = 0;
    enum error error = load_space(program, image, plan, &entry, complaint);

    if (error == OK) {
        error = start_fill_stack(address_space_of(program), image, plan, &stack_pointer);
    }
    if (error == OK) {
        error = file_open_terminal(program_at(program), CONSOLE);
    }
    return error == OK ? create_first_task(program, entry, stack_pointer) : error;
}

enum error program_start(const struct program_image *image, struct program_id *out_program)
{
    char name[PROGRAM_NAME_MAX];
    const char *complaint = NULL;
    struct elf_plan plan;
    struct program_id program;

    name_program(name, image);
    const struct elf_file file = elf_file_of_bytes(image->bytes, image->size);
    enum error error = elf_examine(&file, &plan, &complaint);
    if (error == OK) {
        error = judge_arguments(image, &complaint);
    }
    if (error != OK) {
        console_say("eidolon: %s: %s", name, complaint);
        return error;
    }
    error = program_create(name, PROGRAM_NONE, &program);
    if (error != OK) {
        console_say("eidolon: %s: cannot be started: %s", name, error_text(error));
        return error;
    }
    program_at(program)->terminal = CONSOLE;
    error = fill_program(program, image, &plan, &complaint);
    if (error != OK) {
        console_say("eidolon: %s: %s%s", name,
                    complaint != NULL ? "" : "cannot be started: ", complaint != NULL ? complaint : error_text(error));
        program_destroy(program);
        return error;
    }
    terminal_begin_session(CONSOLE, program);
    *out_program = program;
    return OK;
}
