/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program becomes itself anew (execve of /proc/self/exe): what stays and what does not. Prints the same on Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int pristine = 7;
static int zeroes[3000];

static void become(const char *what, const char *number)
{
    char *const arguments[] = {"execs", (char *)what, (char *)number, "last words", NULL};
    char *const environment[] = {"ONE=1", "TWO=zwei", NULL};

    execve("/proc/self/exe", arguments, environment);
    printf("execve: %s\n", strerror(errno));
    _exit(99);
}

/* What the program that has become anew finds. */
static int begin_again(int count, char **words)
{
    struct sigaction first, second;
    int untouched = pristine == 7;

    for (int i = 0; i < 3000; i++) {
        untouched &= zeroes[i] == 0;
    }
    sigaction(SIGUSR1, NULL, &first);
    sigaction(SIGUSR2, NULL, &second);
    printf("again: %d words, <%s>, %s %s, untouched %d, handlers %d %d, descriptors %d %d\n", count, words[3],
           getenv("ONE"), getenv("TWO"), untouched, first.sa_handler == SIG_DFL, second.sa_handler == SIG_IGN,
           fcntl(30, F_GETFD), fcntl(31, F_GETFD));
    return atoi(words[2]);
}

static void on_signal(int signal)
{
    (void)signal;
}

static int end_of(pid_t child)
{
    int status = -1;

    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A chain of programs in one: each becomes the next, with one more change behind it. */
static int chain(int left)
{
    char number[16];

    pristine++;
    memset(zeroes, 1, sizeof(zeroes));
    if (left == 0) {
        return 33;
    }
    snprintf(number, sizeof(number), "%d", left - 1);
    become("chain", number);
    return 99;
}

static void refusals(void)
{
    char *const words[] = {"x", NULL};
    char *const bad[] = {"x", (char *)16, NULL};

    printf("no such: %d", execve("/no/such/program", words, words));
    printf(" %s\n", strerror(errno));
    printf("bad path: %d", (int)syscall(SYS_execve, 16, words, words));
    printf(" %s\n", strerror(errno));
    printf("bad words: %d", execve("/proc/self/exe", bad, words));
    printf(" %s\n", strerror(errno));
    printf("still here: %d\n", pristine);
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count > 2 && strcmp(words[1], "again") == 0) {
        return begin_again(count, words);
    }
    if (count > 2 && strcmp(words[1], "chain") == 0) {
        return pristine == 7 && zeroes[2999] == 0 ? chain(atoi(words[2])) : 98;
    }
    pristine = 8;
    memset(zeroes, 2, sizeof(zeroes));
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, SIG_IGN);
    dup2(1, 30);
    fcntl(dup2(1, 31), F_SETFD, FD_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        become("again", "17");
    }
    printf("ended with %d\n", end_of(child));
    child = vfork();
    if (child == 0) {
        become("again", "18");
    }
    printf("ended with %d\n", end_of(child));
    child = fork();
    if (child == 0) {
        become("chain", count > 1 ? words[1] : "100");
    }
    printf("chain ended with %d\n", end_of(child));
    refusals();
    return 0;
}
