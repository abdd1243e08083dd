/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor: the state programs have in it, and how it ends.
 */
#include "arch/cpu.h"
#include "arch/context.h"
#include "arch/io.h"
#include "arch/pmap.h"
#include "cpu_fpu.h"
#include "descriptors.h"
#include "log.h"
#include "processor.h"

#include <string.h>

#define FXSAVE_CONTROL_WORD  0u
#define FXSAVE_MXCSR         24u
#define FXSAVE_MXCSR_MASK    28u
#define CONTROL_WORD_INITIAL 0x037Fu
#define MXCSR_INITIAL        0x1F80u
#define MXCSR_MASK_DEFAULT   0xFFBFu

#define EFLAGS_PROGRAM                                                                                                 \
    (0x8D5u /* the arithmetic flags and the direction */ | EFLAGS_DIRECTION | EFLAGS_TRAP | EFLAGS_NESTED |            \
     EFLAGS_RESUME | EFLAGS_ALIGNMENT | EFLAGS_ID)

#define DR6_STEP    0x00004000u
#define DR6_NOTHING 0xFFFF0FF0u

#define PORT_DEBUG_EXIT 0xF4
#define PORT_ACPI_PIIX  0x604
#define PORT_ACPI_OLD   0xB004
#define ACPI_SLEEP      0x2000

static uint32_t mxcsr_mask = MXCSR_MASK_DEFAULT;

struct cpuid processor_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid out;
    uint32_t leaf_max;
    __asm__ volatile("cpuid" : "=a"(leaf_max), "=b"(out.ebx), "=c"(out.ecx), "=d"(out.edx) : "a"(leaf & 0x80000000));
    if (leaf > leaf_max) {
        return (struct cpuid){0};
    }
    __asm__ volatile("cpuid" : "=a"(out.eax), "=b"(out.ebx), "=c"(out.ecx), "=d"(out.edx) : "a"(leaf), "c"(subleaf));
    return out;
}

void cpu_fpu_enable(void)
{
    uint32_t cr0 = processor_read_cr0() & ~(CR0_EMULATION | CR0_TASK_SWITCHED);
    processor_write_cr0(cr0 | CR0_MONITOR_FPU | CR0_NUMERIC_ERROR | CR0_ALIGNMENT_MASK | CR0_WRITE_PROTECT);
    processor_write_cr4(processor_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);

    static struct cpu_fpu probe;
    __asm__ volatile("fninit; fxsave %0" : "=m"(probe));
    uint32_t mask;
    memcpy(&mask, &probe.bytes[FXSAVE_MXCSR_MASK], sizeof(mask));
    mxcsr_mask = mask == 0 ? MXCSR_MASK_DEFAULT : mask;
}

void cpu_fpu_initialise(struct cpu_fpu *fpu)
{
    uint16_t control = CONTROL_WORD_INITIAL;
    uint32_t mxcsr = MXCSR_INITIAL;
    memset(fpu, 0, sizeof(*fpu));
    memcpy(&fpu->bytes[FXSAVE_CONTROL_WORD], &control, sizeof(control));
    memcpy(&fpu->bytes[FXSAVE_MXCSR], &mxcsr, sizeof(mxcsr));
}

void cpu_user_save(struct cpu_user_context *context)
{
    __asm__ volatile("fxsave %0" : "=m"(context->fpu));
}

void cpu_user_load(struct cpu_user_context *context)
{
    uint32_t mxcsr;
    memcpy(&mxcsr, &context->fpu.bytes[FXSAVE_MXCSR], sizeof(mxcsr));
    if ((mxcsr & ~mxcsr_mask) != 0) {
        mxcsr &= mxcsr_mask;
        memcpy(&context->fpu.bytes[FXSAVE_MXCSR], &mxcsr, sizeof(mxcsr));
    }
    __asm__ volatile("fxrstor %0" : : "m"(context->fpu));
    cpu_load_tls(context);
    pmap_activate(context->space);
}

bool cpu_debug_was_step(void)
{
    bool was_step = (processor_read_dr6() & DR6_STEP) != 0;
    processor_write_dr6(DR6_NOTHING);
    return was_step;
}

static bool is_data_selector(uint32_t selector)
{
    uint32_t index = selector >> 3;
    return selector == SELECTOR_USER_DATA ||
           ((selector & 7) == 3 && index >= CPU_TLS_FIRST_ENTRY && index < CPU_TLS_FIRST_ENTRY + CPU_TLS_ENTRIES);
}

static uint32_t sanitise_selector(uint32_t selector, uint32_t otherwise)
{
    selector &= 0xFFFF;
    return is_data_selector(selector) || selector == SELECTOR_USER_CODE || selector <= 3 ? selector : otherwise;
}

void cpu_sanitise(struct registers *registers)
{
    registers->gs = sanitise_selector(registers->gs, 0);
    registers->fs = sanitise_selector(registers->fs, 0);
    registers->es = sanitise_selector(registers->es, SELECTOR_USER_DATA);
    registers->ds = sanitise_selector(registers->ds, SELECTOR_USER_DATA);
    registers->cs = SELECTOR_USER_CODE;
    /* A stack segment that cannot be loaded would only fault again on the way out. */
    registers->ss = SELECTOR_USER_DATA;
    registers->eflags = (registers->eflags & EFLAGS_PROGRAM) | EFLAGS_FIXED | EFLAGS_INTERRUPT;
}

void cpu_halt(uint8_t status)
{
    outb(PORT_DEBUG_EXIT, status);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void cpu_power_off(uint8_t status)
{
    outb(PORT_DEBUG_EXIT, status);
    outw(PORT_ACPI_PIIX, ACPI_SLEEP);
    outw(PORT_ACPI_OLD, ACPI_SLEEP);
    log_line("It is now safe to switch this machine off.");
    cpu_halt(status);
}
