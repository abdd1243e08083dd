/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames, arenas, registers and the clock on the real machine, and panics provoked on purpose.
 */
#include "arch/arena.h"
#include "arch/boot.h"
#include "arch/clock.h"
#include "arch/context.h"
#include "arch/cpu.h"
#include "arch/frame.h"
#include "clock_internal.h"
#include "descriptors.h"
#include "log.h"
#include "memory.h"
#include "processor.h"
#include "selftest.h"
#include "thread.h"

#include <string.h>

static bool can_write(void *address)
{
    uint32_t value = 1;
    return cpu_copy_guarded(address, &value, sizeof(value));
}

SELFTEST(frame_exhaustion_is_an_error_and_everything_comes_back)
{
    struct frame frame;
    uint32_t count = 0;
    uint32_t last = 0;
    uint32_t free = frame_count(FRAME_FREE);
    while (frame_allocate(FRAME_COPY, &frame) == OK) {
        *(uint32_t *)frame_address(frame) = last; /* a list through the frames themselves */
        last = frame.number;
        count++;
    }
    SELFTEST_EXPECT(count == free && frame_count(FRAME_FREE) == 0 && frame_count(FRAME_COPY) == count);
    SELFTEST_EXPECT(frame_allocate_run(FRAME_COPY, 1, &frame) == ERROR_NO_MEMORY);
    while (last != 0) {
        frame = (struct frame){last};
        last = *(uint32_t *)frame_address(frame);
        frame_free(frame);
        count--;
    }
    SELFTEST_EXPECT(count == 0 && frame_count(FRAME_FREE) == free);
}

SELFTEST(frame_runs_are_adjacent_and_owned)
{
    struct frame first, other;
    SELFTEST_EXPECT(frame_allocate_run(FRAME_KERNEL, 17, &first) == OK);
    SELFTEST_EXPECT(frame_allocate(FRAME_STORE, &other) == OK);
    SELFTEST_EXPECT(other.number < first.number || other.number >= first.number + 17);
    memset(frame_address(first), 0xAA, 17 * PAGE_SIZE);
    SELFTEST_EXPECT(frame_owner(first) == FRAME_KERNEL && frame_owner(other) == FRAME_STORE);
    frame_set_owner(other, FRAME_PAGE);
    SELFTEST_EXPECT(frame_owner(other) == FRAME_PAGE);
    SELFTEST_EXPECT(frame_containing((char *)frame_address(other) + 17).number == other.number);
    frame_free(other);
    frame_free_run(first, 17);
}

SELFTEST(arena_pages_come_zeroed_and_go)
{
    struct arena arena, other;
    SELFTEST_EXPECT(arena_reserve(&arena, 3, FRAME_TABLE) == OK && arena_reserve(&other, 1000, FRAME_TABLE) == OK);
    uint32_t *words = arena.base;
    SELFTEST_EXPECT(!can_write(words));
    for (uint32_t i = 0; i < 3; i++) {
        SELFTEST_EXPECT(arena_grow(&arena) == OK && words[i * 1024] == 0 && words[i * 1024 + 1023] == 0);
        memset(&words[i * 1024], 0x55, PAGE_SIZE);
    }
    SELFTEST_EXPECT(arena_grow(&arena) == ERROR_RANGE);
    arena_shrink(&arena);
    SELFTEST_EXPECT(!can_write(&words[2 * 1024]) && words[1024] == 0x55555555);
    SELFTEST_EXPECT(arena_grow(&arena) == OK && words[2 * 1024] == 0);
    arena_release(&arena);
    SELFTEST_EXPECT(!can_write(words));
    struct arena again;
    SELFTEST_EXPECT(arena_reserve(&again, 2, FRAME_TABLE) == OK && again.base == (void *)words);
    SELFTEST_EXPECT(arena_reserve(&arena, 1u << 20, FRAME_TABLE) == ERROR_NO_MEMORY);
    arena_release(&again);
    arena_release(&other);
}

SELFTEST(kernel_text_and_null_refuse_writes)
{
    SELFTEST_EXPECT(!can_write(kernel_text_start) && !can_write((void *)(uint32_t)cpu_sanitise));
    SELFTEST_EXPECT(!can_write(NULL));
    SELFTEST_EXPECT(can_write((char *)memory_at(frame_limit() << PAGE_SHIFT) - 4));
}

SELFTEST(cpu_sanitised_registers_cannot_hurt)
{
    struct registers registers;
    memset(&registers, 0xFF, sizeof(registers));
    cpu_sanitise(&registers);
    SELFTEST_EXPECT(registers.cs == cpu_user_code_selector() && registers.ss == cpu_user_data_selector());
    SELFTEST_EXPECT(registers.ds == cpu_user_data_selector() && registers.gs == 0 && registers.fs == 0);
    SELFTEST_EXPECT((registers.eflags & 0x3000) == 0 && (registers.eflags & 0x20000) == 0);
    SELFTEST_EXPECT((registers.eflags & EFLAGS_INTERRUPT) != 0);
    registers.gs = CPU_TLS_FIRST_ENTRY << 3 | 3;
    registers.eflags = EFLAGS_CARRY | EFLAGS_DIRECTION;
    cpu_sanitise(&registers);
    SELFTEST_EXPECT(registers.gs == (CPU_TLS_FIRST_ENTRY << 3 | 3));
    SELFTEST_EXPECT(registers.eflags == (EFLAGS_CARRY | EFLAGS_DIRECTION | EFLAGS_FIXED | EFLAGS_INTERRUPT));
}

SELFTEST(clock_goes_forward_at_its_rate)
{
    uint64_t previous = clock_boot_ns();
    uint32_t backwards = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        uint64_t now = clock_boot_ns();
        backwards += now < previous;
        previous = now;
    }
    SELFTEST_EXPECT(backwards == 0);
    SELFTEST_EXPECT(clock_wall_ns() > 1600000000ull * 1000000000ull);
    SELFTEST_EXPECT(clock_entropy() != clock_entropy());
}

/* 300 ms of waiting take a tick for each 50 ms or so, and a few before it slows down and when it ends. */
SELFTEST(clock_ticks_are_few_while_idle_and_sleeps_end_in_time)
{
    uint64_t deadline_ns = clock_boot_ns() + 300000000;
    uint32_t before = clock_ticks();
    SELFTEST_EXPECT(thread_sleep_until(deadline_ns) == OK);
    SELFTEST_EXPECT(clock_boot_ns() >= deadline_ns);
    SELFTEST_EXPECT(clock_ticks() - before < 40);
}

SELFTEST(clock_ticks_are_regular_again_after_idling)
{
    SELFTEST_EXPECT(thread_sleep_until(clock_boot_ns() + 100000000) == OK);
    SELFTEST_EXPECT(clock_tick_ns() > 990000 && clock_tick_ns() < 1010000);
}

SELFTEST(boot_memory_is_accounted_for)
{
    uint32_t sum = 0;
    for (uint32_t owner = 0; owner < FRAME_OWNERS; owner++) {
        sum += frame_count((enum frame_owner)owner);
    }
    SELFTEST_EXPECT(sum == frame_limit());
    SELFTEST_EXPECT(boot_memory_bytes() >> PAGE_SHIFT >= frame_count(FRAME_FREE));
    char value[4];
    SELFTEST_EXPECT(!boot_option("no-such-option", value, sizeof(value)));
}

static uint32_t overflow_stack(uint32_t depth)
{
    volatile uint32_t here[64];
    here[depth % 64] = depth;
    /* NOLINTNEXTLINE(clang-analyzer-core.*): what is added does not matter, the frame is to stay */
    return depth == UINT32_MAX ? 0 : overflow_stack(depth + 1) + here[(depth + 1) % 64];
}

SELFTEST_PANIC(panic_stack_overflow)
{
    SELFTEST_EXPECT(overflow_stack(0) == 1);
}

static void overflow_own_stack(void *argument)
{
    (void)argument;
    SELFTEST_EXPECT(overflow_stack(0) == 1);
}

/*
 * Below the stack of a thread lies a page of its own that is not there: the thread whose stack lies next has lost
 * nothing.
 */
SELFTEST_PANIC(panic_stack_overflow_of_a_thread)
{
    struct thread *thread;

    SELFTEST_EXPECT(thread_create("overflow", overflow_own_stack, NULL, &thread) == OK);
    SELFTEST_EXPECT(thread_sleep_until(DEADLINE_NEVER) == OK);
}

SELFTEST_PANIC(panic_page_fault)
{
    *(volatile uint32_t *)kernel_text_start = 0;
}

SELFTEST_PANIC(panic_division)
{
    volatile uint32_t value = 0;
    /* cppcheck-suppress zerodiv */
    value = 100 / value; /* NOLINT(clang-analyzer-core.DivideZero) */
}

SELFTEST_PANIC(panic_assertion)
{
    ASSERT(clock_boot_ns() == 0);
}

/* All frames but two are taken, in a chain. */
SELFTEST(stack_that_finds_no_memory_takes_no_slot)
{
    struct cpu_stack stack;
    struct frame chain = FRAME_NONE, frame;
    uint32_t free_before = frame_count(FRAME_FREE);
    SELFTEST_EXPECT(cpu_stack_create(&stack) == OK);
    const void *bottom = stack.bottom;
    cpu_stack_delete(&stack);
    while (frame_count(FRAME_FREE) > 2 && frame_allocate(FRAME_KERNEL, &frame) == OK) {
        *(struct frame *)frame_address(frame) = chain;
        chain = frame;
    }
    SELFTEST_EXPECT(cpu_stack_create(&stack) == ERROR_NO_MEMORY);
    while (!frame_is_none(chain)) {
        frame = chain;
        chain = *(const struct frame *)frame_address(frame);
        frame_free(frame);
    }
    SELFTEST_EXPECT(frame_count(FRAME_FREE) == free_before);
    SELFTEST_EXPECT(cpu_stack_create(&stack) == OK && stack.bottom == bottom);
    cpu_stack_delete(&stack);
}

SELFTEST_PANIC(panic_sleep_in_atomic)
{
    atomic_begin();
    SELFTEST_EXPECT(thread_sleep_until(0) == OK);
}
