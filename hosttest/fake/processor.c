/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fake processor: what programs have in it besides their registers, and which registers are harmless.
 *
 * It has an FPU image and segments, so that what belongs to one program is seen in another if the kernel mixes them up.
 */
#include "arch/context.h"
#include "arch/pmap.h"
#include "log.h"
#include "../../kernel/arch/i386/processor.h"
#include "processor.h"

#include <string.h>

#define SELECTOR_CODE 0x23u
#define SELECTOR_DATA 0x2Bu
#define CONTROL_WORD  0x037Fu
#define MXCSR         0x1F80u
#define MXCSR_OFFSET  24u
/* what a program may set: arithmetic flags, direction, trap, nested, resume, alignment, ID */
#define EFLAGS_PROGRAM 0x254DD5u
#define EFLAGS_ALWAYS  0x202u /* the fixed one; interrupts are on */

struct cpu_fpu fake_fpu;
struct cpu_tls fake_tls[CPU_TLS_ENTRIES];

uint32_t cpu_user_code_selector(void)
{
    return SELECTOR_CODE;
}

uint32_t cpu_user_data_selector(void)
{
    return SELECTOR_DATA;
}

void cpu_fpu_initialise(struct cpu_fpu *fpu)
{
    const uint16_t control = CONTROL_WORD;
    const uint32_t mxcsr = MXCSR;

    memset(fpu, 0, sizeof(*fpu));
    memcpy(fpu->bytes, &control, sizeof(control));
    memcpy(&fpu->bytes[MXCSR_OFFSET], &mxcsr, sizeof(mxcsr));
}

/* Nobody steps here. */
bool cpu_debug_was_step(void)
{
    return false;
}

void cpu_load_tls(const struct cpu_user_context *context)
{
    memcpy(fake_tls, context->tls, sizeof(fake_tls));
}

void cpu_user_save(struct cpu_user_context *context)
{
    context->fpu = fake_fpu;
}

void cpu_user_load(struct cpu_user_context *context)
{
    fake_fpu = context->fpu;
    cpu_load_tls(context);
    pmap_activate(context->space);
}

static bool is_data_selector(uint32_t selector)
{
    uint32_t index = selector >> 3;

    return selector == SELECTOR_DATA ||
           ((selector & 7) == 3 && index >= CPU_TLS_FIRST_ENTRY && index < CPU_TLS_FIRST_ENTRY + CPU_TLS_ENTRIES);
}

static uint32_t sanitise(uint32_t selector, uint32_t otherwise)
{
    selector &= 0xFFFF;
    return is_data_selector(selector) || selector == SELECTOR_CODE || selector <= 3 ? selector : otherwise;
}

void cpu_sanitise(struct registers *registers)
{
    registers->gs = sanitise(registers->gs, 0);
    registers->fs = sanitise(registers->fs, 0);
    registers->es = sanitise(registers->es, SELECTOR_DATA);
    registers->ds = sanitise(registers->ds, SELECTOR_DATA);
    registers->cs = SELECTOR_CODE;
    registers->ss = SELECTOR_DATA;
    registers->eflags = (registers->eflags & EFLAGS_PROGRAM) | EFLAGS_ALWAYS;
}

/* It has every feature: whatever image there is, its programs can go on here. */
struct cpuid processor_cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf;
    (void)subleaf;
    return (struct cpuid){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
}
