/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory on request: the program of the tests in which something is full, bad or damaged.
 *
 * It reads commands and answers each with a line:
 *
 *     ready                   at the beginning
 *     fill N                  N more pages of memory, filled with words that follow from page and place
 *       filled TOTAL.
 *     check                   every word is compared
 *       right TOTAL.          or `CORRUPT ...`, and the program ends with status 1
 *     free                    all of it is given back
 *       freed.
 *     sync                    wait until this state is durable
 *       durable GENERATION.   or `not durable: ERRNO.`
 *     quit N                  end with that status
 *
 * Words can be told by whoever looks at a disk: word i of page p is scramble(p + 1) + i * STEP.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_WORDS 1024u
#define PAGE_BYTES (PAGE_WORDS * sizeof(uint32_t))
#define PAGES_MAX  (1u << 18)
#define STEP       0x85EBCA6Bu
#define CALL_SYNC  0x1001 /* Eidolon's own: sync() that tells the generation */

static uint32_t (*pages)[PAGE_WORDS];
static uint32_t count;

static uint32_t scramble(uint32_t value)
{
    value = (value ^ value >> 16) * 0x7FEB352Du;
    value = (value ^ value >> 15) * 0x846CA68Bu;
    return value ^ value >> 16;
}

static void fill(uint32_t more)
{
    for (; more > 0 && count < PAGES_MAX; more--, count++) {
        uint32_t word = scramble(count + 1);
        for (uint32_t i = 0; i < PAGE_WORDS; i++) {
            pages[count][i] = word + i * STEP;
        }
    }
    printf("filled %u.\n", count);
}

static void check(void)
{
    for (uint32_t page = 0; page < count; page++) {
        uint32_t word = scramble(page + 1);
        for (uint32_t i = 0; i < PAGE_WORDS; i++) {
            if (pages[page][i] != word + i * STEP) {
                printf("CORRUPT: page %u, word %u is %08x, not %08x\n", page, i, pages[page][i], word + i * STEP);
                exit(1);
            }
        }
    }
    printf("right %u.\n", count);
}

static void reserve(void)
{
    pages = mmap(pages, PAGES_MAX * PAGE_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (pages != NULL ? MAP_FIXED : 0), -1, 0);
    if (pages == MAP_FAILED) {
        printf("no addresses\n");
        exit(2);
    }
}

static void release(void)
{
    munmap(pages, PAGES_MAX * PAGE_BYTES);
    reserve();
    count = 0;
    printf("freed.\n");
}

static void make_durable(void)
{
    uint64_t generation = 0;

    if (syscall(CALL_SYNC, &generation) == 0) {
        printf("durable %llu.\n", (unsigned long long)generation);
    } else {
        printf("not durable: %d.\n", errno);
    }
}

int main(void)
{
    char line[80], word[80] = "";
    uint32_t number;

    setvbuf(stdout, NULL, _IOLBF, 0);
    reserve();
    printf("ready\n");
    while (fgets(line, sizeof(line), stdin) != NULL) {
        number = 0;
        sscanf(line, "%79s %u", word, &number);
        if (strcmp(word, "fill") == 0) {
            fill(number);
        } else if (strcmp(word, "check") == 0) {
            check();
        } else if (strcmp(word, "free") == 0) {
            release();
        } else if (strcmp(word, "sync") == 0) {
            make_durable();
        } else if (strcmp(word, "quit") == 0) {
            return (int)number;
        }
    }
    return 3;
}
