/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes: between a program and its clones, full and empty, with ends that are closed, and what poll() says of them.
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char *what, long result)
{
    printf("%s: %ld %s\n", what, result, result == -1 ? strerror(errno) : "");
}

static unsigned char byte_of(unsigned at)
{
    return (unsigned char)(at * 2654435761u >> 24);
}

/* Many bytes through a pipe, in pieces of all sizes; returns how many were wrong. */
static unsigned pump(unsigned total)
{
    unsigned char piece[9000];
    unsigned at = 0, wrong = 0;
    int ends[2], status;

    if (pipe(ends) != 0) {
        return total;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        for (unsigned length = 1; at < total; length = length * 7 % 8999 + 1) {
            unsigned count = length < total - at ? length : total - at;
            for (unsigned i = 0; i < count; i++) {
                piece[i] = byte_of(at + i);
            }
            at += write(ends[1], piece, count) == (ssize_t)count ? count : total + 1;
        }
        _exit(at == total ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got;
    for (unsigned length = 1; (got = read(ends[0], piece, length)) > 0; length = length * 5 % 8900 + 1) {
        for (ssize_t i = 0; i < got; i++, at++) {
            wrong += piece[i] != byte_of(at);
        }
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    return wrong + (at != total) + (status != 0);
}

static volatile sig_atomic_t signals;

static void on_pipe(int signal)
{
    (void)signal;
    signals++;
}

static void ends_that_close(void)
{
    char bytes[8] = "";
    int ends[2];
    struct stat status;

    show("pipe", pipe(ends));
    show("write", write(ends[1], "words", 5));
    close(ends[1]);
    show("read", read(ends[0], bytes, 3));
    show("read the rest", read(ends[0], bytes, 8));
    show("read the end", read(ends[0], bytes, 8));
    fstat(ends[0], &status);
    printf("is a pipe: %d\n", S_ISFIFO(status.st_mode));
    show("seek", lseek(ends[0], 0, SEEK_SET));
    show("write to the reading end", write(ends[0], "x", 1));
    close(ends[0]);
    signal(SIGPIPE, on_pipe);
    show("another", pipe(ends));
    close(ends[0]);
    show("write to nobody", write(ends[1], "x", 1));
    printf("signals: %d\n", (int)signals);
    close(ends[1]);
    signal(SIGPIPE, SIG_DFL);
    pid_t child = fork();
    if (child == 0) {
        if (pipe(ends) == 0) {
            close(ends[0]);
            (void)!write(ends[1], "x", 1);
        }
        _exit(0);
    }
    int end;
    waitpid(child, &end, 0);
    printf("killed by: %d\n", WTERMSIG(end));
}

static void look(const char *when, int reader, int writer)
{
    struct pollfd entries[2] = {{.fd = reader, .events = POLLIN}, {.fd = writer, .events = POLLOUT}};
    int ready = poll(entries, 2, 0);

    printf("%s: %d ready, %x %x\n", when, ready, (unsigned)entries[0].revents, (unsigned)entries[1].revents);
}

static void without_waiting(void)
{
    static char zeroes[65536];
    char byte;
    int ends[2];

    show("pipe2", pipe2(ends, O_NONBLOCK | O_CLOEXEC));
    printf("flags: %x %x\n", (unsigned)fcntl(ends[0], F_GETFD), (unsigned)(fcntl(ends[1], F_GETFL) & O_NONBLOCK) != 0);
    show("read nothing", read(ends[0], &byte, 1));
    look("empty", ends[0], ends[1]);
    ssize_t total = 0, put;
    while ((put = write(ends[1], zeroes, sizeof(zeroes))) > 0) {
        total += put;
    }
    printf("filled: %d, %s\n", total >= 4096, strerror(errno));
    look("full", ends[0], ends[1]);
    struct iovec vectors[2] = {{zeroes, 2048}, {zeroes, 2048}};
    printf("readv: %d\n", readv(ends[0], vectors, 2) > 0);
    while (read(ends[0], zeroes, sizeof(zeroes)) > 0) {
    }
    close(ends[1]);
    struct pollfd entry = {.fd = ends[0], .events = POLLIN};
    show("poll after the end", poll(&entry, 1, -1));
    printf("hung up: %d\n", (entry.revents & POLLHUP) != 0);
    close(ends[0]);
    show("bad flags", pipe2(ends, 1));
    show("bad place", syscall(SYS_pipe, 4));
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    ends_that_close();
    without_waiting();
    unsigned total = count > 1 ? (unsigned)atoi(words[1]) : 300000;
    printf("pumped %u, %u wrong\n", total, pump(total));
    return 0;
}
