/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A household of programs, for images that hold one of everything: members that sleep, wait, read and write pipes that
 * are empty and full, wait for signals, hold their parent, have ended without being asked for; and two that never rest.
 * The head of the house says `beat N.` about ten times a second, and syncs.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG_S 1000000

static int empty_pipe[2], full_pipe[2], busy_pipe[2];

static void rest_ms(long ms)
{
    struct timespec duration = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&duration, NULL);
}

static void on_signal(int signal)
{
    (void)signal;
}

static void sleeps(void)
{
    rest_ms(LONG_S * 1000L);
}

static void reads_empty_pipe(void)
{
    char byte;
    (void)!read(empty_pipe[0], &byte, 1);
}

static void writes_full_pipe(void)
{
    static char bytes[20000];
    memset(bytes, 'w', sizeof(bytes));
    for (;;) {
        (void)!write(full_pipe[1], bytes, sizeof(bytes));
    }
}

static void polls(void)
{
    struct pollfd wanted[2] = {{.fd = empty_pipe[0], .events = POLLIN}, {.fd = full_pipe[1], .events = POLLOUT}};
    poll(wanted, 2, LONG_S * 1000);
}

static void selects(void)
{
    struct timeval limit = {.tv_sec = LONG_S};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(empty_pipe[0], &set);
    select(empty_pipe[0] + 1, &set, NULL, NULL, &limit);
}

static void awaits_signal(void)
{
    static char stack[16384];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigset_t mask;
    sigaltstack(&other, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    for (;;) {
        sigsuspend(&mask);
    }
}

static void holds_parent(void)
{
    if (vfork() == 0) {
        sleeps();
        _exit(0);
    }
}

static void awaits_child(void)
{
    if (fork() == 0) {
        sleeps();
        _exit(0);
    }
    wait(NULL);
}

static void keeps_the_ended(void)
{
    for (int status = 1; status < 4; status++) {
        if (fork() == 0) {
            _exit(status);
        }
    }
    sleeps();
}

static void becomes_another(void)
{
    char *words[] = {"household", "sleep", NULL};
    execv("/proc/self/exe", words);
}

static void reads_terminal(void)
{
    char line[100];
    for (;;) {
        if (read(0, line, sizeof(line)) <= 0) {
            sleeps();
        }
    }
}

static void pumps(void)
{
    static unsigned char bytes[3000];
    if (fork() == 0) {
        for (unsigned turn = 0;; turn++) {
            memset(bytes, (int)turn, sizeof(bytes));
            (void)!write(busy_pipe[1], bytes, sizeof(bytes));
            rest_ms(20);
        }
    }
    for (;;) {
        (void)!read(busy_pipe[0], bytes, 700);
    }
}

static void clones(void)
{
    for (unsigned turn = 0;; turn++) {
        if (fork() == 0) {
            _exit(0);
        }
        wait(NULL);
        rest_ms(150);
    }
}

static void (*const members[])(void) = {
    sleeps,       reads_empty_pipe, writes_full_pipe, polls,          selects, awaits_signal, holds_parent,
    awaits_child, keeps_the_ended,  becomes_another,  reads_terminal, pumps,   clones,
};

static void be_the_head(void)
{
    size_t bytes = 64 * 4096;
    unsigned char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (unsigned beat = 0;; beat++) {
        memset(memory + beat % 64 * 4096, (int)beat, 4096);
        printf("beat %u.\n", beat);
        fflush(stdout);
        sync();
        rest_ms(60);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "sleep") == 0) {
        sleeps();
        return 0;
    }
    (void)!pipe(empty_pipe);
    (void)!pipe(full_pipe);
    (void)!pipe(busy_pipe);
    for (unsigned i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (fork() == 0) {
            members[i]();
            _exit(0);
        }
    }
    be_the_head();
}
