/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What handlers are told of processor exceptions, and what they do to the floating-point state: every exception that a
 * program can cause, handlers that leap and handlers that mend and return, a state that must come back, and flags that
 * no return from a handler may set. Linux prints the same.
 */
#define _GNU_SOURCE
#include "rounds.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

static sigjmp_buf back;
static uint32_t expected_address; /* of the fault, where it is known */

static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

    sigaction(number, &action, NULL);
}

/* A task that leaps has used the FPU: what was wrong with it must not be wrong in here. */
static void leap(int number, siginfo_t *information, void *context)
{
    const ucontext_t *at = context;
    uint32_t address = (uint32_t)(uintptr_t)information->si_addr;
    volatile double quotient = 1.0;
    volatile double zero = 0.0;
    uint16_t control, status;
    uint32_t mxcsr;

    __asm__ volatile("fnstcw %0; fnstsw %1; stmxcsr %2" : "=m"(control), "=m"(status), "=m"(mxcsr));
    quotient /= zero;
    say("signal %d, code %d, address %s, vector %d; in the handler %x %x %x, %f\n", number, information->si_code,
        address == 0                                          ? "none"
        : address == (uint32_t)at->uc_mcontext.gregs[REG_EIP] ? "of the instruction"
        : address == expected_address                         ? "as expected"
                                                              : "wrong",
        at->uc_mcontext.gregs[REG_TRAPNO], control, status, mxcsr, quotient);
    siglongjmp(back, 1);
}

/* What an emulator's processor does not do (denormal operands, INT1, SSE) is left out. */

/* Exceptions of the x87 -------------------------------------------------------------------------------------------- */

enum { INVALID = 1, DIVISION = 4, OVERFLOW = 8, UNDERFLOW = 16, INEXACT = 32 };

static void unmask(unsigned exceptions)
{
    uint16_t control = (uint16_t)(0x37F & ~exceptions);

    __asm__ volatile("fnclex; fldcw %0" : : "m"(control));
}

static double divide(double a, double b)
{
    double result;

    __asm__ volatile("fldl %1; fdivl %2; fstpl %0; fwait" : "=m"(result) : "m"(a), "m"(b));
    return result;
}

static void try_division(const char *what, unsigned unmasked, double a, double b)
{
    say("%s: ", what);
    if (sigsetjmp(back, 1) == 0) {
        unmask(unmasked);
        say("%.3g, no signal\n", divide(a, b));
    }
    __asm__ volatile("fninit");
}

static void x87(void)
{
    install(SIGFPE, leap, 0);
    try_division("division by zero", DIVISION, 1, 0);
    try_division("invalid", INVALID, 0, 0);
    try_division("overflow", OVERFLOW, 1e308, 1e-308);
    try_division("underflow", UNDERFLOW, 1e-308, 1e308);
    try_division("inexact", INEXACT, 1, 3);
    try_division("division of many that are unmasked", INVALID | DIVISION | INEXACT, 1, 0);
    try_division("masked", 0, 1, 0);
}

/* The handler masks what happened in the state that it returns to. */
static void mend(int number, siginfo_t *information, void *context)
{
    ucontext_t *at = context;
    struct _libc_fpstate *state = at->uc_mcontext.fpregs;

    say("mended: signal %d, code %d, control %lx, exceptions %lx\n", number, information->si_code, state->cw,
        state->sw & 0xFF);
    state->cw |= 0x3F;
    state->sw &= ~0x80FFul;
}

static void mending(void)
{
    install(SIGFPE, mend, 0);
    unmask(DIVISION);
    divide(-1, 0);
    say("and gone on\n");
    __asm__ volatile("fninit");
}

/* Exceptions of instructions --------------------------------------------------------------------------------------- */

#define TRY(what, ...)                                                                                                 \
    do {                                                                                                               \
        say("%s: ", what);                                                                                             \
        if (sigsetjmp(back, 1) == 0) {                                                                                 \
            __asm__ volatile(__VA_ARGS__);                                                                             \
            say("no signal\n");                                                                                        \
        }                                                                                                              \
    } while (0)

static void touch(const char *what, volatile char *address, int write)
{
    say("%s: ", what);
    expected_address = (uint32_t)(uintptr_t)address;
    if (sigsetjmp(back, 1) == 0) {
        say("no signal, %d\n", write ? (*address = 1) : *address);
    }
}

static void instructions(void)
{
    static const int32_t bounds[2] = {1, 2};
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (int number = SIGILL; number <= SIGSEGV; number++) {
        if (number != SIGKILL && number != SIGABRT) {
            install(number, leap, 0);
        }
    }
    TRY("integer division", "xorl %%ecx, %%ecx; xorl %%edx, %%edx; divl %%ecx" : : : "eax", "ecx", "edx", "cc");
    TRY("breakpoint", "int3");
    TRY("overflow", "movb $127, %%al; addb $1, %%al; into" : : : "eax", "cc");
    TRY("bounds", "movl $5, %%eax; boundl %%eax, %0" : : "m"(bounds) : "eax");
    TRY("undefined", "ud2");
    TRY("privileged", "hlt");
    TRY("port", "inb $0x80, %%al" : : : "eax");
    TRY("single step", "pushfl; orl $0x100, (%%esp); popfl; nop; nop" : : : "cc", "memory");
    TRY("a segment that is not there", "movw %0, %%es" : : "r"((uint16_t)0x3FB));
    touch("read at 0", NULL, 0);
    touch("read of the kernel's", (char *)0xC0001000, 0);
    touch("write to what is only read", page, 1);
    munmap(page, 4096);
    touch("read of what is not mapped", page, 0);
}

/* States that come back -------------------------------------------------------------------------------------------- */

struct floats {
    uint16_t control;
    uint32_t mxcsr;
    double stack[3];
    float vector[4];
};
_Static_assert(sizeof(struct floats) == 48, "as across_call() knows it");

static const struct floats pattern = {0x27F, 0xBF80, {1.25, -2.5, 1e300}, {1, -2, 3.5f, 4e30f}};

static void disturb(int number, siginfo_t *information, void *context)
{
    (void)information;
    (void)context;
    __asm__ volatile("fninit; fldpi; fldpi; fldpi; fldpi; pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7"
                     :
                     :
                     : "memory");
    say("disturbed by %d\n", number);
}

/* Load the pattern, make a system call, and store what is there then. Returns the call's result. */
static int across_call(uint32_t number, uint32_t first, uint32_t second, struct floats *seen)
{
    int result;

    __asm__ volatile("fninit; fldcw (%%esi); ldmxcsr 4(%%esi); fldl 8(%%esi); fldl 16(%%esi); fldl 24(%%esi)\n\t"
                     "movups 32(%%esi), %%xmm7\n\t"
                     "int $0x80\n\t"
                     "fstpl 24(%%edi); fstpl 16(%%edi); fstpl 8(%%edi); fnstcw (%%edi); stmxcsr 4(%%edi)\n\t"
                     "movups %%xmm7, 32(%%edi); fninit"
                     : "=a"(result)
                     : "0"(number), "b"(first), "c"(second), "S"(&pattern), "D"(seen)
                     : "memory");
    uint32_t usual = 0x1F80;
    __asm__ volatile("ldmxcsr %0" : : "m"(usual));
    return result;
}

static int is_pattern(const struct floats *seen)
{
    return seen->control == pattern.control && seen->mxcsr == pattern.mxcsr &&
           memcmp(seen->stack, pattern.stack, sizeof(seen->stack)) == 0 &&
           memcmp(seen->vector, pattern.vector, sizeof(seen->vector)) == 0;
}

#define CALL_FORK 2u
#define CALL_KILL 37u

static void states(void)
{
    struct floats seen = {0};
    int status = 0;

    install(SIGUSR1, disturb, 0);
    int result = across_call(CALL_KILL, (uint32_t)getpid(), SIGUSR1, &seen);
    say("after the handler: %d, %s\n", result, is_pattern(&seen) ? "as before" : "CHANGED");
    memset(&seen, 0, sizeof(seen));
    pid_t child = across_call(CALL_FORK, 0, 0, &seen);
    if (child == 0) {
        _exit(is_pattern(&seen) ? 7 : 8);
    }
    waitpid(child, &status, 0);
    say("parent: %s, child: %s\n", is_pattern(&seen) ? "as before" : "CHANGED",
        WEXITSTATUS(status) == 7 ? "as the parent" : "CHANGED");
}

/* Flags that are not the program's to set -------------------------------------------------------------------------- */

#define FLAGS_OF_THE_KERNEL 0x001B7200u /* interrupts, IOPL, NT, RF, VM, VIF, VIP */

static void set_flags(int number, siginfo_t *information, void *context)
{
    ucontext_t *at = context;

    (void)number;
    (void)information;
    at->uc_mcontext.gregs[REG_EFL] |= (greg_t)FLAGS_OF_THE_KERNEL;
    at->uc_mcontext.gregs[REG_EFL] |= 1;
}

static uint32_t read_flags(void)
{
    uint32_t flags;

    __asm__ volatile("pushfl; popl %0" : "=r"(flags));
    return flags;
}

static void flags(void)
{
    uint32_t seen;
    int result;

    install(SIGUSR2, set_flags, 0);
    __asm__ volatile("int $0x80; pushfl; popl %1"
                     : "=a"(result), "=r"(seen)
                     : "0"(CALL_KILL), "b"(getpid()), "c"(SIGUSR2)
                     : "memory", "cc");
    say("flags of the kernel after the handler: %x, carry: %d\n", seen & FLAGS_OF_THE_KERNEL, (int)(seen & 1));
    install(SIGSEGV, leap, 0);
    TRY("port after the handler", "inb $0x80, %%al" : : : "eax");
    say("flags of the kernel in the end: %x\n", read_flags() & FLAGS_OF_THE_KERNEL);
}

static void scenario(void)
{
    x87();
    mending();
    instructions();
    states();
    flags();
}

int main(int count, char **words)
{
    return rounds_play(count, words, scenario);
}
