/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads lines and says them back, until one is `quit` or the input ends. Its exit status is the number of lines. */
#include <stdio.h>
#include <string.h>

int main(void)
{
    static char line[4096];
    int lines = 0;

    printf("echo is ready\n");
    while (printf("> "), fflush(stdout), fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        lines++;
        if (strcmp(line, "quit") == 0) {
            printf("quit after %d lines\n", lines);
            return lines;
        }
        printf("line %d is <%s> of %zu\n", lines, line, strlen(line));
    }
    printf("end of input after %d lines\n", lines);
    return lines;
}
