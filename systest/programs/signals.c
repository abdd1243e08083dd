/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals in every way a program meets them: sent to itself, from faults, blocked, nested, on a stack of their own, and
 * ending calls. Prints what happened; on Linux it prints the same. Three times it asks for the interrupt character.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

int main(void);

static sigjmp_buf back;

static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    sigaction(number, &action, NULL);
}

static void install_with_information(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

    sigaction(number, &action, NULL);
}

static void say(int number)
{
    printf("handler of signal %d\n", number);
}

static void raise_another(int number)
{
    printf("into %d\n", number);
    if (number == SIGUSR1) {
        raise(SIGUSR2);
    }
    printf("out of %d\n", number);
}

/* Faults ----------------------------------------------------------------------------------------------------------- */

static void leap(int number, siginfo_t *information, void *context)
{
    const ucontext_t *at = context;

    printf("fault: signal %d, code %d, address %s, vector %d\n", number, information->si_code,
           information->si_addr == NULL ? "none" : "given", at->uc_mcontext.gregs[REG_TRAPNO]);
    siglongjmp(back, 1);
}

/* The instruction that divides by zero has two bytes. The handler uses the FPU while the program does. */
static void step_over(int number, siginfo_t *information, void *context)
{
    ucontext_t *at = context;
    volatile double disturbance = 1.5;

    disturbance *= number;
    at->uc_mcontext.gregs[REG_EIP] += 2;
    printf("division: code %d, at the instruction: %d\n", information->si_code,
           information->si_addr == (void *)(uintptr_t)(at->uc_mcontext.gregs[REG_EIP] - 2));
}

static void faults(void)
{
    volatile int *nowhere = (int *)0x1234;
    volatile int *text = (int *)(uintptr_t)main;
    volatile double x = 3.25;

    install_with_information(SIGSEGV, leap, SA_NODEFER);
    install_with_information(SIGILL, leap, SA_NODEFER);
    install_with_information(SIGTRAP, leap, SA_NODEFER);
    if (sigsetjmp(back, 1) == 0) {
        *nowhere = 1;
    }
    if (sigsetjmp(back, 1) == 0) {
        *text = 1;
    }
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("hlt");
    }
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("ud2");
    }
    if (sigsetjmp(back, 1) == 0) {
        __asm__ volatile("int3");
    }
    install_with_information(SIGFPE, step_over, 0);
    double before = x * 2;
    __asm__ volatile("xorl %%edx, %%edx; xorl %%ecx, %%ecx; movl $5, %%eax; .byte 0xf7, 0xf1"
                     :
                     :
                     : "eax", "ecx", "edx");
    printf("gone on with %.2f and %.2f\n", before, x * 3);
}

static volatile int bottomless = 1;

__attribute__((noinline)) static int dig(int depth)
{
    volatile char page[4096];

    page[depth % 4096] = (char)depth;
    return bottomless ? dig(depth + 1) + page[0] : 0;
}

static void overrun(void)
{
    static char stack[65536];
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};

    sigaltstack(&other, NULL);
    install_with_information(SIGSEGV, leap, SA_ONSTACK);
    if (sigsetjmp(back, 1) == 0) {
        printf("%d\n", dig(0));
    }
    puts("back from a stack that was used up");
}

/* Masks ------------------------------------------------------------------------------------------------------------ */

static void masks(void)
{
    sigset_t blocked, before, pending;

    install(SIGUSR1, raise_another, 0);
    install(SIGUSR2, raise_another, 0);
    raise(SIGUSR1);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    raise(SIGUSR1);
    sigpending(&pending);
    printf("blocked: pending %d\n", sigismember(&pending, SIGUSR1));
    sigsuspend(&before);
    printf("suspended: %s\n", strerror(errno));
    sigprocmask(SIG_SETMASK, NULL, &pending);
    printf("blocked again: %d\n", sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_SETMASK, &before, NULL);
    install(SIGUSR1, say, SA_RESETHAND);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    kill(getpid(), SIGCHLD);
}

/* Calls that a signal ends ----------------------------------------------------------------------------------------- */

static void ask(const char *what)
{
    printf("interrupt %s\n", what);
    fflush(stdout);
}

static void calls(void)
{
    struct timespec left = {30, 0};
    char line[100];

    install(SIGINT, say, 0);
    ask("the sleep");
    int result = nanosleep(&left, &left);
    printf("sleep: %d, %s, something left: %d\n", result, strerror(errno), left.tv_sec > 0);
    ask("the read");
    ssize_t length = read(STDIN_FILENO, line, sizeof(line));
    printf("read: %zd, %s\n", length, strerror(errno));
    install(SIGINT, say, SA_RESTART);
    ask("the read that goes on, then type a line");
    length = read(STDIN_FILENO, line, sizeof(line));
    printf("read: %zd\n", length);
}

int main(void)
{
    install(SIGUSR1, say, 0);
    raise(SIGUSR1);
    faults();
    overrun();
    masks();
    calls();
    fflush(stdout);
    abort();
}
