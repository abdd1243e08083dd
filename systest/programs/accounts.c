/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that knows what faults it makes, and says what the kernel counted: one line for each account, with the
 * numbers as include/eidolon/memory.h orders them. On Linux the call is unknown, and it says so.
 *
 *     accounts     touches pages in every way, then waits for lines: an account for each; on one that begins with w,
 *                  writes to its pages for a while; on f, makes a clone that writes to a quarter of them;
 *                  on l, fills a large mapping and reads it
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALL_ACCOUNT 0x1002
#define COUNTS       24
#define PAGE         4096u
#define PAGES        64u
#define LARGE_PAGES  6000u

static struct {
    uint64_t counts[COUNTS];
    uint32_t program, parent, next, reserved;
    char name[32];
} account;

static void say(const char *when, uint32_t program)
{
    long size = syscall(CALL_ACCOUNT, program, &account, sizeof(account));

    if (size != (long)sizeof(account)) {
        printf("%s: %s\n", when, strerror(errno));
        return;
    }
    printf("%s:", when);
    for (uint32_t i = 0; i < COUNTS; i++) {
        printf(" %llu", (unsigned long long)account.counts[i]);
    }
    printf(" of %s\n", account.name);
    fflush(stdout);
}

static unsigned char *map(int protection)
{
    void *pages = mmap(NULL, (size_t)PAGES * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

/* Long enough for several snapshots to come in between. */
static void rewrite(volatile unsigned char *pages)
{
    struct timespec begun, now;

    clock_gettime(CLOCK_MONOTONIC, &begun);
    do {
        for (uint32_t i = 0; i < PAGES; i++) {
            pages[i * PAGE]++;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begun.tv_sec < 2);
}

/* More than a small machine has: fill it, and find it all again. */
static void fill(void)
{
    volatile uint32_t *words =
        mmap(NULL, LARGE_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned wrong = 0;

    if (words == MAP_FAILED) {
        printf("no memory\n");
        return;
    }
    for (uint32_t i = 0; i < LARGE_PAGES; i++) {
        words[i * PAGE / sizeof(*words)] = i ^ 0x55AA55AAu;
    }
    for (uint32_t i = 0; i < LARGE_PAGES; i++) {
        wrong += words[i * PAGE / sizeof(*words)] != (i ^ 0x55AA55AAu);
    }
    printf("wrong %u\n", wrong);
    say("filled", (uint32_t)getpid());
    say("system", 0);
}

/* A clone that writes to some pages, says what that was, and stays. */
static void make_clone(volatile unsigned char *pages)
{
    if (fork() != 0) {
        return;
    }
    say("born", (uint32_t)getpid());
    say("cloned", (uint32_t)getpid());
    for (uint32_t i = 0; i < PAGES / 4; i++) {
        pages[i * PAGE] = (unsigned char)~i;
    }
    say("clone", (uint32_t)getpid());
    for (;;) {
        pause();
    }
}

static void say_usage(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    printf("usage %ld %ld\n", usage.ru_minflt, usage.ru_majflt);
    fflush(stdout);
}

int main(void)
{
    volatile unsigned char *pages = map(PROT_READ | PROT_WRITE);
    unsigned char *closed = map(PROT_NONE);
    char line[16];
    unsigned sum = 0;

    if (pages == NULL || closed == NULL) {
        return 2;
    }
    say("first", (uint32_t)getpid()); /* the printing has touched all it needs by then */
    say("before", (uint32_t)getpid());
    for (uint32_t i = 0; i < PAGES / 2; i++) {
        sum += pages[i * PAGE];
    }
    say("read", (uint32_t)getpid());
    for (uint32_t i = PAGES / 2; i < PAGES; i++) {
        pages[i * PAGE] = 1;
    }
    say("written", (uint32_t)getpid());
    for (uint32_t i = 0; i < 3; i++) {
        if (write(1, closed + i * PAGE, 1) != -1 || errno != EFAULT) {
            return 3;
        }
    }
    say("denied", (uint32_t)getpid());
    say("none", 4094);
    say("far", 0xFFFFFFFFu);
    printf("nowhere: %ld\n", syscall(CALL_ACCOUNT, 0, 8, sizeof(account)));
    say("system", 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        for (uint32_t i = 0; i < PAGES; i++) {
            sum += pages[i * PAGE];
        }
        say("again", (uint32_t)getpid());
        say("system", 0);
        say_usage();
        if (line[0] == 'l') {
            fill();
        }
        if (line[0] == 'f') {
            make_clone(pages);
        }
        if (line[0] == 'w') {
            rewrite(pages);
            sync();
            say("rewritten", (uint32_t)getpid());
            say("system", 0);
        }
    }
    return (int)(sum & 1);
}
