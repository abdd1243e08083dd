/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a program that does nothing but spin stands still while others do something: the longest time between two
 * instructions of it, by the processor's time stamp, which counts instructions (QEMU -icount).
 *
 *     guest             all lines of the table, `bench: line=NAME instructions=N`
 *     guest quick       without the long ones
 *
 * The spinner is a program of its own, and tells by a pipe what it has seen when a signal asks it to.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE     4096u
#define SETTLE   3u /* turns in which what came before comes to rest */
#define MANY     32768u
#define WRITTEN  8192u /* pages written between a fork and the end of the clone */
#define NAME_MAX 64u

static int told[2];
static pid_t spinner;
static volatile sig_atomic_t asked, reset;

static void must(int is_right, const char *what)
{
    if (!is_right) {
        printf("bench: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

/* The spinner ------------------------------------------------------------------------------------------------------ */

static void on_ask(int signal)
{
    (void)signal;
    asked = 1;
}

static void on_reset(int signal)
{
    (void)signal;
    reset = 1;
}

static void spin(void)
{
    uint64_t last = __builtin_ia32_rdtsc(), longest = 0;

    for (;;) {
        uint64_t now = __builtin_ia32_rdtsc();
        longest = now - last > longest ? now - last : longest;
        if (asked || reset) {
            uint64_t late = __builtin_ia32_rdtsc() - now; /* it may have stood still before it looked */
            longest = late > longest ? late : longest;
            must(write(told[1], &longest, sizeof(longest)) == sizeof(longest), "write");
            asked = reset = 0;
            longest = 0;
            now = __builtin_ia32_rdtsc();
        }
        last = now;
    }
}

static uint64_t ask_spinner(int signal)
{
    uint64_t longest;

    must(kill(spinner, signal) == 0, "kill");
    must(read(told[0], &longest, sizeof(longest)) == sizeof(longest), "read");
    return longest;
}

static void start_spinner(void)
{
    must(pipe(told) == 0, "pipe");
    signal(SIGUSR1, on_ask);
    signal(SIGUSR2, on_reset);
    spinner = fork();
    must(spinner >= 0, "fork");
    if (spinner == 0) {
        spin();
    }
}

/* What others do --------------------------------------------------------------------------------------------------- */

static uint8_t *area;

static void touch(uint32_t pages, uint8_t value)
{
    for (uint32_t page = 0; page < pages; page++) {
        area[(size_t)page * PAGE] = value;
    }
}

static void map(uint32_t pages)
{
    area = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(area != MAP_FAILED, "mmap");
}

static void look(const char *name, void (*act)(void))
{
    const struct timespec moment = {.tv_nsec = 30000000};

    (void)ask_spinner(SIGUSR2);
    must(nanosleep(&moment, NULL) == 0, "nanosleep"); /* it spins by then */
    act();
    printf("bench: line=%s instructions=%llu\n", name, (unsigned long long)ask_spinner(SIGUSR1));
    fflush(stdout);
}

static void settle(void)
{
    for (uint32_t turn = 0; turn < SETTLE; turn++) {
        sync();
    }
}

static void commit(uint32_t pages)
{
    char name[NAME_MAX];

    map(pages + 1);
    touch(pages, 1);
    snprintf(name, sizeof(name), "commit_%u", pages);
    look(name, sync);
    munmap(area, (size_t)(pages + 1) * PAGE);
    settle();
}

static void unmap_many(void)
{
    munmap(area, (size_t)MANY * PAGE);
}

static int go[2];
static pid_t child;

/* A clone with many pages of its own ends when it is told to. */
static void start_holder(void)
{
    char byte;

    must(pipe(go) == 0, "pipe");
    child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        map(MANY);
        touch(MANY, 1);
        must(write(told[1], "12345678", 8) == 8, "write");
        must(read(go[0], &byte, 1) == 1, "read");
        _exit(0);
    }
    uint64_t ready;
    must(read(told[0], &ready, sizeof(ready)) == sizeof(ready), "read");
}

static void end_holder(void)
{
    must(write(go[1], "", 1) == 1, "write");
    must(waitpid(child, NULL, 0) == child, "wait");
}

/* What was written since the clone goes to the source they have in common when the clone ends. */
static void start_sharer(void)
{
    map(WRITTEN);
    touch(WRITTEN, 1);
    must(pipe(go) == 0, "pipe");
    child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        char byte;
        must(read(go[0], &byte, 1) == 1, "read");
        _exit(0);
    }
    touch(WRITTEN, 2);
}

int main(int argc, char **argv)
{
    int is_quick = argc > 1 && strcmp(argv[1], "quick") == 0;

    start_spinner();
    settle();
    commit(0);
    commit(1000);
    if (!is_quick) {
        commit(10000);
        commit(MANY);
        map(MANY);
        touch(MANY, 1);
        look("unmap_32768", unmap_many);
        settle();
        start_holder();
        settle();
        look("end_32768", end_holder);
    }
    start_sharer();
    look("collapse_8192", end_holder);
    kill(spinner, SIGKILL);
    printf("bench: line=done instructions=0\n");
    return 0;
}
