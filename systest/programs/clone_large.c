/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program with more memory than the machine clones itself; both sides check and change it at the same time, and each
 * sees its own changes only. The argument is its size in MiB. Prints the same on Linux.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096u
#define WORDS (PAGE / sizeof(unsigned))

static unsigned *memory;
static unsigned pages;

static unsigned value_of(unsigned page, unsigned side, unsigned step)
{
    return step != 0 && page % step == 0 ? page * 2654435761u + side : page * 40503u + 12345u;
}

static unsigned count_wrong(unsigned side, unsigned step)
{
    unsigned wrong = 0;

    for (unsigned page = 0; page < pages; page++) {
        unsigned expected = value_of(page, side, step);
        wrong += memory[page * WORDS + page % WORDS] != expected || memory[page * WORDS + (page + 1) % WORDS] != 0;
    }
    return wrong;
}

static void change(unsigned side, unsigned step)
{
    for (unsigned page = 0; page < pages; page += step) {
        memory[page * WORDS + page % WORDS] = value_of(page, side, step);
    }
}

/* What is wrong after one side has changed every page that its step meets. */
static unsigned live(unsigned side, unsigned step)
{
    unsigned wrong = count_wrong(0, 0);

    change(side, step);
    return wrong + count_wrong(side, step);
}

int main(int count, char **words)
{
    int status = -1;

    pages = (unsigned)(count > 1 ? atoi(words[1]) : 16) * (1024u * 1024u / PAGE);
    memory = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        printf("no memory\n");
        return 1;
    }
    for (unsigned page = 0; page < pages; page++) {
        memory[page * WORDS + page % WORDS] = value_of(page, 0, 0);
    }
    printf("filled %u pages\n", pages);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        _exit(live(1, 3) == 0 ? 21 : 22);
    }
    unsigned wrong = live(2, 5);
    printf("parent: %u wrong\n", wrong);
    fflush(stdout);
    waitpid(child, &status, 0);
    printf("child: %s\n", WIFEXITED(status) && WEXITSTATUS(status) == 21 ? "0 wrong" : "wrong");
    printf("parent again: %u wrong\n", count_wrong(2, 5));
    return 0;
}
