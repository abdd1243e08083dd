/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: what the boot loader brought.
 *
 * Strings and modules stay where the loader put them, for good, until a module is released.
 */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include "types.h"

#define BOOT_MODULES_MAX 16u

struct boot_module {
    const void *start; /* page aligned */
    uint32_t size;     /* bytes */
    /* What followed the module's name. Some loaders put a file name in front, which is cut off here: names that the
     * loader is given must not contain blanks. Never NULL. */
    const char *command_line;
};

/* The options of the kernel, words separated by blanks, without the name of the kernel's file. Never NULL. */
const char *boot_command_line(void);

/*
 * The value of the option `name=value` of the command line, the last one if it is given twice.
 * - value: room for `capacity` bytes with the zero byte; "" for a lone `name`.
 * - returns false if there is no such option or its value does not fit.
 */
bool boot_option(const char *name, char *value, size_t capacity);

uint32_t boot_module_count(void);
const struct boot_module *boot_module(uint32_t index);

/* Give the memory of a module's content back. Its start becomes NULL and its size 0. */
void boot_module_release(uint32_t index);

/*
 * Start the kernel again from its first instruction, with the options and modules that it was booted with; it must not
 * have released one. Nothing in memory is left but the `length` bytes, which the boot that follows can ask for.
 * - length: at most BOOT_CARRIED_MAX. No request to a device may be under way.
 */
#define BOOT_CARRIED_MAX 512u
_Noreturn void boot_again(const void *carried, size_t length);

/* What the boot before left with boot_again(): returns its bytes, as far as they fit; 0: the boot loader started us. */
size_t boot_carried(void *out, size_t capacity);

/* Bytes of usable memory the machine has, before anything is taken from it. */
uint64_t boot_memory_bytes(void);

#endif
