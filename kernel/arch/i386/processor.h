/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions of the processor that C has no words for, and the bits they take.
 */
#ifndef I386_PROCESSOR_H
#define I386_PROCESSOR_H

#include "types.h"

#define CR0_WRITE_PROTECT  (1u << 16)
#define CR0_ALIGNMENT_MASK (1u << 18)
#define CR0_NUMERIC_ERROR  (1u << 5)
#define CR0_TASK_SWITCHED  (1u << 3)
#define CR0_EMULATION      (1u << 2)
#define CR0_MONITOR_FPU    (1u << 1)
#define CR4_OSFXSR         (1u << 9)
#define CR4_OSXMMEXCPT     (1u << 10)

#define EFLAGS_CARRY     (1u << 0)
#define EFLAGS_FIXED     (1u << 1)
#define EFLAGS_TRAP      (1u << 8)
#define EFLAGS_INTERRUPT (1u << 9)
#define EFLAGS_DIRECTION (1u << 10)
#define EFLAGS_NESTED    (1u << 14)
#define EFLAGS_RESUME    (1u << 16)
#define EFLAGS_ALIGNMENT (1u << 18)
#define EFLAGS_ID        (1u << 21)

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

/* Leaves beyond the highest one the processor knows read as zeroes. */
struct cpuid processor_cpuid(uint32_t leaf, uint32_t subleaf);

static inline uint32_t processor_flags(void)
{
    uint32_t flags;
    __asm__ volatile("pushfl; popl %0" : "=r"(flags) : : "memory");
    return flags;
}

static inline uint32_t processor_read_cr0(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr0, %0" : "=r"(value));
    return value;
}

static inline void processor_write_cr0(uint32_t value)
{
    __asm__ volatile("movl %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint32_t processor_read_cr2(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr2, %0" : "=r"(value));
    return value;
}

static inline uint32_t processor_read_cr3(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr3, %0" : "=r"(value) : : "memory");
    return value;
}

/* Why the last debug exception came. The processor only ever adds to it. */
static inline uint32_t processor_read_dr6(void)
{
    uint32_t value;
    __asm__ volatile("movl %%dr6, %0" : "=r"(value));
    return value;
}

static inline void processor_write_dr6(uint32_t value)
{
    __asm__ volatile("movl %0, %%dr6" : : "r"(value));
}

/* Loads a page directory and forgets all translations. */
static inline void processor_write_cr3(uint32_t value)
{
    __asm__ volatile("movl %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint32_t processor_read_cr4(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr4, %0" : "=r"(value));
    return value;
}

static inline void processor_write_cr4(uint32_t value)
{
    __asm__ volatile("movl %0, %%cr4" : : "r"(value) : "memory");
}

/* Forgets the translation of one address, and whatever is cached of directories. */
static inline void processor_invalidate(uint32_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline uint64_t processor_cycles(void)
{
    uint64_t cycles;
    __asm__ volatile("rdtsc" : "=A"(cycles) : : "memory");
    return cycles;
}

#endif
