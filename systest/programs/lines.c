/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbered lines, one after the other, with a little work in between: what a reader has seen of it says what has
 * happened.
 *
 *     lines COUNT [MICROSECONDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 100;
    unsigned pause = argc > 2 ? (unsigned)atoi(argv[2]) : 0;

    for (unsigned i = 1; i <= count; i++) {
        printf("line %06u\n", i);
        fflush(stdout);
        if (pause > 0) {
            usleep(pause);
        }
    }
    return 5;
}
