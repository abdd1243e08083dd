/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The descriptor tables: flat segments, gates for every exception, interrupt and the system call, and two tasks.
 *
 * The first task exists for its stack pointer, which the processor loads when a program traps. The second has a stack
 * of its own and is entered by a double fault: that is what a kernel stack that ran into its guard page ends in.
 */
#include "descriptors.h"
#include "arch/context.h"
#include "panic.h"
#include "processor.h"

#include <string.h>

#define GDT_ENTRIES 16u
#define IDT_ENTRIES 256u

#define DESCRIPTOR_CODE      0x9Au /* present, readable code */
#define DESCRIPTOR_DATA      0x92u /* present, writable data */
#define DESCRIPTOR_READ_ONLY 0x90u
#define DESCRIPTOR_TASK      0x89u
#define DESCRIPTOR_USER      0x60u
#define DESCRIPTOR_ACCESSED  0x01u
#define DESCRIPTOR_32_BITS   0x4u
#define DESCRIPTOR_IN_PAGES  0x8u
#define GATE_INTERRUPT       0x8Eu
#define GATE_TASK            0x85u
#define GATE_USER            0x60u
#define FAULT_STACK_BYTES    4096u

struct descriptor {
    uint16_t limit_low;
    uint16_t base_low;
    uint8_t base_middle;
    uint8_t access;
    uint8_t limit_high : 4;
    uint8_t flags : 4;
    uint8_t base_high;
};

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t unused;
    uint8_t access;
    uint16_t offset_high;
};

struct table_pointer {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

struct task_state {
    uint32_t link;
    uint32_t esp0, ss0, esp1, ss1, esp2, ss2;
    uint32_t cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};

_Static_assert(sizeof(struct descriptor) == 8 && sizeof(struct gate) == 8, "table entries");
_Static_assert(sizeof(struct task_state) == 104, "task state segment");

/* entry.S: addresses of the stubs of vectors 0 .. 47, and that of the system call. */
extern const uint32_t trap_stubs[];
void trap_stub_system_call(void);

extern char boot_stack_top[];

static struct descriptor gdt[GDT_ENTRIES] __attribute__((aligned(8)));
static struct gate idt[IDT_ENTRIES] __attribute__((aligned(8)));
static struct task_state task;
static struct task_state fault_task;
static uint8_t fault_stack[FAULT_STACK_BYTES] __attribute__((aligned(16)));

static struct descriptor make_descriptor(uint32_t base, uint32_t limit, uint8_t access, uint8_t flags)
{
    return (struct descriptor){
        .limit_low = (uint16_t)limit,
        .base_low = (uint16_t)base,
        .base_middle = (uint8_t)(base >> 16),
        .access = access,
        .limit_high = limit >> 16 & 0xF,
        .flags = (unsigned char)flags & 0xFu,
        .base_high = (uint8_t)(base >> 24),
    };
}

static struct descriptor make_segment(uint8_t access)
{
    return make_descriptor(0, 0xFFFFF, access | DESCRIPTOR_ACCESSED, DESCRIPTOR_32_BITS | DESCRIPTOR_IN_PAGES);
}

static struct descriptor make_task(const struct task_state *state)
{
    return make_descriptor((uint32_t)state, sizeof(*state) - 1, DESCRIPTOR_TASK, 0);
}

static void set_gate(uint32_t vector, uint32_t handler, uint8_t access)
{
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)handler,
        .selector = SELECTOR_KERNEL_CODE,
        .access = access,
        .offset_high = (uint16_t)(handler >> 16),
    };
}

static void fill_interrupt_table(void)
{
    for (uint32_t vector = 0; vector < VECTOR_INTERRUPTS + 16; vector++) {
        set_gate(vector, trap_stubs[vector], GATE_INTERRUPT);
    }
    /* Breakpoint and overflow are instructions a program may use. */
    set_gate(3, trap_stubs[3], GATE_INTERRUPT | GATE_USER);
    set_gate(4, trap_stubs[4], GATE_INTERRUPT | GATE_USER);
    set_gate(VECTOR_SYSTEM_CALL, (uint32_t)trap_stub_system_call, GATE_INTERRUPT | GATE_USER);
    idt[VECTOR_DOUBLE_FAULT] = (struct gate){.selector = SELECTOR_FAULT_TASK, .access = GATE_TASK};
}

/* The processor has saved the state it could not go on with in `task`. */
static _Noreturn void double_fault(void)
{
    struct registers registers = {
        .gs = task.gs,
        .fs = task.fs,
        .es = task.es,
        .ds = task.ds,
        .edi = task.edi,
        .esi = task.esi,
        .ebp = task.ebp,
        .ebx = task.ebx,
        .edx = task.edx,
        .ecx = task.ecx,
        .eax = task.eax,
        .vector = VECTOR_DOUBLE_FAULT,
        .eip = task.eip,
        .cs = task.cs,
        .eflags = task.eflags,
        .esp = task.esp,
        .ss = task.ss,
    };
    if (cpu_stack_is_guard((const void *)processor_read_cr2())) {
        panic_registers(&registers, "thread", "the kernel stack overflowed at %p, esp 0x%x",
                        (const void *)processor_read_cr2(), task.esp);
    }
    panic_registers(&registers, "trap", "double fault, cr2 0x%x, esp 0x%x", processor_read_cr2(), task.esp);
}

static void fill_tasks(void)
{
    task.esp0 = (uint32_t)boot_stack_top;
    task.ss0 = SELECTOR_KERNEL_DATA;
    task.io_map = sizeof(task); /* beyond the segment: no port is open to programs */

    fault_task.cr3 = processor_read_cr3();
    fault_task.eip = (uint32_t)double_fault;
    fault_task.eflags = EFLAGS_FIXED;
    fault_task.esp = (uint32_t)fault_stack + FAULT_STACK_BYTES - 16;
    fault_task.cs = SELECTOR_KERNEL_CODE;
    fault_task.ss = fault_task.ds = fault_task.es = SELECTOR_KERNEL_DATA;
    fault_task.io_map = sizeof(fault_task);
}

static void load_tables(void)
{
    struct table_pointer gdt_pointer = {sizeof(gdt) - 1, (uint32_t)gdt};
    struct table_pointer idt_pointer = {sizeof(idt) - 1, (uint32_t)idt};
    __asm__ volatile("lgdt %0" : : "m"(gdt_pointer));
    __asm__ volatile("ljmp %0, $1f\n1:" : : "i"(SELECTOR_KERNEL_CODE));
    __asm__ volatile("movw %w0, %%ds; movw %w0, %%es; movw %w0, %%ss" : : "r"(SELECTOR_KERNEL_DATA) : "memory");
    __asm__ volatile("movw %w0, %%fs; movw %w0, %%gs; lldt %w0" : : "r"(0));
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR_TASK));
    __asm__ volatile("lidt %0" : : "m"(idt_pointer));
}

void descriptors_initialise(void)
{
    gdt[SELECTOR_KERNEL_CODE >> 3] = make_segment(DESCRIPTOR_CODE);
    gdt[SELECTOR_KERNEL_DATA >> 3] = make_segment(DESCRIPTOR_DATA);
    gdt[SELECTOR_TASK >> 3] = make_task(&task);
    gdt[SELECTOR_FAULT_TASK >> 3] = make_task(&fault_task);
    gdt[SELECTOR_USER_CODE >> 3] = make_segment(DESCRIPTOR_CODE | DESCRIPTOR_USER);
    gdt[SELECTOR_USER_DATA >> 3] = make_segment(DESCRIPTOR_DATA | DESCRIPTOR_USER);
    fill_tasks();
    fill_interrupt_table();
    load_tables();
}

void descriptors_set_stack(void *top)
{
    task.esp0 = (uint32_t)top;
}

void *descriptors_stack(void)
{
    return (void *)task.esp0;
}

static struct descriptor tls_descriptor(const struct cpu_tls *tls)
{
    uint8_t access = tls->read_only ? DESCRIPTOR_READ_ONLY : DESCRIPTOR_DATA;
    uint8_t flags = DESCRIPTOR_32_BITS | (tls->limit_in_pages ? DESCRIPTOR_IN_PAGES : 0);

    return make_descriptor(tls->base, tls->limit, access | DESCRIPTOR_USER | DESCRIPTOR_ACCESSED, flags);
}

static bool is_same(const struct cpu_tls *a, const struct cpu_tls *b)
{
    return a->base == b->base && a->limit == b->limit && a->limit_in_pages == b->limit_in_pages &&
           a->present == b->present && a->read_only == b->read_only;
}

/* Most programs have one segment, and most of them at the same address: what is loaded already is left. */
void cpu_load_tls(const struct cpu_user_context *context)
{
    static struct cpu_tls loaded[CPU_TLS_ENTRIES];

    for (uint32_t i = 0; i < CPU_TLS_ENTRIES; i++) {
        const struct cpu_tls *tls = &context->tls[i];
        if (!tls->present && !loaded[i].present) {
            continue;
        }
        if (!is_same(tls, &loaded[i])) {
            loaded[i] = *tls;
            gdt[CPU_TLS_FIRST_ENTRY + i] = tls->present ? tls_descriptor(tls) : (struct descriptor){0};
        }
    }
}

uint32_t cpu_user_code_selector(void)
{
    return SELECTOR_USER_CODE;
}

uint32_t cpu_user_data_selector(void)
{
    return SELECTOR_USER_DATA;
}
