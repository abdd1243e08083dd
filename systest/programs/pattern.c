/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that can be looked into: it says where a pattern is in its memory and what its stack pointer was, then
 * waits for a line of input forever. With an argument it is a child in its parent's memory that does so.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BYTES 300000u

int main(int count, char **words)
{
    (void)words;
    uint8_t *pattern = malloc(BYTES);
    if (pattern == NULL) {
        return 2;
    }
    for (uint32_t i = 0; i < BYTES; i++) {
        pattern[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    if (count > 1 && vfork() != 0) {
        return 0;
    }
    sync();
    printf("pattern at %p, %u bytes; frame at %p\n", (void *)pattern, BYTES, __builtin_frame_address(0));
    getchar();
    return 0;
}
