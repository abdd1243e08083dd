/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Job control on the booted kernel: what stops a program and lets it go on, what its parent hears of that, what becomes
 * of the call that it was in, who may use the terminal, and what a cut does to all this.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eidolon/eidolon.h"
#include "linux/linux_abi.h"
#include "linux/linux_terminal.h"
#include "proc_case.h"
#include "program_hold.h"

#define AT       SPACE_AT
#define BUFFER   (SPACE_AT + PAGE_SIZE)
#define COUNT    (SPACE_AT + 2 * PAGE_SIZE) /* signals that the handler has seen, by number */
#define ENDS     (SPACE_AT + 3 * PAGE_SIZE) /* of a pipe */
#define CHILD    (SPACE_AT + 4 * PAGE_SIZE) /* its process id, or what it is to do */
#define RESTORE  0x04000000u
#define SIGUSR1  10u
#define NO_STOPS 1u /* SA_NOCLDSTOP */
#define NEVER    1000000u
#define ANY      (WAIT_NO_HANG | WAIT_STOPPED | WAIT_CONTINUED)

#define STOPPED(signal) ((signal) << 8 | 0x7Fu)

enum { PAUSE = 29, PIPE = 42, IOCTL = 54, SETPGID = 57, SETSID = 66, PROCMASK = 175, PENDING = 176 };
enum { COUNT_SIGNAL, SLEEP, READ_PIPE, HANDLE_STOP, IN_GROUP, USE_TERMINAL, LEAVE_STOPPED, GO_ON };
enum { WRITE_IN_BACKGROUND = 1, STOP_ON_THE_WAY_BACK = 5, STOP_IN_HANDLER };

static void count(void)
{
    uint32_t number = case_word(case_registers()->esp + 4);

    WORDS(COUNT + 4 * number, case_word(COUNT + 4 * number) + 1);
}

static uint32_t seen(uint32_t number)
{
    return case_word(COUNT + 4 * number);
}

static void act(uint32_t number, uint32_t handler, uint32_t flags)
{
    WORDS(AT, handler, RESTORE | flags, case_code(CASE_FUNCTIONS), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, number, AT, 0, 8);
}

static void handle(uint32_t number)
{
    act(number, case_code(COUNT_SIGNAL), 0);
}

static void sleep_ms(uint32_t ms)
{
    WORDS(AT, ms / 1000, ms % 1000 * 1000000);
    EXPECT(0, CALL_NANOSLEEP, AT, 0);
}

static void send(int32_t child, uint32_t signal)
{
    EXPECT(0, CALL_KILL, (uint32_t)child, signal);
}

static void expect_change(int32_t child, uint32_t status)
{
    EXPECT(child, CALL_WAIT4, (uint32_t)child, BUFFER, WAIT_STOPPED | WAIT_CONTINUED, 0);
    EXPECT_IS(status, case_word(BUFFER));
}

static void expect_nothing(int32_t child)
{
    EXPECT(0, CALL_WAIT4, (uint32_t)child, BUFFER, ANY, 0);
}

/* A sleep that is stopped in the middle comes to its end in time. */
static void sleep_one_second(void)
{
    sleep_ms(1000);
}

static void stop_and_continue(void)
{
    int32_t child = case_fork(SLEEP);

    sleep_ms(10);
    send(child, SIGSTOP);
    EXPECT(0, CALL_WAIT4, (uint32_t)child, BUFFER, WAIT_NO_HANG, 0);
    expect_change(child, STOPPED(SIGSTOP));
    expect_nothing(child);
    sleep_ms(3000);
    expect_nothing(child);
    send(child, SIGTERM); /* waits */
    send(child, SIGSTOP); /* changes nothing */
    sleep_ms(10);
    expect_nothing(child);
    send(child, SIGKILL);
    case_reap(child, SIGKILL);
    child = case_fork(SLEEP);
    sleep_ms(10);
    send(child, SIGSTOP);
    expect_change(child, STOPPED(SIGSTOP));
    send(child, SIGCONT);
    EXPECT(0, CALL_WAIT4, (uint32_t)child, BUFFER, WAIT_NO_HANG | WAIT_STOPPED, 0);
    expect_change(child, 0xFFFF);
    expect_nothing(child);
    case_reap(child, 0);
    EXPECT(-ECHILD, CALL_WAIT4, UINT32_MAX, BUFFER, ANY, 0);
}

/* Each cancels the other while it is pending. */
static void cancelling(void)
{
    WORDS(BUFFER, 1u << (SIGCONT - 1) | 1u << (SIGTSTP - 1), 0);
    EXPECT(0, PROCMASK, SIG_BLOCK, BUFFER, 0, 8);
    EXPECT(0, CALL_KILL, 1, SIGTSTP);
    EXPECT(0, CALL_KILL, 1, SIGCONT);
    EXPECT(0, PENDING, BUFFER, 8);
    EXPECT_IS(1u << (SIGCONT - 1), case_word(BUFFER));
    EXPECT(0, CALL_KILL, 1, SIGTSTP);
    EXPECT(0, PENDING, BUFFER, 8);
    EXPECT_IS(1u << (SIGTSTP - 1), case_word(BUFFER));
    WORDS(BUFFER, 0, 0);
    EXPECT(0, PROCMASK, SIG_SETMASK, BUFFER, 0, 8); /* nobody could take this group up again: nothing happens */
}

static void read_pipe(void)
{
    EXPECT(4, CALL_READ, case_word(ENDS), BUFFER, 4);
    EXPECT_IS(0x1234, case_word(BUFFER));
}

static void interrupted_call(void)
{
    EXPECT(0, PIPE, ENDS);
    int32_t child = case_fork(READ_PIPE);
    for (uint32_t i = 0; i < 3; i++) {
        sleep_ms(10);
        send(child, SIGSTOP);
        expect_change(child, STOPPED(SIGSTOP));
        send(child, SIGCONT);
        expect_change(child, 0xFFFF);
    }
    WORDS(BUFFER, 0x1234);
    EXPECT(4, CALL_WRITE, case_word(ENDS + 4), BUFFER, 4);
    case_reap(child, 0);
}

/* In a group of its own, which its parent could take up again. */
static void in_group(void)
{
    uint32_t signal = case_word(CHILD);

    EXPECT(0, SETPGID, 0, 0);
    sleep_ms(1000);
    handle(signal);
    EXPECT(0, CALL_KILL, 0, signal);
    EXPECT_IS(1, seen(signal));
    act(signal, SIG_IGN, 0);
    EXPECT(0, CALL_KILL, 0, signal);
    EXPECT(-EPERM, SETSID);
}

static void handle_stop(void)
{
    EXPECT_IS(true, CALL(SETSID) > 0);
    EXPECT(0, CALL_KILL, 0, SIGTSTP); /* its session has nobody else */
}

static void signals_of_jobs(void)
{
    for (uint32_t signal = SIGTSTP; signal <= SIGTTOU; signal++) {
        WORDS(CHILD, signal);
        int32_t child = case_fork(IN_GROUP);
        sleep_ms(10);
        send(child, signal);
        expect_change(child, STOPPED(signal));
        send(child, SIGCONT);
        expect_change(child, 0xFFFF);
        case_reap(child, 0);
    }
    case_reap(case_fork(HANDLE_STOP), 0);
}

/* What returns from a handler with EINTR in hand is no interrupted call. */
static void stop_on_the_way_back(void)
{
    EXPECT(0, SETPGID, 0, 0);
    WORDS(AT, case_code(STOP_IN_HANDLER), RESTORE, case_code(CASE_FUNCTIONS), 1u << (SIGTSTP - 1), 0);
    EXPECT(0, CALL_RT_SIGACTION, SIGUSR1, AT, 0, 8);
    EXPECT(-EINTR, PAUSE);
}

static void stop_in_handler(void)
{
    EXPECT(0, CALL_KILL, 0, SIGTSTP); /* which is blocked here */
}

static void stop_after_handler(void)
{
    int32_t child = case_fork(STOP_ON_THE_WAY_BACK);

    sleep_ms(10);
    send(child, SIGUSR1);
    expect_change(child, STOPPED(SIGTSTP));
    send(child, SIGCONT);
    case_reap(child, 0);
}

static void told(void)
{
    act(SIGCHLD, case_code(COUNT_SIGNAL), NO_STOPS);
    int32_t child = case_fork(SLEEP);
    sleep_ms(10);
    send(child, SIGSTOP);
    expect_change(child, STOPPED(SIGSTOP));
    send(child, SIGCONT);
    expect_change(child, 0xFFFF);
    EXPECT_IS(0, seen(SIGCHLD));
    act(SIGCHLD, case_code(COUNT_SIGNAL), 0);
    send(child, SIGSTOP);
    EXPECT(-EINTR, PAUSE);
    EXPECT_IS(CLD_STOPPED, case_program(1)->origins[SIGCHLD].code);
    send(child, SIGCONT);
    EXPECT(-EINTR, PAUSE);
    EXPECT_IS(CLD_CONTINUED, case_program(1)->origins[SIGCHLD].code);
    EXPECT_IS(2, seen(SIGCHLD));
    act(SIGCHLD, SIG_DFL, 0);
    case_reap(child, 0);
}

static void main_of_jobs(void)
{
    stop_and_continue();
    cancelling();
    interrupted_call();
    signals_of_jobs();
    stop_after_handler();
    told();
}

static void stopped_program_goes_on_where_it_was(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_jobs,
                                 .functions = {count, sleep_one_second, read_pipe, handle_stop, in_group,
                                               stop_on_the_way_back, stop_in_handler}});
}

/* The terminal ----------------------------------------------------------------------------------------------------- */

static void use_terminal(void)
{
    EXPECT(0, SETPGID, 0, 0);
    EXPECT(2, CALL_READ, 0, BUFFER, 2);
    WORDS(AT, 1);
    EXPECT(0, IOCTL, 0, TIOCSPGRP, AT); /* from the front: gives it away */
    WORDS(AT, case_program(1)->process_group.number);
    EXPECT(0, IOCTL, 0, TIOCSPGRP, AT); /* from the background */
}

static void give_terminal(uint32_t group)
{
    WORDS(AT, group);
    EXPECT(0, IOCTL, 0, TIOCSPGRP, AT);
}

static void main_of_terminal(void)
{
    act(SIGTTOU, SIG_DFL, 0);
    int32_t child = case_fork(USE_TERMINAL);
    expect_change(child, STOPPED(SIGTTIN));
    send(child, SIGCONT); /* it is still in the background */
    expect_change(child, STOPPED(SIGTTIN));
    give_terminal((uint32_t)child);
    send(child, SIGCONT);
    expect_change(child, 0xFFFF);
    expect_change(child, STOPPED(SIGTTOU));
    act(SIGTTOU, SIG_IGN, 0);
    give_terminal((uint32_t)child);
    send(child, SIGCONT);
    case_reap(child, 0);
    EXPECT(0, IOCTL, 0, TIOCGPGRP, BUFFER);
    EXPECT_IS(1, case_word(BUFFER));
}

static void job_in_the_background_stops_at_the_terminal(void **state)
{
    (void)state;
    case_run(&(struct proc_case){
        .main = main_of_terminal, .functions = {count, NULL, NULL, NULL, NULL, use_terminal}, .input = "x\n|"});
}

/* In the background it writes: at first as it likes, then not, and then again since it ignores what would stop it. */
static void write_in_background(void)
{
    EXPECT(0, SETPGID, 0, 0);
    EXPECT(1, CALL_WRITE, 1, case_string(BUFFER, "x"), 1);
    act(SIGTTOU, SIG_IGN, 0);
    EXPECT(0, IOCTL, 0, TCGETS, AT);
    WORDS(AT + 12, case_word(AT + 12) | TOSTOP);
    EXPECT(0, IOCTL, 0, TCSETS, AT); /* may be done from there since it ignores the signal */
    EXPECT(1, CALL_WRITE, 1, BUFFER, 1);
    act(SIGTTOU, SIG_DFL, 0);
    EXPECT(1, CALL_WRITE, 1, BUFFER, 1); /* stops before, and is in front then */
}

static void main_of_writers(void)
{
    int32_t child = case_fork(WRITE_IN_BACKGROUND);

    expect_change(child, STOPPED(SIGTTOU));
    send(child, SIGCONT);
    expect_change(child, STOPPED(SIGTTOU)); /* it is still in the background */
    give_terminal((uint32_t)child);
    send(child, SIGCONT);
    case_reap(child, 0);
}

static void job_in_the_background_writes_unless_the_terminal_stops_it(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_writers, .functions = {count, write_in_background}});
}

/* Left alone ------------------------------------------------------------------------------------------------------- */

static void leave_stopped(void)
{
    act(SIGHUP, SIG_DFL, 0);
    int32_t child = case_fork(SLEEP);
    EXPECT(0, SETPGID, (uint32_t)child, (uint32_t)child);
    send(child, SIGSTOP);
    expect_change(child, STOPPED(SIGSTOP));
    EXPECT(4, CALL_WRITE, case_word(ENDS + 4), WORDS(BUFFER, (uint32_t)child), 4);
}

static void main_of_orphans(void)
{
    EXPECT(0, PIPE, ENDS);
    case_reap(case_fork(LEAVE_STOPPED), 0);
    EXPECT(4, CALL_READ, case_word(ENDS), BUFFER, 4);
    uint32_t orphan = case_word(BUFFER);
    sleep_ms(100); /* less than it would sleep */
    EXPECT(-ESRCH, CALL_KILL, orphan, 0);
}

static void stopped_group_that_is_orphaned_is_hung_up(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_orphans,
                                 .functions = {count, sleep_one_second, NULL, NULL, NULL, NULL, leave_stopped}});
}

/* Cuts ------------------------------------------------------------------------------------------------------------- */

static void cut_while_stopped(void)
{
    int32_t child = case_fork(SLEEP);

    sleep_ms(10);
    send(child, SIGSTOP);
    expect_change(child, STOPPED(SIGSTOP));
    WORDS(CHILD, (uint32_t)child);
    case_registers()->ebp = GO_ON;
    EXPECT(0, EIDOLON_CALL_SYNC, AT);
    host_cut_power(0);
}

static void go_on(void)
{
    int32_t child = (int32_t)case_word(CHILD);

    sleep_ms(5000);
    EXPECT_IS(PROGRAM_IS_STOPPED, case_program((uint32_t)child)->held);
    expect_nothing(child);
    send(child, SIGCONT);
    expect_change(child, 0xFFFF);
    case_reap(child, 0);
}

static void stopped_program_stays_stopped_over_a_cut(void **state)
{
    struct proc_case scene = {.main = cut_while_stopped,
                              .functions = {count, sleep_one_second, NULL, NULL, NULL, NULL, NULL, go_on},
                              .options = "interval=0",
                              .cut_after = NEVER};

    (void)state;
    case_run(&scene);
    scene.cut_after = 0;
    scene.keeps_disk = true;
    case_run(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_program_goes_on_where_it_was),
        cmocka_unit_test(job_in_the_background_stops_at_the_terminal),
        cmocka_unit_test(job_in_the_background_writes_unless_the_terminal_stops_it),
        cmocka_unit_test(stopped_group_that_is_orphaned_is_hung_up),
        cmocka_unit_test(stopped_program_stays_stopped_over_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
