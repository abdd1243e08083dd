/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See fiber.h. Stacks are kept for the next ones: a boot makes dozens, and a world is thousands of boots.
 */
#include "fiber.h"
#include "log.h"

#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define GUARD_BYTES 4096u

struct spare {
    struct spare *next;
};

static struct spare *spares; /* at the lowest addresses of stacks that nobody has */

/* The stack of the host thread, as AddressSanitizer told it at the first switch. */
static const void *host_stack;
static size_t host_stack_bytes;

/* Saves what a function must not change, exchanges the stack pointer, and goes on in the other fiber. */
void fiber_exchange(void **from, void *to);
__asm__(".text\n"
        ".globl fiber_exchange\n"
        ".type fiber_exchange, @function\n"
        "fiber_exchange:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size fiber_exchange, . - fiber_exchange\n");

static struct fiber *started; /* who is being switched to */

static void arrive(struct fiber *fiber)
{
#ifdef __SANITIZE_ADDRESS__
    const void *stack;
    size_t bytes;

    __sanitizer_finish_switch_fiber(fiber->shadow, &stack, &bytes);
    if (host_stack == NULL) {
        host_stack = stack;
        host_stack_bytes = bytes;
    }
#else
    (void)fiber;
#endif
}

static void leave(struct fiber *from, const struct fiber *to, bool is_last)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(is_last ? NULL : &from->shadow, to->stack != NULL ? to->stack : host_stack,
                                   to->stack != NULL ? FIBER_STACK_BYTES : host_stack_bytes);
#else
    (void)from, (void)to, (void)is_last, (void)host_stack, (void)host_stack_bytes;
#endif
}

static void begin(void)
{
    struct fiber *fiber = started;

    arrive(fiber);
    fiber->entry(fiber->argument);
    panic("fiber", "expected a fiber not to return");
}

static void unpoison(void *stack)
{
#ifdef __SANITIZE_ADDRESS__
    ASAN_UNPOISON_MEMORY_REGION(stack, FIBER_STACK_BYTES);
#else
    (void)stack;
#endif
}

static void *new_stack(void)
{
    if (spares != NULL) {
        struct spare *spare = spares;
        spares = spare->next;
        unpoison(spare); /* the last functions on it never returned */
        return spare;
    }
    char *area = mmap(NULL, GUARD_BYTES + FIBER_STACK_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(area != MAP_FAILED);
    ASSERT(mprotect(area, GUARD_BYTES, PROT_NONE) == 0);
    return area + GUARD_BYTES;
}

void fiber_start(struct fiber *fiber, void (*entry)(void *), void *argument)
{
    *fiber = (struct fiber){.stack = new_stack(), .entry = entry, .argument = argument};
    void **top = (void **)((char *)fiber->stack + FIBER_STACK_BYTES);

    /* As a function finds it: the return address lies 8 bytes below a multiple of 16. */
    *--top = NULL;
    *--top = (void *)begin;
    for (uint32_t i = 0; i < 6; i++) {
        *--top = NULL;
    }
    fiber->stack_pointer = top;
}

void fiber_switch(struct fiber *from, struct fiber *to, bool is_last)
{
    ASSERT(from != to);
    started = to;
    leave(from, to, is_last);
    fiber_exchange(&from->stack_pointer, to->stack_pointer);
    arrive(from);
}

void fiber_stop(struct fiber *fiber)
{
    struct spare *spare = fiber->stack;

    if (spare == NULL) {
        return;
    }
    fiber->stack = NULL;
    spare->next = spares;
    spares = spare;
}
