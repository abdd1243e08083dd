/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for <stdlib.h> in kernel builds, for headers that include it without need (xxhash.h).
 *
 * The kernel has no heap: these are declared and nowhere defined, so that a use fails to link.
 */
#ifndef LIB_STDLIB_H
#define LIB_STDLIB_H

#include <stddef.h>

void *malloc(size_t size);
void free(void *address);

#endif
