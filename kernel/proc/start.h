/*
 * Inside kernel/proc: the parts of starting a program. Unless they say otherwise they run while the new space is the
 * running thread's own.
 */
#ifndef START_H
#define START_H

#include "address_space.h"
#include "elf_image.h"
#include "error.h"
#include "program.h"

/* Bytes that strings take, each with its zero byte. */
uint32_t start_strings_bytes(const char *const *strings, uint32_t count);

/* Map the first pages of the stack, and the guard that ends its growth. May sleep. ERROR_NO_MEMORY. */
MUST_CHECK enum error start_map_stack(struct address_space space);

/* Fill the stack; *out_pointer becomes the program's stack pointer. May sleep. ERROR_NO_MEMORY, ERROR_IO. */
MUST_CHECK enum error start_build_stack(const struct program_image *image, const struct elf_plan *plan,
                                        uint32_t *out_pointer);

/*
 * Both of these, for a program whose space the running thread enters for a while. May sleep. The thread may be a
 * task's, whose FPU state has been saved.
 */
MUST_CHECK enum error start_fill_stack(uint32_t program, const struct program_image *image, const struct elf_plan *plan,
                                       uint32_t *stack_pointer);

/* The registers of a program at its first instruction. */
struct registers start_registers(uint32_t entry, uint32_t stack_pointer);

#endif
