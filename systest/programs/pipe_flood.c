/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As many pipes as there can be, all full, held by as many programs as that takes; and what is in them.
 *
 *     pipe_flood    fills, waits for a line, verifies, gives all back, waits for a line, and does it again
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIPES_EACH   28
#define CHILDREN_MAX 80
#define BYTES        65536

static unsigned char block[BYTES], expected[BYTES];

static void fill_block(unsigned char *bytes, unsigned seed)
{
    for (unsigned i = 0; i < BYTES; i += 4) {
        unsigned value = (i + 1) * 2654435761u ^ seed * 40503u;
        memcpy(bytes + i, &value, 4);
    }
}

struct report {
    int pipes, wrong, error;
};

static int is_as_written(int from, unsigned seed)
{
    int done = 0, piece;

    fill_block(expected, seed);
    while (done < BYTES && (piece = (int)read(from, block + done, (size_t)(BYTES - done))) > 0) {
        done += piece;
    }
    return done == BYTES && memcmp(block, expected, BYTES) == 0;
}

/* Fill pipes, say how many, and verify them when told to. */
static void child(unsigned number, int orders, int reports)
{
    struct report report = {0, 0, 0};
    int pipes[PIPES_EACH][2];
    char order;

    while (report.pipes < PIPES_EACH && report.error == 0) {
        if (pipe2(pipes[report.pipes], O_NONBLOCK) != 0) {
            report.error = errno;
            break;
        }
        fill_block(block, number * 100 + (unsigned)report.pipes);
        if (write(pipes[report.pipes][1], block, BYTES) != BYTES) {
            report.error = errno;
        }
        report.pipes++;
    }
    (void)!write(reports, &report, sizeof(report));
    (void)!read(orders, &order, 1);
    for (int i = 0; i < report.pipes; i++) {
        report.wrong += !is_as_written(pipes[i][0], number * 100 + (unsigned)i);
    }
    (void)!write(reports, &report, sizeof(report));
    _exit(0);
}

static void round_of(int number)
{
    int orders[2], reports[2], children = 0, pipes = 2, wrong = 0, error = 0;
    struct report report;
    char line[80];

    if (pipe(orders) != 0 || pipe(reports) != 0) {
        puts("no pipes at all");
        exit(1);
    }
    while (children < CHILDREN_MAX && error == 0) {
        fflush(stdout);
        if (fork() == 0) {
            close(orders[1]);
            close(reports[0]);
            child((unsigned)children, orders[0], reports[1]);
        }
        children++;
        if (read(reports[0], &report, sizeof(report)) != sizeof(report)) {
            puts("a child is gone");
            exit(1);
        }
        pipes += report.pipes;
        error = report.error;
    }
    printf("round %d: %d pipes, then: %s\n", number, pipes, strerror(error));
    (void)!fgets(line, sizeof(line), stdin);
    for (int i = 0; i < children; i++) {
        (void)!write(orders[1], "v", 1);
    }
    for (int i = 0; i < children; i++) {
        wrong += read(reports[0], &report, sizeof(report)) == sizeof(report) ? report.wrong : 1;
    }
    close(orders[0]);
    close(orders[1]);
    close(reports[0]);
    close(reports[1]);
    while (wait(NULL) > 0) {
    }
    printf("verified: %d wrong\n", wrong);
    (void)!fgets(line, sizeof(line), stdin);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    round_of(1);
    round_of(2);
    puts("done");
    return 0;
}
