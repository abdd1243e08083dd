/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The old signal calls, made by hand as small C libraries make them: a shell's way of waiting for a child
 * among it. Linux prints the same.
 */
#define _GNU_SOURCE
#include "rounds.h"
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>

enum {
    OLD_SIGNAL = 48,
    OLD_SIGACTION = 67,
    OLD_SGETMASK = 68,
    OLD_SSETMASK = 69,
    OLD_SIGSUSPEND = 72,
    OLD_SIGPENDING = 73,
    OLD_SIGPROCMASK = 126,
};

struct old_action {
    void (*handler)(int);
    uint32_t mask, flags;
    void (*restorer)(void);
};

static int call(int number, uint32_t first, uint32_t second, uint32_t third)
{
    int result;

    __asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(first), "c"(second), "d"(third) : "memory");
    return result;
}

#define AT(object) ((uint32_t)(uintptr_t)(object))

static volatile int seen;

/* As every handler was called once: with the registers themselves behind the number. */
static void on_signal(int number)
{
    const uint32_t *words = (const uint32_t *)__builtin_frame_address(0) + 2;

    seen++;
    say("  handler of %d, number on the stack %u, user code %d\n", number, words[0], (words[1 + 15] & 3) == 3);
}

/* The restorer that a C library of that time brings. */
__asm__("old_restorer: popl %eax; movl $119, %eax; int $0x80");
void old_restorer(void);

static uint32_t bit(int number)
{
    return 1u << (number - 1);
}

static int install(int number, uint32_t mask, uint32_t flags, void (*restorer)(void))
{
    const struct old_action action = {on_signal, mask, flags, restorer};

    return call(OLD_SIGACTION, (uint32_t)number, AT(&action), 0);
}

static void actions(void)
{
    struct old_action before;
    struct sigaction shown;

    say("sigaction: %d, handler with a restorer\n", install(SIGUSR1, bit(SIGUSR2), 0x04000000, old_restorer));
    raise(SIGUSR1);
    say("without: %d\n", install(SIGUSR1, bit(SIGUSR2), 0, NULL));
    raise(SIGUSR1);
    say("before: %d", call(OLD_SIGACTION, SIGUSR1, 0, AT(&before)));
    say(", handler %d, mask %x, flags %x\n", before.handler == on_signal, before.mask, before.flags);
    sigaction(SIGUSR1, NULL, &shown);
    say("the new call shows: handler %d, blocks 12: %d, 40: %d\n", shown.sa_handler == on_signal,
        sigismember(&shown.sa_mask, SIGUSR2), sigismember(&shown.sa_mask, 40));
    say("wrong: %d %d %d %d\n", call(OLD_SIGACTION, 0, 0, 0), call(OLD_SIGACTION, 65, 0, 0),
        install(SIGKILL, 0, 0, NULL), call(OLD_SIGACTION, SIGUSR1, 8, 0));
    say("signal: %d\n", call(OLD_SIGNAL, SIGUSR1, AT(on_signal), 0) == (int)AT(on_signal));
    raise(SIGUSR1);
    say("once only: %d, wrong: %d %d\n", call(OLD_SIGNAL, SIGUSR1, 1, 0), call(OLD_SIGNAL, 0, 0, 0),
        call(OLD_SIGNAL, SIGSTOP, 0, 0));
}

static void masks(void)
{
    sigset_t high;
    uint32_t set = bit(SIGUSR1), before = 0, pending = 0;

    sigemptyset(&high);
    sigaddset(&high, 40);
    sigprocmask(SIG_SETMASK, &high, NULL);
    install(SIGUSR1, 0, 0, NULL);
    say("block: %d", call(OLD_SIGPROCMASK, SIG_BLOCK, AT(&set), AT(&before)));
    raise(SIGUSR1);
    say(", before %x, pending %d", before, call(OLD_SIGPENDING, AT(&pending), 0, 0));
    say(" %x\n", pending);
    say("suspend: %d\n", call(OLD_SIGSUSPEND, 0, 0, 0));
    sigprocmask(SIG_SETMASK, NULL, &high);
    say("mask afterwards: %x, 40: %d\n", call(OLD_SGETMASK, 0, 0, 0), sigismember(&high, 40));
    set = bit(SIGUSR1) | bit(SIGKILL) | bit(SIGSTOP);
    say("all: %d", call(OLD_SIGPROCMASK, SIG_SETMASK, AT(&set), 0));
    say(" %x", call(OLD_SGETMASK, 0, 0, 0));
    set = bit(SIGUSR1);
    say(", unblock: %d", call(OLD_SIGPROCMASK, SIG_UNBLOCK, AT(&set), 0));
    say(" %x, wrong: %d %d\n", call(OLD_SGETMASK, 0, 0, 0), call(OLD_SIGPROCMASK, 7, AT(&set), 0),
        call(OLD_SIGPROCMASK, 0, 8, 0));
    say("set: %x", call(OLD_SSETMASK, bit(SIGUSR2), 0, 0));
    say(" then %x", call(OLD_SSETMASK, 0, 0, 0));
    sigprocmask(SIG_SETMASK, NULL, &high);
    say(", 40: %d\n", sigismember(&high, 40));
}

/* What a shell does for $( ): the end of the child is heard of in the middle of a wait without SIGCHLD blocked. */
static void wait_as_shells_do(void)
{
    uint32_t set = bit(SIGCHLD), before;
    char text[16] = "";
    int ends[2], status = 0, waits = 0;

    install(SIGCHLD, 0, 0, NULL);
    seen = 0;
    call(OLD_SIGPROCMASK, SIG_BLOCK, AT(&set), AT(&before));
    if (pipe(ends) != 0) {
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(write(ends[1], "words", 5) == 5 ? 3 : 4);
    }
    close(ends[1]);
    while (!seen && ++waits < 100) {
        call(OLD_SIGSUSPEND, 0, 0, before);
    }
    call(OLD_SIGPROCMASK, SIG_SETMASK, AT(&before), 0);
    ssize_t length = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    say("child: %d", waitpid(child, &status, 0) == child);
    say(", %d, <%s> of %zd\n", WEXITSTATUS(status), text, length);
}

static void scenario(void)
{
    actions();
    masks();
    wait_as_shells_do();
}

int main(int count, char **words)
{
    return rounds_play(count, words, scenario);
}
