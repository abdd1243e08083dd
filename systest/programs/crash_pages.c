/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that prove themselves and each other: the program of the crash tests.
 *
 *     crash_pages [PAGES [CHANGES [ROUNDS]]] [wait]
 *
 * It keeps PAGES pages of memory and a table that says which version each page is of. A round changes CHANGES pages
 * that follow from its number: most get a new version and are filled with words that follow from page and version, some
 * are unmapped and mapped again, which makes them version 0, all zeroes. Then every word of every page is compared with
 * the table. Pages from two different instants, or a table that does not go with its pages, do not pass, and whoever
 * reads along can compute the checksum of any round (crash_witness.py does).
 *
 *     start                              once in the life of the program
 *     state ROUND CHECKSUM.              after each round
 *     confirmed ROUND of GENERATION.     after every ROUNDS rounds: this state is durable, in that generation
 *     unconfirmed ROUND: ERRNO.          it could not be made durable
 *     CORRUPT ...                        and the program ends with status 1
 *
 * With `wait` it waits for a line of input after each of the last two, so that nothing happens between them and what
 * the reader does about them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_WORDS      1024u
#define PAGE_BYTES      (PAGE_WORDS * sizeof(uint32_t))
#define PAGES_MAX       65536u
#define CALL_SYNC       0x1001 /* Eidolon's own: sync() that tells the generation */
#define ONE_IN_UNMAPPED 8u

static uint32_t (*pages)[PAGE_WORDS];
static uint32_t versions[PAGES_MAX];
static uint32_t page_count = 256, changes = 16, rounds_per_sync = 5;

static uint32_t scramble(uint32_t value)
{
    value = (value ^ value >> 16) * 0x7FEB352Du;
    value = (value ^ value >> 15) * 0x846CA68Bu;
    return value ^ value >> 16;
}

static uint32_t word_of(uint32_t page, uint32_t version, uint32_t place)
{
    return version == 0 ? 0 : scramble(page * 0x9E3779B9u + version) + place * 0x85EBCA6Bu;
}

static void unmap(uint32_t page)
{
    if (munmap(pages[page], PAGE_BYTES) != 0 || mmap(pages[page], PAGE_BYTES, PROT_READ | PROT_WRITE,
                                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != pages[page]) {
        printf("CORRUPT: page %u cannot be mapped: %s\n", page, strerror(errno));
        exit(1);
    }
}

static void change(uint32_t serial)
{
    uint32_t chosen = scramble(serial);
    uint32_t page = chosen % page_count;

    if ((chosen >> 24) % ONE_IN_UNMAPPED == 0) {
        unmap(page);
        versions[page] = 0;
        return;
    }
    versions[page] = serial;
    uint32_t first = word_of(page, serial, 0);
    for (uint32_t i = 0; i < PAGE_WORDS; i++) {
        pages[page][i] = first + i * 0x85EBCA6Bu;
    }
}

static void verify(uint32_t round)
{
    for (uint32_t page = 0; page < page_count; page++) {
        uint32_t word = word_of(page, versions[page], 0), step = versions[page] == 0 ? 0 : 0x85EBCA6Bu;
        for (uint32_t i = 0; i < PAGE_WORDS; i++, word += step) {
            if (pages[page][i] != word) {
                printf("CORRUPT in round %u: page %u of version %u, word %u is %08x, not %08x\n", round, page,
                       versions[page], i, pages[page][i], word);
                exit(1);
            }
        }
    }
}

static uint32_t checksum(void)
{
    uint32_t sum = 0;

    for (uint32_t page = 0; page < page_count; page++) {
        sum = (sum << 5 | sum >> 27) + versions[page];
    }
    return sum;
}

/* Elsewhere than in Eidolon there is no generation to tell. */
static void confirm(uint32_t round)
{
    uint64_t generation = 0;
    long result = syscall(CALL_SYNC, &generation);

    if (result != 0 && errno == ENOSYS) {
        sync();
        result = 0;
    }
    if (result == 0) {
        printf("confirmed %u of %llu.\n", round, (unsigned long long)generation);
    } else {
        printf("unconfirmed %u: %d.\n", round, errno);
    }
}

static uint32_t argument(int argc, char **argv, int which, uint32_t otherwise)
{
    return argc > which ? (uint32_t)strtoul(argv[which], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    int waits = argc > 1 && strcmp(argv[argc - 1], "wait") == 0;
    char line[16];

    argc -= waits;
    page_count = argument(argc, argv, 1, page_count);
    changes = argument(argc, argv, 2, changes);
    rounds_per_sync = argument(argc, argv, 3, rounds_per_sync);
    pages = mmap(NULL, page_count * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page_count == 0 || page_count > PAGES_MAX || rounds_per_sync == 0 || pages == MAP_FAILED) {
        printf("no such number of pages\n");
        return 2;
    }
    printf("start\n");
    for (uint32_t round = 1;; round++) {
        for (uint32_t i = 0; i < changes; i++) {
            change((round - 1) * changes + i + 1);
        }
        verify(round);
        printf("state %u %08x.\n", round, checksum());
        if (round % rounds_per_sync == 0) {
            confirm(round);
            if (waits && fgets(line, sizeof(line), stdin) == NULL) {
                return 0;
            }
        }
    }
}
