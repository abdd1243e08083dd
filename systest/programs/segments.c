/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment registers, flags and instructions that a kernel can trip over on its way in or out: each is tried, the signal
 * it ends in is caught, and the program goes on. Prints a line for each and the number of those that went wrong.
 *
 * A segment can be loaded and then unset, so that the kernel cannot load it again when it returns; a stack segment
 * even makes the return itself fail.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static sigjmp_buf resume_point;
static volatile int signal_seen;
static int mistakes;

static uint32_t word = 42;
static struct user_desc segment;

static void on_signal(int number)
{
    signal_seen = number;
    siglongjmp(resume_point, 1);
}

static void report(const char *what, int is_right)
{
    printf("%s: %s\n", what, is_right ? "ok" : "WRONG");
    mistakes += !is_right;
}

static void expect_signal(const char *what, int expected, void (*deed)(void))
{
    signal_seen = 0;
    if (sigsetjmp(resume_point, 1) == 0) {
        deed();
    }
    report(what, signal_seen == expected);
}

static void set_segment(void)
{
    segment = (struct user_desc){.entry_number = segment.entry_number,
                                 .base_addr = (uint32_t)(uintptr_t)&word,
                                 .limit = 0xFFFFF,
                                 .seg_32bit = 1,
                                 .limit_in_pages = 1,
                                 .useable = 1};
    if (syscall(SYS_set_thread_area, &segment) != 0) {
        perror("set_thread_area");
        mistakes++;
    }
}

static void make_empty(void)
{
    segment = (struct user_desc){.entry_number = segment.entry_number, .read_exec_only = 1, .seg_not_present = 1};
}

static uint16_t selector(void)
{
    return (uint16_t)(segment.entry_number << 3 | 3);
}

static uint16_t read_fs(void)
{
    uint16_t value;
    __asm__ volatile("movw %%fs, %0" : "=r"(value));
    return value;
}

static void load_fs(void)
{
    __asm__ volatile("movw %0, %%fs" : : "r"(selector()));
}

/* The kernel returns to a stack segment that the call has just unset. */
static void unset_stack_segment(void)
{
    uint16_t stack = selector();
    make_empty();
    __asm__ volatile("movw %0, %%ss\n\t"
                     "int $0x80"
                     :
                     : "r"(stack), "a"(SYS_set_thread_area), "b"(&segment)
                     : "memory");
}

static void try_segments(void)
{
    uint32_t value = 0;
    segment.entry_number = (unsigned)-1;
    set_segment();
    load_fs();
    __asm__ volatile("movl %%fs:0, %0" : "=r"(value));
    report("segment set and used", value == 42);
    getpid();
    report("segment kept across a call", read_fs() == selector());
    make_empty();
    syscall(SYS_set_thread_area, &segment);
    report("unset segment is null after the call", read_fs() == 0);
    expect_signal("unset segment cannot be loaded", SIGSEGV, load_fs);
    set_segment();
    expect_signal("stack segment unset by the call", SIGSEGV, unset_stack_segment);
}

/* Deeds of one instruction or two. */
#define DEED(name, ...)                                                                                                \
    static void name(void)                                                                                             \
    {                                                                                                                  \
        __asm__ volatile(__VA_ARGS__);                                                                                 \
    }

DEED(kernel_code, "ljmp $0x08, $0")
DEED(local_selector, "movw %0, %%es" : : "r"((uint16_t)7))
DEED(kernel_selector, "movw %0, %%gs" : : "r"((uint16_t)0x10))
DEED(call_gate, "lcall $0x1b, $0")
DEED(interrupt_page_fault, "int $14")
DEED(interrupt_timer, "int $0x20")
DEED(breakpoint, "int3")
DEED(step, "pushfl; orl $0x100, (%%esp); popfl; nop; nop" : : : "memory", "cc")
DEED(step_into_call, "pushfl; orl $0x100, (%%esp); popfl; int $0x80" : : "a"(SYS_getpid) : "memory", "cc")
DEED(nested_return, "pushfl; orl $0x4000, (%%esp); popfl; iret" : : : "memory", "cc")
DEED(clear_flags, "pushfl; andl $~0x4100, (%%esp); popfl" : : : "memory", "cc")
DEED(x87_division, "fldcw %0; fldz; fld1; fdivp; fwait" : : "m"((uint16_t){0x0360}))
DEED(reset_x87, "fninit")
DEED(load_table, "lgdt 0")
DEED(write_model_register, "wrmsr" : : "a"(0), "d"(0), "c"(0x174))
DEED(read_port, "inb $0x60, %%al" : : : "eax")

static void calls_with_strange_flags(void)
{
    uint32_t flags, result;
    __asm__ volatile("pushfl; orl $0x4400, (%%esp); popfl\n\t"
                     "int $0x80\n\t"
                     "pushfl; popl %0\n\t"
                     "pushl %0; andl $~0x4400, (%%esp); popfl"
                     : "=r"(flags), "=a"(result)
                     : "1"(SYS_getpid)
                     : "memory", "cc");
    report("direction and nested-task flags kept across a call", (flags & 0x4400) == 0x4400);
    report("calls work with strange flags", result == (uint32_t)getpid());
    __asm__ volatile("pushfl; orl $0x3000, (%%esp); popfl; pushfl; popl %0" : "=r"(flags) : : "memory", "cc");
    report("privilege flags cannot be set", (flags & 0x3000) == 0);
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};
    for (int number = 1; number < 32; number++) {
        sigaction(number, &action, NULL);
    }
    try_segments();
    calls_with_strange_flags();
    expect_signal("kernel code segment", SIGSEGV, kernel_code);
    expect_signal("kernel data selector", SIGSEGV, kernel_selector);
    expect_signal("selector of a local table", SIGSEGV, local_selector);
    expect_signal("call through a selector", SIGSEGV, call_gate);
    expect_signal("page fault by instruction", SIGSEGV, interrupt_page_fault);
    expect_signal("timer interrupt by instruction", SIGSEGV, interrupt_timer);
    expect_signal("descriptor table", SIGSEGV, load_table);
    expect_signal("model register", SIGSEGV, write_model_register);
    expect_signal("port", SIGSEGV, read_port);
    expect_signal("breakpoint", SIGTRAP, breakpoint);
    expect_signal("single step", SIGTRAP, step);
    expect_signal("single step into a call", SIGTRAP, step_into_call);
    expect_signal("return from a nested task", SIGSEGV, nested_return);
    clear_flags();
    expect_signal("unmasked x87 division by zero", SIGFPE, x87_division);
    reset_x87();
    printf("%d went wrong\n", mistakes);
    return mistakes != 0;
}
