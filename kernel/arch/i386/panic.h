/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report of a kernel that cannot go on.
 */
#ifndef I386_PANIC_H
#define I386_PANIC_H

#include "arch/cpu.h"

/* As panic(), about the state in `registers`: they are shown, and the backtrace starts there. */
_Noreturn void panic_registers(const struct registers *registers, const char *subsystem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The function that contains a kernel address, and the distance from its start; NULL when it is not known. */
const char *symbol_find(uint32_t address, uint32_t *offset);

#endif
