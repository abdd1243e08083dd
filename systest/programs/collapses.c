/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program has after it has heard of the end of a clone is what it had before: its memory, and what may be done
 * with it. Between the clone and its end the program changes its mappings in every way. Prints the same on Linux.
 *
 *     collapses [SECONDS]         sleep so long before each wait
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096
#define PAGES 40

static unsigned seconds;
static sigjmp_buf back;
static char *map;

static void on_fault(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

/* What may be done with a page, as a letter: nothing, read, write. */
static char rights_of(int page)
{
    volatile char *byte = map + page * PAGE;
    volatile char letter = '-';

    if (sigsetjmp(back, 1) == 0) {
        char content = *byte;
        letter = 'r';
        *byte = content;
        letter = 'w';
    }
    return letter;
}

/* The rights of all pages, and how many that can be read do not hold what they should. */
static void show(const char *what, const int expected[PAGES])
{
    char letters[PAGES + 1] = {0};
    int wrong = 0;

    for (int i = 0; i < PAGES; i++) {
        letters[i] = rights_of(i);
        wrong += letters[i] != '-' && map[i * PAGE] != expected[i];
    }
    printf("%s: %s, %d wrong\n", what, letters, wrong);
    fflush(stdout);
}

static void fill(int expected[PAGES])
{
    map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < PAGES; i++) {
        map[i * PAGE] = (char)i;
        expected[i] = i;
    }
}

static pid_t make_clone(void)
{
    pid_t child = fork();

    if (child == 0) {
        _exit(0);
    }
    return child;
}

static void hear_of(pid_t child)
{
    sleep(seconds);
    if (waitpid(child, NULL, 0) != child) {
        puts("no such child");
    }
}

/* A piece that is no copy of the source any more lies between pieces that still are, and becomes one with them. */
static void new_pages_between_old_ones(void)
{
    int expected[PAGES];

    fill(expected);
    pid_t child = make_clone();
    mprotect(map, 10 * PAGE, PROT_READ);
    munmap(map + 20 * PAGE, 5 * PAGE);
    mmap(map + 20 * PAGE, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(expected + 20, 0, 5 * sizeof(expected[0]));
    hear_of(child);
    show("new pages between old ones", expected);
}

/* The same at the beginning and the end of the mapping, and with holes and guards beside it. */
static void new_pages_at_the_edges(void)
{
    int expected[PAGES];

    fill(expected);
    pid_t child = make_clone();
    mmap(map, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mmap(map + 36 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(expected, 0, 3 * sizeof(expected[0]));
    memset(expected + 36, 0, 4 * sizeof(expected[0]));
    munmap(map + 10 * PAGE, 2 * PAGE);
    mprotect(map + 12 * PAGE, 2 * PAGE, PROT_NONE);
    mmap(map + 14 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    expected[14] = 0;
    hear_of(child);
    show("new pages at the edges", expected);
}

/* Rights that went while the clone lived stay away. */
static void rights_that_went(void)
{
    int expected[PAGES];

    fill(expected);
    pid_t child = make_clone();
    for (int i = 0; i < PAGES; i += 2) {
        map[i * PAGE] = (char)(expected[i] = i + 50);
    }
    mprotect(map, 20 * PAGE, PROT_READ);
    mprotect(map + 30 * PAGE, 5 * PAGE, PROT_NONE);
    hear_of(child);
    show("rights that went", expected);
    mprotect(map, PAGES * PAGE, PROT_READ | PROT_WRITE);
    show("rights that came back", expected);
}

int main(int argc, char **argv)
{
    seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
    signal(SIGSEGV, on_fault);
    new_pages_between_old_ones();
    new_pages_at_the_edges();
    rights_that_went();
    puts("done");
    return 0;
}
