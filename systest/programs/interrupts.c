/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that are sent signals without pause while they change their memory and clone themselves. Each verifies every
 * byte it owns, and that no call which does not wait for anybody fails with EINTR. The arguments are how many programs,
 * how many MiB each has, and how often it changes them all. Prints the same on Linux.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE         4096u
#define PROGRAMS_MAX 16u
#define PAUSE_US     500u

static volatile sig_atomic_t handled;

static void count(int number)
{
    (void)number;
    handled++;
}

static unsigned char value_of(unsigned number, unsigned round, unsigned page)
{
    return (unsigned char)(number * 59 + round * 31 + page);
}

static unsigned count_wrong(const unsigned char *memory, unsigned pages, unsigned number, unsigned round)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < pages * PAGE; i++) {
        wrong += memory[i] != value_of(number, round, i / PAGE);
    }
    return wrong;
}

/* A clone and its end. Returns what is wrong. */
static unsigned clone_once(void)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        _exit(21);
    }
    return child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 21;
}

static unsigned live(unsigned number, unsigned pages, unsigned rounds)
{
    unsigned char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned wrong = memory == MAP_FAILED;

    for (unsigned round = 0; wrong == 0 && round < rounds; round++) {
        for (unsigned page = 0; page < pages; page++) {
            memset(memory + page * PAGE, value_of(number, round, page), PAGE);
        }
        wrong += count_wrong(memory, pages, number, round);
        wrong += clone_once();
        wrong += mprotect(memory, PAGE, PROT_READ) != 0 || mprotect(memory, PAGE, PROT_READ | PROT_WRITE) != 0;
    }
    return wrong != 0 || handled == 0;
}

/* What the program found goes into the pipe; it stays, so that its number is nobody else's while signals are sent. */
static void become_program(int report, unsigned number, unsigned pages, unsigned rounds)
{
    char result = live(number, pages, rounds) == 0 ? 'r' : 'w';

    if (write(report, &result, 1) != 1) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

static void become_sender(const pid_t *programs, unsigned count)
{
    for (unsigned i = 0;; i++) {
        kill(programs[i % count], i / count % 2 == 0 ? SIGUSR1 : SIGUSR2);
        if (i % count == 0) {
            usleep(PAUSE_US);
        }
    }
}

static unsigned end(pid_t program)
{
    int status = -1;

    kill(program, SIGKILL);
    return waitpid(program, &status, 0) != program || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
}

int main(int words_count, char **words)
{
    unsigned programs = words_count > 1 ? (unsigned)atoi(words[1]) : 2;
    unsigned pages = (words_count > 2 ? (unsigned)atoi(words[2]) : 1) * (1024u * 1024u / PAGE);
    unsigned rounds = words_count > 3 ? (unsigned)atoi(words[3]) : 2;
    struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
    pid_t list[PROGRAMS_MAX];
    unsigned wrong = 0;
    int report[2];

    if (programs > PROGRAMS_MAX || pipe(report) != 0) {
        return 2;
    }
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    for (unsigned number = 0; number < programs; number++) {
        list[number] = fork();
        if (list[number] == 0) {
            close(report[0]);
            become_program(report[1], number, pages, rounds);
        }
    }
    close(report[1]);
    pid_t sender = fork();
    if (sender == 0) {
        become_sender(list, programs);
    }
    for (unsigned i = 0; i < programs; i++) {
        char result = 'w';
        wrong += read(report[0], &result, 1) != 1 || result != 'r';
    }
    wrong += end(sender);
    for (unsigned number = 0; number < programs; number++) {
        wrong += end(list[number]);
    }
    printf(wrong == 0 ? "all is well\n" : "UNEXPECTED\n");
    return wrong != 0;
}
