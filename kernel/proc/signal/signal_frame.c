/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of signal handlers on a program's stack, in the layout that i386 Linux gives them.
 *
 * From high addresses to low: the FPU state (the old x87 environment, then the FXSAVE image), then the frame proper,
 * whose first word is the address the handler returns to. A handler without SA_SIGINFO gets the classic frame, one with
 * it gets siginfo and ucontext. A program that installed no restorer returns to the few bytes of code at the frame's
 * end.
 */
#include "signal_frame.h"
#include "atomic.h"
#include "arch/context.h"
#include "arch/cpu.h"
#include "linux/linux_abi.h"
#include "signal.h"
#include "space/user_memory.h"
#include "task/task.h"
#include <string.h>

#define SIGRETURN    119u
#define RT_SIGRETURN 173u

#define EFLAGS_TRAP      0x00000100u
#define EFLAGS_DIRECTION 0x00000400u
#define EFLAGS_RESUME    0x00010000u
/* what a return from a handler sets: arithmetic, direction, trap, resume, alignment */
#define EFLAGS_RESTORED 0x00050DD5u

struct signal_context {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t vector, error_code;
    uint32_t eip, cs, eflags, esp_at_signal, ss;
    uint32_t fpu_address;
    uint32_t mask_low;
    uint32_t fault_address;
};
_Static_assert(sizeof(struct signal_context) == 88, "struct sigcontext");

struct classic_frame {
    uint32_t return_address, signal;
    struct signal_context context;
    uint32_t mask_high;
    uint8_t return_code[8];
};

struct signal_information {
    int32_t signal, error, code;
    union {
        uint32_t address; /* of a fault */
        struct {
            uint32_t program, user, value;
        } sent;
        uint8_t padding[116];
    };
};
_Static_assert(sizeof(struct signal_information) == 128, "siginfo_t");

struct information_frame {
    uint32_t return_address, signal, information_address, context_address;
    struct signal_information information;
    struct {
        uint32_t flags, link, stack[3];
        struct signal_context machine;
        uint32_t mask[2];
    } context;
    uint8_t return_code[8];
};

/* `magic` 0 says that the FXSAVE image is there. What the two both have counts as in the environment. */
struct fpu_frame {
    struct cpu_fpu_environment environment;
    uint16_t status, magic;
    struct cpu_fpu image;
};
_Static_assert(sizeof(struct fpu_frame) == 624, "struct _fpstate");

static uint32_t offset_of_fpu(uint32_t stack)
{
    return (stack - (uint32_t)sizeof(struct fpu_frame)) & ~63u;
}

/* At the first instruction of a function, 4 bytes above the stack pointer is a multiple of 16. */
static uint32_t align_frame(uint32_t address)
{
    return ((address + 4) & ~15u) - 4;
}

static bool on_signal_stack(const struct task_record *record, uint32_t stack)
{
    return stack - record->signal_stack[0] < record->signal_stack[2];
}

static uint32_t stack_for(const struct task_record *record, const struct registers *registers, uint32_t flags)
{
    bool usable = record->signal_stack[2] != 0 && (record->signal_stack[1] & SS_DISABLE) == 0;

    if ((flags & SA_ONSTACK) != 0 && usable && !on_signal_stack(record, registers->esp)) {
        return record->signal_stack[0] + record->signal_stack[2];
    }
    return registers->esp;
}

static struct signal_context context_from(const struct registers *from, const struct signal_fault *fault,
                                          uint32_t fpu_address, uint32_t mask_low)
{
    return (struct signal_context){
        .gs = from->gs,
        .fs = from->fs,
        .es = from->es,
        .ds = from->ds,
        .edi = from->edi,
        .esi = from->esi,
        .ebp = from->ebp,
        .esp = from->esp,
        .ebx = from->ebx,
        .edx = from->edx,
        .ecx = from->ecx,
        .eax = from->eax,
        .vector = fault->vector,
        .error_code = fault->error_code,
        .eip = from->eip,
        .cs = from->cs,
        .eflags = from->eflags,
        .esp_at_signal = from->esp,
        .ss = from->ss,
        .fpu_address = fpu_address,
        .mask_low = mask_low,
        .fault_address = fault->address,
    };
}

static void fill_fpu(struct fpu_frame *frame)
{
    struct cpu_user_context *context = &task_current()->context;

    cpu_user_save(context);
    cpu_fpu_get_environment(&context->fpu, &frame->environment);
    frame->status = (uint16_t)frame->environment.status;
    frame->magic = 0;
    frame->image = context->fpu;
}

/* movl $number, %eax; int $0x80 */
static void fill_return_code(uint8_t code[8], uint32_t number)
{
    const uint8_t bytes[8] = {0xB8, (uint8_t)number, 0, 0, 0, 0xCD, 0x80, 0x90};

    memcpy(code, bytes, sizeof(bytes));
}

static void fill_classic(struct classic_frame *frame, uint32_t at, const struct signal_context *context,
                         const struct signal_fault *fault, const struct signal_action *action, uint32_t mask_high)
{
    /* popl %eax; movl $number, %eax; int $0x80: the signal's number is still on the stack when the handler returns. */
    const uint8_t code[8] = {0x58, 0xB8, SIGRETURN, 0, 0, 0, 0xCD, 0x80};

    frame->return_address = (action->flags & SA_RESTORER) != 0
                                ? action->restorer
                                : at + (uint32_t)offsetof(struct classic_frame, return_code);
    frame->signal = fault->signal;
    frame->context = *context;
    frame->mask_high = mask_high;
    memcpy(frame->return_code, code, sizeof(code));
}

static void fill_information(struct information_frame *frame, uint32_t at, const struct signal_context *context,
                             const struct signal_fault *fault, const struct signal_action *action,
                             const struct task_record *record, const uint32_t mask[2])
{
    memset(frame, 0, sizeof(*frame));
    frame->return_address = (action->flags & SA_RESTORER) != 0
                                ? action->restorer
                                : at + (uint32_t)offsetof(struct information_frame, return_code);
    frame->signal = fault->signal;
    frame->information_address = at + (uint32_t)offsetof(struct information_frame, information);
    frame->context_address = at + (uint32_t)offsetof(struct information_frame, context);
    frame->information.signal = (int32_t)fault->signal;
    frame->information.code = fault->code;
    frame->information.sent.program = fault->sender.number;
    frame->information.sent.user = fault->user;
    frame->information.sent.value = fault->value;
    if (fault->address != 0) {
        frame->information.address = fault->address;
    }
    memcpy(frame->context.stack, record->signal_stack, sizeof(frame->context.stack));
    frame->context.machine = *context;
    memcpy(frame->context.mask, mask, sizeof(frame->context.mask));
    fill_return_code(frame->return_code, RT_SIGRETURN);
}

/* The FPU is as at the start of a program: what it holds, unmasked exceptions among it, is not the handler's. */
static void start_handler(struct registers *registers, const struct signal_action *action, uint32_t frame,
                          uint32_t signal, uint32_t information, uint32_t context)
{
    struct task *task = task_current();

    task_touch(task);
    cpu_fpu_initialise(&task->context.fpu);
    cpu_user_load(&task->context);
    registers->eip = action->handler;
    registers->esp = frame;
    registers->eax = signal;
    registers->edx = information;
    registers->ecx = context;
    registers->cs = cpu_user_code_selector();
    registers->ds = registers->es = registers->ss = cpu_user_data_selector();
    registers->eflags &= ~(EFLAGS_TRAP | EFLAGS_DIRECTION | EFLAGS_RESUME);
}

enum error signal_frame_enter(struct registers *registers, const struct signal_fault *fault,
                              const struct signal_action *action)
{
    thread_may_sleep();
    struct task_record *record = task_current()->record;
    const uint32_t *mask = record->signal_mask_saved != 0 ? record->signal_saved_mask : record->signal_mask;
    bool with_information = (action->flags & SA_SIGINFO) != 0;
    uint32_t size = with_information ? sizeof(struct information_frame) : sizeof(struct classic_frame);
    uint32_t fpu = offset_of_fpu(stack_for(record, registers, action->flags));
    uint32_t at = align_frame(fpu - size);
    struct user_range range;

    enum error error =
        user_begin(&range, (struct vaddr){at}, fpu + (uint32_t)sizeof(struct fpu_frame) - at, PMAP_WRITE);
    if (error != OK) {
        return error;
    }
    struct signal_context context = context_from(registers, fault, fpu, mask[0]);
    fill_fpu((struct fpu_frame *)((uint8_t *)range.address + (fpu - at)));
    if (with_information) {
        fill_information(range.address, at, &context, fault, action, record, mask);
        start_handler(registers, action, at, fault->signal,
                      at + (uint32_t)offsetof(struct information_frame, information),
                      at + (uint32_t)offsetof(struct information_frame, context));
    } else {
        fill_classic(range.address, at, &context, fault, action, mask[1]);
        start_handler(registers, action, at, fault->signal, 0, 0);
    }
    record->signal_mask_saved = 0;
    user_end(&range);
    return OK;
}

/* Leaving ---------------------------------------------------------------------------------------------------------- */

static void restore_registers(struct registers *to, const struct signal_context *from)
{
    to->gs = from->gs;
    to->fs = from->fs;
    to->es = from->es;
    to->ds = from->ds;
    to->edi = from->edi;
    to->esi = from->esi;
    to->ebp = from->ebp;
    to->esp = from->esp;
    to->ebx = from->ebx;
    to->edx = from->edx;
    to->ecx = from->ecx;
    to->eax = from->eax;
    to->eip = from->eip;
    to->cs = from->cs;
    to->eflags = (to->eflags & ~EFLAGS_RESTORED) | (from->eflags & EFLAGS_RESTORED);
    to->ss = from->ss;
    cpu_sanitise(to);
}

/* The FPU state that a handler leaves. */
static enum error read_fpu(uint32_t address, struct cpu_fpu *out)
{
    struct fpu_frame frame;
    enum error error = user_copy_in(&frame, (struct vaddr){address}, sizeof(frame));

    if (error == OK) {
        *out = frame.image;
        cpu_fpu_set_environment(out, &frame.environment);
    }
    return error;
}

/* The context and mask of the frame that lies below the stack pointer a return stub left. */
static enum error read_frame(uint32_t stack, bool with_information, struct signal_context *context, uint32_t mask[2])
{
    if (with_information) {
        struct information_frame frame;
        enum error error = user_copy_in(&frame, (struct vaddr){stack - 4}, sizeof(frame));
        if (error == OK) {
            *context = frame.context.machine;
            memcpy(mask, frame.context.mask, sizeof(frame.context.mask));
        }
        return error;
    }
    struct classic_frame frame;
    enum error error = user_copy_in(&frame, (struct vaddr){stack - 8}, sizeof(frame));
    if (error == OK) {
        *context = frame.context;
        mask[0] = frame.context.mask_low;
        mask[1] = frame.mask_high;
    }
    return error;
}

enum error signal_frame_leave(struct registers *registers, bool with_information)
{
    thread_may_sleep();
    struct task *task = task_current();
    struct signal_context context = {0};
    uint32_t mask[2] = {0, 0};
    struct cpu_fpu fpu;

    enum error error = read_frame(registers->esp, with_information, &context, mask);
    if (error == OK && context.fpu_address != 0) {
        error = read_fpu(context.fpu_address, &fpu);
    }
    if (error != OK) {
        return error;
    }
    task_touch(task);
    restore_registers(registers, &context);
    signal_set_mask(task, mask[0], mask[1]);
    if (context.fpu_address != 0) {
        task->context.fpu = fpu;
        cpu_user_load(&task->context);
    }
    return OK;
}
