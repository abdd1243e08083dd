/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Children that run in their parent's memory until they become other programs or end: what both see, what posix_spawn
 * answers, and what becomes of a child whose parent is ended meanwhile. Linux prints the same.
 */
#define _GNU_SOURCE
#include "rounds.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char **arguments;
static volatile int shared;
static volatile char *volatile mapped;

static int end_of(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

/* This program again, as one that ends at once with the status it is told. */
static int become(const char *path, char *status)
{
    char *words[] = {arguments[0], "ends", status, NULL}, *environment[] = {NULL};

    execve(path, words, environment);
    return errno;
}

static void spawn(const char *what, const char *path, char *status)
{
    char *words[] = {arguments[0], "ends", status, NULL}, *environment[] = {NULL};
    pid_t child = 0;
    int result = posix_spawn(&child, path, NULL, NULL, words, environment);

    say("%s: %d", what, result);
    say(", ended with %d\n", result == 0 ? WEXITSTATUS(end_of(child)) : -1);
}

static void spawns(void)
{
    spawn("spawned", "/proc/self/exe", "7");
    spawn("not there", "/no/such/program", "7");
    spawn("spawned again", "/proc/self/exe", "9");
}

/* A vfork() that keeps its place on the stack, however the child uses it. */
static pid_t lend(void (*deed)(void))
{
    pid_t child = vfork();

    if (child == 0) {
        deed();
        _exit(shared);
    }
    return child;
}

static void write_here(void)
{
    shared = 11;
    mapped = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mapped[4096] = 5;
    void *end = sbrk(0);
    if (sbrk(64 * 4096) == end) {
        memset(end, 6, 64 * 4096);
    }
}

static void write_and_become(void)
{
    shared = 12;
    become("/proc/self/exe", "13");
}

static void fail_to_become(void)
{
    shared = become("/no/such/program", "1");
}

/* A clone of the clone has memory of its own, whose the clone's is goes on. */
static void clone_again(void)
{
    pid_t child = fork();

    if (child == 0) {
        shared += 100;
        mapped[0] = 1;
        _exit(shared);
    }
    shared = 20 + (WEXITSTATUS(end_of(child)) == 100 + 14) + mapped[0];
}

static void lend_again(void)
{
    int before = shared;
    pid_t child = lend(fail_to_become);

    shared = before * 100 + shared * 10 + (WEXITSTATUS(end_of(child)) == ENOENT);
}

static void ask(const char *what, void (*deed)(void))
{
    pid_t child = lend(deed);

    say("%s: %d", what, shared);
    say(", ended with %d\n", WEXITSTATUS(end_of(child)));
}

static void memory(void)
{
    shared = 0;
    char *end = sbrk(0);
    ask("writes", write_here);
    say("its mapping: %d %d, the break moved %d pages: %d\n", mapped[0], mapped[4096],
        (int)((char *)sbrk(0) - end) / 4096, end[64 * 4096 - 1]);
    sbrk(-64 * 4096);
    ask("becomes another", write_and_become);
    ask("fails to", fail_to_become);
    shared = 14;
    ask("makes a clone", clone_again);
    shared = 3;
    ask("lends again", lend_again);
    munmap((void *)mapped, 8 * 4096);
}

/* The parent is to end while the child runs in its memory, which the child keeps as long as it needs it. */
static int ends[2];

static void outlive_parent(void)
{
    shared = 40;
    kill(getppid(), SIGKILL);
    usleep(20000);
    shared += 2;
    char *area = malloc(300000);
    memset(area, 3, 300000);
    dprintf(ends[1], "%d %d", shared, area[299999]);
    _exit(0);
}

static void inheritance(void)
{
    char text[32] = "";

    if (pipe(ends) != 0) {
        return;
    }
    pid_t parent = fork();
    if (parent == 0) {
        lend(outlive_parent);
        _exit(1);
    }
    close(ends[1]);
    say("parent ended by %d", WTERMSIG(end_of(parent)));
    while (read(ends[0], text, sizeof(text) - 1) > 0) {
        say(", child says %s", text);
        memset(text, 0, sizeof(text));
    }
    close(ends[0]);
    say("\n");
}

/* clone() with a stack of its own, as posix_spawn makes it. */
static int on_another_stack(void *argument)
{
    *(int *)argument = 77;
    return 8;
}

static void clones(void)
{
    static char stack[32768] __attribute__((aligned(16)));
    int word = 0;
    pid_t child = clone(on_another_stack, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &word);

    say("clone: %d", word);
    say(", ended with %d\n", WEXITSTATUS(end_of(child)));
}

static void scenario(void)
{
    spawns();
    memory();
    clones();
    inheritance();
}

int main(int count, char **words)
{
    arguments = words;
    if (count > 2 && strcmp(words[1], "ends") == 0) {
        return atoi(words[2]);
    }
    return rounds_play(count, words, scenario);
}
