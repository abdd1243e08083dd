/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signal handlers on the booted kernel: what they are told, on which stack and with which FPU they run, and what comes
 * back when they return.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/clock.h"
#include "fake/processor.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "program.h"
#include "program_hold.h"
#include "record.h"
#include "task/task.h"

#include <string.h>

#define AT          SPACE_AT
#define BUFFER      (SPACE_AT + PAGE_SIZE)
#define OTHER       (HOST_DATA + 8 * PAGE_SIZE) /* a signal stack */
#define ARENA       0x40000000u
#define USR1        10u
#define USR2        12u
#define CHLD        17u
#define REAL_TIME   40u /* of the second word of a set */
#define BIT(signal) (1u << ((signal)-1))

enum { PROCMASK = 175, SUSPEND = 179, SIGALTSTACK = 186, TKILL = 238 };

/* Of the frames: words behind the stack pointer that a handler starts with. */
#define FRAME_SIGNAL      4u
#define FRAME_INFORMATION 8u
#define FRAME_CONTEXT     12u
#define INFO_CODE         8u
#define INFO_PROGRAM      12u
#define INFO_ADDRESS      12u
#define INFO_STATUS       20u
#define CONTEXT_MACHINE   20u
#define MACHINE_EFLAGS    64u
#define MACHINE_FPU       76u
#define FPU_IMAGE         112u /* behind the old environment */

static uint32_t restorer(uint32_t flags)
{
    return case_code(CASE_FUNCTIONS) + ((flags & SA_SIGINFO) != 0 ? HOST_CODE_BYTES : 0);
}

static void install(uint32_t signal, uint32_t function, uint32_t flags, uint32_t mask)
{
    flags |= SA_RESTORER;
    WORDS(AT, case_code(function), flags, restorer(flags), mask, 0);
    EXPECT(0, CALL_RT_SIGACTION, signal, AT, 0, 8);
}

static void act_as(uint32_t signal, uint32_t handler)
{
    WORDS(AT, handler, 0, 0, 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, signal, AT, 0, 8);
}

static void set_mask(uint32_t mask)
{
    WORDS(AT, mask, 0);
    EXPECT(0, PROCMASK, SIG_SETMASK, AT, 0, 8);
}

static uint32_t mask_now(void)
{
    EXPECT(0, PROCMASK, SIG_BLOCK, 0, BUFFER, 8);
    return case_word(BUFFER);
}

static void sleep_ms(uint32_t ms)
{
    WORDS(AT + 0x80, ms / 1000, ms % 1000 * 1000000);
    EXPECT(0, CALL_NANOSLEEP, AT + 0x80, 0);
}

/* What handlers have seen. */
static struct {
    uint32_t count, depth, deepest, mask, stack, eflags, frame;
    int32_t code;
    uint32_t program, status, address;
    uint8_t fpu, kept_fpu;
} seen;

static void note(void)
{
    uint32_t frame = case_registers()->esp;

    seen.count++;
    seen.frame = frame;
    seen.stack = frame;
    seen.eflags = case_registers()->eflags;
    seen.fpu = fake_fpu.bytes[200];
    seen.mask = mask_now();
}

static void note_information(void)
{
    uint32_t information = case_word(case_registers()->esp + FRAME_INFORMATION);
    uint32_t machine = case_word(case_registers()->esp + FRAME_CONTEXT) + CONTEXT_MACHINE;

    note();
    seen.code = (int32_t)case_word(information + INFO_CODE);
    seen.program = case_word(information + INFO_PROGRAM);
    seen.status = case_word(information + INFO_STATUS);
    seen.address = case_word(information + INFO_ADDRESS);
    uint32_t word = case_word(case_word(machine + MACHINE_FPU) + FPU_IMAGE + 200);
    seen.kept_fpu = (uint8_t)word;
    fake_fpu.bytes[200] = 0x77; /* the handler computes, too */
}

/* The FPU ---------------------------------------------------------------------------------------------------------- */

static void compare_fpu_as_clone(void)
{
    EXPECT_IS(0x33, fake_fpu.bytes[200]);
}

static void fpu(void)
{
    fake_fpu.bytes[200] = 0x55;
    install(USR1, 0, SA_SIGINFO, 0);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(1, seen.count);
    EXPECT_IS(0, seen.fpu);
    EXPECT_IS(0x55, seen.kept_fpu);
    EXPECT_IS(0x55, fake_fpu.bytes[200]);
    fake_fpu.bytes[200] = 0x33;
    case_reap(case_fork(1), 0);
    EXPECT_IS(0x33, fake_fpu.bytes[200]);
}

static void handler_has_a_new_fpu_and_its_return_gives_the_old_one_back(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    case_run(&(struct proc_case){.main = fpu, .functions = {note_information, compare_fpu_as_clone}});
}

#define X87_EXCEPTION   16u
#define DIVIDE_UNMASKED 0x037Bu /* of the control word */
#define DIVIDED         0x0004u /* of the status word */

/* The handler's return would only lead to the same exception: it is masked by then. */
static void mask_division(void)
{
    uint32_t machine = case_word(case_registers()->esp + FRAME_CONTEXT) + CONTEXT_MACHINE;
    uint32_t environment = case_word(machine + MACHINE_FPU);

    note_information();
    WORDS(environment, 0x037Fu);
    WORDS(environment + FPU_IMAGE, 0x037Fu);
}

static void divide(void)
{
    const uint16_t words[2] = {DIVIDE_UNMASKED, DIVIDED};
    struct registers *registers = case_registers();
    uint32_t start = registers->eip, stack = registers->esp;

    install(8, 0, SA_SIGINFO, 0);
    memcpy(fake_fpu.bytes, words, sizeof(words));
    host_trap_exception(registers, X87_EXCEPTION);
    while (registers->eip != start || registers->esp != stack) {
        host_program_run(registers);
    }
    EXPECT_IS(1, seen.count);
    EXPECT_IS(3, seen.code); /* FPE_FLTDIV */
}

static void exception_of_the_fpu_is_told_by_its_kind(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    case_run(&(struct proc_case){.main = divide, .functions = {mask_division}});
}

/* What is told ----------------------------------------------------------------------------------------------------- */

static void kill_parent(void)
{
    EXPECT(0, CALL_KILL, 1, USR1);
    CALL(CALL_EXIT, 5);
}

static void tell_parent(void)
{
    EXPECT(0, TKILL, 1, USR1);
    EXPECT(0, CALL_KILL, (uint32_t)CALL(CALL_GETPID), 9);
}

static void end_with_5(void)
{
    CALL(CALL_EXIT, 5);
}

static void end_by_signal(void)
{
    EXPECT(0, CALL_KILL, (uint32_t)CALL(CALL_GETPID), 9);
}

/* Back to where it came from would only fault again: there is memory now. */
static void open_pages(void)
{
    note_information();
    EXPECT((int32_t)ARENA, CALL_MMAP2, ARENA, 2 * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
}

/* As an instruction that stores: the handler of its fault runs, and it is executed again. */
static void store(uint32_t address, uint32_t value)
{
    struct registers *registers = case_registers();
    uint32_t start = registers->eip, stack = registers->esp;

    while (!host_store(registers, address, value)) {
        while (registers->eip != start || registers->esp != stack) {
            host_program_run(registers);
        }
    }
}

static void told(void)
{
    install(USR1, 0, SA_SIGINFO, 0);
    int32_t child = case_fork(1);
    case_reap(child, 5u << 8);
    EXPECT_IS(SI_USER, seen.code);
    EXPECT_IS(child, seen.program);
    child = case_fork(2);
    case_reap(child, 9);
    EXPECT_IS(SI_TKILL, seen.code);
    EXPECT_IS(child, seen.program);
    install(CHLD, 0, SA_SIGINFO, 0);
    child = case_fork(4);
    case_reap(child, 5u << 8);
    EXPECT_IS(CLD_EXITED, seen.code);
    EXPECT_IS(child, seen.program);
    EXPECT_IS(5, seen.status);
    child = case_fork(5);
    case_reap(child, 9);
    EXPECT_IS(CLD_KILLED, seen.code);
    EXPECT_IS(9, seen.status);
    install(11, 3, SA_SIGINFO, 0);
    EXPECT((int32_t)ARENA, CALL_MMAP2, ARENA, PAGE_SIZE, 0, 0x32, UINT32_MAX, 0);
    store(ARENA + 8, 1);
    EXPECT_IS(2, seen.code); /* SEGV_ACCERR */
    EXPECT_IS(ARENA + 8, seen.address);
    EXPECT(0, CALL_MUNMAP, ARENA, 2 * PAGE_SIZE);
    store(ARENA + PAGE_SIZE + 8, 1);
    EXPECT_IS(1, seen.code); /* SEGV_MAPERR */
    EXPECT_IS(ARENA + PAGE_SIZE + 8, seen.address);
}

static void handler_is_told_who_and_what(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    case_run(&(struct proc_case){
        .main = told,
        .functions = {note_information, kill_parent, tell_parent, open_pages, end_with_5, end_by_signal}});
}

/* Masks ------------------------------------------------------------------------------------------------------------ */

static void nest(void)
{
    seen.depth++;
    seen.deepest = seen.depth > seen.deepest ? seen.depth : seen.deepest;
    if (seen.count++ == 0) {
        EXPECT(0, CALL_KILL, 1, USR1);
        EXPECT(0, CALL_KILL, 1, USR2);
    }
    seen.depth--;
}

static void block_all(void)
{
    set_mask(UINT32_MAX);
    sleep_ms(10000);
}

static void count_handled(void)
{
    seen.count++;
}

static void handle_usr1_when_killed(void)
{
    install(USR1, 2, 0, 0);
    set_mask(BIT(USR1) | BIT(15));
    uint32_t own = (uint32_t)CALL(CALL_GETPID);
    EXPECT(0, CALL_KILL, own, USR1);
    EXPECT(0, CALL_KILL, own, 15);
    case_registers()->esp = BAD; /* a handler would have no stack */
    set_mask(0);
    host_wrong("a program goes on after its end");
}

static void masks(void)
{
    install(USR1, 0, 0, BIT(USR2));
    install(USR2, 0, 0, BIT(USR1));
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(3, seen.count);
    EXPECT_IS(1, seen.deepest);
    seen.count = seen.deepest = 0;
    install(USR1, 0, SA_NODEFER, 0);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(2, seen.deepest);
    EXPECT(0, CALL_RT_SIGACTION, USR1, 0, AT, 8);
    EXPECT_IS(0, case_word(AT + 12));
    install(USR1, 0, 0, UINT32_MAX);
    EXPECT(0, CALL_RT_SIGACTION, USR1, 0, AT, 8);
    EXPECT_IS(UINT32_MAX & ~(BIT(9) | BIT(19)), case_word(AT + 12));
    int32_t child = case_fork(1);
    sleep_ms(2);
    uint64_t killed_ns = clock_boot_ns();
    EXPECT(0, CALL_KILL, (uint32_t)child, 9);
    case_reap(child, 9);
    EXPECT_IS(true, clock_boot_ns() - killed_ns < 1000000000u); /* and not when its sleep is over */
    seen.count = 0;
    case_reap(case_fork(3), 15);
    EXPECT_IS(0, seen.count);
}

static void masks_hold_while_handlers_run(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    case_run(
        &(struct proc_case){.main = masks, .functions = {nest, block_all, count_handled, handle_usr1_when_killed}});
}

static void inherit(void)
{
    EXPECT_IS(BIT(USR2), mask_now());
    EXPECT(0, CALL_KILL, (uint32_t)CALL(CALL_GETPID), USR1);
    EXPECT_IS(1, seen.count);
}

static void suspended(void)
{
    install(USR1, 0, 0, 0);
    set_mask(BIT(USR1) | BIT(USR2));
    EXPECT(0, CALL_KILL, 1, USR1);
    WORDS(AT, BIT(USR2), 0);
    EXPECT(-EINTR, SUSPEND, AT, 8);
    EXPECT_IS(1, seen.count);
    EXPECT_IS(BIT(USR1) | BIT(USR2), mask_now());
    set_mask(BIT(USR2));
    seen.count = 0;
    case_reap(case_fork(1), 0);
}

static void mask_comes_back_and_is_inherited(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    case_run(&(struct proc_case){.main = suspended, .functions = {note, inherit}});
}

/* Ignoring --------------------------------------------------------------------------------------------------------- */

static void disturb(void)
{
    sleep_ms(3);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT(0, CALL_KILL, 1, 28); /* SIGWINCH */
}

static void ignored(void)
{
    act_as(USR1, SIG_IGN);
    int32_t child = case_fork(1);
    sleep_ms(20);
    case_reap(child, 0);
    install(USR1, 0, 0, 0);
    set_mask(BIT(USR1));
    EXPECT(0, CALL_KILL, 1, USR1);
    act_as(USR1, SIG_IGN); /* takes it away */
    install(USR1, 0, 0, 0);
    set_mask(0);
    EXPECT_IS(0, seen.count);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(1, seen.count);
    install(REAL_TIME, 0, 0, 0);
    EXPECT(0, CALL_KILL, 1, REAL_TIME);
    EXPECT_IS(2, seen.count);
}

static void ignored_signal_disturbs_nobody_and_is_not_kept(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    case_run(&(struct proc_case){.main = ignored, .functions = {note, disturb}});
}

/* Being held ------------------------------------------------------------------------------------------------------- */

static uint32_t turns;

static void take_turns(void)
{
    for (;;) {
        turns++;
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void hold(void)
{
    uint32_t child = (uint32_t)case_fork(0);

    sleep_ms(1);
    case_program(child)->held = PROGRAM_HELD_AT_BOOT;
    sleep_ms(1);
    uint32_t before = turns;
    EXPECT_IS(true, before > 0);
    sleep_ms(10);
    EXPECT_IS(before, turns);
    EXPECT(0, CALL_KILL, child, 18);
    sleep_ms(10);
    EXPECT_IS(true, turns > before);
    EXPECT(0, CALL_KILL, child, 9);
    case_reap((int32_t)child, 9);
}

static void held_program_goes_on_when_it_is_told_to_continue(void **state)
{
    (void)state;
    turns = 0;
    case_run(&(struct proc_case){.main = hold, .functions = {take_turns}});
}

/* Stacks and flags ------------------------------------------------------------------------------------------------- */

static uint32_t outer;

static void nest_on_stack(void)
{
    uint32_t frame = case_registers()->esp;

    EXPECT_IS(true, frame - OTHER < 4 * PAGE_SIZE);
    WORDS(AT, ARENA, 0, 4 * PAGE_SIZE);
    EXPECT(-EPERM, SIGALTSTACK, AT, 0);
    if (seen.count++ == 0) {
        outer = frame;
        EXPECT(0, CALL_KILL, 1, USR2);
        EXPECT_IS(USR1, case_word(frame + FRAME_SIGNAL));
    } else {
        EXPECT_IS(true, frame < outer);
    }
}

static void change_frame(void)
{
    uint32_t machine = case_word(case_registers()->esp + FRAME_CONTEXT) + CONTEXT_MACHINE;

    note();
    WORDS(machine + MACHINE_EFLAGS, case_word(machine + MACHINE_EFLAGS) | 0x40000u | 0x200000u); /* alignment; ID */
}

static void stacks(void)
{
    WORDS(AT, OTHER, SS_DISABLE | SS_ONSTACK, 4 * PAGE_SIZE);
    EXPECT(-EINVAL, SIGALTSTACK, AT, 0);
    WORDS(AT, OTHER, 0, 4 * PAGE_SIZE);
    EXPECT(0, SIGALTSTACK, AT, 0);
    install(USR1, 0, SA_ONSTACK, 0);
    install(USR2, 0, SA_ONSTACK, 0);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(2, seen.count);
    install(USR1, 1, SA_SIGINFO, 0);
    case_registers()->eflags |= 0x400u; /* direction */
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT_IS(0, seen.eflags & 0x400u);
    EXPECT_IS(0x400u, case_registers()->eflags & 0x400u);
    EXPECT_IS(0x40000u, case_registers()->eflags & 0x240000u);
    case_registers()->eflags &= ~0x40400u;
}

static void handler_has_its_stack_and_flags(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    case_run(&(struct proc_case){.main = stacks, .functions = {nest_on_stack, change_frame}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handler_has_a_new_fpu_and_its_return_gives_the_old_one_back),
        cmocka_unit_test(exception_of_the_fpu_is_told_by_its_kind),
        cmocka_unit_test(handler_is_told_who_and_what),
        cmocka_unit_test(masks_hold_while_handlers_run),
        cmocka_unit_test(mask_comes_back_and_is_inherited),
        cmocka_unit_test(ignored_signal_disturbs_nobody_and_is_not_kept),
        cmocka_unit_test(held_program_goes_on_when_it_is_told_to_continue),
        cmocka_unit_test(handler_has_its_stack_and_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
