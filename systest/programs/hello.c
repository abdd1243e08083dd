/* SPDX-License-Identifier: BSD-2-Clause */
/* The least a program can do: say what it was started with, and end with the status it is told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        printf("argv[%d] = <%s>\n", i, argv[i]);
    }
    for (char **variable = environ; *variable != NULL; variable++) {
        printf("env <%s>\n", *variable);
    }
    printf("hello from a program of %d arguments\n", argc);
    int status = argc > 1 ? atoi(argv[argc - 1]) : 0;
    return status;
}
