/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: the parts of starting a program. No thread runs in the new space meanwhile: it is filled from
 * outside, by a kernel thread or by a task, which stays the current one with its own space and signals.
 */
#ifndef START_H
#define START_H

#include "space/address_space.h"
#include "elf_image.h"
#include "error.h"
#include "programs.h"

/* Bytes that strings take, each with its zero byte. */
uint32_t start_strings_bytes(const char *const *strings, uint32_t count);

/* Map the first pages of the stack, and the guard that ends its growth. May sleep. ERROR_NO_MEMORY. */
MUST_CHECK enum error start_map_stack(struct address_space space);

/*
 * Fill the stack; *out_pointer becomes the program's stack pointer. May sleep. ERROR_NO_MEMORY, ERROR_IO;
 * ERROR_INTERRUPTED: the current task is about to end.
 */
MUST_CHECK enum error start_build_stack(struct space_id space, const struct program_image *image,
                                        const struct elf_plan *plan, uint32_t *out_pointer);

/* Both of these. Errors as above. */
MUST_CHECK enum error start_fill_stack(struct address_space space, const struct program_image *image,
                                       const struct elf_plan *plan, uint32_t *stack_pointer);

/* The registers of a program at its first instruction. */
struct registers start_registers(uint32_t entry, uint32_t stack_pointer);

#endif
