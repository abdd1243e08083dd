/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More memory than the machine has: fill it, change a part of it again and again, and verify every word of it.
 *
 *     fourfold MIB ROUNDS [sync|stay]
 *
 * A round gives an eighth of the pages, spread over all of them, a new version; then every word of every page is
 * compared with what follows from its number and version. It begins with a sync(); with `sync` each tenth of the way
 * ends with one. With `stay` it does not end: it makes everything durable, and verifies all once more after each boot.
 *
 *     at STEP.             a tenth of the way, so that somebody can pull the plug; steps are counted from 1
 *     durable MIB.         with `stay`: all bytes were right, and are durable
 *     right MIB.           at the end: all bytes were right each time
 *     CORRUPT ...          and status 1
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_WORDS 1024u
#define MIB_PAGES  256u
#define STRIDE     8u
#define STEPS      10u

static uint32_t (*pages)[PAGE_WORDS];
static uint32_t page_count;
static uint32_t step;
static int syncs, stays;

static uint32_t first_word(uint32_t page, uint32_t version)
{
    uint32_t value = page * 0x9E3779B9u ^ version * 0x85EBCA6Bu;

    value = (value ^ value >> 15) * 0x2C1B3C6Du;
    return value ^ value >> 13;
}

/* The version of a page after so many rounds. */
static uint32_t version_after(uint32_t page, uint32_t rounds)
{
    uint32_t version = 0;

    for (uint32_t round = 1; round <= rounds; round++) {
        version = (page + round) % STRIDE == 0 ? round : version;
    }
    return version;
}

/* Boots of the space so far, as Eidolon counts them (EIDOLON_CALL_INFORMATION). */
static uint64_t boots(void)
{
    uint64_t count = 0;

    syscall(0x1000, &count, sizeof(count));
    return count;
}

static void progress(uint32_t done, uint32_t all)
{
    if (done % ((all + STEPS - 1) / STEPS) != 0) {
        return;
    }
    if (syncs) {
        sync();
    }
    printf("at %u.\n", ++step);
    fflush(stdout);
}

static void fill(uint32_t page, uint32_t version)
{
    uint32_t value = first_word(page, version);

    for (uint32_t word = 0; word < PAGE_WORDS; word++) {
        pages[page][word] = value + word * 0xC2B2AE35u;
    }
}

static void verify(uint32_t page, uint32_t version)
{
    uint32_t value = first_word(page, version);

    for (uint32_t word = 0; word < PAGE_WORDS; word++) {
        uint32_t expected = value + word * 0xC2B2AE35u;
        if (pages[page][word] != expected) {
            printf("CORRUPT: page %u word %u is %08x, not %08x of version %u\n", page, word, pages[page][word],
                   expected, version);
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    uint32_t mib = argc > 2 ? (uint32_t)atoi(argv[1]) : 0;
    uint32_t rounds = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;

    syncs = argc > 3 && strcmp(argv[3], "sync") == 0;
    stays = argc > 3 && strcmp(argv[3], "stay") == 0;
    page_count = mib * MIB_PAGES;
    pages = mmap(NULL, (size_t)page_count * sizeof(*pages), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mib == 0 || pages == MAP_FAILED) {
        puts("usage: fourfold MIB ROUNDS [sync|stay], and so many MiB must be had");
        return 2;
    }
    sync();
    for (uint32_t page = 0; page < page_count; page++) {
        fill(page, 0);
        progress(page, page_count);
    }
    for (uint32_t round = 1; round <= rounds; round++) {
        for (uint32_t page = (STRIDE - round % STRIDE) % STRIDE; page < page_count; page += STRIDE) {
            fill(page, round);
        }
        for (uint32_t page = 0; page < page_count; page++) {
            verify(page, version_after(page, round));
            progress(page, page_count);
        }
    }
    while (stays) {
        uint64_t boot = boots();
        sync();
        printf("durable %u.\n", mib);
        fflush(stdout);
        while (boots() == boot) {
            usleep(50000);
        }
        for (uint32_t page = 0; page < page_count; page++) {
            verify(page, version_after(page, rounds));
        }
    }
    printf("right %u.\n", mib);
    return 0;
}
