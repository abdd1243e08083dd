/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine contract: the state of a program on the processor, and the ways into and out of the kernel.
 *
 * struct registers is what the entry stubs leave on the kernel stack of the running thread, lowest address first.
 * Programs are i386 programs, so the layout is part of what persists (kernel/proc copies it into thread records).
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "error.h"
#include "types.h"

struct registers {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, unused_esp, ebx, edx, ecx, eax;
    uint32_t vector, error_code;
    uint32_t eip, cs, eflags;
    uint32_t esp, ss; /* valid when the trap came from user mode */
};

/* x87 and SSE state as FXSAVE leaves it. */
struct cpu_fpu {
    uint8_t bytes[512];
} __attribute__((aligned(16)));

#define CPU_TLS_ENTRIES     3u
#define CPU_TLS_FIRST_ENTRY 6u /* index in the descriptor table of the first one, as Linux numbers them */

/* One thread-local-storage segment: a flat data segment from `base`; unset ones make loads of the selector fault. */
struct cpu_tls {
    uint32_t base;
    uint32_t limit; /* in bytes, or in pages if limit_in_pages */
    uint8_t limit_in_pages;
    uint8_t present;
    uint8_t read_only;
    uint8_t unused;
};

/* What a thread takes with it onto the processor beyond its kernel stack. Saved and loaded at each thread switch. */
struct cpu_user_context {
    struct cpu_fpu fpu;
    struct space_id space;
    struct cpu_tls tls[CPU_TLS_ENTRIES];
};

/* Segment selectors of user mode. */
uint32_t cpu_user_code_selector(void);
uint32_t cpu_user_data_selector(void);

/* The FPU state a program starts with. */
void cpu_fpu_initialise(struct cpu_fpu *fpu);

/* The x87 part of the FPU state as FSAVE leaves it: what handlers of signals find, and may change. */
struct cpu_fpu_environment {
    uint32_t control, status, tags, instruction, instruction_selector, operand, operand_selector;
    uint8_t registers[80];
};
void cpu_fpu_get_environment(const struct cpu_fpu *fpu, struct cpu_fpu_environment *out);
void cpu_fpu_set_environment(struct cpu_fpu *fpu, const struct cpu_fpu_environment *environment);

/* The exceptions that an FPU state says have happened and that it does not mask, of x87 or of SSE. */
#define CPU_FPU_INVALID   0x01u
#define CPU_FPU_DENORMAL  0x02u
#define CPU_FPU_DIVISION  0x04u
#define CPU_FPU_OVERFLOW  0x08u
#define CPU_FPU_UNDERFLOW 0x10u
#define CPU_FPU_INEXACT   0x20u
uint32_t cpu_fpu_unmasked(const struct cpu_fpu *fpu, bool simd);

/*
 * Whether the debug exception that the current thread has just come into the kernel with was a single step (EFLAGS.TF),
 * and not an instruction that asks for one. It can be asked once, before the thread sleeps.
 */
bool cpu_debug_was_step(void);

/* Load the TLS segments of the running thread again after `context->tls` was changed. */
void cpu_load_tls(const struct cpu_user_context *context);

/*
 * Make register contents that came from an image or a program harmless: selectors are replaced unless they are user
 * or TLS selectors, EFLAGS keeps only what a program may set, interrupts are on.
 */
void cpu_sanitise(struct registers *registers);

/*
 * Leave the kernel for user mode with these registers, made harmless, by way of trap_return(). The stack of the current
 * thread is reset, its next trap starts at the top. The thread must have a user context (thread_set_user_context).
 */
_Noreturn void cpu_enter_user(const struct registers *registers);

/*
 * memcpy() between the kernel and addresses that may fault: page faults on the way go to trap_page_fault() as any
 * others, but one that it cannot resolve ends the copy instead of the machine.
 * - returns whether everything was copied; otherwise an unknown part was.
 */
MUST_CHECK bool cpu_copy_guarded(void *to, const void *from, size_t length);

/*
 * What of the processor programs can have built on: to compare on resume. Bits that only a kernel can use are left out.
 * Images of older kernels have those too: they are never missed.
 */
struct cpu_features {
    uint32_t words[4]; /* of CPUID: leaf 1 EDX, leaf 1 ECX, leaf 7 EBX, leaf 7 ECX */
};
void cpu_features_read(struct cpu_features *out);

/* `all` has those of `more` as well from now on. */
void cpu_features_add(struct cpu_features *all, const struct cpu_features *more);

/* How many of those needed are not present, and their names, separated by blanks, as far as they fit. */
uint32_t cpu_features_missing(const struct cpu_features *needed, const struct cpu_features *present, char *names,
                              size_t names_bytes);

/* End the machine: power off, or report `status` to the emulator (isa-debug-exit) if it listens. */
_Noreturn void cpu_power_off(uint8_t status);

/* As cpu_power_off(), but a machine without an emulator that listens stands still and keeps what its screen shows. */
_Noreturn void cpu_halt(uint8_t status);

/*
 * Traps, implemented above the machine (kernel/proc). All run on the kernel stack of the interrupted thread with
 * interrupts enabled, except trap_return.
 */
enum trap_fault_access { TRAP_READ, TRAP_WRITE, TRAP_EXECUTE };

void trap_system_call(struct registers *registers);

/*
 * - present: the entry was there and the access violated it; from_user: whether the program or the kernel faulted.
 * - returns true if the access may be tried again; false makes the machine panic (kernel) -- a program's fault that
 *   cannot be resolved must be dealt with inside (its thread does not come back), so from_user never returns false.
 */
bool trap_page_fault(struct registers *registers, struct vaddr address, enum trap_fault_access access, bool present,
                     bool from_user);

/* A processor exception of a program other than a page fault: vector 0 .. 31. In the kernel these panic. */
void trap_exception(struct registers *registers);

/* Before every return to user mode: the place where a thread is made to yield, capture its state, or die. */
void trap_return(struct registers *registers);

#endif
