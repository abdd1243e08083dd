/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads much more than it writes: fills pages, makes them durable, and reads them all, round after round. Says how many
 * pages of its own went to the disk, and came from there, while it only read.
 *
 *     reader PAGES ROUNDS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL_ACCOUNT  0x1002
#define PAGES_IN      8 /* in include/eidolon/memory.h */
#define PAGES_WRITTEN 10
#define COUNTS        24
#define PAGE          4096u

struct account {
    uint64_t counts[COUNTS];
    uint32_t program, parent, next, reserved;
    char name[32];
};

static struct account account(void)
{
    struct account out = {.program = 0};

    syscall(CALL_ACCOUNT, (uint32_t)getpid(), &out, sizeof(out));
    return out;
}

int main(int argc, char **argv)
{
    uint32_t pages = argc == 3 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    uint32_t rounds = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    char *memory = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("reader: mmap");
        return 2;
    }
    for (uint32_t page = 0; page < pages; page++) {
        *(volatile uint32_t *)(void *)(memory + (size_t)page * PAGE) = page + 1;
    }
    sync();
    struct account before = account();
    for (uint32_t i = 0; i < pages * rounds; i++) {
        if (*(volatile uint32_t *)(void *)(memory + (size_t)(i % pages) * PAGE) != i % pages + 1) {
            printf("page %u is not right\n", i % pages);
            return 1;
        }
    }
    sync();
    struct account after = account();
    printf("read %u pages: %llu came in, %llu written\n", pages * rounds,
           (unsigned long long)(after.counts[PAGES_IN] - before.counts[PAGES_IN]),
           (unsigned long long)(after.counts[PAGES_WRITTEN] - before.counts[PAGES_WRITTEN]));
    return 0;
}
