/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes 540,000 bytes with a single call: 60,000 numbered lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINES      60000
#define LINE_BYTES 9

int main(void)
{
    char *text = malloc(LINES * LINE_BYTES + 1);

    for (int i = 0; i < LINES; i++) {
        sprintf(text + i * LINE_BYTES, "%08d\n", i);
    }
    sync();
    puts("begun and durable");
    fflush(stdout);
    ssize_t written = write(STDOUT_FILENO, text, LINES * LINE_BYTES);
    printf("wrote %zd\n", written);
    return written == LINES * LINE_BYTES ? 0 : 1;
}
