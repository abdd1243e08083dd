/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls with good and bad arguments, each with its result and errno. On Linux it prints the same. Once it asks
 * for a line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* A pointer that leads nowhere; the compiler must not know. */
static void *volatile nowhere = (void *)8;

static volatile int minus_one = -1;

static char bytes[200];

static void show(const char *what, long result)
{
    int error = result < 0 ? errno : 0;

    printf("%s = %ld%s%s\n", what, result, error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
}

/* Addresses differ from system to system: only whether it worked, and why not. */
static void show_address(const char *what, const void *result)
{
    printf("%s: %s\n", what, result == MAP_FAILED ? strerror(errno) : "works");
}

#define SHOW(call)         show(#call, (long)(call))
#define SHOW_ADDRESS(call) show_address(#call, call)

/* Descriptors ------------------------------------------------------------------------------------------------------ */

static void descriptors(void)
{
    struct stat status;

    SHOW(open("/nonexistent", O_RDONLY));
    SHOW(open("/dev/null", O_RDWR));
    SHOW(write(3, "x", 1));
    SHOW(read(3, bytes, 1));
    SHOW(fstat(3, &status));
    SHOW(S_ISCHR(status.st_mode));
    SHOW(close(3));
    SHOW(close(3));
    SHOW(lseek(STDIN_FILENO, 0, SEEK_SET));
    SHOW(dup2(STDOUT_FILENO, 10));
    SHOW(write(10, "through a duplicate\n", 20));
    SHOW(fcntl(10, F_GETFD));
    SHOW(fcntl(10, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(10, F_GETFD));
    SHOW(fcntl(STDIN_FILENO, F_DUPFD, 20));
    SHOW(fcntl(STDIN_FILENO, 99));
    SHOW(dup(99));
    SHOW(dup2(1, 1));
    SHOW(dup3(1, 1, 0));
    SHOW(close(10));
    SHOW(fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK));
    SHOW(read(STDIN_FILENO, bytes, 10));
    SHOW(fcntl(STDIN_FILENO, F_SETFL, 0));
    SHOW(access("/dev/null", R_OK));
    SHOW(access("/nonexistent", R_OK));
    SHOW(access(nowhere, 0));
    SHOW(stat("/dev/null", &status));
    SHOW(stat("", &status));
    SHOW(readlink("/dev/null", bytes, 10));
    umask(022);
    SHOW(umask(022));
}

static void transfers(void)
{
    struct iovec vectors[3] = {{"ab", 2}, {NULL, 0}, {"cd\n", 3}};
    int zero = open("/dev/zero", O_RDONLY);

    memset(bytes, 1, sizeof(bytes));
    SHOW(read(zero, bytes, sizeof(bytes)));
    SHOW(bytes[sizeof(bytes) - 1]);
    SHOW(write(STDOUT_FILENO, NULL, 0));
    SHOW(write(STDOUT_FILENO, nowhere, 5));
    SHOW(read(zero, nowhere, 5));
    SHOW(write(99, "", 1));
    SHOW(writev(STDOUT_FILENO, vectors, 3));
    SHOW(writev(STDOUT_FILENO, vectors, minus_one));
    vectors[1].iov_len = 5;
    SHOW(writev(STDOUT_FILENO, vectors + 1, 1));
    SHOW(getrandom(bytes, 100, 0));
    SHOW(getrandom(nowhere, 100, 0));
    SHOW(close(zero));
}

/* Memory ----------------------------------------------------------------------------------------------------------- */

static void *map(void *address, size_t length, int flags)
{
    return mmap(address, length, PROT_READ | PROT_WRITE, flags, -1, 0);
}

static void mappings(void)
{
    char *memory = map(NULL, 4096, MAP_PRIVATE | MAP_ANONYMOUS);

    SHOW(munmap(memory, 4096));
    SHOW(munmap(memory, 4096));
    SHOW(munmap(memory + 1, 4096));
    SHOW(munmap(memory, 0));
    SHOW_ADDRESS(mremap(memory, 4096, 8192, MREMAP_MAYMOVE));
    SHOW_ADDRESS(map(NULL, 0, MAP_PRIVATE | MAP_ANONYMOUS));
    SHOW_ADDRESS(map(NULL, 4096, MAP_ANONYMOUS));
    SHOW_ADDRESS(map(NULL, 4096, MAP_PRIVATE));
    SHOW_ADDRESS(map(memory + 1, 4096, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED));
    SHOW_ADDRESS(map(NULL, 0xF0000000u, MAP_PRIVATE | MAP_ANONYMOUS));
    SHOW(mprotect((void *)0x1000, 4096, PROT_READ));
    SHOW(mprotect(memory + 1, 4096, PROT_READ));
    SHOW(mprotect(memory, 4096, 0x77));
    memory = map(NULL, 8192, MAP_PRIVATE | MAP_ANONYMOUS);
    SHOW_ADDRESS(mremap(memory, 0, 4096, MREMAP_MAYMOVE));
    SHOW_ADDRESS(mremap(memory, 4096, 4096, 0x55));
    SHOW_ADDRESS(map(memory, 4096, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE));
    SHOW(madvise(memory, 4096, MADV_DONTNEED));
    SHOW(madvise(memory + 1, 4096, MADV_DONTNEED));
    char *end = sbrk(0);
    SHOW(brk((void *)0x1000));
    SHOW(sbrk(0) == end);
    SHOW(sbrk(100000) == end);
    memset(end, 1, 100000);
    SHOW(sbrk(-100000) == end + 100000);
    SHOW(sbrk(50000) == end);
    SHOW(end[40000]);
}

/* Time, terminals, identity ---------------------------------------------------------------------------------------- */

static void waiting(void)
{
    struct timeval limit = {0, 100000};
    struct timespec time;
    struct pollfd entries[3] = {{-1, POLLIN, 0}, {33, POLLIN, 0}, {STDOUT_FILENO, POLLOUT, 0}};
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    fd_set set;

    SHOW(poll(&input, 1, 50));
    SHOW(poll(entries, 3, 1000));
    printf("%x %x %x\n", entries[0].revents, entries[1].revents, entries[2].revents);
    FD_ZERO(&set);
    FD_SET(STDIN_FILENO, &set);
    SHOW(select(1, &set, NULL, NULL, &limit));
    FD_SET(STDOUT_FILENO, &set);
    SHOW(select(2, NULL, &set, NULL, NULL));
    FD_SET(40, &set);
    SHOW(select(41, &set, NULL, NULL, &limit));
    SHOW(nanosleep(&(struct timespec){0, -1}, NULL));
    SHOW(nanosleep(&(struct timespec){0, 1000000}, NULL));
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 1000000000}, NULL));
    SHOW(clock_gettime(77, &time));
    SHOW(clock_getres(CLOCK_MONOTONIC, &time));
    SHOW(time.tv_nsec);
}

static void terminals(void)
{
    struct winsize size;
    struct termios settings;
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    int waiting_bytes = 0;

    SHOW(isatty(STDIN_FILENO));
    SHOW(isatty(33));
    SHOW(ioctl(STDOUT_FILENO, TIOCGWINSZ, &size));
    SHOW(ioctl(STDIN_FILENO, 0x1234, 0));
    SHOW(ioctl(33, TIOCGWINSZ, &size));
    SHOW(tcgetattr(STDIN_FILENO, &settings));
    SHOW(tcsetattr(STDIN_FILENO, TCSANOW, &settings));
    SHOW(tcflush(STDIN_FILENO, TCIFLUSH));
    puts("type a line");
    SHOW(poll(&input, 1, 60000));
    SHOW(input.revents);
    SHOW(ioctl(STDIN_FILENO, FIONREAD, &waiting_bytes));
    SHOW(waiting_bytes);
    SHOW(read(STDIN_FILENO, bytes, sizeof(bytes)));
}

static void identity(void)
{
    struct rlimit limit;

    SHOW(getrlimit(RLIMIT_STACK, &limit));
    SHOW(limit.rlim_cur);
    SHOW(getrlimit(99, &limit));
    SHOW(syscall(SYS_sigaltstack, nowhere, 0));
    SHOW(syscall(SYS_rt_sigaction, 0, 0, 0, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGKILL, bytes, 0, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGINT, 0, 0, 4));
    SHOW(syscall(SYS_set_thread_area, nowhere));
    SHOW(kill(getpid(), 0));
    SHOW(kill(getpid(), 99));
    SHOW(getpgrp() == getpgid(0));
    SHOW(waitpid(-1, NULL, 0));
    SHOW(sysconf(_SC_PAGESIZE));
    SHOW(sysconf(_SC_CLK_TCK));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    descriptors();
    transfers();
    mappings();
    waiting();
    terminals();
    identity();
    return 42;
}
