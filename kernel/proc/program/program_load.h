/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: a space begins with a program's file, and with the interpreter that the file names.
 */
#ifndef PROGRAM_LOAD_H
#define PROGRAM_LOAD_H

#include "elf_image.h"
#include "error.h"
#include "record.h"

/*
 * Map a file that has been judged, and its interpreter, which is looked for in the tree of files.
 * - plan: learns where the interpreter is; out_entry: the first instruction, its own or the interpreter's.
 * - complaint: after ERROR_NOT_FOUND, ERROR_DENIED and ERROR_INVALID, what is the matter with the interpreter.
 * - may sleep. Errors of elf_map() and tree_find_program().
 */
MUST_CHECK enum error program_load(struct address_space space, struct object_id file, struct elf_plan *plan,
                                   uint32_t *out_entry, const char **complaint);

#endif
