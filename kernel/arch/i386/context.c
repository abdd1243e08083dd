/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel stacks: slots of four pages between STACKS_START and STACKS_END, the lowest page of each left out as a guard.
 *
 * A stack is filled with one value when it is made. Its last words always tell whether it was overrun, and the
 * lowest word that is another one how deep it has been used: always, not in kernels for tests alone, since it is the
 * kernel that people run that has to have enough, and it costs one instruction for each new thread.
 */
#include "arch/context.h"
#include "descriptors.h"
#include "log.h"
#include "memory.h"
#include "paging.h"

#include <string.h>

#define SLOT_BYTES   (CPU_STACK_BYTES + PAGE_SIZE)
#define SLOTS        ((STACKS_END - STACKS_START) / SLOT_BYTES)
#define STACK_PAGES  (CPU_STACK_BYTES / PAGE_SIZE)
#define UNUSED_BYTE  0x5Au
#define UNUSED_WORD  0x5A5A5A5Au
#define CANARY_WORDS 4u
#define BOOT_MARGIN  512u /* below the frame that fills the boot stack: its callees, and an interrupt */

/* Kept free above everything else on a stack: the registers of a trap from user mode, rounded up. */
#define TRAP_BYTES ((sizeof(struct registers) + 15) & ~15u)

/* The registers that cpu_stack_exchange() in entry.S keeps, as it pushes them. */
struct saved_context {
    uint32_t edi, esi, ebx, ebp;
    uint32_t return_address;
};

void cpu_stack_exchange(void **from, void *to);

extern char boot_stack_guard[], boot_stack[], boot_stack_top[];

static uint32_t slots_used[SLOTS / 32]; /* a bit each */

static bool slot_take(uint32_t *out)
{
    for (uint32_t i = 0; i < SLOTS / 32; i++) {
        if (slots_used[i] != UINT32_MAX) {
            uint32_t bit = (uint32_t)__builtin_ctz(~slots_used[i]);
            slots_used[i] |= 1u << bit;
            *out = i * 32 + bit;
            return true;
        }
    }
    return false;
}

static void slot_give(uint32_t slot)
{
    slots_used[slot / 32] &= ~(1u << slot % 32);
}

static uint32_t slot_bottom(uint32_t slot)
{
    return STACKS_START + slot * SLOT_BYTES + PAGE_SIZE;
}

static void unmap_pages(uint32_t bottom, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t physical = paging_unmap(bottom + i * PAGE_SIZE);
        frame_free((struct frame){physical >> PAGE_SHIFT});
    }
}

enum error cpu_stack_create(struct cpu_stack *out)
{
    uint32_t slot;
    if (!slot_take(&slot)) {
        return ERROR_NO_MEMORY;
    }
    uint32_t bottom = slot_bottom(slot);
    for (uint32_t i = 0; i < STACK_PAGES; i++) {
        struct frame frame;
        if (frame_allocate(FRAME_KERNEL, &frame) != OK) {
            unmap_pages(bottom, i);
            slot_give(slot);
            return ERROR_NO_MEMORY;
        }
        paging_map(bottom + i * PAGE_SIZE, frame.number << PAGE_SHIFT, ENTRY_WRITABLE);
    }
    *out = (struct cpu_stack){.bottom = (void *)bottom, .top = (void *)(bottom + CPU_STACK_BYTES)};
    memset(out->bottom, UNUSED_BYTE, CPU_STACK_BYTES);
    return OK;
}

void cpu_stack_delete(struct cpu_stack *stack)
{
    uint32_t bottom = (uint32_t)stack->bottom;
    ASSERT(bottom >= STACKS_START && bottom < STACKS_END);
    unmap_pages(bottom, STACK_PAGES);
    slot_give((bottom - STACKS_START) / SLOT_BYTES);
    *stack = (struct cpu_stack){0};
}

struct cpu_stack cpu_stack_boot(void)
{
    char *here = __builtin_frame_address(0);

    memset(boot_stack, UNUSED_BYTE, (size_t)(here - boot_stack) - BOOT_MARGIN);
    return (struct cpu_stack){.bottom = boot_stack, .top = boot_stack_top};
}

bool cpu_stack_is_intact(const struct cpu_stack *stack)
{
    const uint32_t *words = stack->bottom;
    uint32_t changed = 0;

    for (uint32_t i = 0; i < CANARY_WORDS; i++) {
        changed |= words[i] ^ UNUSED_WORD;
    }
    return changed == 0;
}

uint32_t cpu_stack_used(const struct cpu_stack *stack)
{
    const uint32_t *word = stack->bottom;
    uint32_t left = CPU_STACK_BYTES / sizeof(*word);
    bool is_unused;

    __asm__("repe scasl" : "+D"(word), "+c"(left), "=@ccz"(is_unused) : "a"(UNUSED_WORD) : "memory");
    return is_unused ? 0 : (left + 1) * (uint32_t)sizeof(*word);
}

bool cpu_stack_is_guard(const void *address)
{
    uint32_t value = (uint32_t)address;
    if (value >= STACKS_START && value < STACKS_END) {
        return (value - STACKS_START) % SLOT_BYTES < PAGE_SIZE;
    }
    return value >= (uint32_t)boot_stack_guard && value < (uint32_t)boot_stack;
}

void *cpu_stack_prepare(const struct cpu_stack *stack, void (*entry)(void))
{
    struct saved_context *context = (struct saved_context *)((char *)stack->top - TRAP_BYTES - 8) - 1;
    /* The two words above are the zeroes that end a backtrace. */
    memset(context, 0, sizeof(*context) + 8);
    context->return_address = (uint32_t)entry;
    return context;
}

void cpu_stack_switch(void **from, void *to, const struct cpu_stack *stack)
{
    descriptors_set_stack(stack->top);
    cpu_stack_exchange(from, to);
}
