/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traps: who gets what.
 *
 * From a program: system calls, page faults and exceptions go up to kernel/proc with interrupts enabled; before every
 * return to user mode trap_return() has the last word. From the kernel: a page fault may be one that can be resolved
 * (the kernel touches a program's or its own persistent pages); then come the fixups of entry.S; the rest is a bug.
 */
#include "trap.h"
#include "arch/interrupt.h"
#include "descriptors.h"
#include "log.h"
#include "panic.h"
#include "processor.h"

#include <string.h>

#define VECTOR_NON_MASKABLE 2u
#define VECTOR_PROTECTION   13u

#define FAULT_PRESENT 0x1u
#define FAULT_WRITE   0x2u

struct fixup {
    uint32_t at;
    uint32_t handler;
};

extern const struct fixup fixups_start[], fixups_end[];

static const char *const exception_names[32] = {
    "division by zero",    "debug exception",    "non-maskable interrupt",
    "breakpoint",          "overflow",           "bound range exceeded",
    "invalid instruction", "no coprocessor",     "double fault",
    "coprocessor overrun", "invalid task state", "segment not present",
    "stack segment fault", "general protection", "page fault",
    "exception 15",        "x87 error",          "alignment check",
    "machine check",       "SIMD error",         "virtualization error",
    "control protection",
};

static const char *exception_name(uint32_t vector)
{
    return vector < 32 && exception_names[vector] != NULL ? exception_names[vector] : "unknown exception";
}

static bool is_from_user(const struct registers *registers)
{
    return (registers->cs & 3) == 3;
}

static void enable_interrupts(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static void disable_interrupts(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Go on at the fixup of the faulting instruction, if it has one. */
static bool apply_fixup(struct registers *registers)
{
    for (const struct fixup *fixup = fixups_start; fixup < fixups_end; fixup++) {
        if (fixup->at == registers->eip) {
            registers->eip = fixup->handler;
            return true;
        }
    }
    return false;
}

/* Data and instructions cannot be told apart by the hardware; a fault at the program counter is taken for the latter.
 */
static enum trap_fault_access access_of(const struct registers *registers, uint32_t address)
{
    if ((registers->error_code & FAULT_WRITE) != 0) {
        return TRAP_WRITE;
    }
    return address == registers->eip ? TRAP_EXECUTE : TRAP_READ;
}

static void user_trap(struct registers *registers, uint32_t fault_address)
{
    /* The upper halves of pushed selectors are whatever the processor likes. */
    registers->gs &= 0xFFFF;
    registers->fs &= 0xFFFF;
    registers->es &= 0xFFFF;
    registers->ds &= 0xFFFF;
    registers->cs &= 0xFFFF;
    registers->ss &= 0xFFFF;
    enable_interrupts();
    if (registers->vector == VECTOR_SYSTEM_CALL) {
        trap_system_call(registers);
    } else if (registers->vector == VECTOR_PAGE_FAULT) {
        bool present = (registers->error_code & FAULT_PRESENT) != 0;
        bool again = trap_page_fault(registers, (struct vaddr){fault_address}, access_of(registers, fault_address),
                                     present, true);
        ASSERT(again);
    } else {
        trap_exception(registers);
    }
    disable_interrupts();
}

static bool resolve_kernel_fault(struct registers *registers, uint32_t address)
{
    if (address >= KERNEL_START && (address < SYSTEM_START || address >= SYSTEM_END)) {
        return false;
    }
    if ((registers->eflags & EFLAGS_INTERRUPT) != 0) {
        enable_interrupts();
    }
    bool present = (registers->error_code & FAULT_PRESENT) != 0;
    bool again = trap_page_fault(registers, (struct vaddr){address}, access_of(registers, address), present, false);
    disable_interrupts();
    return again;
}

static void kernel_trap(struct registers *registers, uint32_t fault_address)
{
    if (registers->vector == VECTOR_PAGE_FAULT) {
        if (resolve_kernel_fault(registers, fault_address) || apply_fixup(registers)) {
            return;
        }
        panic_registers(registers, "trap", "the kernel %s 0x%x, which is %s",
                        (registers->error_code & FAULT_WRITE) != 0 ? "wrote to" : "read from", fault_address,
                        (registers->error_code & FAULT_PRESENT) != 0 ? "protected" : "not mapped");
    }
    if (apply_fixup(registers)) {
        return;
    }
    panic_registers(registers, "trap", "%s in the kernel, error code 0x%x", exception_name(registers->vector),
                    registers->error_code);
}

void trap_dispatch(struct registers *registers)
{
    uint32_t fault_address = registers->vector == VECTOR_PAGE_FAULT ? processor_read_cr2() : 0;
    if (registers->vector >= VECTOR_INTERRUPTS && registers->vector < VECTOR_INTERRUPTS + 16) {
        interrupt_dispatch(registers->vector - VECTOR_INTERRUPTS);
    } else if (registers->vector == VECTOR_NON_MASKABLE) {
        log_line("trap: a non-maskable interrupt, ignored");
    } else if (is_from_user(registers)) {
        user_trap(registers, fault_address);
    } else {
        kernel_trap(registers, fault_address);
    }
    if (is_from_user(registers)) {
        trap_leave(registers);
    }
}

void trap_leave(struct registers *registers)
{
    trap_return(registers);
    disable_interrupts();
}

/*
 * The registers that the processor would not return to user mode with are a fault of the program: as Linux does, it
 * is told of a protection fault at the place it would have gone on at.
 */
void trap_return_failed(struct registers *registers)
{
    registers->vector = VECTOR_PROTECTION;
    registers->error_code = 0;
    cpu_sanitise(registers);
    user_trap(registers, 0);
    trap_leave(registers);
}

void cpu_enter_user(const struct registers *registers)
{
    struct registers first = *registers;

    cpu_sanitise(&first);
    trap_leave(&first);
    struct registers *top = (struct registers *)descriptors_stack() - 1;
    memmove(top, &first, sizeof(*top));
    cpu_sanitise(top);
    cpu_enter_registers(top);
}
