/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that looks at itself in the kernel's pictures of memory: which states its pages are in, which regions it
 * has, and who has the frames. It says what it sees, one line each time, and again for each line of input.
 *
 *     pictures     on a line that begins with f, a clone of it does the same
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL_FRAMES  0x1003
#define CALL_REGIONS 0x1004
#define CALL_PAGES   0x1005
#define FRAMES_MAX   32768u
#define STATES       6u
#define KINDS        16u
#define PAGE         4096u
#define PAGES        96u /* a third each: never touched, read, written */

struct region {
    uint32_t first, count;
    uint8_t protection, flags, backing, reserved;
};

static volatile uint8_t *memory;
static uint16_t frames[FRAMES_MAX];

static uint32_t number_of(volatile const void *address)
{
    return (uint32_t)(uintptr_t)address / PAGE;
}

static void say_pages(const char *when, uint32_t program)
{
    uint8_t pages[PAGES + 2] = {0};
    unsigned counts[STATES] = {0};
    long got = syscall(CALL_PAGES, program, number_of(memory) - 1, PAGES + 2, pages);

    if (got != (long)(PAGES + 2)) {
        printf("%s: %s\n", when, strerror(errno));
        return;
    }
    for (uint32_t i = 1; i <= PAGES; i++) {
        counts[(pages[i] & 15u) % STATES]++;
    }
    printf("%s: nothing %u untouched %u out %u shared %u clean %u dirty %u, around %u %u\n", when, counts[0], counts[1],
           counts[2], counts[3], counts[4], counts[5], pages[0] & 15u, pages[PAGES + 1] & 15u);
}

static void say_region(void)
{
    struct region region[2];
    long got = syscall(CALL_REGIONS, getpid(), number_of(memory), region, 1);

    printf("regions %ld: %s, %lu pages, protection %u, backing %u\n", got,
           region[0].first == number_of(memory) ? "mine" : "another", (unsigned long)region[0].count,
           region[0].protection, region[0].backing);
}

/* The frames of this program by kind, and how many frames there are of each kind. */
static void say_frames(void)
{
    unsigned all[KINDS] = {0}, mine[KINDS] = {0};
    uint32_t first = 0;
    long got;

    while ((got = syscall(CALL_FRAMES, first, FRAMES_MAX, frames)) > 0) {
        for (long i = 0; i < got; i++) {
            all[frames[i] >> 12]++;
            mine[frames[i] >> 12] += (frames[i] & 0xFFFu) == (unsigned)getpid();
        }
        first += (uint32_t)got;
    }
    printf("frames %u:", first);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        printf(" %u/%u", mine[kind], all[kind]);
    }
    printf("\n");
}

static void say_errors(void)
{
    struct region region;

    printf("errors:");
    printf(" %s", syscall(CALL_FRAMES, 0, FRAMES_MAX + 1, frames) == -1 ? strerror(errno) : "none");
    printf(", %s", syscall(CALL_FRAMES, 0, 16, 8) == -1 ? strerror(errno) : "none");
    printf(", %ld", syscall(CALL_FRAMES, 0xFFFFFFF0u, 16, frames));
    printf(", %s", syscall(CALL_REGIONS, 4000, 0, &region, 1) == -1 ? strerror(errno) : "none");
    printf(", %s", syscall(CALL_REGIONS, getpid(), 0, &region, 33) == -1 ? strerror(errno) : "none");
    printf(", %s", syscall(CALL_REGIONS, getpid(), 0, 8, 1) == -1 ? strerror(errno) : "none");
    printf(", %s", syscall(CALL_PAGES, 0, 0, 1, frames) == -1 ? strerror(errno) : "none");
    printf(", %s", syscall(CALL_PAGES, getpid(), 0xFFFFFu, 2, frames) == -1 ? strerror(errno) : "none");
    printf(", %s\n", syscall(CALL_PAGES, getpid(), 0xFFFFFFFFu, 2, frames) == -1 ? strerror(errno) : "none");
}

/* Where nobody has a window of his own, up to the last page there is. */
static void say_beyond(void)
{
    uint8_t states[8];
    unsigned something = 0;
    long told = 0;

    for (uint32_t first = 0xC0000u; first < 0xFFFFFu; first += 0x0FFFEu) {
        memset(states, 1, sizeof(states));
        told += syscall(CALL_PAGES, getpid(), first, sizeof(states), states);
        for (uint32_t i = 0; i < sizeof(states); i++) {
            something += states[i] != 0;
        }
    }
    told += syscall(CALL_PAGES, getpid(), 0xFFFFFu, 1, states);
    printf("beyond: %u of %ld pages are something\n", something, told);
}

static void say_all(const char *when)
{
    say_pages(when, (uint32_t)getpid());
    say_region();
    say_frames();
    fflush(stdout);
}

/* A clone looks at itself, writes to half of the last third, and looks again. */
static void look_as_clone(void)
{
    if (fork() != 0) {
        wait(NULL);
        return;
    }
    say_pages("clone", (uint32_t)getpid());
    for (uint32_t i = PAGES / 3; i < PAGES; i++) {
        (void)memory[i * PAGE];
    }
    say_pages("clone read", (uint32_t)getpid());
    for (uint32_t i = PAGES - PAGES / 6; i < PAGES; i++) {
        memory[i * PAGE] = 2;
    }
    say_pages("clone wrote", (uint32_t)getpid());
    fflush(stdout);
    _exit(0);
}

int main(void)
{
    unsigned sum = 0;
    char line[16];

    /* A page on either side that is not mapped. */
    uint8_t *whole = mmap(NULL, (PAGES + 2) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED || munmap(whole, PAGE) != 0 || munmap(whole + (PAGES + 1) * PAGE, PAGE) != 0) {
        return 2;
    }
    memory = whole + PAGE;
    memset(frames, 1, sizeof(frames));
    say_pages("untouched", (uint32_t)getpid());
    for (uint32_t i = PAGES / 3; i < PAGES; i++) {
        sum += memory[i * PAGE];
    }
    say_pages("read", (uint32_t)getpid());
    for (uint32_t i = 2 * PAGES / 3; i < PAGES; i++) {
        memory[i * PAGE] = 1;
    }
    say_all("written");
    say_errors();
    say_beyond();
    say_pages("nobody", 4000);
    sync();
    say_all("synced");
    while (fgets(line, sizeof(line), stdin) != NULL) {
        say_all("again");
        if (line[0] == 'f') {
            look_as_clone();
        }
    }
    return (int)(sum & 1);
}
