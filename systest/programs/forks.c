/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clones: what a program and its clones see of each other's memory, in what order ends are heard of, and what is left
 * after many. Prints the same on Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

static int global = 1;

static int end_of(pid_t child)
{
    int status = -1;

    if (waitpid(child, &status, 0) != child) {
        printf("waitpid: %s\n", strerror(errno));
    }
    return status;
}

/* Both sides write to the same places and see their own only. */
static void two_sides(void)
{
    volatile int local = 10;
    int *heap = malloc(sizeof(*heap));
    unsigned *map = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *heap = 100;
    map[0] = 1000;
    pid_t child = fork();
    if (child == 0) {
        global++, local++, (*heap)++, map[0]++;
        map[PAGE] = 7;
        printf("child: %d %d %d %u %u\n", global, local, *heap, map[0], map[PAGE]);
        fflush(stdout);
        _exit(global == 2 && local == 11 && *heap == 101 && map[0] == 1001 ? 3 : 4);
    }
    int status = end_of(child);
    printf("parent: %d %d %d %u %u, child ended with %d\n", global, local, *heap, map[0], map[PAGE],
           WEXITSTATUS(status));
    munmap(map, 64 * PAGE);
    free(heap);
}

/* The calls on memory, on what is shared with a clone. Returns what is wrong, as bits. */
static int change_mappings(unsigned char *map, size_t pages)
{
    int wrong = 0;

    madvise(map + 2 * PAGE, PAGE, MADV_DONTNEED);
    wrong |= map[2 * PAGE] != 0 || map[3 * PAGE] != 3 || map[PAGE] != 1;
    munmap(map + 4 * PAGE, PAGE);
    wrong |= (mmap(map + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
                  map + 4 * PAGE ||
              map[4 * PAGE] != 0)
             << 1;
    mprotect(map + 5 * PAGE, PAGE, PROT_READ);
    wrong |= (map[5 * PAGE] != 5) << 2;
    mprotect(map + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE);
    map[5 * PAGE]++;
    size_t rest = pages - 6;
    unsigned char *moved = mremap(map + 6 * PAGE, rest * PAGE, 4 * rest * PAGE, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        return wrong | 8;
    }
    moved = mremap(moved, 4 * rest * PAGE, 6 * rest * PAGE, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED) {
        return wrong | 16;
    }
    for (size_t i = 0; i < 6 * rest; i++) {
        wrong |= (moved[i * PAGE] != (i < rest ? i + 6 : 0)) << 5;
    }
    munmap(moved, 6 * rest * PAGE);
    return wrong | (map[5 * PAGE] != 6) << 6;
}

static void mappings(void)
{
    const size_t pages = 16;
    unsigned char *map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (size_t i = 0; i < pages; i++) {
        map[i * PAGE] = (unsigned char)i;
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(change_mappings(map, pages));
    }
    int status = end_of(child);
    pid_t idle = fork();
    if (idle == 0) {
        pause();
    }
    printf("mappings: child %d, parent %d\n", WEXITSTATUS(status), change_mappings(map, pages));
    kill(idle, SIGKILL);
    end_of(idle);
}

/* A chain of generations: each clones the next and ends after it. */
static void generations(int left, int sum)
{
    int value = sum;
    pid_t child = fork();

    if (child == 0) {
        value += left;
        if (left > 1) {
            generations(left - 1, value);
        }
        _exit(value & 0x7F);
    }
    int status = end_of(child);
    if (sum != 0) {
        _exit(WEXITSTATUS(status));
    }
    printf("generations: %d\n", WEXITSTATUS(status));
}

/* Many clones alive at once, each of another state of the parent. */
static void crowd(int count)
{
    static int states[64 * PAGE / sizeof(int)];
    int sum = 0, wrong = 0;
    pid_t children[64];

    for (int i = 0; i < count; i++) {
        states[i * (int)(PAGE / sizeof(int))] = i + 1;
        states[1] = i;
        children[i] = fork();
        if (children[i] == 0) {
            pause();
            _exit(9);
        }
    }
    for (int i = 0; i < count; i += 2) {
        kill(children[i], SIGKILL);
        wrong += WTERMSIG(end_of(children[i])) != SIGKILL;
    }
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < count; i++) {
            sum += states[i * (int)(PAGE / sizeof(int))];
        }
        _exit(sum == count * (count + 1) / 2 && states[1] == count - 1 ? 0 : 1);
    }
    wrong += end_of(child) != 0;
    for (int i = 1; i < count; i += 2) {
        kill(children[i], SIGTERM);
        wrong += WTERMSIG(end_of(children[i])) != SIGTERM;
    }
    printf("crowd: %d wrong, then %s\n", wrong, wait(NULL) == -1 && errno == ECHILD ? "no child" : "children");
}

static volatile sig_atomic_t ends;

static void on_end(int signal)
{
    (void)signal;
    ends++;
}

static void signals(void)
{
    signal(SIGCHLD, on_end);
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    int status = end_of(child);
    printf("signals: %d heard, status %d\n", (int)ends, status);
    signal(SIGCHLD, SIG_IGN);
    child = fork();
    if (child == 0) {
        _exit(5);
    }
    errno = 0;
    printf("ignored: %s\n", waitpid(child, &status, 0) == -1 && errno == ECHILD ? "no status" : "a status");
    signal(SIGCHLD, SIG_DFL);
}

static void show(const char *what, int result)
{
    printf("%s: %d %s\n", what, result, result == -1 ? strerror(errno) : "");
}

static void refusals(void)
{
    int status;

    show("no child", (int)wait(&status));
    show("bad options", (int)waitpid(-1, &status, 0x1000));
    pid_t child = fork();
    if (child == 0) {
        pause();
    }
    show("not yet", (int)waitpid(child, &status, WNOHANG));
    show("nobody", (int)waitpid(child + 1000, &status, 0));
    kill(child, SIGKILL);
    show("bad place", (int)waitpid(child, (int *)4, 0));
    printf("vfork: ");
    fflush(stdout);
    while (wait(NULL) != -1) {
    }
    child = vfork();
    if (child == 0) {
        _exit(12);
    }
    printf("%d\n", WEXITSTATUS(end_of(child)));
}

static void rounds(int count)
{
    int wrong = 0;

    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            global += i;
            _exit(global & 0x7F);
        }
        wrong += WEXITSTATUS(end_of(child)) != ((global + i) & 0x7F);
    }
    printf("%d rounds, %d wrong\n", count, wrong);
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    two_sides();
    mappings();
    generations(20, 0);
    crowd(24);
    signals();
    refusals();
    rounds(count > 1 ? atoi(words[1]) : 100);
    printf("done\n");
    return 0;
}
