/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One who wants more memory than can be kept, and others who want little.
 *
 *     hoard MODE COUNT
 *
 * The program itself is a bystander: it counts, changes a few pages of its own with each tick and looks at all of them,
 * and now and then takes a page more. Another one calls sync() all the time. COUNT eaters, in a process group of their
 * own, want memory without end:
 *
 *     touch     maps a window and writes to page after page
 *     pieces    maps 64 KiB at a time, and looks whether it was refused
 *     break     moves its break, and looks whether it was refused
 *     copies    clones itself again and again; each copy takes more, and stays
 *     still     as `touch`, but stops short of the end when sync() has failed, and holds what it has
 *
 * It says:
 *
 *     tick N.                         every ten ticks
 *     eater: refused: ERRNO.          by an eater that was told
 *     eater: ended by signal N.       or: ended with STATUS.
 *     sync: ERRNO.                    when what sync() answers has changed; 0: durable
 *     CORRUPT ...                     and ends with status 1
 *     all is well.                    the eaters have ended (after `end` on standard input they are killed), and sync()
 *                                     has succeeded since
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALL_SYNC  0x1001 /* Eidolon's own: sync() that says whether it succeeded */
#define PAGE_BYTES 4096u
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint32_t))
#define OWN_PAGES  100u
#define MORE_PAGES 20u /* the bystander takes over time */
#define PIECE      (64u * 1024u)
#define COPY_BYTES (512u * 1024u)

static uint32_t (*own)[PAGE_WORDS];
static uint32_t versions[OWN_PAGES + MORE_PAGES];
static uint32_t own_count = OWN_PAGES;
static uint64_t generation;

static void pause_ms(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void *map(size_t bytes, int flags)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/* Content that no page has twice, and that is not all alike. */
static void fill(uint32_t *page, uint32_t seed)
{
    for (uint32_t i = 0; i < PAGE_WORDS; i++) {
        page[i] = seed * 0x9E3779B9u + i * 0x85EBCA6Bu + 1;
    }
}

static void eat(uint8_t *memory, size_t bytes)
{
    static uint32_t serial;
    for (size_t at = 0; at < bytes; at += PAGE_BYTES) {
        fill((uint32_t *)(void *)(memory + at), (uint32_t)getpid() << 16 ^ ++serial);
    }
}

static void refused(void)
{
    printf("eater: refused: %d.\n", errno);
    exit(errno);
}

static void eat_by_touch(int is_still)
{
    size_t window = 1u << 30;
    uint8_t *memory = map(window, MAP_NORESERVE);
    if (memory == MAP_FAILED) {
        refused();
    }
    for (size_t at = 0; at < window; at += PIECE) {
        eat(memory + at, PIECE);
        if (is_still && syscall(CALL_SYNC, &generation) != 0) {
            pause();
        }
    }
}

/* Until sync() has failed it is called now and then, so that the disk is known to be full before memory is. */
static void eat_by_pieces(int is_break)
{
    int is_full = 0;
    for (uint32_t number = 1;; number++) {
        is_full = is_full || (number % 8 == 0 && syscall(CALL_SYNC, &generation) != 0);
        uint8_t *memory = is_break ? sbrk(PIECE) : map(PIECE, 0);
        if (memory == MAP_FAILED) {
            refused();
        }
        eat(memory, PIECE);
    }
}

static void eat_by_copies(void)
{
    uint8_t *memory = NULL;
    for (uint32_t children = 0; children < 4;) {
        if (memory == NULL) {
            memory = map(COPY_BYTES, 0);
            if (memory == MAP_FAILED) {
                refused();
            }
        }
        eat(memory, COPY_BYTES);
        if (fork() == 0) {
            memory = NULL; /* the copy keeps what it has been given, and takes as much again */
            children = 0;
        } else {
            children++;
        }
    }
    while (1) {
        pause();
    }
}

static void eater(const char *mode)
{
    if (strcmp(mode, "touch") == 0 || strcmp(mode, "still") == 0) {
        eat_by_touch(strcmp(mode, "still") == 0);
    } else if (strcmp(mode, "copies") == 0) {
        eat_by_copies();
    } else {
        eat_by_pieces(strcmp(mode, "break") == 0);
    }
    exit(0);
}

static void syncer(void)
{
    int last = -1;
    while (1) {
        int result = syscall(CALL_SYNC, &generation) == 0 ? 0 : errno;
        if (result != last) {
            printf("sync: %d.\n", result);
            last = result;
        }
        pause_ms(20);
    }
}

static void tick(uint32_t number)
{
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t page = (number * 3 + i) * 7 % own_count;
        versions[page] = number;
        fill(own[page], number << 8 ^ page);
    }
    if (number % 16 == 0 && own_count < OWN_PAGES + MORE_PAGES) {
        versions[own_count] = number;
        fill(own[own_count], number << 8 ^ own_count);
        own_count++;
    }
    for (uint32_t page = 0; page < own_count; page++) {
        uint32_t expected[PAGE_WORDS];
        fill(expected, versions[page] << 8 ^ page);
        if (memcmp(expected, own[page], PAGE_BYTES) != 0) {
            printf("CORRUPT: page %u is not of tick %u\n", page, versions[page]);
            exit(1);
        }
    }
    if (number % 10 == 0) {
        printf("tick %u.\n", number);
    }
}

/* Returns how many eaters have ended. */
static int reap(pid_t first, pid_t last)
{
    int status, ended = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid < first || pid > last) {
            continue;
        }
        ended++;
        if (WIFSIGNALED(status)) {
            printf("eater: ended by signal %d.\n", WTERMSIG(status));
        } else {
            printf("eater: ended with %d.\n", WEXITSTATUS(status));
        }
    }
    return ended;
}

static int is_told_to_end(void)
{
    struct pollfd input = {0, POLLIN, 0};
    char line[20];
    return poll(&input, 1, 0) == 1 && fgets(line, sizeof(line), stdin) != NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    own = map((OWN_PAGES + MORE_PAGES) * PAGE_BYTES, 0);
    for (uint32_t page = 0; page < own_count; page++) {
        fill(own[page], page);
    }
    pid_t sync_pid = fork();
    if (sync_pid == 0) {
        syncer();
    }
    int left = atoi(argv[2]);
    pid_t eaters[64], group = 0;
    for (int i = 0; i < left && i < 64; i++) {
        eaters[i] = fork();
        if (eaters[i] == 0) {
            setpgid(0, group);
            pause_ms(200);
            eater(argv[1]);
        }
        setpgid(eaters[i], group);
        group = group != 0 ? group : eaters[i];
    }
    pid_t first = eaters[0], last = eaters[left - 1];
    for (uint32_t number = 1; left > 0; number++) {
        tick(number);
        left -= reap(first, last);
        if (is_told_to_end()) {
            kill(-group, SIGKILL);
        }
        pause_ms(20);
    }
    kill(-group, SIGKILL); /* what copies there still are */
    for (int tries = 0; syscall(CALL_SYNC, &generation) != 0; tries++) {
        if (tries == 100) {
            printf("CORRUPT: still not durable: %d\n", errno);
            return 1;
        }
        pause_ms(50);
    }
    kill(sync_pid, SIGKILL);
    tick(1000000);
    printf("all is well.\n");
    return 0;
}
