/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes more lines than any buffer holds. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int lines = argc > 1 ? atoi(argv[1]) : 1000;

    for (int i = 0; i < lines; i++) {
        printf("flood %d xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", i);
    }
    return 0;
}
