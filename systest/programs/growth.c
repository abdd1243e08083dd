/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that all need records of the kernel's at the same time: each splits its memory into as many regions as it
 * has pages, and joins them again. The arguments are how many programs and how many MiB each has; together they are to
 * be more than the machine has, so that memory for records has to be waited for. Each verifies every byte it owns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE   4096u
#define ROUNDS 2u

static unsigned char value_of(unsigned number, unsigned round, unsigned page)
{
    return (unsigned char)(number * 59 + round * 31 + page);
}

/* Every other page of `memory` is written and becomes read-only. */
static int split(unsigned char *memory, unsigned pages, unsigned number, unsigned round)
{
    for (unsigned page = 0; page < pages; page += 2) {
        memset(memory + page * PAGE, value_of(number, round, page), PAGE);
        if (mprotect(memory + page * PAGE, PAGE, PROT_READ) != 0) {
            return 1;
        }
    }
    return 0;
}

static int is_wrong(const unsigned char *memory, unsigned pages, unsigned number, unsigned round)
{
    for (unsigned page = 0; page < pages; page++) {
        unsigned char expected = page % 2 == 0 ? value_of(number, round, page) : 0;
        for (unsigned i = 0; i < PAGE; i++) {
            if (memory[page * PAGE + i] != expected) {
                return 1;
            }
        }
    }
    return 0;
}

static int live(unsigned number, unsigned pages)
{
    unsigned char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return 2;
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (split(memory, pages, number, round) != 0) {
            return 3;
        }
        if (is_wrong(memory, pages, number, round)) {
            return 4;
        }
        if (mprotect(memory, pages * PAGE, PROT_READ | PROT_WRITE) != 0) {
            return 5;
        }
    }
    return 0;
}

int main(int count, char **words)
{
    unsigned programs = count > 1 ? (unsigned)atoi(words[1]) : 2;
    unsigned pages = (count > 2 ? (unsigned)atoi(words[2]) : 1) * (1024u * 1024u / PAGE);
    unsigned wrong = 0;
    int status;

    for (unsigned number = 0; number < programs; number++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(live(number, pages));
        }
        wrong += child < 0;
    }
    for (unsigned number = 0; number < programs; number++) {
        if (wait(&status) < 0 || status != 0) {
            printf("a child ended with %x\n", (unsigned)status);
            wrong++;
        }
    }
    printf(wrong == 0 ? "all is well\n" : "UNEXPECTED\n");
    return wrong != 0;
}
