/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As many programs as there is room for: children that wait are made until one more is refused; then all are ended.
 * Twice, so that what the first crowd left behind would be missing in the second.
 *
 *     round ROUND: refused with ERRNO after COUNT.
 *     all is well.               or UNEXPECTED ..., and status 1
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CROWD_MAX 4096
#define ROUNDS    2

static pid_t children[CROWD_MAX];

static void end_all(int count)
{
    for (int i = 0; i < count; i++) {
        kill(children[i], SIGKILL);
    }
    for (int i = 0; i < count; i++) {
        int status;
        if (waitpid(children[i], &status, 0) != children[i] || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
            printf("UNEXPECTED: child %d of %d: status %x, %s\n", i, count, status, strerror(errno));
            exit(1);
        }
    }
}

int main(void)
{
    int before = 0;

    for (int round = 1; round <= ROUNDS; round++) {
        int count = 0;
        while (count < CROWD_MAX && (children[count] = fork()) > 0) {
            count++;
        }
        if (count < CROWD_MAX && children[count] == 0) {
            for (;;) {
                pause();
            }
        }
        int error = errno;
        printf("round %d: refused with %d after %d.\n", round, error, count);
        fflush(stdout);
        end_all(count);
        if (count == CROWD_MAX || (round > 1 && count < before)) {
            puts("UNEXPECTED: that many");
            return 1;
        }
        before = count;
    }
    puts("all is well.");
    return 0;
}
