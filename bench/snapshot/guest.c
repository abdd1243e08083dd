/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs whose memory the snapshot benchmarks are about. Ordinary Linux programs, but for the counters they read.
 *
 *     guest churn                  write to a few pages, sleep, for ever
 *     guest live MIB               fill so much memory, make it durable, and say at each boot how long that boot took
 *     guest sync COUNT             one dirty page and sync(), again and again
 *     guest heavy MIB COUNT        write a word to each of so many MiB's pages, COUNT times; how long that took and the
 *                                  longest gaps between two writes
 *     guest calls COUNT        what system calls cost, the least of COUNT times
 *
 * Results are lines `bench: key=value ...`.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "eidolon/eidolon.h"

#define PAGE        4096u
#define CHURN_PAGES 64u
#define MIB_PAGES   256u
#define GAPS_MAX    65536u
#define GAP_NOTED   1000u /* cycles; what takes less is the loop itself */
#define WORK        64u   /* steps of arithmetic for each page */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void pause_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static struct eidolon_information information(void)
{
    struct eidolon_information out;

    memset(&out, 0, sizeof(out));
    syscall(EIDOLON_CALL_INFORMATION, &out, sizeof(out));
    return out;
}

static uint8_t *map_pages(uint32_t pages)
{
    void *memory = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("bench: mmap");
        exit(1);
    }
    return memory;
}

static void write_page(uint8_t *memory, uint32_t page, uint32_t value)
{
    *(volatile uint32_t *)(memory + (size_t)page * PAGE) = value;
}

static void churn(void)
{
    uint8_t *memory = map_pages(CHURN_PAGES);

    for (uint32_t value = 1;; value++) {
        for (uint32_t page = 0; page < CHURN_PAGES; page++) {
            write_page(memory, page, value);
        }
        pause_ms(1);
    }
}

static void live(uint32_t mib)
{
    uint8_t *memory = map_pages(mib * MIB_PAGES);

    for (uint32_t page = 0; page < mib * MIB_PAGES; page++) {
        write_page(memory, page, page + 1);
    }
    uint64_t boots = information().boots; /* before the snapshot that is resumed */
    sync();
    printf("bench: live=%u\n", mib);
    fflush(stdout);
    for (;;) {
        struct eidolon_information now = information();
        if (now.boots != boots) {
            boots = now.boots;
            printf("bench: resumed=%u boot_ns=%llu\n", mib, (unsigned long long)now.boot_ns);
            fflush(stdout);
        }
        pause_ms(1);
    }
}

static void sync_often(uint32_t count)
{
    uint8_t *memory = map_pages(1);

    for (uint32_t i = 0; i < count; i++) {
        write_page(memory, 0, i + 1);
        uint64_t begun = now_ns();
        sync();
        uint64_t end = now_ns();
        printf("bench: sync_ns=%llu\n", (unsigned long long)(end - begun));
    }
}

static uint32_t gaps[GAPS_MAX];

static int by_length(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static uint32_t work(uint32_t seed)
{
    for (uint32_t i = 0; i < WORK; i++) {
        seed = seed * 1664525u + 1013904223u;
    }
    return seed;
}

static void heavy(uint32_t mib, uint32_t count)
{
    uint32_t pages = mib * MIB_PAGES;
    uint8_t *memory = map_pages(pages);
    uint32_t noted = 0;

    memset(gaps, 1, sizeof(gaps)); /* their pages are there from now on */
    for (uint32_t page = 0; page < pages; page++) {
        write_page(memory, page, page + 1);
    }
    struct eidolon_information before = information();
    uint64_t begun = now_ns();
    uint64_t last = __builtin_ia32_rdtsc();
    for (uint32_t turn = 0; turn < count; turn++) {
        for (uint32_t page = 0; page < pages; page++) {
            write_page(memory, page, work(page + turn));
            uint64_t now = __builtin_ia32_rdtsc();
            if (now - last >= GAP_NOTED && noted < GAPS_MAX) {
                gaps[noted++] = (uint32_t)(now - last);
            }
            last = now;
        }
    }
    uint64_t ns = now_ns() - begun;
    struct eidolon_information after = information();
    qsort(gaps, noted, sizeof(gaps[0]), by_length);
    printf("bench: heavy=%u ns=%llu writes=%u snapshots=%llu pages=%llu gaps=%u longest=%u stop_max=%llu\n", mib,
           (unsigned long long)ns, pages * count, (unsigned long long)(after.snapshots - before.snapshots),
           (unsigned long long)(after.pages_written - before.pages_written), noted, noted > 0 ? gaps[noted - 1] : 0,
           (unsigned long long)after.stop_ns_max);
}

/* System calls ----------------------------------------------------------------------------------------------------- */

static int ends[2];

static void nothing(void)
{
    syscall(SYS_getpid);
}

static void write_byte(void)
{
    char byte = 1;

    if (write(ends[1], &byte, 1) != 1) {
        abort();
    }
}

static void read_byte(void)
{
    char byte;

    if (read(ends[0], &byte, 1) != 1) {
        abort();
    }
}

static void fork_and_wait(void)
{
    pid_t child = fork();

    if (child == 0) {
        _exit(0);
    }
    if (waitpid(child, NULL, 0) != child) {
        abort();
    }
}

static void fork_execute_and_wait(void)
{
    static char *const words[] = {"guest", "end", NULL};
    pid_t child = fork();

    if (child == 0) {
        execv("/proc/self/exe", words);
        _exit(1);
    }
    if (waitpid(child, NULL, 0) != child) {
        abort();
    }
}

static uint64_t cycles_of(void (*act)(void))
{
    uint64_t begun = __builtin_ia32_rdtsc();

    act();
    return __builtin_ia32_rdtsc() - begun;
}

/* `undo` runs untimed after each. */
static void time_call(const char *name, void (*act)(void), void (*undo)(void), uint32_t count)
{
    uint64_t least = UINT64_MAX;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t cycles = cycles_of(act);
        least = cycles < least ? cycles : least;
        undo();
    }
    printf("bench: call=%s instructions=%llu\n", name, (unsigned long long)least);
}

static void calls(uint32_t count)
{
    if (pipe(ends) != 0) {
        abort();
    }
    time_call("getpid", nothing, nothing, count);
    time_call("write_byte", write_byte, read_byte, count);
    write_byte();
    time_call("read_byte", read_byte, write_byte, count);
    time_call("fork_wait", fork_and_wait, nothing, count);
    time_call("fork_exec_wait", fork_execute_and_wait, nothing, count);
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "churn") == 0) {
        churn();
    } else if (strcmp(what, "live") == 0 && argc == 3) {
        live(number(argv[2]));
    } else if (strcmp(what, "sync") == 0 && argc == 3) {
        sync_often(number(argv[2]));
    } else if (strcmp(what, "heavy") == 0 && argc == 4) {
        heavy(number(argv[2]), number(argv[3]));
    } else if (strcmp(what, "calls") == 0 && argc == 3) {
        calls(number(argv[2]));
    } else if (strcmp(what, "end") == 0) {
        return 0; /* what `calls` executes */
    } else {
        fprintf(stderr, "usage: guest churn | live MIB | sync COUNT | heavy MIB COUNT | calls COUNT\n");
        return 2;
    }
    return 0;
}
