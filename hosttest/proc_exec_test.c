/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting, cloning and becoming another program on the fake machine, with each allocation failing in turn, the power
 * cut at every event of the disk, and signals that come all the time: a program is whole or gets an error, and the
 * kernel goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake/machine.h"
#include "host_calls.h"
#include "linux/linux_abi.h"
#include "proc_cut.h"

#include <stdio.h>
#include <string.h>

#define FRAMES_LEAST  575u
#define FRAMES_ENOUGH 625u

#define NO_HANG         1u
#define ERRNO_NO_MEMORY ((uint32_t)-12)

/* How it ended: the status of the first program. */
#define WHOLE   3u
#define NO_FORK 4u /* refused for want of memory */
#define NO_EXEC 5u
#define BECAME  7u /* of the child */

static uint64_t fail_at, fail_count, hide_at, hide_questions;
static uint32_t frames; /* of memory; 0: plenty */

/* The program --------------------------------------------------------------------------------------------------------
 *
 * It is started with one word. It clones itself; the clone executes itself with two words, and ends then. The first
 * sends signals to the clone until it has ended.
 */

#define CHILD  (HOST_DATA + 0x100u)
#define STATUS (HOST_DATA + 0x104u)
#define ACTION (HOST_DATA + 0x110u) /* handler, mask, flags, restorer */
#define PATH   (HOST_DATA + 0x130u)
#define VECTOR (HOST_DATA + 0x160u)
#define WORD   (HOST_DATA + 3u * PAGE_SIZE - 8u) /* across two pages */

enum {
    BEGIN,
    ACT,
    FORK,
    SEND,
    YIELD,
    WAIT,
    END,
    CHILD_PREPARE,
    CHILD_EXEC,
    CHILD_FAILED,
    OTHER_END,
    HANDLER,
    HANDLER_RETURN
};

static bool store_text(struct registers *registers, uint32_t address, const char *text)
{
    for (size_t i = 0; i <= strlen(text); i += 4) {
        uint32_t value = 0;
        memcpy(&value, text + i, strlen(text) + 1 - i < 4 ? strlen(text) + 1 - i : 4);
        if (!host_store(registers, address + (uint32_t)i, value)) {
            return false;
        }
    }
    return true;
}

static void run_begin(struct registers *registers)
{
    uint32_t count;

    if (!host_load(registers, registers->esp, &count)) {
        return;
    }
    if (count == 2) {
        host_jump(registers, OTHER_END);
    } else if (count != 1) {
        host_wrong("%u words", count);
    } else if (host_store(registers, ACTION, host_code(HANDLER)) && host_store(registers, ACTION + 4, 0) &&
               host_store(registers, ACTION + 8, 0)) {
        host_jump(registers, ACT);
    }
}

static void run_act(struct registers *registers)
{
    HOST_CALL(registers, CALL_SIGACTION, SIGWINCH, ACTION, 0);
}

static void after_act(struct registers *registers)
{
    if (registers->eax != 0) {
        host_wrong("sigaction: %d", (int32_t)registers->eax);
    }
    host_jump(registers, FORK);
}

static void run_fork(struct registers *registers)
{
    HOST_CALL(registers, CALL_FORK);
}

static void after_fork(struct registers *registers)
{
    if (registers->eax == ERRNO_NO_MEMORY) {
        registers->ebx = NO_FORK;
        host_jump(registers, END);
    } else if ((int32_t)registers->eax < 0) {
        host_wrong("fork: %d", (int32_t)registers->eax);
    } else if (registers->eax == 0) {
        host_jump(registers, CHILD_PREPARE);
    } else {
        cut_store(registers, CHILD, registers->eax, SEND);
    }
}

static void run_send(struct registers *registers)
{
    uint32_t child;

    if (host_load(registers, CHILD, &child)) {
        HOST_CALL(registers, CALL_KILL, child, SIGWINCH);
    }
}

static void after_send(struct registers *registers)
{
    host_jump(registers, YIELD);
}

static void run_yield(struct registers *registers)
{
    HOST_CALL(registers, CALL_SCHED_YIELD);
}

static void after_yield(struct registers *registers)
{
    host_jump(registers, WAIT);
}

static void run_wait(struct registers *registers)
{
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, STATUS, NO_HANG, 0);
}

static void after_wait(struct registers *registers)
{
    uint32_t status;

    if (registers->eax == 0 || registers->eax == ERRNO_NO_MEMORY) {
        host_jump(registers, SEND);
        return;
    }
    if ((int32_t)registers->eax < 0) {
        host_wrong("wait: %d", (int32_t)registers->eax);
    }
    if (host_load(registers, STATUS, &status)) {
        if (status != BECAME << 8 && status != NO_EXEC << 8 && status != SIGKILL) {
            host_wrong("status %x", status);
        }
        registers->ebx = status == BECAME << 8 ? WHOLE : NO_EXEC;
        host_jump(registers, END);
    }
}

static void run_end(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXIT, registers->ebx);
}

static void run_child_prepare(struct registers *registers)
{
    const uint32_t vector[] = {PATH, WORD, 0};

    for (uint32_t i = 0; i < 3; i++) {
        if (!host_store(registers, VECTOR + 4 * i, vector[i])) {
            return;
        }
    }
    if (store_text(registers, PATH, "/proc/self/exe") && store_text(registers, WORD, "a word that is not short")) {
        host_jump(registers, CHILD_EXEC);
    }
}

static void run_child_exec(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXECVE, PATH, VECTOR, 0);
}

static void after_child_exec(struct registers *registers)
{
    if (registers->eax != ERRNO_NO_MEMORY) {
        host_wrong("execve: %d", (int32_t)registers->eax);
    }
    host_jump(registers, CHILD_FAILED);
}

static void run_child_failed(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXIT, NO_EXEC);
}

/* The second word is what the clone had given it. */
static void run_other_end(struct registers *registers)
{
    const char expected[28] = "a word that is not short";
    char found[28];
    uint32_t word;

    if (!host_load(registers, registers->esp + 8, &word)) {
        return;
    }
    for (uint32_t i = 0; i < 28; i += 4) {
        uint32_t low, high, shift = 8 * (word & 3);
        if (!host_load(registers, (word & ~3u) + i, &low) || !host_load(registers, (word & ~3u) + i + 4, &high)) {
            return;
        }
        low = shift == 0 ? low : low >> shift | high << (32 - shift);
        memcpy(found + i, &low, 4);
    }
    if (memcmp(found, expected, strlen(expected) + 1) != 0) {
        host_wrong("the word is '%.24s'", found);
    }
    HOST_CALL(registers, CALL_EXIT, BECAME);
}

static void run_handler(struct registers *registers)
{
    uint32_t back;

    if (host_load(registers, registers->esp, &back)) { /* to the frame's own code, which returns from the handler */
        registers->esp += 4;
        host_jump(registers, HANDLER_RETURN);
    }
}

static void run_handler_return(struct registers *registers)
{
    registers->esp += 4; /* the signal's number, as that code takes it */
    HOST_CALL(registers, CALL_SIGRETURN);
}

static void after_call(struct registers *registers)
{
    (void)registers;
}

static const struct host_instruction program[] = {
    [BEGIN] = {run_begin, NULL},
    [ACT] = {run_act, after_act},
    [FORK] = {run_fork, after_fork},
    [SEND] = {run_send, after_send},
    [YIELD] = {run_yield, after_yield},
    [WAIT] = {run_wait, after_wait},
    [END] = {run_end, after_call},
    [CHILD_PREPARE] = {run_child_prepare, NULL},
    [CHILD_EXEC] = {run_child_exec, after_child_exec},
    [CHILD_FAILED] = {run_child_failed, after_call},
    [OTHER_END] = {run_other_end, after_call},
    [HANDLER] = {run_handler, NULL},
    [HANDLER_RETURN] = {run_handler_return, after_call},
};

static void ready(void)
{
    if (fail_count != 0) {
        fake_fail_allocations(fail_at, fail_count);
    }
    if (hide_questions != 0) {
        fake_hide_frames(hide_at, hide_questions);
    }
}

static struct host_end boot(uint64_t schedule)
{
    struct host_machine machine = {.command_line = "interval=5",
                                   .schedule = schedule,
                                   .frames = frames,
                                   .program_words = "program",
                                   .ready = ready};

    return cut_boot(&machine, program, sizeof(program) / sizeof(program[0]));
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

static void program_becomes_another_in_any_order(void **state)
{
    (void)state;
    for (uint64_t schedule = 0; schedule < 40; schedule++) {
        cut_start();
        cut_expect(boot(schedule), HOST_ENDED, WHOLE, schedule);
        cut_stop();
    }
}

/* From each attempt to get memory on, one or several fail: waits for memory begin everywhere, and signals meet them. */
static void program_that_gets_no_memory_is_whole_or_hears_of_it(void **state)
{
    uint32_t endings[8] = {0}, refused = 0;

    (void)state;
    for (fail_count = 1; fail_count <= 9; fail_count += 4) {
        for (fail_at = 0; fail_at < 700; fail_at++) {
            cut_start();
            struct host_end end = boot(fail_at);
            if ((end.kind != HOST_ENDED && end.kind != HOST_REFUSED) ||
                (end.kind == HOST_ENDED && end.status > NO_EXEC)) {
                cut_print(end, fail_at);
                assert_int_equal(end.kind, HOST_ENDED);
            }
            endings[end.kind == HOST_ENDED ? end.status : 0]++;
            refused += end.kind == HOST_REFUSED;
            cut_stop();
        }
    }
    fail_count = 0;
    printf("exec: %u whole, %u could not clone, %u could not execute, %u refused\n", endings[WHOLE], endings[NO_FORK],
           endings[NO_EXEC], refused);
    assert_true(endings[WHOLE] > 0);
}

/* From each attempt to get memory on, none is free for a while: who needs some waits, and signals come meanwhile. */
static void program_that_waits_for_memory_is_whole(void **state)
{
    uint32_t endings[8] = {0}, refused = 0;

    (void)state;
    for (hide_questions = 8; hide_questions <= 32; hide_questions *= 2) {
        for (hide_at = 0; hide_at < 400; hide_at++) {
            cut_start();
            struct host_end end = boot(hide_at);
            if ((end.kind != HOST_ENDED && end.kind != HOST_REFUSED) ||
                (end.kind == HOST_ENDED && end.status > NO_EXEC)) {
                cut_print(end, hide_at);
                assert_int_equal(end.kind, HOST_ENDED);
            }
            endings[end.kind == HOST_ENDED ? end.status : 0]++;
            refused += end.kind == HOST_REFUSED;
            cut_stop();
        }
    }
    hide_questions = 0;
    printf("exec: %u whole, %u could not clone, %u could not execute, %u refused\n", endings[WHOLE], endings[NO_FORK],
           endings[NO_EXEC], refused);
    assert_true(endings[WHOLE] > 0);
}

/*
 * Machines with a frame more each: from those that cannot start the program to those where nobody waits. In between one
 * of the two may be ended for want of memory.
 */
static void program_in_a_small_memory_is_whole_or_hears_of_it(void **state)
{
    uint32_t endings[8] = {0};

    (void)state;
    for (frames = FRAMES_LEAST; frames < FRAMES_ENOUGH; frames++) {
        for (uint64_t schedule = 0; schedule < 20; schedule++) {
            cut_start();
            struct host_end end = boot(schedule);
            if (end.kind != HOST_ENDED && end.kind != HOST_REFUSED) {
                cut_print(end, frames);
                assert_int_equal(end.kind, HOST_ENDED);
            }
            endings[end.kind == HOST_ENDED && end.status <= NO_EXEC ? end.status : 0]++;
            cut_stop();
        }
    }
    frames = 0;
    printf("exec: %u ended, %u whole, %u could not clone, %u could not execute\n", endings[0], endings[WHOLE],
           endings[NO_FORK], endings[NO_EXEC]);
    assert_true(endings[0] > 0 && endings[WHOLE] > 0 && endings[NO_EXEC] > 0);
}

static void program_that_becomes_another_is_cut_at_every_event_and_goes_on(void **state)
{
    enum host_end_kind kind = HOST_CUT;
    uint32_t boots = 0;

    (void)state;
    for (uint32_t event = 1; kind == HOST_CUT; event++) {
        cut_start();
        cut.at = event;
        kind = boot(event).kind;
        cut.at = 0;
        if (kind == HOST_CUT) {
            cut_expect(boot(0), HOST_ENDED, WHOLE, event);
            boots++;
        }
        cut_stop();
    }
    assert_int_equal(kind, HOST_ENDED);
    printf("exec: %u cuts\n", boots);
    assert_true(boots > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_becomes_another_in_any_order),
        cmocka_unit_test(program_that_gets_no_memory_is_whole_or_hears_of_it),
        cmocka_unit_test(program_that_waits_for_memory_is_whole),
        cmocka_unit_test(program_in_a_small_memory_is_whole_or_hears_of_it),
        cmocka_unit_test(program_that_becomes_another_is_cut_at_every_event_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
