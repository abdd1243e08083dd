/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that names an interpreter (PT_INTERP) is not linked yet: the interpreter is mapped, too, as high as mappings go,
 * and runs first. It finds the program by the auxiliary vector.
 */
#include "program_load.h"
#include "elf_load.h"
#include "file/tree.h"
#include "space/object.h"
#include "space/space.h"
#include "thread.h"

/* A shared object that needs no interpreter itself, moved to the end of the room for mappings. */
static const char *place(struct elf_plan *plan)
{
    if (plan->bias == 0 || plan->interpreter[0] != 0) {
        return "its interpreter is no shared object that runs by itself; install the one of its C library";
    }
    elf_move(plan, (ELF_IMAGE_END - (plan->image_end - plan->bias)) & ~PAGE_MASK);
    return NULL;
}

static enum error map_interpreter(struct address_space space, struct object_id file, struct elf_plan *program,
                                  uint32_t *out_entry, const char **complaint)
{
    struct elf_plan plan;
    enum error error = elf_examine_kept(file, space_window(space), &plan, complaint);

    if (error == OK) {
        *complaint = place(&plan);
        error = *complaint != NULL ? ERROR_INVALID : elf_map_interpreter(space, file, &plan);
    }
    if (error == OK) {
        program->interpreter_base = plan.bias;
        *out_entry = plan.entry;
    }
    return error;
}

static enum error load_interpreter(struct address_space space, struct elf_plan *plan, uint32_t *out_entry,
                                   const char **complaint)
{
    struct object_id file;
    enum error error = tree_find_program(plan->interpreter, space_window(space), &file);

    if (error == ERROR_NOT_FOUND || error == ERROR_NOT_FOLDER) {
        *complaint =
            "dynamically linked, and its interpreter is not among the files; build it with gcc -m32 -static, or "
            "bring the files of its distribution";
        return ERROR_NOT_FOUND;
    }
    if (error == ERROR_DENIED) {
        *complaint = "dynamically linked, and its interpreter is not executable; build it with gcc -m32 -static";
    }
    if (error == OK) {
        error = map_interpreter(space, file, plan, out_entry, complaint);
        object_refer(file, -1); /* its regions have it */
    }
    return error;
}

enum error program_load(struct address_space space, struct object_id file, struct elf_plan *plan, uint32_t *out_entry,
                        const char **complaint)
{
    thread_may_sleep();
    enum error error = elf_map(space, file, plan);

    *complaint = NULL;
    *out_entry = plan->entry;
    if (error == OK && plan->interpreter[0] != 0) {
        error = load_interpreter(space, plan, out_entry, complaint);
    }
    return error;
}
