/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways from a program into the kernel: system calls and processor exceptions.
 *
 * A system call runs its handler between program_call_begin() and program_call_end(); in between the task may be
 * captured, and is then captured at the instruction that issues the call. An exception becomes the signal Linux gives
 * for it. (Page faults that memory can answer are elsewhere, in page_fault.c.)
 */
#include "arch/context.h"
#include "arch/cpu.h"
#include "calls/calls.h"
#include "file/file.h"
#include "log.h"
#include "program/programs.h"
#include "provoke.h"
#include "signal/signal_frame.h"
#include "task/program_usage.h"
#include <string.h>

/* System calls ----------------------------------------------------------------------------------------------------- */

#define NAMED_MAX 32u

/* Missing calls that the log has named, so that each is named once a boot; when it is full, no more. Volatile. */
static uint32_t named[NAMED_MAX];
static uint32_t named_count;

static bool name_once(uint32_t number)
{
    for (uint32_t i = 0; i < named_count; i++) {
        if (named[i] == number) {
            return false;
        }
    }
    if (named_count == NAMED_MAX) {
        return false;
    }
    named[named_count++] = number;
    return true;
}

static int32_t call_missing(const struct system_call *call)
{
    if (name_once(call->number)) {
        log_line("%s: system call %u is not provided", call->program->name, call->number);
    }
    return -ENOSYS;
}

static int32_t dispatch(const struct system_call *call)
{
    const struct system_call_entry *entry = system_call_find(call->number);

    return entry != NULL ? entry->handler(call) : call_missing(call);
}

void trap_system_call(struct registers *registers)
{
    struct task *task = task_current();
    struct system_call call = {
        .arguments = {registers->ebx, registers->ecx, registers->edx, registers->esi, registers->edi, registers->ebp},
        .number = registers->eax,
        .task = task,
        .record = task->record,
        .program = task->program,
    };

    if (provocations.panics_at_call && call.number == provocations.panic_call) {
        panic("trap", "asked to panic when %s makes system call %u", call.program->name, call.number);
    }
    usage_enter(task);
    program_call_begin(registers);
    int32_t result = dispatch(&call);
    file_let_go(task);
    program_call_end(registers, result);
}

/* Exceptions ------------------------------------------------------------------------------------------------------- */

#define VECTORS                  32u
#define VECTOR_DEBUG             1u
#define VECTOR_PROTECTION        13u
#define VECTOR_X87               16u
#define VECTOR_SIMD              19u
#define INSTRUCTION_PREFIXES_MAX 4u

/* Of siginfo. What has none of its own is SI_KERNEL, without an address: as on Linux, a breakpoint among others. */
#define FPE_INTDIV 1u
#define FPE_FLTDIV 3u
#define FPE_FLTOVF 4u
#define FPE_FLTUND 5u
#define FPE_FLTRES 6u
#define FPE_FLTINV 7u
#define ILL_ILLOPN 2u
#define BUS_ADRALN 1u
#define TRAP_BRKPT 1u
#define TRAP_TRACE 2u

static const struct {
    uint8_t signal;
    uint8_t code;     /* of siginfo; VECTOR_DEBUG and the two of the FPU: see code_of() */
    bool has_address; /* the instruction's */
    const char *detail;
} exceptions[VECTORS] = {
    [0] = {SIGFPE, FPE_INTDIV, true, "divide error"},
    [VECTOR_DEBUG] = {SIGTRAP, TRAP_BRKPT, true, "debug exception"},
    [3] = {SIGTRAP, SI_KERNEL, false, "breakpoint"},
    [4] = {SIGSEGV, SI_KERNEL, false, "overflow"},
    [5] = {SIGSEGV, SI_KERNEL, false, "bound range exceeded"},
    [6] = {SIGILL, ILL_ILLOPN, true, "illegal instruction"},
    [7] = {SIGFPE, FPE_FLTINV, true, "no coprocessor"},
    [10] = {SIGSEGV, SI_KERNEL, false, "invalid task state"},
    [11] = {SIGBUS, SI_KERNEL, false, "segment not present"},
    [12] = {SIGBUS, SI_KERNEL, false, "stack segment fault"},
    [VECTOR_PROTECTION] = {SIGSEGV, SI_KERNEL, false, "general protection fault"},
    [VECTOR_X87] = {SIGFPE, FPE_FLTINV, true, "floating point error"},
    [17] = {SIGBUS, BUS_ADRALN, false, "alignment error"},
    [VECTOR_SIMD] = {SIGFPE, FPE_FLTINV, true, "SIMD floating point error"},
};

/* Of the exceptions that the FPU has not masked, the one that is told. */
static uint32_t fpu_code(struct task *task, bool simd)
{
    cpu_user_save(&task->context);
    uint32_t exceptions_seen = cpu_fpu_unmasked(&task->context.fpu, simd);

    if ((exceptions_seen & CPU_FPU_INVALID) != 0) {
        return FPE_FLTINV;
    }
    if ((exceptions_seen & CPU_FPU_DIVISION) != 0) {
        return FPE_FLTDIV;
    }
    if ((exceptions_seen & CPU_FPU_OVERFLOW) != 0) {
        return FPE_FLTOVF;
    }
    if ((exceptions_seen & (CPU_FPU_UNDERFLOW | CPU_FPU_DENORMAL)) != 0) {
        return FPE_FLTUND;
    }
    return (exceptions_seen & CPU_FPU_INEXACT) != 0 ? FPE_FLTRES : FPE_FLTINV;
}

static uint32_t code_of(struct task *task, uint32_t vector)
{
    if (vector == VECTOR_DEBUG) {
        return cpu_debug_was_step() ? TRAP_TRACE : TRAP_BRKPT;
    }
    if (vector == VECTOR_X87 || vector == VECTOR_SIMD) {
        return fpu_code(task, vector == VECTOR_SIMD);
    }
    return exceptions[vector].signal != 0 ? exceptions[vector].code : SI_KERNEL;
}

static bool is_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xF2 || byte == 0xF3 || byte == 0x2E || byte == 0x3E ||
           byte == 0x26 || byte == 0x36 || byte == 0x64 || byte == 0x65;
}

/* Whether an opcode is one that only the kernel may execute: input and output, interrupts, halt, control registers. */
static bool is_privileged(uint8_t opcode, uint8_t second)
{
    if ((opcode >= 0xE4 && opcode <= 0xE7) || (opcode >= 0xEC && opcode <= 0xEF) ||
        (opcode >= 0x6C && opcode <= 0x6F) || opcode == 0xF4 || opcode == 0xFA || opcode == 0xFB) {
        return true;
    }
    return opcode == 0x0F && (second <= 0x01 || second == 0x06 || second == 0x08 || second == 0x09 ||
                              (second >= 0x20 && second <= 0x23) || (second >= 0x30 && second <= 0x33));
}

static bool at_privileged_instruction(uint32_t eip)
{
    uint8_t bytes[INSTRUCTION_PREFIXES_MAX + 2] = {0};
    uint32_t length = 0;

    while (length < sizeof(bytes) && user_copy_in(&bytes[length], (struct vaddr){eip + length}, 1) == OK) {
        length++;
    }
    uint32_t at = 0;
    while (at < INSTRUCTION_PREFIXES_MAX && is_prefix(bytes[at])) {
        at++;
    }
    return at < length && is_privileged(bytes[at], at + 1 < length ? bytes[at + 1] : 0xFF);
}

void trap_exception(struct registers *registers)
{
    struct task *task = task_current();
    usage_enter(task);
    uint32_t vector = registers->vector < VECTORS ? registers->vector : VECTOR_PROTECTION;
    uint32_t signal = exceptions[vector].signal != 0 ? exceptions[vector].signal : SIGSEGV;
    const char *what = exceptions[vector].detail != NULL ? exceptions[vector].detail : "unexpected exception";
    uint32_t code = code_of(task, vector); /* first: the processor still knows */

    task->registers = registers;
    if (vector == VECTOR_PROTECTION && at_privileged_instruction(registers->eip)) {
        what = "privileged instruction";
    }
    struct signal_fault fault = {
        .signal = signal,
        .code = (int32_t)code,
        .address = exceptions[vector].has_address ? registers->eip : 0,
        .vector = vector,
        .error_code = registers->error_code,
    };
    kernel_snprintf(fault.detail, sizeof(fault.detail), "%s (eip 0x%x)", what, registers->eip);
    program_force_signal(registers, &fault);
}
