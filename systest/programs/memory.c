/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings made, moved, shrunk, protected and dropped at random (the same each time), with content that is checked.
 *
 *     memory [ROUNDS]
 *
 * Prints its progress, and "CORRUPT" if ever a byte is not what it must be. The last line depends on all that went
 * before.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCKS     40u
#define PAGE       4096u
#define STEP       64u /* every so many bytes one is written and checked */
#define EXIT_WRONG 3

struct block {
    volatile uint8_t *bytes;
    size_t length;
    uint32_t seed;
    int protection;
};

static struct block blocks[BLOCKS];
static uint32_t state = 12345;

static uint32_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void corrupt(const char *when, size_t at)
{
    printf("CORRUPT %s at %zu\n", when, at);
    fflush(stdout);
    _exit(EXIT_WRONG);
}

static uint8_t right(const struct block *block, size_t at)
{
    return (uint8_t)(block->seed + at / STEP * 7);
}

static void fill(struct block *block, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += STEP) {
        block->bytes[at] = right(block, at);
    }
}

static void check(const struct block *block, const char *when)
{
    for (size_t at = 0; at < block->length; at += STEP) {
        if (block->bytes[at] != right(block, at)) {
            corrupt(when, at);
        }
    }
}

static void check_zeroes(const struct block *block, size_t from, size_t to, const char *when)
{
    for (size_t at = from; at < to; at += PAGE) {
        if (block->bytes[at] != 0) {
            corrupt(when, at);
        }
    }
}

static void *need(void *address)
{
    if (address == MAP_FAILED) {
        perror("memory");
        _exit(1);
    }
    return address;
}

static size_t random_length(void)
{
    size_t pages = random_number() % 60 + 1;

    return (random_number() % 30 == 0 ? pages * 8 : pages) * PAGE;
}

static void make(struct block *block)
{
    block->length = random_length();
    block->seed = random_number();
    block->protection = PROT_READ | PROT_WRITE;
    block->bytes = need(mmap(NULL, block->length, block->protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    check_zeroes(block, 0, block->length, "in new memory");
    fill(block, 0, block->length);
}

static void drop(struct block *block)
{
    check(block, "before unmapping");
    munmap((void *)block->bytes, block->length);
    block->bytes = NULL;
}

static void resize(struct block *block)
{
    size_t before = block->length;

    check(block, "before moving");
    block->length = random_length();
    block->bytes = need(mremap((void *)block->bytes, before, block->length, MREMAP_MAYMOVE));
    if (block->length > before) {
        check_zeroes(block, before, block->length, "in what was added");
        fill(block, before, block->length);
    }
    check(block, "after moving");
}

static void halve(struct block *block)
{
    if (block->length > 2 * PAGE) {
        size_t half = block->length / (2 * PAGE) * PAGE;
        munmap((void *)(block->bytes + half), block->length - half);
        block->length = half;
    }
    check(block, "after halving");
}

static void forget_first_page(struct block *block)
{
    madvise((void *)block->bytes, PAGE, MADV_DONTNEED);
    check_zeroes(block, 0, PAGE, "in forgotten memory");
    fill(block, 0, PAGE);
}

static void protect(struct block *block, int protection)
{
    block->protection = protection;
    mprotect((void *)block->bytes, block->length, protection);
}

static uint32_t use_heap(void)
{
    size_t length = random_length();
    uint8_t *bytes = malloc(length);

    memset(bytes, 1, length);
    bytes = realloc(bytes, length * 2 + 100);
    uint32_t last = bytes[length - 1];
    free(bytes);
    return last;
}

static void change(struct block *block, uint32_t how)
{
    switch (how) {
    case 0:
        drop(block);
        break;
    case 1:
    case 2:
        resize(block);
        break;
    case 3:
        protect(block, PROT_READ);
        break;
    case 4:
        protect(block, PROT_NONE);
        break;
    case 5:
        halve(block);
        break;
    default:
        forget_first_page(block);
        break;
    }
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 4000;
    uint32_t sum = 0;

    sync();
    puts("begun and durable");
    for (unsigned long round = 0; round < rounds; round++) {
        struct block *block = &blocks[random_number() % BLOCKS];
        uint32_t how = random_number() % 8;
        if (how == 7) {
            sum += use_heap();
        } else if (block->bytes == NULL) {
            make(block);
        } else if (block->protection != (PROT_READ | PROT_WRITE)) {
            protect(block, PROT_READ | PROT_WRITE);
            check(block, "after protection");
        } else {
            change(block, how);
        }
        if (round % 100 == 0) {
            printf("round %lu %08x\n", round, state);
            fflush(stdout);
        }
    }
    printf("done %08x %u\n", state, sum);
    return 0;
}
