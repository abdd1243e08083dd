/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does one thing that no program may do, named by the argument. Each must end this program and nothing else.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static volatile uint32_t *at(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

static void read_null(void)
{
    (void)*at(0);
}

static void write_null(void)
{
    *at(0) = 1;
}

static void call_null(void)
{
    ((void (*)(void))(uintptr_t)0)();
}

static void read_kernel(void)
{
    (void)*at(0xC0100000);
}

static void write_kernel(void)
{
    *at(0xC0100000) = 1;
}

static void call_kernel(void)
{
    ((void (*)(void))(uintptr_t)0xC0100000)();
}

static void write_records(void)
{
    *at(0xF0000000) = 1;
}

static void write_text(void)
{
    *at((uint32_t)(uintptr_t)write_text) = 1;
}

static void write_unmapped(void)
{
    *at(0x70000000) = 1;
}

static void write_after_unmap(void)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = 1;
    munmap(page, 4096);
    *(volatile char *)page = 2;
}

static void divide_by_zero(void)
{
    __asm__ volatile("xorl %%edx, %%edx; movl $1, %%eax; xorl %%ecx, %%ecx; divl %%ecx" : : : "eax", "ecx", "edx");
}

static void halt(void)
{
    __asm__ volatile("hlt");
}

static void disable_interrupts(void)
{
    __asm__ volatile("cli");
}

static void port_output(void)
{
    __asm__ volatile("outb %%al, $0xf4" : : "a"(0x10));
}

static void port_input(void)
{
    __asm__ volatile("inb $0x60, %%al" : : : "eax");
}

static void load_page_directory(void)
{
    __asm__ volatile("movl %0, %%cr3" : : "r"(0));
}

static void load_descriptor_table(void)
{
    uint8_t table[6] = {0};
    __asm__ volatile("lidt %0" : : "m"(table));
}

static void load_selector(void)
{
    __asm__ volatile("movw %w0, %%ds" : : "r"(0x10));
}

static void return_to_kernel(void)
{
    __asm__ volatile("pushfl; pushl $0x08; pushl $0xC0100000; iret");
}

static void undefined_instruction(void)
{
    __asm__ volatile("ud2");
}

static void kernel_interrupt(void)
{
    __asm__ volatile("int $0x20");
}

static void breakpoint(void)
{
    __asm__ volatile("int3");
}

static void stack_in_kernel(void)
{
    __asm__ volatile("movl $0xC0100000, %esp; pushl $1");
}

static void stack_nowhere(void)
{
    __asm__ volatile("xorl %esp, %esp; pushl $1");
}

__attribute__((noinline)) static int descend(int depth)
{
    volatile char frame[1024];
    memset((char *)frame, depth, sizeof(frame));
    return depth < 0 ? 0 : descend(depth + 1) + frame[depth & 1023];
}

static void overrun_stack(void)
{
    printf("%d\n", descend(0));
}

static const struct {
    const char *name;
    void (*act)(void);
} misdeeds[] = {
    {"read-null", read_null},
    {"write-null", write_null},
    {"call-null", call_null},
    {"read-kernel", read_kernel},
    {"write-kernel", write_kernel},
    {"call-kernel", call_kernel},
    {"write-records", write_records},
    {"write-text", write_text},
    {"write-unmapped", write_unmapped},
    {"write-after-unmap", write_after_unmap},
    {"divide-by-zero", divide_by_zero},
    {"halt", halt},
    {"disable-interrupts", disable_interrupts},
    {"port-output", port_output},
    {"port-input", port_input},
    {"load-page-directory", load_page_directory},
    {"load-descriptor-table", load_descriptor_table},
    {"load-selector", load_selector},
    {"return-to-kernel", return_to_kernel},
    {"undefined-instruction", undefined_instruction},
    {"kernel-interrupt", kernel_interrupt},
    {"breakpoint", breakpoint},
    {"stack-in-kernel", stack_in_kernel},
    {"stack-nowhere", stack_nowhere},
    {"overrun-stack", overrun_stack},
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; i < sizeof(misdeeds) / sizeof(misdeeds[0]); i++) {
        if (argc > 1 && strcmp(argv[1], misdeeds[i].name) == 0) {
            printf("about to %s\n", argv[1]);
            misdeeds[i].act();
            printf("SURVIVED %s\n", argv[1]);
            return 0;
        }
    }
    printf("no such misdeed\n");
    return 99;
}
