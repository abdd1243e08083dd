/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits: what is set is told again, by every call that tells, to children and to other programs; what can be held to,
 * is held to; and what is wrong is refused. Linux prints the same.
 */
#define _GNU_SOURCE
#include "rounds.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define MIB             (1024u * 1024u)
#define FILE_SIZE_LIMIT 0x123456789ull

static char **arguments;

static int end_of(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static void set(int resource, rlim_t soft)
{
    struct rlimit limit;

    getrlimit(resource, &limit);
    limit.rlim_cur = soft;
    if (setrlimit(resource, &limit) != 0) {
        say("setrlimit(%d): %s\n", resource, strerror(errno));
    }
}

static void tell(const char *what, int resource)
{
    uint64_t wide[2];
    uint32_t narrow[2], old[2];

    syscall(SYS_prlimit64, 0, resource, NULL, wide);
    syscall(SYS_ugetrlimit, resource, narrow);
    syscall(SYS_getrlimit, resource, old);
    say("%s: %llx %llx, %x %x, %x %x\n", what, (unsigned long long)wide[0], (unsigned long long)wide[1], narrow[0],
        narrow[1], old[0], old[1]);
}

static long try(int number, long a, long b, const void *c, void *d)
{
    return syscall(number, a, b, c, d) == 0 ? 0 : errno;
}

static void values(void)
{
    uint64_t pair[2] = {FILE_SIZE_LIMIT, UINT64_MAX}, wrong[2] = {2, 1}, before[2] = {0};
    uint32_t narrow[2] = {5, UINT32_MAX}, narrow_wrong[2] = {6, 5};

    say("set: %ld\n", try(SYS_prlimit64, 0, RLIMIT_FSIZE, pair, before));
    tell("file size", RLIMIT_FSIZE);
    say("set: %ld", try(SYS_prlimit64, getpid(), RLIMIT_CORE, (uint64_t[]){4096, UINT64_MAX}, before));
    say(" %ld\n", try(SYS_setrlimit, RLIMIT_RSS, (long)narrow, NULL, NULL));
    tell("core", RLIMIT_CORE);
    tell("resident", RLIMIT_RSS);
    say("wrong: %ld %ld", try(SYS_prlimit64, 0, RLIMIT_FSIZE, wrong, NULL),
        try(SYS_setrlimit, RLIMIT_FSIZE, (long)narrow_wrong, NULL, NULL));
    say(" %ld %ld %ld", try(SYS_prlimit64, 0, 16, NULL, before), try(SYS_setrlimit, 16, (long)narrow, NULL, NULL),
        try(SYS_ugetrlimit, 16, (long)narrow, NULL, NULL));
    say(" %ld %ld %ld\n", try(SYS_prlimit64, 4000000, 1, NULL, before), try(SYS_prlimit64, 0, 1, (void *)8, NULL),
        try(SYS_prlimit64, 0, 1, NULL, (void *)8));
    say("more descriptors than there can be: %ld\n",
        try(SYS_prlimit64, 0, RLIMIT_NOFILE, (uint64_t[]){8, 1ull << 40}, NULL));
    tell("file size", RLIMIT_FSIZE);
    set(RLIMIT_CORE, 0);
}

/* A child has them, and so has what it becomes; and what a child sets, its parent does not have. */
static void inheritance(void)
{
    pid_t child = fork();

    if (child == 0) {
        uint64_t inherited[2] = {0};
        syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, inherited);
        if (inherited[0] != FILE_SIZE_LIMIT) {
            _exit(2);
        }
        set(RLIMIT_FSIZE, 777);
        char *words[] = {arguments[0], "tells", NULL}, *environment[] = {NULL};
        execve("/proc/self/exe", words, environment);
        _exit(1);
    }
    say("another program: %d\n", WEXITSTATUS(end_of(child)));
    tell("file size", RLIMIT_FSIZE);
}

static void descriptors(void)
{
    struct rlimit before;

    getrlimit(RLIMIT_NOFILE, &before);
    set(RLIMIT_NOFILE, 8);
    int last = -1, next;
    while ((next = dup(0)) >= 0) {
        last = next;
    }
    say("last descriptor: %d, then %s", last, strerror(errno));
    say(", dup2: %d", dup2(0, 8));
    say(" %s, F_DUPFD: %d", strerror(errno), fcntl(0, F_DUPFD, 8));
    say(" %s\n", strerror(errno));
    set(RLIMIT_NOFILE, before.rlim_cur);
    say("dup2: %d\n", dup2(0, 8));
    for (int descriptor = 3; descriptor <= 8; descriptor++) {
        close(descriptor);
    }
}

static const char *mapped(size_t length, int protection)
{
    void *at = mmap(NULL, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        return strerror(errno);
    }
    munmap(at, length);
    return "mapped";
}

static void memory(void)
{
    char *end = sbrk(0);
    void *grown = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    set(RLIMIT_AS, 64 * MIB);
    say("address space: %s", mapped(32 * MIB, PROT_READ));
    say(", %s\n", mapped(64 * MIB, PROT_READ));
    say("break: %d", sbrk(80 * MIB) == (void *)-1);
    say(", mremap: %d\n", mremap(grown, MIB, 80 * MIB, MREMAP_MAYMOVE) == MAP_FAILED);
    set(RLIMIT_AS, RLIM_INFINITY);
    set(RLIMIT_DATA, 16 * MIB);
    say("data: %s", mapped(8 * MIB, PROT_READ | PROT_WRITE));
    say(", %s", mapped(24 * MIB, PROT_READ | PROT_WRITE));
    say(", only read: %s\n", mapped(24 * MIB, PROT_READ));
    say("break: %d", sbrk(24 * MIB) == (void *)-1);
    say(", mremap: %d\n", mremap(grown, MIB, 24 * MIB, MREMAP_MAYMOVE) == MAP_FAILED);
    set(RLIMIT_DATA, RLIM_INFINITY);
    say("without: %s, the break is where it was: %d\n", mapped(80 * MIB, PROT_READ | PROT_WRITE), sbrk(0) == end);
    munmap(grown, MIB);
}

__attribute__((noinline)) static int dig(int pages)
{
    volatile char page[4096];

    page[pages % 4096] = (char)pages;
    return pages > 0 ? dig(pages - 1) + page[0] : 0;
}

static void stack(void)
{
    for (int mib = 1; mib <= 4; mib += 3) {
        pid_t child = fork();
        if (child == 0) {
            set(RLIMIT_STACK, (rlim_t)mib * MIB);
            dig(450);
            _exit(3);
        }
        int status = end_of(child);
        say("a stack of %d MiB: %d %d\n", mib, WIFSIGNALED(status) ? WTERMSIG(status) : 0, WEXITSTATUS(status));
    }
}

static void on_time(int number)
{
    struct rlimit limit;

    getrlimit(RLIMIT_CPU, &limit);
    _exit(number + (int)limit.rlim_cur);
}

static void processor(void)
{
    pid_t child = fork();

    if (child == 0) {
        signal(SIGXCPU, on_time);
        set(RLIMIT_CPU, 1);
        for (volatile unsigned i = 0;; i++) {
        }
    }
    int status = end_of(child);
    say("time on the processor: ended with %d\n", WEXITSTATUS(status));
}

static void scenario(void)
{
    values();
    inheritance();
    descriptors();
    memory();
    stack();
    processor();
}

int main(int count, char **words)
{
    struct rlimit limit;

    arguments = words;
    if (count > 1 && strcmp(words[1], "tells") == 0) {
        getrlimit(RLIMIT_FSIZE, &limit);
        return limit.rlim_cur == 777 ? 5 : 6;
    }
    return rounds_play(count, words, scenario);
}
