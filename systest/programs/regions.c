/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More regions than there is room for: every second page of a large mapping gets other rights, until that is refused.
 *
 * Nothing may be lost by that: what was mapped has its content, what was refused is as it was, and once all is unmapped
 * the same can be had again. Twice, so that what the first round left behind would be missing in the second.
 *
 *     round ROUND: refused with ERRNO after COUNT regions.
 *     all is well.               or UNEXPECTED ..., and status 1
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE      4096u
#define PAGES_MAX (400u * 1024u) /* 1.6 GiB of addresses; only some pages are touched */
#define EACH      1000u          /* page that is touched */
#define ROUNDS    2u

static uint8_t *memory;

static void unexpected(const char *what, uint32_t page)
{
    printf("UNEXPECTED: %s at page %u: %s\n", what, page, strerror(errno));
    exit(1);
}

/* Returns how many regions there were when one more was refused. */
static uint32_t split_until_refused(void)
{
    for (uint32_t page = 1; page < PAGES_MAX; page += 2) {
        if (page % EACH == 1) {
            memory[page * PAGE] = (uint8_t)(page / EACH);
        }
        if (mprotect(memory + page * PAGE, PAGE, PROT_READ) != 0) {
            return page;
        }
    }
    return 0;
}

static void look(uint32_t refused)
{
    for (uint32_t page = 1; page < refused; page += EACH) {
        if (memory[page * PAGE] != (uint8_t)(page / EACH)) {
            unexpected("content", page);
        }
    }
    /* What was refused still allows writing. */
    memory[refused * PAGE] = 77;
    if (memory[refused * PAGE] != 77) {
        unexpected("refused page", refused);
    }
}

int main(void)
{
    uint32_t before = 0;

    for (uint32_t round = 1; round <= ROUNDS; round++) {
        memory = mmap(NULL, (size_t)PAGES_MAX * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            unexpected("mmap", 0);
        }
        uint32_t refused = split_until_refused();
        int error = errno;
        if (refused == 0) {
            unexpected("no refusal", PAGES_MAX);
        }
        printf("round %u: refused with %d after %u regions.\n", round, error, refused);
        fflush(stdout);
        look(refused);
        if (munmap(memory, (size_t)PAGES_MAX * PAGE) != 0) {
            unexpected("munmap", 0);
        }
        if (round > 1 && refused != before) {
            unexpected("another number of regions", refused);
        }
        before = refused;
    }
    puts("all is well.");
    return 0;
}
