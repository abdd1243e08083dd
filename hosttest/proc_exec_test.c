/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting, cloning and becoming another program on the fake machine, with each allocation failing in turn, the power cut at
 * every event of the disk, and signals that come all the time: a program is whole, or it hears of an error, and the kernel
 * goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake/disk.h"
#include "fake/machine.h"
#include "host_boot.h"
#include "host_program.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS        4096u
#define FRAMES_LEAST  560u
#define FRAMES_ENOUGH 600u

#define CALL_EXIT      1u
#define CALL_FORK      2u
#define CALL_EXECVE    11u
#define CALL_KILL      37u
#define CALL_SIGNAL    67u /* sigaction */
#define CALL_WAIT4     114u
#define CALL_RETURN    119u /* sigreturn */
#define CALL_YIELD     158u

#define NO_HANG  1u
#define SIGKILL  9u
#define SIGWINCH 28u
#define ERRNO_NO_MEMORY ((uint32_t)-12)

/* How it ended: the status of the first program. */
#define WHOLE     3u
#define NO_FORK   4u /* refused for want of memory */
#define NO_EXEC   5u
#define BECAME    7u /* of the child */

static struct fake_disk disk;
static uint32_t cut_at; /* an event of the disk; 0: never */
static uint64_t fail_at, fail_count;
static uint32_t frames; /* of memory; 0: plenty */
static void (*disk_submit)(struct block_device *device, struct block_request *request);

static void submit(struct block_device *device, struct block_request *request)
{
    if (cut_at != 0 && disk.event_count >= cut_at) {
        host_cut_power(disk.event_count);
    }
    disk_submit(device, request);
}

static void disk_start(void)
{
    struct store_format_options format = {.space_id = {1, 2}, .wall_time_ns = 1};

    fake_disk_start(&disk, BLOCKS);
    fake_machine_start(1024);
    assert_int_equal(store_format(&disk.device, &format), OK);
    fake_machine_stop();
    fake_disk_settle(&disk);
    disk_submit = disk.device.submit;
    disk.device.submit = submit;
    cut_at = 0;
}

/* The program --------------------------------------------------------------------------------------------------------
 *
 * It is started with one word. It clones itself; the clone executes itself with two words, and ends then. The first sends
 * signals to the clone until it has ended.
 */

#define CHILD    (HOST_DATA + 0x100u)
#define STATUS   (HOST_DATA + 0x104u)
#define ACTION   (HOST_DATA + 0x110u) /* handler, mask, flags, restorer */
#define PATH     (HOST_DATA + 0x130u)
#define VECTOR   (HOST_DATA + 0x160u)
#define WORD     (HOST_DATA + 3u * PAGE_SIZE - 8u) /* across two pages */

enum { BEGIN, ACT, FORK, SEND, YIELD, WAIT, END, CHILD_PREPARE, CHILD_EXEC, CHILD_FAILED, OTHER_END, HANDLER, HANDLER_RETURN };

static void store_or_wait(struct registers *registers, uint32_t address, uint32_t value, uint32_t next)
{
    if (host_store(registers, address, value)) {
        host_jump(registers, next);
    }
}

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
    HOST_CALL(registers, CALL_SIGNAL, SIGWINCH, ACTION, 0);
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
        store_or_wait(registers, CHILD, registers->eax, SEND);
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
    HOST_CALL(registers, CALL_YIELD);
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
    HOST_CALL(registers, CALL_RETURN);
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
}

static struct host_end boot(uint64_t schedule)
{
    struct host_machine machine = {
        .disk = &disk.device,
        .command_line = "interval=5",
        .schedule = schedule,
        .frames = frames,
        .program = host_program_image(),
        .program_bytes = HOST_IMAGE_BYTES,
        .program_words = "program",
        .run_user = host_program_run,
        .ready = ready,
    };

    host_program_use(program, sizeof(program) / sizeof(program[0]));
    return host_boot(&machine);
}

static void complain(struct host_end end, uint64_t number)
{
    fprintf(stderr, "%llu: boot ended as %d, status %u: %s\n%s%s", (unsigned long long)number, (int)end.kind, end.status,
            end.text, host_log(), host_console());
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

static void program_becomes_another_in_any_order(void **state)
{
    (void)state;
    for (uint64_t schedule = 0; schedule < 40; schedule++) {
        disk_start();
        struct host_end end = boot(schedule);
        if (end.kind != HOST_ENDED || end.status != WHOLE) {
            complain(end, schedule);
        }
        assert_int_equal(end.kind, HOST_ENDED);
        assert_int_equal(end.status, WHOLE);
        fake_disk_stop(&disk);
    }
}

/* From each attempt to get memory on, one or several fail: waits for memory begin everywhere, and signals meet them. */
static void program_that_gets_no_memory_is_whole_or_hears_of_it(void **state)
{
    uint32_t endings[8] = {0}, refused = 0;

    (void)state;
    for (fail_count = 1; fail_count <= 9; fail_count += 4) {
        for (fail_at = 0; fail_at < 700; fail_at++) {
            disk_start();
            struct host_end end = boot(fail_at);
            if ((end.kind != HOST_ENDED && end.kind != HOST_REFUSED) || (end.kind == HOST_ENDED && end.status > NO_EXEC)) {
                complain(end, fail_at);
                assert_int_equal(end.kind, HOST_ENDED);
            }
            endings[end.kind == HOST_ENDED ? end.status : 0]++;
            refused += end.kind == HOST_REFUSED;
            fake_disk_stop(&disk);
        }
    }
    fail_count = 0;
    printf("exec: %u whole, %u could not clone, %u could not execute, %u refused\n", endings[WHOLE], endings[NO_FORK],
           endings[NO_EXEC], refused);
    assert_true(endings[WHOLE] > 0);
}

/*
 * Machines with a frame more each: from those that cannot start the program to those where nobody waits. In between one of the
 * two may be ended for want of memory.
 */
static void program_in_a_small_memory_is_whole_or_hears_of_it(void **state)
{
    uint32_t endings[8] = {0};

    (void)state;
    for (frames = FRAMES_LEAST; frames < FRAMES_ENOUGH; frames++) {
        for (uint64_t schedule = 0; schedule < 20; schedule++) {
            disk_start();
            struct host_end end = boot(schedule);
            if (end.kind != HOST_ENDED && end.kind != HOST_REFUSED) {
                complain(end, frames);
                assert_int_equal(end.kind, HOST_ENDED);
            }
            endings[end.kind == HOST_ENDED && end.status <= NO_EXEC ? end.status : 0]++;
            fake_disk_stop(&disk);
        }
    }
    frames = 0;
    assert_true(endings[0] > 0 && endings[WHOLE] > 0 && endings[NO_EXEC] > 0);
    printf("exec: %u ended, %u whole, %u could not clone, %u could not execute\n", endings[0], endings[WHOLE],
           endings[NO_FORK], endings[NO_EXEC]);
}

static void program_that_becomes_another_is_cut_at_every_event_and_goes_on(void **state)
{
    enum host_end_kind kind = HOST_CUT;
    uint32_t boots = 0;

    (void)state;
    for (uint32_t event = 1; kind == HOST_CUT; event++) {
        disk_start();
        cut_at = event;
        kind = boot(event).kind;
        cut_at = 0;
        if (kind == HOST_CUT) {
            struct host_end end = boot(0);
            if (end.kind != HOST_ENDED || end.status != WHOLE) {
                complain(end, event);
            }
            assert_int_equal(end.status, WHOLE);
            boots++;
        }
        fake_disk_stop(&disk);
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
        cmocka_unit_test(program_in_a_small_memory_is_whole_or_hears_of_it),
        cmocka_unit_test(program_that_becomes_another_is_cut_at_every_event_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
