/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions of a write to a pipe and a read from it, while others wait on pipes of their own: none of them has
 * anything to do with it, so none of them should cost. For machines that count instructions (`-icount`).
 *
 *     bystanders COUNT    so many that read, and as many that poll
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TURNS 200

static uint64_t instructions(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* One that waits on a pipe nobody writes to, until it is killed. */
static pid_t bystander(int polls)
{
    int ends[2];
    pid_t child = fork();

    if (child == 0) {
        if (pipe(ends) != 0) {
            _exit(1);
        }
        struct pollfd entry = {ends[0], POLLIN, 0};
        char byte;
        if (polls) {
            poll(&entry, 1, -1);
        }
        (void)!read(ends[0], &byte, 1);
        _exit(0);
    }
    return child;
}

static uint64_t turn(const int ends[2])
{
    char bytes[8] = "abcdefg";
    uint64_t begun = instructions();

    if (write(ends[1], bytes, 8) != 8 || read(ends[0], bytes, 8) != 8) {
        puts("the pipe is broken");
        exit(1);
    }
    return instructions() - begun;
}

/* As much as a pipe holds, in and out. */
static uint64_t bulk_turn(const int ends[2])
{
    static char bytes[65536];
    uint64_t begun = instructions();

    if (write(ends[1], bytes, sizeof(bytes)) != sizeof(bytes) || read(ends[0], bytes, sizeof(bytes)) != sizeof(bytes)) {
        puts("the pipe is broken");
        exit(1);
    }
    return instructions() - begun;
}

/* The least of many: what is not disturbed. */
static uint64_t measure(uint64_t (*turn)(const int ends[2]))
{
    uint64_t least = UINT64_MAX;
    int ends[2];

    if (pipe(ends) != 0) {
        puts("no pipe");
        exit(1);
    }
    for (int i = 0; i < TURNS; i++) {
        uint64_t now = turn(ends);
        least = now < least ? now : least;
    }
    close(ends[0]);
    close(ends[1]);
    return least;
}

int main(int count, char **words)
{
    int wanted = count > 1 ? atoi(words[1]) : 10, begun = 0;
    pid_t *children = calloc((size_t)wanted * 2, sizeof(*children));

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("64 KiB: %llu instructions\n", (unsigned long long)measure(bulk_turn));
    printf("alone: %llu instructions\n", (unsigned long long)measure(turn));
    while (begun < wanted * 2 && (children[begun] = bystander(begun % 2)) > 0) {
        begun++;
    }
    nanosleep(&(struct timespec){0, 300000000}, NULL); /* until all of them wait */
    printf("beside %d: %llu instructions\n", begun, (unsigned long long)measure(turn));
    for (int i = 0; i < begun; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    puts("done");
    return 0;
}
