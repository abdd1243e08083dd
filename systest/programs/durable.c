/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a number durable by the calls that say so.
 *
 *     set HOW N     remember N, then call HOW: sync, fsync, fdatasync, msync
 *       N by HOW: 0.      what the call answered: 0 or errno
 *     call HOW      a call with an argument that is wrong: unopened, unaligned, unmapped, flags, empty
 *       HOW: ERRNO.
 *     show
 *       number N.
 *     quit
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

static volatile int *number;

static int answer(int result)
{
    return result == 0 ? 0 : errno;
}

static int make_durable(const char *how)
{
    if (strcmp(how, "sync") == 0) {
        sync();
        return 0;
    }
    if (strcmp(how, "fsync") == 0) {
        return answer(fsync(STDOUT_FILENO));
    }
    if (strcmp(how, "fdatasync") == 0) {
        return answer(fdatasync(STDOUT_FILENO));
    }
    return answer(msync((void *)number, PAGE_BYTES, MS_SYNC));
}

static int call_wrongly(const char *how)
{
    char *page = (char *)number;

    if (strcmp(how, "unopened") == 0) {
        return answer(fsync(77));
    }
    if (strcmp(how, "unaligned") == 0) {
        return answer(msync(page + 1, PAGE_BYTES, MS_SYNC));
    }
    if (strcmp(how, "unmapped") == 0) {
        return answer(msync(page, 3 * PAGE_BYTES, MS_SYNC));
    }
    if (strcmp(how, "flags") == 0) {
        return answer(msync(page, PAGE_BYTES, MS_SYNC | MS_ASYNC));
    }
    return answer(msync(page, 0, MS_SYNC)); /* empty: nothing is wrong */
}

int main(void)
{
    char line[64], how[16];
    int wanted;

    /* Of three pages the last is given back, so that what follows the first two is not mapped. */
    char *pages = mmap(NULL, 3 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || munmap(pages + 2 * PAGE_BYTES, PAGE_BYTES) != 0) {
        return 1;
    }
    number = (int *)(void *)pages;
    printf("ready\n");
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (sscanf(line, "set %15s %d", how, &wanted) == 2) {
            *number = wanted;
            printf("%d by %s: %d.\n", wanted, how, make_durable(how));
        } else if (sscanf(line, "call %15s", how) == 1) {
            printf("%s: %d.\n", how, call_wrongly(how));
        } else if (strncmp(line, "show", 4) == 0) {
            printf("number %d.\n", *number);
        } else {
            break;
        }
        fflush(stdout);
    }
    return 0;
}
