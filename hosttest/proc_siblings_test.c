/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs with several threads on the booted kernel: signals to the program and to one thread, stops, and what becomes
 * of the other threads when one clones the program or makes it another one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "proc_case.h"
#include "program/programs.h"
#include "task/task.h"

#define AT       SPACE_AT
#define STACK(n) (AT + 0x3000 + (n)*0x1000)
#define USR1     10u
#define USR2     12u
#define BIT(n)   (1u << ((n)-1))

#define OF_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

enum { EXIT_GROUP = 252, GETTID = 224, TKILL = 238, SIGTIMEDWAIT = 177, SIGSUSPEND = 179 };

static uint32_t threads, handled_by[8], handled_count, results[8];

static void yield(uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static int32_t start(uint32_t function)
{
    case_registers()->ebp = function;
    int32_t tid = CALL(CALL_CLONE, OF_THREAD, STACK(1 + threads++), 0, 0, 0);
    EXPECT_IS(true, tid > 0);
    yield(3);
    return tid;
}

static void sleep_long(void)
{
    uint32_t at = AT + 0x600;

    WORDS(at, 1000, 0);
    while (CALL(CALL_NANOSLEEP, at, 0) == -EINTR) {
    }
}

/* Function 0: the handler. */
static void handle(void)
{
    handled_by[handled_count++ % 8] = (uint32_t)CALL(GETTID);
}

static void catch (uint32_t signal, uint32_t mask)
{
    WORDS(AT + 0x40, case_code(0), SA_RESTORER, case_code(CASE_FUNCTIONS), mask, 0);
    EXPECT(0, CALL_RT_SIGACTION, signal, AT + 0x40, 0, 8);
}

static void mask(uint32_t how, uint32_t bits)
{
    uint32_t at = case_registers()->esp - 64;

    WORDS(at, bits, 0);
    EXPECT(0, CALL_RT_SIGPROCMASK, how, at, 0, 8);
}

static void begin(void)
{
    threads = handled_count = 0;
}

/* Signals ---------------------------------------------------------------------------------------------------------- */

static void send_to_program(void)
{
    begin();
    catch (USR1, 0);
    mask(SIG_BLOCK, BIT(USR2));
    uint32_t tid = (uint32_t)start(1);
    mask(SIG_BLOCK, BIT(USR1));
    EXPECT(0, CALL_KILL, 1, USR1);
    yield(4);
    EXPECT_IS(1, handled_count);
    EXPECT_IS(tid, handled_by[0]); /* who does not block it */
    EXPECT(0, TKILL, tid, USR1);
    yield(4);
    EXPECT_IS(2, handled_count);
    EXPECT_IS(tid, handled_by[1]);
    EXPECT(0, TKILL, 1, USR1);
    yield(4);
    EXPECT_IS(2, handled_count); /* it is for this one */
    mask(SIG_UNBLOCK, BIT(USR1));
    EXPECT_IS(3, handled_count);
    EXPECT_IS(1, handled_by[2]);
    EXPECT(0, EXIT_GROUP, 0);
}

static void signal_to_a_program_goes_to_who_does_not_block_it(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = send_to_program, .functions = {handle, sleep_long}});
}

/* All block it; then one does not any more, or waits for it, or ends. */
static void unblock_later(void)
{
    yield(10);
    EXPECT(0, CALL_RT_SIGPENDING, AT + 0x80, 8);
    EXPECT_IS(BIT(USR1), case_word(AT + 0x80));
    mask(SIG_UNBLOCK, BIT(USR1));
    results[0] = handled_count;
    results[1] = handled_by[0];
    results[2] = (uint32_t)CALL(GETTID);
}

static void wait_later(void)
{
    yield(10);
    WORDS(AT + 0x90, BIT(USR1), 0);
    results[3] = (uint32_t)CALL(SIGTIMEDWAIT, AT + 0x90, AT + 0x100, 0, 8);
    results[4] = case_word(AT + 0x100 + 12);
}

static void block_all(void)
{
    begin();
    catch (USR1, 0);
    mask(SIG_BLOCK, BIT(USR1));
    (void)start(1);
    EXPECT(0, CALL_KILL, 1, USR1);
    yield(20);
    EXPECT_IS(1, results[0]);
    EXPECT_IS(results[2], results[1]);
    (void)start(2);
    EXPECT(0, CALL_KILL, 1, USR1);
    yield(20);
    EXPECT_IS(USR1, results[3]);
    EXPECT_IS(1, results[4]); /* from this program */
    EXPECT_IS(1, handled_count);
    EXPECT(0, CALL_RT_SIGPENDING, AT + 0x80, 8);
    EXPECT_IS(0, case_word(AT + 0x80));
    while (task_count() > 1) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void signal_that_all_block_is_for_who_takes_it_first(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = block_all, .functions = {handle, unblock_later, wait_later}});
}

/* The thread that has it pending ends: it is not lost. */
static void leave_it_behind(void)
{
    begin();
    catch (USR1, 0);
    mask(SIG_BLOCK, BIT(USR1));
    (void)start(1);
    EXPECT(0, CALL_KILL, 1, USR1); /* the first has it */
    (void)CALL(CALL_EXIT, 0);
}

static void inherit(void)
{
    while (task_count() > 2) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    yield(10);
    EXPECT_IS(0, handled_count);
    mask(SIG_UNBLOCK, BIT(USR1));
    EXPECT(0, EXIT_GROUP, handled_count);
}

static void leave_signals(void)
{
    case_reap(case_fork(2), 1u << 8);
}

static void signal_outlives_the_thread_that_had_it(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = leave_signals, .functions = {handle, inherit, leave_it_behind}});
}

/* While the handler of one runs, which blocks the other: a sibling takes that. */
static void pass_on(void)
{
    begin();
    catch (USR1, BIT(USR2));
    catch (USR2, 0);
    mask(SIG_BLOCK, BIT(USR1) | BIT(USR2));
    uint32_t tid = (uint32_t)start(1);
    EXPECT(0, CALL_KILL, 1, USR1);
    EXPECT(0, CALL_KILL, 1, USR2);
    yield(2);
    mask(SIG_UNBLOCK, BIT(USR1) | BIT(USR2));
    yield(10);
    EXPECT_IS(2, handled_count);
    EXPECT_IS(1, handled_by[0]);
    (void)tid;
    EXPECT(0, EXIT_GROUP, 0);
}

static void unblock_second(void)
{
    mask(SIG_UNBLOCK, BIT(USR2) & 0);
    sleep_long();
}

static void signals_that_a_handler_blocks_are_not_lost(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = pass_on, .functions = {handle, unblock_second}});
}

static void fatal(void)
{
    begin();
    (void)start(1);
    (void)start(1);
    sleep_long();
}

static void send_fatal(void)
{
    int32_t child = case_fork(2);

    yield(20);
    EXPECT(0, CALL_KILL, (uint32_t)child, 15);
    case_reap(child, 15);
    child = case_fork(2);
    yield(20);
    EXPECT(0, CALL_KILL, (uint32_t)child, 9);
    case_reap(child, 9);
    EXPECT_IS(1, task_count());
}

static void signal_that_ends_the_program_ends_all_threads(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = send_fatal, .functions = {handle, sleep_long, fatal}});
}

/* Stopped, nobody counts; continued, all do. */
static uint32_t counts[3];

static void count_on(void)
{
    uint32_t self = threads;

    for (;;) {
        counts[self]++;
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void count_in_three(void)
{
    begin();
    (void)start(1);
    (void)start(1);
    threads = 0;
    count_on();
}

static void stop_and_go(void)
{
    uint32_t before[3];
    int32_t child = case_fork(2);

    yield(20);
    EXPECT(0, CALL_KILL, (uint32_t)child, 19);
    EXPECT(child, CALL_WAIT4, (uint32_t)child, AT + 0x80, 2, 0);
    yield(4);
    for (uint32_t i = 0; i < 3; i++) {
        before[i] = counts[i];
        EXPECT_IS(true, before[i] > 0);
    }
    yield(20);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_IS(before[i], counts[i]);
    }
    EXPECT(0, CALL_KILL, (uint32_t)child, 18);
    yield(20);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_IS(true, counts[i] > before[i]);
    }
    EXPECT(0, CALL_KILL, (uint32_t)child, 19);
    yield(10);
    EXPECT(0, CALL_KILL, (uint32_t)child, 9);
    case_reap(child, 9);
    EXPECT_IS(1, task_count());
}

static void stop_stops_all_threads(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = stop_and_go, .functions = {handle, count_on, count_in_three}});
}

/* Clones and other programs ---------------------------------------------------------------------------------------- */

static void look_alone(void)
{
    uint32_t self = (uint32_t)CALL(CALL_GETPID);

    EXPECT_IS(self, CALL(GETTID));
    EXPECT_IS(1, case_program(self)->task_count);
    EXPECT(0, EXIT_GROUP, 4);
}

static void clone_in_thread(void)
{
    case_reap(case_fork(2), 4u << 8);
    EXPECT(0, EXIT_GROUP, 6);
}

static void clone_from_thread(void)
{
    begin();
    (void)start(1);
    sleep_long();
}

static void clone_is_a_program_with_one_task(void **state)
{
    (void)state;
    case_run(&(struct proc_case){
        .main = clone_from_thread, .functions = {handle, clone_in_thread, look_alone}, .status = 6});
}

#define PATH     (AT + 0x800)
#define WORDS_AT (AT + 0x820)

/* The image starts anew: with two words it has been started by a thread. */
static void become(void)
{
    case_string(PATH, "/proc/self/exe");
    case_string(PATH + 0x40, "again");
    WORDS(WORDS_AT, PATH + 0x40, PATH + 0x40, 0, 0);
    EXPECT(-ENOENT, CALL_EXECVE, case_string(PATH + 0x80, "/nowhere"), WORDS_AT, 0);
    (void)CALL(CALL_EXECVE, PATH, WORDS_AT, WORDS_AT + 12);
}

static void become_from_thread(void)
{
    if (case_word(case_registers()->esp) == 2) {
        look_alone();
    }
    begin();
    catch (USR1, 0);
    mask(SIG_BLOCK, BIT(USR2));
    (void)start(2);
    (void)start(2);
    (void)start(1);
    sleep_long();
}

static void program_that_a_thread_makes_another_one_has_one_task_and_its_number(void **state)
{
    (void)state;
    for (uint64_t schedule = 0; schedule < 20; schedule++) {
        case_run(&(struct proc_case){
            .main = become_from_thread, .functions = {handle, become, sleep_long}, .status = 4, .schedule = schedule});
    }
}

/* Two at once: one of them does. */
static void become_twice(void)
{
    if (case_word(case_registers()->esp) == 2) {
        look_alone();
    }
    begin();
    (void)start(1);
    (void)start(1);
    become();
    sleep_long();
}

static void one_of_several_threads_makes_it_another_one(void **state)
{
    (void)state;
    for (uint64_t schedule = 0; schedule < 40; schedule++) {
        case_run(&(struct proc_case){
            .main = become_twice, .functions = {handle, become, sleep_long}, .status = 4, .schedule = schedule});
    }
}

/* A thread is held by a child that runs in the same memory and wants to be another program, as its sibling does. */
static void hold_and_become(void)
{
    case_registers()->ebp = 3;
    (void)CALL(CALL_VFORK);
    sleep_long();
}

static void become_in_parent(void)
{
    yield(6);
    become();
}

static void become_beside_a_held_thread(void)
{
    if (case_word(case_registers()->esp) == 2) {
        EXPECT(0, EXIT_GROUP, 4);
    }
    begin();
    (void)start(2);
    become();
}

static void sibling_that_waits_for_its_child_is_waited_for(void **state)
{
    (void)state;
    for (uint64_t schedule = 0; schedule < 20; schedule++) {
        case_run(&(struct proc_case){.main = become_beside_a_held_thread,
                                     .functions = {handle, become, hold_and_become, become_in_parent},
                                     .status = 4,
                                     .schedule = schedule});
    }
}

/* Who does not give up the processor ------------------------------------------------------------------------------- */

static uint32_t turns;

static void spin(void)
{
    for (;;) {
        WORDS(AT + 0x700, turns++);
        host_trap_interrupt(case_registers()); /* the clock ticks */
    }
}

static void count_turns(void)
{
    for (uint32_t i = 0; i < 50; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void live_with_spinners(void)
{
    begin();
    case_reap(case_fork(2), 0);
    (void)start(1);
    (void)start(1);
    case_reap(case_fork(2), 0);
    yield(50);
    EXPECT(0, EXIT_GROUP, 0);
}

static void thread_that_spins_lets_siblings_and_others_run(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = live_with_spinners, .functions = {handle, spin, count_turns}, .schedule = 7});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signal_to_a_program_goes_to_who_does_not_block_it),
        cmocka_unit_test(signal_that_all_block_is_for_who_takes_it_first),
        cmocka_unit_test(signal_outlives_the_thread_that_had_it),
        cmocka_unit_test(signals_that_a_handler_blocks_are_not_lost),
        cmocka_unit_test(signal_that_ends_the_program_ends_all_threads),
        cmocka_unit_test(stop_stops_all_threads),
        cmocka_unit_test(clone_is_a_program_with_one_task),
        cmocka_unit_test(program_that_a_thread_makes_another_one_has_one_task_and_its_number),
        cmocka_unit_test(one_of_several_threads_makes_it_another_one),
        cmocka_unit_test(sibling_that_waits_for_its_child_is_waited_for),
        cmocka_unit_test(thread_that_spins_lets_siblings_and_others_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
