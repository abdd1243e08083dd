/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What siginfo says of signals that were sent, and which of them are kept: from itself, from a child, about a child,
 * from the kernel; blocked ones, ignored ones, and a handler whose stack is used up. Linux prints the same.
 */
#define _GNU_SOURCE
#include "rounds.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t child;
static sigjmp_buf back;

static const char *who(pid_t id)
{
    return id == getpid() ? "me" : id == child ? "the child" : id == 0 ? "nobody" : "a stranger";
}

static void tell(int number, siginfo_t *information, void *context)
{
    (void)context;
    say("  signal %d, code %d, from %s, user %s", number, information->si_code, who(information->si_pid),
        information->si_uid == getuid() ? "is mine" : "is another");
    if (number == SIGCHLD && information->si_code > 0) {
        say(", status %d", information->si_status);
    }
    say("\n");
}

static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

    sigaction(number, &action, NULL);
}

static void mask(int how, int number)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(how, &set, NULL);
}

static int is_pending(int number)
{
    sigset_t pending;

    sigpending(&pending);
    return sigismember(&pending, number);
}

static void by_itself(void)
{
    say("kill, raise, tkill:\n");
    install(SIGUSR1, tell, 0);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR1);
    syscall(SYS_tkill, getpid(), SIGUSR1);
    say("a broken pipe:\n");
    int ends[2];
    install(SIGPIPE, tell, 0);
    if (pipe(ends) != 0) {
        return;
    }
    close(ends[0]);
    say("  %zd", write(ends[1], "x", 1));
    say(" %d\n", errno);
    close(ends[1]);
}

/* The child starts only when the parent knows its number. */
static void make_child(void (*deed)(void))
{
    int ends[2];
    char byte;

    if (pipe(ends) != 0) {
        return;
    }
    child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? (deed(), 0) : 1);
    }
    close(ends[0]);
    close(ends[1]);
}

static void end_with_5(void)
{
    _exit(5);
}

static void end_by_signal(void)
{
    kill(getpid(), SIGTERM);
}

static void send_to_parent(void)
{
    kill(getppid(), SIGUSR1);
}

static void about_a_child(const char *what, void (*deed)(void))
{
    int status = 0;

    say("%s:\n", what);
    make_child(deed);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    say("  wait says %x\n", status);
}

static void children(void)
{
    install(SIGCHLD, tell, 0);
    about_a_child("a child ends with 5", end_with_5);
    about_a_child("a child is ended by a signal", end_by_signal);
    mask(SIG_BLOCK, SIGCHLD);
    make_child(end_with_5);
    while (!is_pending(SIGCHLD)) {
        usleep(1000);
    }
    say("to one that has ended, %d:", kill(child, SIGTERM));
    waitpid(child, NULL, 0);
    int result = kill(child, 0);
    say(" then %d, %s\n", result, strerror(errno));
    mask(SIG_UNBLOCK, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    about_a_child("a child sends a signal", send_to_parent);
}

static void blocked(void)
{
    say("the first of two that are blocked:\n");
    mask(SIG_BLOCK, SIGUSR1);
    make_child(send_to_parent);
    while (!is_pending(SIGUSR1)) {
        usleep(1000);
    }
    kill(getpid(), SIGUSR1);
    mask(SIG_UNBLOCK, SIGUSR1);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    mask(SIG_BLOCK, SIGUSR1);
    kill(getpid(), SIGUSR1);
    say("pending: %d", is_pending(SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    say(", ignored: %d\n", is_pending(SIGUSR1));
    mask(SIG_UNBLOCK, SIGUSR1);
    signal(SIGWINCH, SIG_DFL);
    mask(SIG_BLOCK, SIGWINCH);
    kill(getpid(), SIGWINCH);
    say("blocked and ignored by default: %d", is_pending(SIGWINCH));
    mask(SIG_UNBLOCK, SIGWINCH);
    mask(SIG_BLOCK, SIGWINCH);
    say(", unblocked in between: %d\n", is_pending(SIGWINCH));
    mask(SIG_UNBLOCK, SIGWINCH);
}

static void leap(int number, siginfo_t *information, void *context)
{
    (void)context;
    say("  signal %d, code %d, address %p\n", number, information->si_code, information->si_addr);
    siglongjmp(back, 1);
}

/* A handler cannot start where there is no stack; another one, which has one of its own, is told. */
static void without_stack(void)
{
    static char stack[65536];
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)}, none = {.ss_flags = SS_DISABLE};

    say("no stack for a handler:\n");
    sigaltstack(&other, NULL);
    install(SIGSEGV, leap, SA_ONSTACK);
    install(SIGUSR2, tell, 0);
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("movl %%esp, %%esi; movl $0x20000, %%esp; int $0x80; movl %%esi, %%esp"
                         :
                         : "a"(SYS_kill), "b"(getpid()), "c"(SIGUSR2)
                         : "esi", "memory");
        say("  it started\n");
    }
    sigaltstack(&none, NULL);
    signal(SIGSEGV, SIG_DFL);
}

static void scenario(void)
{
    child = 0;
    by_itself();
    children();
    blocked();
    without_stack();
}

int main(int count, char **words)
{
    return rounds_play(count, words, scenario);
}
