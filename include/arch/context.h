/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: kernel stacks and the switch between them. Used by kernel/thread only.
 *
 * The top of a stack is kept for the registers of a trap from user mode, so whatever the kernel was doing on the stack
 * when it entered user mode, nothing it needs is overwritten. Below each stack lies a page that is not there: running
 * into it ends in a panic that says so.
 */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

#include "arch/cpu.h"
#include "error.h"
#include "types.h"

#define CPU_STACK_BYTES 12288u

struct cpu_stack {
    void *bottom;
    void *top;
};

/* - ERROR_NO_MEMORY: no frames or no addresses for it. */
MUST_CHECK enum error cpu_stack_create(struct cpu_stack *out);

/* Must not be the running one. */
void cpu_stack_delete(struct cpu_stack *stack);

/* The stack the machine booted on. It is never deleted. */
struct cpu_stack cpu_stack_boot(void);

/* Whether the last words of the stack are as they were made: an overrun that jumped over the guard page shows here. */
bool cpu_stack_is_intact(const struct cpu_stack *stack);

/* How deep a stack has been used since it was made, in bytes below its top. */
uint32_t cpu_stack_used(const struct cpu_stack *stack);

/* Whether an address lies in the guard page below a stack. */
bool cpu_stack_is_guard(const void *address);

/* A stack pointer for cpu_stack_switch() that will call entry(), which must not return, with interrupts disabled. */
void *cpu_stack_prepare(const struct cpu_stack *stack, void (*entry)(void));

/*
 * Go on with another stack; returns when this one is switched to again. Interrupts disabled.
 * - from: where this stack's pointer is left; to: what another switch or cpu_stack_prepare() left.
 * - stack: the one switched to; traps from user mode start at its top from now on.
 */
void cpu_stack_switch(void **from, void *to, const struct cpu_stack *stack);

/* Leave what the running program has in the processor in `context`: its FPU state. */
void cpu_user_save(struct cpu_user_context *context);

/* Load FPU state, TLS segments and space. Reserved bits of the FPU state are cleared in `context` first. */
void cpu_user_load(struct cpu_user_context *context);

#endif
