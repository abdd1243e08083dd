/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of a program's data, from its ELF file. An image has what was loaded of it, which its symbols are not.
 */
#ifndef IMAGE_SYMBOLS_H
#define IMAGE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
    uint32_t address, bytes;
    const char *name; /* in `strings` */
};

struct symbols {
    struct symbol *list; /* by address */
    size_t count;
    char *strings;
};

/* Read those of objects that have a size. False after a message: it is no static i386 program with symbols. */
bool symbols_read(struct symbols *symbols, const char *path);
void symbols_free(struct symbols *symbols);

/* The one that an address lies in; NULL: none does. */
const struct symbol *symbol_at(const struct symbols *symbols, uint32_t address);

#endif
