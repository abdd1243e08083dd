/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What poll(), select() and FIONREAD say of pipes in every situation of theirs, and who is woken when it changes.
 * Prints the same on Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EVERYTHING (POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND)

static int ends[2];

static void make(void)
{
    if (pipe2(ends, O_NONBLOCK) != 0) {
        printf("pipe: %s\n", strerror(errno));
        exit(1);
    }
}

static void unmake(void)
{
    close(ends[0]);
    close(ends[1]);
}

static void fill(void)
{
    static char block[4096];

    while (write(ends[1], block, sizeof(block)) > 0) {
    }
}

static int in_set(int descriptor, fd_set *set)
{
    return FD_ISSET(descriptor, set) != 0;
}

static void look(const char *when, int descriptor)
{
    struct pollfd all = {descriptor, EVERYTHING, 0}, none = {descriptor, 0, 0};
    struct timeval at_once = {0, 0};
    fd_set reading, writing, exceptional;

    FD_ZERO(&reading);
    FD_SET(descriptor, &reading);
    writing = exceptional = reading;
    int polled = poll(&all, 1, 0), unasked = poll(&none, 1, 0);
    int selected = select(descriptor + 1, &reading, &writing, &exceptional, &at_once);
    printf("%s: poll %d %x, unasked %d %x, select %d", when, polled, (unsigned)all.revents, unasked,
           (unsigned)none.revents, selected);
    if (selected >= 0) {
        printf(" %d%d%d\n", in_set(descriptor, &reading), in_set(descriptor, &writing),
               in_set(descriptor, &exceptional));
    } else {
        printf(" %s\n", strerror(errno));
    }
}

static void look_at_both(const char *when)
{
    char text[80];

    for (int end = 0; end < 2; end++) {
        snprintf(text, sizeof(text), "%s, %s", when, end == 0 ? "reader" : "writer");
        look(text, ends[end]);
    }
}

static void situations(void)
{
    char byte;

    make();
    look_at_both("empty");
    if (write(ends[1], "abc", 3) == 3) {
        look_at_both("some");
    }
    fill();
    look_at_both("full");
    close(ends[1]);
    look("full, no writer", ends[0]);
    while (read(ends[0], &byte, 1) == 1) {
    }
    look("empty, no writer", ends[0]);
    close(ends[0]);
    make();
    close(ends[0]);
    look("empty, no reader", ends[1]);
    close(ends[1]);
    make();
    fill();
    close(ends[0]);
    look("full, no reader", ends[1]);
    close(ends[1]);
    int device = open("/dev/null", O_RDWR);
    look("null", device);
    close(device);
    look("closed", 50);
}

static void several(void)
{
    struct pollfd entries[5] = {{-1, POLLIN, 9}, {50, POLLIN, 9}, {0, 0, 9}, {0, POLLIN, 9}, {0, POLLOUT, 9}};
    struct timeval at_once = {0, 0};
    fd_set set;

    make();
    entries[2].fd = entries[4].fd = ends[1];
    entries[3].fd = ends[0];
    printf("several: %d\n", poll(entries, 5, 0));
    for (int i = 0; i < 5; i++) {
        printf(" %x", (unsigned)entries[i].revents);
    }
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    FD_SET(50, &set);
    int result = select(51, &set, NULL, NULL, &at_once);
    printf("\nselect of a closed one: %d %s\n", result, strerror(errno));
    /* Bits at and above the count are not looked at. */
    result = select(50, &set, NULL, NULL, &at_once);
    printf("select below it: %d\n", result);
    printf("negative: %d %s\n", select(-1, NULL, NULL, NULL, &at_once), strerror(errno));
    unmake();
}

static void waiting_bytes(void)
{
    int count = -1;

    make();
    int results = ioctl(ends[0], FIONREAD, &count);
    printf("nothing: %d %d\n", results, count);
    results = write(ends[1], "some words", 10) == 10 ? ioctl(ends[0], FIONREAD, &count) : -2;
    printf("reader: %d %d\n", results, count);
    results = ioctl(ends[1], FIONREAD, &count);
    printf("writer: %d %d\n", results, count);
    results = ioctl(ends[0], FIONREAD, 8);
    printf("nowhere: %d %s\n", results, strerror(errno));
    results = ioctl(ends[0], TIOCGWINSZ, &count);
    printf("no terminal: %d %s\n", results, strerror(errno));
    int on = 1, off = 0;
    results = ioctl(ends[0], FIONBIO, &off);
    printf("waits: %d %x\n", results, (unsigned)fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    results = ioctl(ends[0], FIONBIO, &on);
    printf("waits not: %d %x\n", results, (unsigned)fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    results = ioctl(ends[0], FIOCLEX);
    printf("closes: %d %d\n", results, fcntl(ends[0], F_GETFD));
    results = ioctl(ends[0], FIONCLEX);
    printf("closes not: %d %d\n", results, fcntl(ends[0], F_GETFD));
    unmake();
}

/* What wakes a sleeper --------------------------------------------------------------------------------------------- */

static void fill_it(void)
{
    fill();
}

static void do_nothing(void)
{
}

static void write_some(void)
{
    (void)!write(ends[1], "x", 1);
}

static void close_reader(void)
{
    close(ends[0]);
}

static void close_writer(void)
{
    close(ends[1]);
}

static void drain(void)
{
    char block[4096];

    while (read(ends[0], block, sizeof(block)) > 0) {
    }
}

/* A clone polls one end without a limit; after a while something is done to the other one. */
static void wakes(const char *what, void (*before)(void), int end, short events, void (*change)(void), int by_select)
{
    struct timespec while_ = {0, 50000000};
    int status;

    make();
    before();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(ends[!end]);
        if (by_select) {
            fd_set reading, writing;
            FD_ZERO(&reading);
            FD_ZERO(&writing);
            FD_SET(ends[end], end == 0 ? &reading : &writing);
            _exit(select(ends[end] + 1, &reading, &writing, NULL, NULL));
        }
        struct pollfd entry = {ends[end], events, 0};
        int ready = poll(&entry, 1, -1);
        _exit(ready == 1 ? entry.revents & 0x7f : 0);
    }
    close(ends[end]);
    nanosleep(&while_, NULL);
    change();
    waitpid(child, &status, 0);
    printf("%s: %x\n", what, (unsigned)status);
    unmake();
}

static void wakings(void)
{
    wakes("bytes wake a reader", do_nothing, 0, POLLIN, write_some, 0);
    wakes("bytes wake one who selects", do_nothing, 0, POLLIN, write_some, 1);
    wakes("the end wakes a reader", do_nothing, 0, POLLIN, close_writer, 0);
    wakes("the end wakes one who asks for nothing", do_nothing, 0, 0, close_writer, 0);
    wakes("room wakes a writer", fill_it, 1, POLLOUT, drain, 0);
    wakes("room wakes one who selects", fill_it, 1, POLLOUT, drain, 1);
    wakes("no reader wakes a writer", fill_it, 1, POLLOUT, close_reader, 0);
    wakes("no reader wakes one who asks for nothing", do_nothing, 1, 0, close_reader, 0);
}

/* The time that is left -------------------------------------------------------------------------------------------- */

static void show_left(const char *what, long result, long long seconds, long fraction, long whole)
{
    int left = seconds > 0 || fraction > 0;

    printf("%s: %ld, %s\n", what, result,
           !left                   ? "nothing left"
           : seconds >= whole      ? "all of it left"
           : seconds >= whole - 15 ? "some left"
                                   : "wrong");
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void times_left(void)
{
    struct timeval time = {0, 50000};
    struct timespec exact = {0, 50000000};
    fd_set set;

    make();
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    long result = select(ends[0] + 1, &set, NULL, NULL, &time);
    show_left("timed out", result, time.tv_sec, time.tv_usec, 0);
    write_some();
    time = (struct timeval){20, 0};
    FD_SET(ends[0], &set);
    result = select(ends[0] + 1, &set, NULL, NULL, &time);
    show_left("ready at once", result, time.tv_sec, time.tv_usec, 20);
    time = (struct timeval){3, 5000000};
    FD_SET(50, &set);
    result = select(51, &set, NULL, NULL, &time);
    show_left("closed", result, time.tv_sec, time.tv_usec, 8);
    time = (struct timeval){0, -1};
    result = select(0, NULL, NULL, NULL, &time);
    printf("wrong time: %ld %s %ld\n", result, strerror(errno), (long)time.tv_usec);
    drain();
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGUSR1, &action, NULL);
    pid_t parent = getpid();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        nanosleep(&(struct timespec){0, 50000000}, NULL);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    time = (struct timeval){20, 0};
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    result = select(ends[0] + 1, &set, NULL, NULL, &time);
    show_left("interrupted", result, time.tv_sec, time.tv_usec, 20);
    waitpid(child, NULL, 0);
    struct pollfd entry = {ends[0], POLLIN, 0};
    result = syscall(SYS_ppoll, &entry, 1, &exact, NULL, 8);
    show_left("ppoll", result, exact.tv_sec, exact.tv_nsec, 0);
    exact = (struct timespec){20, 0};
    write_some();
    result = syscall(SYS_ppoll, &entry, 1, &exact, NULL, 8);
    show_left("ppoll at once", result, exact.tv_sec, exact.tv_nsec, 20);
    exact = (struct timespec){20, 0};
    FD_SET(ends[0], &set);
    result = syscall(SYS_pselect6, ends[0] + 1, &set, NULL, NULL, &exact, NULL);
    show_left("pselect at once", result, exact.tv_sec, exact.tv_nsec, 20);
    long long wide[2] = {20, 0};
    FD_SET(ends[0], &set);
    result = syscall(SYS_pselect6_time64, ends[0] + 1, &set, NULL, NULL, wide, NULL);
    show_left("pselect of 64 bits at once", result, wide[0], (long)wide[1], 20);
    unmake();
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    situations();
    several();
    waiting_bytes();
    wakings();
    times_left();
    return 0;
}
