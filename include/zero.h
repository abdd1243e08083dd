/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of zeroes: pages that need no block and no copy, and what a format leaves empty.
 */
#ifndef ZERO_H
#define ZERO_H

#include "types.h"

/* Whether `bytes` bytes, a multiple of four at an aligned address, are all zero. */
static inline bool memory_is_zero(const void *memory, uint32_t bytes)
{
    const uint32_t *words = memory;

    for (uint32_t i = 0; i < bytes / sizeof(*words); i++) {
        if (words[i] != 0) {
            return false;
        }
    }
    return true;
}

#endif
