/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program with more memory than the machine, to see what replacement comes to when everything else goes on as well:
 * read-ahead, frames reclaimed by the batch, snapshots. An ordinary Linux program, but for the accounts it reads.
 *
 *     guest PAGES ACCESSES SCAN_EVERY
 *
 * writes to every page, then walks: a page of rank r is touched in proportion to 1 / r, one access of eight writes, and
 * after every SCAN_EVERY accesses (0: never) the pages are read from the first to the last. Prints a line
 * `bench: key=value ...` with what the walk alone caused.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "eidolon/memory.h"

#define PAGE 4096u

static uint8_t *memory;
static uint32_t pages;
static uint32_t *sums;   /* of 2^24 / r, up to each rank */
static uint32_t *ranked; /* the page of each rank */
static uint32_t state = 1;

static uint32_t random_below(uint32_t limit)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)state * limit >> 32);
}

static void rank_pages(void)
{
    sums = malloc(pages * sizeof(*sums));
    ranked = malloc(pages * sizeof(*ranked));
    if (sums == NULL || ranked == NULL) {
        exit(2);
    }
    for (uint32_t i = 0; i < pages; i++) {
        sums[i] = (i > 0 ? sums[i - 1] : 0) + (1u << 24) / (i + 1);
        ranked[i] = i;
    }
    for (uint32_t i = pages; i > 1; i--) {
        uint32_t other = random_below(i), page = ranked[other];
        ranked[other] = ranked[i - 1];
        ranked[i - 1] = page;
    }
}

static uint32_t draw_page(void)
{
    uint32_t drawn = random_below(sums[pages - 1]), low = 0, high = pages - 1;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (sums[middle] > drawn) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return ranked[low];
}

static uint32_t *word_of(uint32_t page)
{
    return (uint32_t *)(void *)(memory + (size_t)page * PAGE);
}

/* How often each page was written is in it, above its number, so that what comes back can be checked. */
static void check(uint32_t page)
{
    if (*(volatile uint32_t *)word_of(page) % pages != page) {
        printf("bench: page %u is not right\n", page);
        exit(3);
    }
}

static void walk(uint32_t accesses, uint32_t scan_every)
{
    for (uint32_t i = 1; i <= accesses; i++) {
        uint32_t page = draw_page();
        check(page);
        if (i % 8 == 0) {
            *(volatile uint32_t *)word_of(page) += pages;
        }
        for (uint32_t j = 0; scan_every > 0 && i % scan_every == 0 && j < pages; j++) {
            check(j);
        }
    }
}

static struct eidolon_account account(void)
{
    struct eidolon_account out;

    memset(&out, 0, sizeof(out));
    syscall(EIDOLON_CALL_ACCOUNT, 0, &out, sizeof(out));
    return out;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: guest PAGES ACCESSES SCAN_EVERY\n");
        return 2;
    }
    pages = (uint32_t)strtoul(argv[1], NULL, 10);
    memory = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    rank_pages();
    for (uint32_t page = 0; page < pages; page++) {
        *word_of(page) = page;
    }
    sync();
    struct eidolon_account before = account();
    uint64_t begun = now_ns();
    walk((uint32_t)strtoul(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10));
    uint64_t ns = now_ns() - begun;
    struct eidolon_account after = account();
    printf("bench: faults=%llu pages_in=%llu pages_out=%llu written=%llu ns=%llu\n",
           (unsigned long long)(after.counts[EIDOLON_FAULT_PAGE_IN] - before.counts[EIDOLON_FAULT_PAGE_IN]),
           (unsigned long long)(after.counts[EIDOLON_PAGES_IN] - before.counts[EIDOLON_PAGES_IN]),
           (unsigned long long)(after.counts[EIDOLON_PAGES_OUT] - before.counts[EIDOLON_PAGES_OUT]),
           (unsigned long long)(after.counts[EIDOLON_PAGES_WRITTEN] - before.counts[EIDOLON_PAGES_WRITTEN]),
           (unsigned long long)ns);
    return 0;
}
