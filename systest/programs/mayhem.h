/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs of mayhem.c do: one thing after the other at random, with arguments that are plausible, or wild.
 *
 * They stay within an arena of pages, so that what they do meets what they did; descriptors 0 to 2 and the pipe to the
 * one that counts are left alone. A fault of theirs leads back to where it was begun.
 */
#ifndef MAYHEM_H
#define MAYHEM_H

#include "../../include/eidolon/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PAGE         4096u
#define ARENA        0x40000000u
#define ARENA_PAGES  2048u
#define REPORT       63  /* the pipe's descriptor, which nobody closes */
#define OWN_FILES    3   /* descriptors below are left alone */
#define BATCH        32u /* calls between two reports */
#define CHILDREN_MAX 3u

static uint32_t state;
static unsigned slot, depth, unreported;
static char *self = "/proc/self/exe";
static sigjmp_buf back;
static volatile sig_atomic_t guarded; /* a fault leads back */

static uint32_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint32_t below(uint32_t limit)
{
    return draw() % limit;
}

/* Calls ------------------------------------------------------------------------------------------------------------ */

static void report(void)
{
    char who = (char)slot;

    unreported = 0;
    (void)!write(REPORT, &who, 1);
}

static long call(long number, ...)
{
    long arguments[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        arguments[i] = va_arg(list, long);
    }
    va_end(list);
    if (++unreported >= BATCH) {
        report();
    }
    return syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
#define CALL(...) call(__VA_ARGS__, 0L, 0L, 0L, 0L, 0L, 0L)

static void go_on(int number)
{
    (void)number;
    if (guarded) {
        siglongjmp(back, 1);
    }
    _exit(99);
}

/* Arguments -------------------------------------------------------------------------------------------------------- */

static uint32_t arena_page(void)
{
    /* Mostly few pages, so that what is done meets what was done. */
    uint32_t span = below(4) == 0 ? ARENA_PAGES : 64;

    return ARENA + below(span) * PAGE;
}

static uint32_t some_pages(void)
{
    return (1 + (below(8) == 0 ? below(512) : below(24))) * PAGE;
}

static void *pointer(void)
{
    static const uint32_t wild[] = {0,          1,          0xFFFF,     0x10000,    0x7FFFFFFE, 0x80000000, 0xBFFFFFFF,
                                    0xC0000000, 0xC0100000, 0xF0000000, 0xF0001000, 0xF4000000, 0xFFFFFFFC, 0xFFFFFFFF};

    switch (below(8)) {
    case 0:
        return (void *)(uintptr_t)wild[below(sizeof(wild) / sizeof(wild[0]))];
    case 1:
        return (void *)(uintptr_t)(arena_page() + PAGE - 1 - below(16)); /* over an edge */
    default:
        return (void *)(uintptr_t)(arena_page() + below(64) * 16);
    }
}

static uint32_t length(void)
{
    static const uint32_t lengths[] = {0, 1, 511, 512, 4096, 4097, 8176, 8192, 65536, 0x7FFFFFFF, 0xFFFFFFFF};

    return below(2) == 0 ? below(300) : lengths[below(sizeof(lengths) / sizeof(lengths[0]))];
}

static int descriptor(void)
{
    return OWN_FILES + (int)below(20);
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

static void touch(void)
{
    volatile uint32_t *at = (volatile uint32_t *)(uintptr_t)arena_page();
    uint32_t pages = 1 + below(below(10) == 0 ? 200 : 12);
    uint32_t writes = below(3);

    guarded = 1;
    if (sigsetjmp(back, 1) == 0) {
        for (uint32_t i = 0; i < pages; i++, at += PAGE / 4) {
            if (writes != 0) {
                *at = draw() & 0xFFFF;
            } else {
                (void)*at;
            }
        }
    }
    guarded = 0;
}

/* Of their own, or shared with their clones; some of their own is to grow as a stack does. */
static int kind_of_memory(void)
{
    return below(3) == 0 ? MAP_SHARED : MAP_PRIVATE | (below(16) == 0 ? MAP_GROWSDOWN : 0);
}

static void change_memory(void)
{
    static const int protections[] = {PROT_NONE,
                                      PROT_READ,
                                      PROT_READ | PROT_WRITE,
                                      PROT_READ | PROT_WRITE,
                                      PROT_READ | PROT_EXEC,
                                      PROT_READ | PROT_WRITE | PROT_EXEC};
    uint32_t at = arena_page(), bytes = some_pages();
    int protection = protections[below(6)];

    switch (below(12)) {
    case 0:
    case 1:
    case 2:
        CALL(SYS_mmap2, at, bytes, below(3) != 0 ? PROT_READ | PROT_WRITE : protection,
             MAP_ANONYMOUS | MAP_FIXED | kind_of_memory(), -1, 0);
        break;
    case 3:
        CALL(SYS_mmap2, at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0);
        break;
    case 4:
    case 5:
        CALL(SYS_munmap, at, bytes);
        break;
    case 6:
    case 7:
        CALL(SYS_mprotect, at, bytes, protection);
        break;
    case 8:
        CALL(SYS_mremap, at, below(3) == 0 ? 0 : bytes, some_pages(),
             MREMAP_MAYMOVE | (below(2) != 0 ? MREMAP_FIXED : 0), arena_page());
        break;
    case 9:
        CALL(SYS_madvise, at, bytes, MADV_DONTNEED);
        break;
    case 10: {
        long end = CALL(SYS_brk, 0);
        CALL(SYS_brk, end + (long)below(16 * PAGE) - 6 * (long)PAGE / 2);
        CALL(SYS_brk, end);
        break;
    }
    default:
        CALL(SYS_mprotect, at + below(4), bytes, below(256));
        CALL(SYS_munmap, below(2) == 0 ? draw() : 0xBFFF0000u, below(2) == 0 ? 0 : 0xFFFFF000u);
        break;
    }
}

/* Programs --------------------------------------------------------------------------------------------------------- */

static pid_t children[CHILDREN_MAX];

static void act(unsigned times);

static void execute(void)
{
    static char word[] = "a word that goes to the stack by itself";
    char *words[300];
    char seed[16], place[16], level[16];
    unsigned count = below(4) == 0 ? 280 : 5 + below(20);

    snprintf(seed, sizeof(seed), "%u", (unsigned)draw());
    snprintf(place, sizeof(place), "%u", slot);
    snprintf(level, sizeof(level), "%u", depth);
    words[0] = "mayhem";
    words[1] = "again";
    words[2] = seed;
    words[3] = place;
    words[4] = level;
    for (unsigned i = 5; i < count; i++) {
        words[i] = word;
    }
    words[count] = NULL;
    CALL(SYS_execve, below(8) == 0 ? pointer() : (void *)self, words, below(8) == 0 ? pointer() : NULL);
}

static void forget(pid_t gone)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        children[i] = children[i] == gone ? 0 : children[i];
    }
}

static void reap(int options)
{
    int *status = below(6) == 0 ? pointer() : NULL;
    long gone = CALL(SYS_wait4, -1, status, options, NULL);

    if (gone > 0) {
        forget((pid_t)gone);
    } else if (gone < 0 && errno == ECHILD) {
        memset(children, 0, sizeof(children));
    }
}

static void become_child(void)
{
    memset(children, 0, sizeof(children));
    depth++;
    state ^= (uint32_t)getpid() * 2654435761u;
    act(below(30));
    if (below(3) == 0) {
        execute();
    }
    if (below(4) == 0) {
        kill(getpid(), below(2) == 0 ? SIGTERM : SIGKILL);
    }
    report();
    _exit((int)below(256));
}

static void make_child(void)
{
    unsigned at = below(CHILDREN_MAX);

    if (children[at] != 0 || depth >= 3) {
        reap(WNOHANG);
        return;
    }
    long child = CALL(SYS_fork);
    if (child == 0) {
        become_child();
    }
    children[at] = child > 0 ? (pid_t)child : 0;
    for (unsigned i = below(4); i > 0 && child > 0; i--) {
        struct timespec pause = {0, (long)below(20000000)};
        CALL(SYS_nanosleep, &pause, NULL);
        CALL(SYS_kill, child, below(2) == 0 ? SIGUSR1 : SIGUSR2);
    }
    /* What is changed between a clone and the word of its end collapses then. */
    for (unsigned i = below(4); i > 0; i--) {
        change_memory();
        touch();
    }
    if (below(2) == 0) {
        reap(0);
    }
}

/* Signals ---------------------------------------------------------------------------------------------------------- */

static void handle(int number)
{
    if (number == SIGUSR2 && below(4) == 0) {
        touch();
    }
}

static void change_signals(void)
{
    static const int numbers[] = {SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM, SIGPIPE};
    static const int flags[] = {
        0, SA_RESTART, SA_NODEFER, SA_RESTART | SA_NODEFER, SA_SIGINFO, SA_RESTART | SA_ONSTACK};
    static char stack[16384];
    struct sigaction action = {.sa_handler = handle};
    stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};
    sigset_t set;

    sigemptyset(&set);
    switch (below(6)) {
    case 0:
        action.sa_flags = flags[below(6)];
        sigaction(numbers[below(5)], &action, NULL);
        break;
    case 1:
        sigaddset(&set, numbers[below(5)]);
        sigprocmask((int)below(3), &set, NULL);
        break;
    case 2:
        CALL(SYS_kill, below(2) == 0 ? getpid() : children[below(CHILDREN_MAX)] + 0, below(3) == 0 ? 0 : SIGUSR1);
        break;
    case 3:
        if (children[0] > 0) {
            CALL(SYS_kill, children[0], below(3) == 0 ? SIGKILL : SIGUSR2);
        }
        break;
    case 4:
        other.ss_flags = below(4) == 0 ? SS_DISABLE : 0;
        CALL(SYS_sigaltstack, below(8) == 0 ? pointer() : (void *)&other, below(4) == 0 ? pointer() : NULL);
        break;
    default:
        CALL(SYS_rt_sigaction, below(70), pointer(), pointer(), 8);
        CALL(SYS_rt_sigpending, pointer(), 8);
        break;
    }
}

/* Files, time, looks ----------------------------------------------------------------------------------------------- */

/* With signals that end nobody. */
static void use_events(void)
{
    struct itimerspec setting = {{0, below(30000000)}, {0, below(30000000)}};
    struct sigevent event = {.sigev_notify = below(8) == 0 ? (int)below(6) : SIGEV_SIGNAL,
                             .sigev_signo = below(2) == 0 ? SIGUSR1 : SIGUSR2};
    uint32_t set[2] = {1u << (SIGUSR1 - 1), 0}, number;

    switch (below(8)) {
    case 0:
        CALL(SYS_eventfd2, below(5), O_NONBLOCK | (below(3) == 0 ? 1 : 0));
        break;
    case 1:
        CALL(SYS_timerfd_create, below(3) == 0 ? below(12) : below(2), O_NONBLOCK);
        break;
    case 2:
        CALL(below(2) == 0 ? SYS_timerfd_settime : SYS_timer_settime, below(2) == 0 ? below(5) : (uint32_t)descriptor(),
             below(3), below(8) == 0 ? pointer() : (void *)&setting, below(4) == 0 ? pointer() : NULL);
        break;
    case 3:
        CALL(SYS_signalfd4, below(2) == 0 ? UINT32_MAX : (uint32_t)descriptor(),
             below(8) == 0 ? pointer() : (void *)set, 8, O_NONBLOCK);
        break;
    case 4:
    case 5:
        CALL(SYS_timer_create, below(4) == 0 ? below(12) : below(3), below(8) == 0 ? pointer() : (void *)&event,
             below(8) == 0 ? pointer() : (void *)&number);
        break;
    case 6:
        CALL(below(2) == 0 ? SYS_timer_gettime : SYS_timer_getoverrun, below(5), pointer());
        break;
    default:
        CALL(below(3) == 0 ? SYS_timerfd_gettime : SYS_timer_delete, below(5), pointer());
        break;
    }
}

static void use_files(void)
{
    struct iovec vector[2] = {{pointer(), below(5000)}, {pointer(), below(300)}};
    struct pollfd polled[2] = {{descriptor(), POLLIN, 0}, {descriptor(), POLLOUT, 0}};
    struct termios settings;
    int ends[2];

    switch (below(12)) {
    case 0:
        CALL(SYS_pipe2, below(8) == 0 ? pointer() : (void *)ends, O_NONBLOCK | (below(2) == 0 ? O_CLOEXEC : 0));
        break;
    case 1:
        CALL(SYS_close, descriptor());
        break;
    case 2:
        CALL(SYS_dup2, descriptor(), descriptor());
        break;
    case 3:
    case 4:
        CALL(SYS_write, descriptor(), pointer(), length());
        break;
    case 5:
    case 6:
        CALL(SYS_read, descriptor(), pointer(), length());
        break;
    case 7:
        CALL(below(2) == 0 ? SYS_readv : SYS_writev, descriptor(), below(8) == 0 ? pointer() : (void *)vector, 2);
        break;
    case 8:
        CALL(SYS_poll, below(8) == 0 ? pointer() : (void *)polled, 2, below(3));
        break;
    case 9:
        if (CALL(SYS_ioctl, 1, TCGETS, below(4) == 0 ? pointer() : (void *)&settings) == 0) {
            CALL(SYS_ioctl, 1, TIOCGWINSZ, pointer());
        }
        break;
    case 10:
        CALL(SYS_openat, AT_FDCWD, below(3) == 0 ? pointer() : (void *)"/dev/zero", O_RDWR);
        CALL(SYS_fcntl64, descriptor(), below(8), O_NONBLOCK);
        break;
    default:
        CALL(SYS_write, 2, pointer(), 0);
        CALL(SYS_fsync, below(40) == 0 ? 1 : 99);
        break;
    }
}

static void look_or_wait(void)
{
    struct timespec pause = {0, (long)below(3000000)};

    switch (below(8)) {
    case 0:
        CALL(SYS_nanosleep, below(6) == 0 ? pointer() : (void *)&pause, below(3) == 0 ? pointer() : NULL);
        break;
    case 1:
        CALL(SYS_clock_gettime, below(4), pointer());
        break;
    case 2:
        CALL(EIDOLON_CALL_FRAMES, below(8192), below(600), pointer());
        break;
    case 3:
        CALL(EIDOLON_CALL_REGIONS, below(30), below(1u << 20), pointer(), below(34));
        break;
    case 4:
        CALL(EIDOLON_CALL_PAGES, below(30), below(1u << 20), below(3000), pointer());
        break;
    case 5:
        CALL(EIDOLON_CALL_ACCOUNT, below(30), pointer(), below(400));
        break;
    case 6:
        CALL(SYS_getrandom, pointer(), length(), 0);
        break;
    default:
        CALL(SYS_sched_yield);
        CALL(500 + (long)below(1000), draw(), draw(), draw(), draw());
        break;
    }
}

static void act(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        uint32_t dice = below(1000);
        if (dice < 300) {
            change_memory();
        } else if (dice < 560) {
            touch();
        } else if (dice < 690) {
            use_files();
        } else if (dice < 730) {
            use_events();
        } else if (dice < 850) {
            change_signals();
        } else if (dice < 970) {
            look_or_wait();
        } else {
            make_child();
        }
    }
}

#define HOG_ARENA 0x60000000u

/* Takes memory from all others, and never the same twice. */
static void become_hog(unsigned pages)
{
    setpgid(0, 0);
    volatile uint32_t *at =
        mmap((void *)HOG_ARENA, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (uint32_t round = 1;; round++) {
        for (unsigned i = 0; i < pages; i++) {
            at[i * (PAGE / 4)] = round;
        }
    }
}

static void begin(void)
{
    signal(SIGSEGV, go_on);
    signal(SIGBUS, go_on);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, handle);
    signal(SIGUSR2, handle);
}

static void become_program(unsigned number, uint32_t seed)
{
    setpgid(0, 0);
    slot = number;
    state = seed | 1;
    begin();
    for (;;) {
        act(1000);
    }
}

static int go_on_after_exec(char **words)
{
    state = (uint32_t)strtoul(words[2], NULL, 10) | 1;
    slot = (unsigned)atoi(words[3]);
    depth = (unsigned)atoi(words[4]);
    begin();
    act(below(60));
    report();
    return (int)below(256);
}

#endif
