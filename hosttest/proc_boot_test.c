/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel as it is on the fake machine: it boots, starts a program, clones it, waits, and goes on after power cuts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host_calls.h"
#include "proc_cut.h"

#include <stdio.h>
#include <string.h>

/* A family: the parent clones itself, both write to the same page, the child ends, the parent waits for it. -------- */

#define WORD      (HOST_DATA + 0x100u)
#define CHILD     (HOST_DATA + 0x104u)
#define STATUS    (HOST_DATA + 0x108u)
#define INTERVAL  (HOST_DATA + 0x110u)
#define UNTOUCHED (HOST_DATA + 5u * PAGE_SIZE)

enum { BEGIN, FORK, PARENT, WAIT, END, CHILD_BEGIN, CHILD_SLEEP, CHILD_END };

static void expect_word(struct registers *registers, uint32_t address, uint32_t expected)
{
    uint32_t value;

    if (host_load(registers, address, &value) && value != expected) {
        host_wrong("%08x holds %08x, expected %08x", address, value, expected);
    }
}

static void run_begin(struct registers *registers)
{
    cut_store(registers, WORD, 1, FORK);
}

static void run_fork(struct registers *registers)
{
    HOST_CALL(registers, CALL_FORK);
}

static void after_fork(struct registers *registers)
{
    if ((int32_t)registers->eax < 0) {
        host_wrong("fork: %d", (int32_t)registers->eax);
    }
    if (registers->eax == 0) {
        host_jump(registers, CHILD_BEGIN);
    } else {
        cut_store(registers, CHILD, registers->eax, PARENT);
    }
}

static void run_parent(struct registers *registers)
{
    cut_store(registers, WORD, 2, WAIT);
}

static void run_wait(struct registers *registers)
{
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, STATUS, 0, 0);
}

static void after_wait(struct registers *registers)
{
    expect_word(registers, CHILD, registers->eax);
    expect_word(registers, WORD, 2);
    expect_word(registers, STATUS, 5u << 8);
    expect_word(registers, UNTOUCHED, 0);
    host_jump(registers, END);
}

static void run_end(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXIT, 3);
}

static void run_child_begin(struct registers *registers)
{
    if (host_store(registers, INTERVAL, 0) && host_store(registers, INTERVAL + 4, 50000000)) {
        cut_store(registers, WORD, 77, CHILD_SLEEP);
    }
}

static void run_child_sleep(struct registers *registers)
{
    HOST_CALL(registers, CALL_NANOSLEEP, INTERVAL, 0);
}

static void after_child_sleep(struct registers *registers)
{
    expect_word(registers, WORD, 77);
    cut_store(registers, UNTOUCHED, 9, CHILD_END);
}

static void run_child_end(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXIT, 5);
}

static const struct host_instruction family[] = {
    [BEGIN] = {run_begin, NULL},
    [FORK] = {run_fork, after_fork},
    [PARENT] = {run_parent, NULL},
    [WAIT] = {run_wait, after_wait},
    [END] = {run_end, NULL},
    [CHILD_BEGIN] = {run_child_begin, NULL},
    [CHILD_SLEEP] = {run_child_sleep, after_child_sleep},
    [CHILD_END] = {run_child_end, NULL},
};

static struct host_end boot(uint64_t schedule)
{
    struct host_machine machine = {.command_line = "interval=5", .schedule = schedule, .program_words = "family"};

    return cut_boot(&machine, family, sizeof(family) / sizeof(family[0]));
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

static void boot_of_a_new_image_without_a_program_is_refused(void **state)
{
    (void)state;
    cut_start();
    struct host_machine machine = {.disk = &cut.disk.device};
    struct host_end end = host_boot(&machine);
    assert_int_equal(end.kind, HOST_REFUSED);
    assert_non_null(strstr(host_console(), "nothing to run"));
    cut_stop();
}

static void boot_with_a_wrong_option_is_refused_by_name(void **state)
{
    (void)state;
    cut_start();
    struct host_machine machine = {.disk = &cut.disk.device, .command_line = "interval=x"};
    struct host_end end = host_boot(&machine);
    assert_int_equal(end.kind, HOST_REFUSED);
    assert_non_null(strstr(host_console(), "interval=x"));
    cut_stop();
}

static void program_clones_itself_waits_and_ends(void **state)
{
    (void)state;
    for (uint64_t schedule = 0; schedule < 20; schedule++) {
        cut_start();
        cut_expect(boot(schedule), HOST_ENDED, 3, schedule);
        cut_stop();
    }
}

/* The power goes at each event of the disk in turn; the next boot goes on with what the disk holds, to the same end. */
static void program_is_cut_at_every_event_and_goes_on(void **state)
{
    uint32_t boots = 0;
    enum host_end_kind kind;

    (void)state;
    for (uint32_t event = 1;; event++) {
        cut_start();
        cut.at = event;
        kind = boot(event).kind;
        cut.at = 0;
        if (kind == HOST_ENDED) {
            break;
        }
        assert_int_equal(kind, HOST_CUT);
        cut_expect(boot(0), HOST_ENDED, 3, event);
        cut_stop();
        boots++;
    }
    cut_stop();
    printf("boot: %u cuts\n", boots);
    assert_true(boots > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_of_a_new_image_without_a_program_is_refused),
        cmocka_unit_test(boot_with_a_wrong_option_is_refused_by_name),
        cmocka_unit_test(program_clones_itself_waits_and_ends),
        cmocka_unit_test(program_is_cut_at_every_event_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
