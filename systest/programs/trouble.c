/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a line, makes it durable that it has, and then makes a system call that a kernel can be asked to panic at; it
 * is one that Linux does not have either. What it has in memory tells afterwards whether it went on where it was.
 *
 *     trouble          waits for a line, then calls once, then again for each line
 *     trouble tick     does not call; prints a growing number ten times a second
 *     trouble fork     as the first, but a child made after the line makes the call
 *     trouble 3        ends at once with that status
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_SUCH_CALL 999

static unsigned long remembered = 41;

static void call(int line)
{
    long result = syscall(NO_SUCH_CALL);

    printf("trouble went on: line %d, remembered %lu, result %ld\n", line, remembered, result);
    fflush(stdout);
}

static _Noreturn void tick(void)
{
    for (unsigned long number = 1;; number++) {
        printf("tick %lu\n", number);
        fflush(stdout);
        usleep(100000);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    static char line[80];

    if (strcmp(what, "tick") == 0) {
        tick();
    }
    if (what[0] >= '0' && what[0] <= '9') {
        return atoi(what);
    }
    printf("trouble is ready\n");
    fflush(stdout);
    for (int number = 1; fgets(line, sizeof(line), stdin) != NULL; number++) {
        remembered++;
        sync();
        if (strcmp(what, "fork") != 0) {
            call(number);
        } else if (fork() == 0) {
            call(number);
            return 0;
        } else {
            wait(NULL);
        }
    }
    return 0;
}
