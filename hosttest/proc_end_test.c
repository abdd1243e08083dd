/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of programs on the booted kernel: who is told, what is left, and who gets the keyboard.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake/machine.h"
#include "linux/linux_abi.h"
#include "proc_case.h"
#include "program/children.h"
#include "program.h"
#include "record.h"
#include "terminal.h"
#include "task/task.h"
#include "terminal/terminal_use.h"

#include <string.h>

#define AT   SPACE_AT
#define CHLD 17u

enum { SETPGID = 57 };

static uint32_t turn, handled;

static void await(uint32_t wanted)
{
    while (turn < wanted) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static uint32_t programs_in_use(void)
{
    uint32_t count = 0;

    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        count += program_at(id)->state != PROGRAM_FREE;
    }
    return count;
}

static void await_alone(void)
{
    for (uint32_t i = 0; programs_in_use() > 1 && i < 1000; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    EXPECT_IS(1, programs_in_use());
}

static void nothing(void)
{
}

static void act_on_child(uint32_t handler, uint32_t flags)
{
    WORDS(AT, handler, flags | SA_RESTORER, case_code(CASE_FUNCTIONS), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, CHLD, AT, 0, 8);
}

/* The list of children (CHILDREN-1) ---------------------------------------------------------------------------------- */

static void main_of_list(void)
{
    struct program_id self = task_current()->program_id;
    int32_t child = case_fork(0);

    EXPECT_IS(child, children_first(self).number);
    case_reap(child, 0);
    EXPECT_IS(0, children_first(self).number);
}

static void child_that_was_waited_for_is_on_no_list(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_list, .functions = {nothing}});
}

/* Children without a parent ---------------------------------------------------------------------------------------- */

static void outlive(void)
{
    await(1);
    EXPECT(0, CALL_GETPPID);
    turn = 2;
}

static void leave_child(void)
{
    (void)case_fork(0);
}

static void leave_ended_child(void)
{
    int32_t child = case_fork(2);

    while (case_program((uint32_t)child)->state != PROGRAM_ZOMBIE) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void main_of_orphans(void)
{
    turn = 0;
    case_reap(case_fork(1), 0);
    turn = 1;
    await(2);
    await_alone();
    case_reap(case_fork(3), 0);
    await_alone();
    EXPECT(-ECHILD, CALL_WAIT4, UINT32_MAX, 0, 0, 0);
}

static void child_whose_parent_has_ended_is_nobodys(void **state)
{
    (void)state;
    case_run(
        &(struct proc_case){.main = main_of_orphans, .functions = {outlive, leave_child, nothing, leave_ended_child}});
}

/* Who hears -------------------------------------------------------------------------------------------------------- */

static void count_handled(void)
{
    handled++;
}

static void main_of_hearing(void)
{
    handled = 0;
    act_on_child(case_code(1), 0);
    case_reap(case_fork(0), 0);
    EXPECT_IS(1, handled);
    act_on_child(case_code(1), SA_NOCLDWAIT);
    (void)case_fork(0);
    await_alone();
    EXPECT_IS(2, handled);
    EXPECT(-ECHILD, CALL_WAIT4, UINT32_MAX, 0, 0, 0);
    act_on_child(SIG_IGN, 0);
    (void)case_fork(0);
    await_alone();
    EXPECT_IS(2, handled);
    EXPECT(-ECHILD, CALL_WAIT4, UINT32_MAX, 0, 0, 0);
    (void)case_fork(0);
    EXPECT(-ECHILD, CALL_WAIT4, UINT32_MAX, 0, 0, 0); /* sleeps until there is none */
    act_on_child(SIG_DFL, 0);
}

static void parent_hears_of_ends_as_it_asked(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_hearing, .functions = {nothing, count_handled}});
}

static void main_of_groups(void)
{
    turn = 0;
    int32_t job = case_fork(1), other = case_fork(0);

    EXPECT(0, SETPGID, (uint32_t)job, (uint32_t)job);
    while (case_program((uint32_t)other)->state != PROGRAM_ZOMBIE) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    EXPECT(0, CALL_WAIT4, 0u - (uint32_t)job, 0, 1, 0); /* it runs */
    turn = 1;
    EXPECT(job, CALL_WAIT4, 0u - (uint32_t)job, 0, 0, 0);
    EXPECT(-ECHILD, CALL_WAIT4, 0u - (uint32_t)job, 0, 0, 0);
    EXPECT(other, CALL_WAIT4, 0, 0, 0, 0);
    EXPECT(-ECHILD, CALL_WAIT4, UINT32_MAX, 0, 0, 0);
}

static void end_when_told(void)
{
    await(1);
}

static void parent_that_waits_for_a_group_hears_of_that_one(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_groups, .functions = {nothing, end_when_told}});
}

/* The keyboard ----------------------------------------------------------------------------------------------------- */

static void make_nobodys(uint32_t program)
{
    children_remove(case_program(program)->parent, (struct program_id){program});
    case_program(program)->parent = PROGRAM_NONE;
}

/* As if the kernel had started it: a session of its own, a child of nobody. */
static uint32_t start_session(void)
{
    uint32_t program = (uint32_t)case_fork(0);

    make_nobodys(program);
    case_program(program)->session = (struct session_id){program};
    case_program(program)->process_group = (struct group_id){program};
    terminal_begin_session(CONSOLE, (struct program_id){program});
    EXPECT_IS(program, terminal_foreground(CONSOLE).number);
    return program;
}

/* A job of a session, in front. */
static uint32_t start_job(uint32_t session)
{
    uint32_t program = (uint32_t)case_fork(0);

    make_nobodys(program);
    case_program(program)->session = (struct session_id){session};
    case_program(program)->process_group = (struct group_id){program};
    terminal_set_foreground(CONSOLE, (struct group_id){program});
    EXPECT_IS(program, terminal_foreground(CONSOLE).number);
    return program;
}

static void end(uint32_t program)
{
    EXPECT(0, CALL_KILL, program, 9);
    while (case_program(program)->state != PROGRAM_FREE) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void sleep_long(void)
{
    WORDS(AT, 1000, 0);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
}

static void main_of_keyboard(void)
{
    EXPECT_IS(1, terminal_foreground(CONSOLE).number);
    EXPECT_IS(false, terminal_switch(CONSOLE)); /* to nobody */
    uint32_t first = start_session(), second = start_session();
    uint32_t job = start_job(first);
    EXPECT_IS(false, terminal_switch(CONSOLE)); /* a shell's business */
    EXPECT_IS(job, terminal_foreground(CONSOLE).number);
    end(job);
    EXPECT_IS(first, terminal_foreground(CONSOLE).number);
    EXPECT_IS(true, terminal_switch(CONSOLE));
    uint32_t now = terminal_foreground(CONSOLE).number;
    EXPECT_IS(true, now == second || now == 1);
    while (terminal_foreground(CONSOLE).number != first) {
        EXPECT_IS(true, terminal_switch(CONSOLE));
    }
    end(first);
    EXPECT_IS(second, terminal_foreground(CONSOLE).number);
    end(second);
    EXPECT_IS(1, terminal_foreground(CONSOLE).number);
}

static void keyboard_goes_to_who_is_there(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_keyboard, .functions = {sleep_long}});
    assert_non_null(strstr(host_console(), "has the keyboard"));
}

/* The machine's status ----------------------------------------------------------------------------------------------- */

#define SCHEDULES 64u

/* What has to be given back is on the disk, and the memory that takes is not there. */
static void exit_with_3(void)
{
    WORDS(AT, 1, 2, 3);
    EXPECT(0, CALL_SYNC);
    fake_fail_allocations(0, 1);
    CALL(CALL_EXIT, 3);
}

static void main_that_exits_last(void)
{
    int32_t child = case_fork(0);

    make_nobodys((uint32_t)child);
    while (case_program((uint32_t)child)->state == PROGRAM_RUNNING) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    if (case_program((uint32_t)child)->state == PROGRAM_EXITING) {
        EXPECT(8, CALL_WRITE, 1, case_string(AT, "overlap\n"), 8);
    }
    CALL(CALL_EXIT, 6);
}

/* Whatever takes longest to take apart: the status is that of the program which exited last. */
static void machine_ends_with_the_status_of_who_exited_last(void **state)
{
    (void)state;
    uint32_t overlaps = 0;
    for (uint64_t schedule = 1; schedule <= SCHEDULES; schedule++) {
        case_run(&(struct proc_case){
            .main = main_that_exits_last, .functions = {exit_with_3}, .schedule = schedule, .status = 6});
        overlaps += strstr(host_console(), "overlap") != NULL;
    }
    assert_true(overlaps > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_that_was_waited_for_is_on_no_list),
        cmocka_unit_test(child_whose_parent_has_ended_is_nobodys),
        cmocka_unit_test(parent_hears_of_ends_as_it_asked),
        cmocka_unit_test(parent_that_waits_for_a_group_hears_of_that_one),
        cmocka_unit_test(keyboard_goes_to_who_is_there),
        cmocka_unit_test(machine_ends_with_the_status_of_who_exited_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
