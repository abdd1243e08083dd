/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the change and the result of a call nothing sleeps (CALL-2), nor between a signal's end as a pending one and
 * its handler. A call that has changed something is in its bracket when it sets its result, and the bracket ends there;
 * what would be lost if the power went in a sleep is looked at wherever one is possible, on the booted kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/window.h"
#include "linux/linux_abi.h"
#include "linux/linux_terminal.h"
#include "proc_case.h"
#include "task/task.h"

#define AT       SPACE_AT
#define OTHER_AT (SPACE_AT + 2 * PAGE_SIZE) /* another page */
#define STACK_AT (SPACE_AT + 4 * PAGE_SIZE)
#define USR1     10u
#define RESTORE  0x04000000u
#define ON_STACK 0x08000000u

enum {
    GETPID = 20,
    GETUID = 24,
    DUP = 41,
    BRK = 45,
    IOCTL = 54,
    SETPGID = 57,
    UMASK = 60,
    DUP2 = 63,
    SETSID = 66,
    SSETMASK = 69,
    SETRLIMIT = 75,
    MUNMAP = 91,
    MPROTECT = 125,
    NEWSELECT = 142,
    MREMAP = 163,
    PROCMASK = 175,
    SIGALTSTACK = 186,
    MMAP2 = 192,
    FCNTL64 = 221,
    FUTEX = 240,
    SET_TID_ADDRESS = 258,
    PSELECT6 = 308,
    ROBUST_LIST = 311,
    PRLIMIT = 340,
};

void __real_atomic_broken(void);
void __wrap_atomic_broken(void);

/* What may not be otherwise at a sleep of the one program's task; NULL: nothing is watched. */
static bool (*holds)(const struct task *task);
static uint32_t looks, broken;

/* While something is watched all is atomic, once more than it is: so whatever may sleep comes by here. */
void __wrap_atomic_broken(void)
{
    const struct task *task = task_current();

    if (holds == NULL || atomic_depth > 1) {
        __real_atomic_broken();
    }
    if (task != NULL) {
        looks++;
        broken += !holds(task);
    }
}

void __real_program_call_end(struct registers *registers, int32_t result);
void __wrap_program_call_end(struct registers *registers, int32_t result);

static bool was_committed, is_free_after; /* of the last call */

void __wrap_program_call_end(struct registers *registers, int32_t result)
{
    was_committed = atomic_depth != 0;
    __real_program_call_end(registers, result);
    is_free_after = atomic_depth == 0;
}

static void watch(bool (*what)(const struct task *task))
{
    looks = broken = 0;
    holds = what;
    atomic_begin();
}

static void watch_no_more(void)
{
    holds = NULL;
    atomic_end();
}

static void expect_kept(void)
{
    if (holds != NULL) {
        watch_no_more();
    }
    EXPECT_IS(0, broken);
    EXPECT_IS(true, looks > 0);
}

/* Brackets --------------------------------------------------------------------------------------------------------- */

#define EXPECT_COMMITTED(...) (EXPECT(__VA_ARGS__), EXPECT_IS(true, was_committed), EXPECT_IS(true, is_free_after))
#define EXPECT_NOTHING(...)   (EXPECT(__VA_ARGS__), EXPECT_IS(false, was_committed), EXPECT_IS(true, is_free_after))

static void descriptors(void)
{
    EXPECT_NOTHING(0, CALL_PIPE, AT); /* noted in the call: writing where they are may sleep */
    EXPECT_COMMITTED(5, DUP, 3);
    EXPECT_COMMITTED(5, DUP2, 4, 5);
    EXPECT_COMMITTED(6, FCNTL64, 3, F_DUPFD, 6);
    EXPECT_COMMITTED(0, FCNTL64, 6, F_SETFD, FD_CLOEXEC);
    EXPECT_COMMITTED(0, FCNTL64, 6, F_SETFL, O_NONBLOCK);
    EXPECT_COMMITTED(0, IOCTL, 6, FIOCLEX);
    EXPECT_COMMITTED(0, CALL_CLOSE, 6);
    EXPECT_NOTHING(-EBADF, CALL_CLOSE, 6);
    EXPECT_NOTHING(4, CALL_WRITE, 4, AT, 4); /* bytes are counted in the call */
    EXPECT_NOTHING(4, CALL_READ, 3, AT, 4);
}

static void memory(void)
{
    uint32_t end = (uint32_t)CALL(BRK, 0);
    int32_t at = CALL(MMAP2, 0, 4 * PAGE_SIZE, 3, 0x22, UINT32_MAX, 0);

    EXPECT_IS(true, was_committed);
    EXPECT_COMMITTED(at, MREMAP, (uint32_t)at, 4 * PAGE_SIZE, 2 * PAGE_SIZE, 0);
    EXPECT_COMMITTED(0, MPROTECT, (uint32_t)at, PAGE_SIZE, 1);
    EXPECT_COMMITTED(0, MUNMAP, (uint32_t)at, 2 * PAGE_SIZE);
    EXPECT_NOTHING(-EINVAL, MUNMAP, (uint32_t)at + 1, PAGE_SIZE);
    EXPECT_COMMITTED(end + PAGE_SIZE, BRK, end + PAGE_SIZE);
    EXPECT_COMMITTED(end, BRK, end);
    WORDS(AT, 0);
    EXPECT_COMMITTED(0, FUTEX, AT, 5, 0, 0, AT, 1u << 12); /* FUTEX_WAKE_OP: the word becomes 1 */
    EXPECT_IS(1, case_word(AT));
}

static void identity_and_signals(void)
{
    EXPECT_NOTHING(1, GETPID);
    EXPECT_NOTHING(0, GETUID);
    EXPECT_COMMITTED(022, UMASK, 022);
    EXPECT_COMMITTED(0, SETPGID, 0, 0);
    EXPECT_COMMITTED(1, SET_TID_ADDRESS, 0);
    EXPECT_COMMITTED(0, ROBUST_LIST, 0, 12);
    WORDS(AT, 64, 64);
    EXPECT_COMMITTED(0, SETRLIMIT, 7, AT);
    WORDS(AT, 64, 0, 64, 0);
    EXPECT_COMMITTED(0, PRLIMIT, 0, 7, AT, 0);
    EXPECT_NOTHING(0, PRLIMIT, 0, 7, 0, AT);
    WORDS(AT, 0, 0);
    EXPECT_COMMITTED(0, PROCMASK, 2, AT, AT, 8);
    EXPECT_NOTHING(0, PROCMASK, 2, 0, AT, 8);
    EXPECT_COMMITTED(0, SSETMASK, 0);
    WORDS(AT, 0, 0, 0, 0, 0);
    EXPECT_COMMITTED(0, CALL_RT_SIGACTION, USR1, AT, 0, 8);
    EXPECT_NOTHING(0, CALL_RT_SIGACTION, USR1, 0, AT, 8);
    WORDS(AT, STACK_AT, 0, 4 * PAGE_SIZE);
    EXPECT_COMMITTED(0, SIGALTSTACK, AT, 0);
    EXPECT_COMMITTED(0, CALL_KILL, 1, 17); /* SIGCHLD, which is ignored */
}

static void child(void)
{
}

static void children(void)
{
    int32_t made = case_fork(0);

    EXPECT_IS(false, was_committed); /* its number is in the call: vfork() waits then */
    EXPECT(made, CALL_WAIT4, (uint32_t)made, AT, 0, 0);
    EXPECT_IS(true, was_committed);
}

static void main_of_brackets(void)
{
    descriptors();
    memory();
    identity_and_signals();
    children();
}

static void call_that_changes_something_is_in_its_bracket_until_it_has_its_result(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_brackets, .functions = {child}});
}

/* select ----------------------------------------------------------------------------------------------------------- */

#define ASKED (1u << 3 | 1u << 4)

/* A call that is issued again after a cut asks what it asked before. */
static bool asks_the_same(const struct task *task)
{
    return !task->in_call || *(const uint32_t *)window_pointer((struct vaddr){AT}) == ASKED;
}

static void main_of_select(void)
{
    EXPECT(0, CALL_PIPE, AT);
    WORDS(AT, ASKED);
    WORDS(OTHER_AT, ASKED);
    watch(asks_the_same);
    EXPECT(1, NEWSELECT, 5, AT, OTHER_AT, 0, 0);
    expect_kept();
    EXPECT_IS(0, case_word(AT));
    EXPECT_IS(1u << 4, case_word(OTHER_AT));
    WORDS(AT, ASKED);
    WORDS(OTHER_AT, ASKED, 10, 0);
    watch(asks_the_same);
    EXPECT(1, NEWSELECT, 5, AT, OTHER_AT, 0, OTHER_AT + 4);
    expect_kept();
    WORDS(AT, ASKED);
    WORDS(OTHER_AT, 0, 10, 0);
    watch(asks_the_same);
    EXPECT(0, PSELECT6, 5, AT, 0, 0, OTHER_AT, 0);
    expect_kept();
    EXPECT_IS(0, case_word(AT));
}

static void select_that_may_sleep_has_not_changed_what_it_asks(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = main_of_select});
}

/* Signals ---------------------------------------------------------------------------------------------------------- */

static bool was_sent;

/* The signal that was sent is pending as long as no handler has begun. */
static bool signal_is_there(const struct task *task)
{
    bool is_pending = (task->record->signal_pending[0] >> (USR1 - 1) & 1u) != 0;

    was_sent = was_sent || is_pending;
    return !was_sent || is_pending || task->registers->eip == case_code(0);
}

static uint32_t overruns;

static void overrun(void)
{
    overruns++;
    watch_no_more();
}

static void never(void)
{
    host_wrong("the handler without a stack runs");
}

static void main_of_signals(void)
{
    WORDS(AT, STACK_AT, 0, 4 * PAGE_SIZE);
    EXPECT(0, SIGALTSTACK, AT, 0);
    WORDS(AT, case_code(0), RESTORE | ON_STACK, case_code(CASE_FUNCTIONS), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, SIGSEGV, AT, 0, 8);
    WORDS(AT, case_code(1), RESTORE, case_code(CASE_FUNCTIONS), 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, USR1, AT, 0, 8);
    uint32_t stack = case_registers()->esp;
    case_registers()->esp = BAD;
    watch(signal_is_there);
    EXPECT(0, CALL_KILL, 1, USR1);
    case_registers()->esp = stack;
    expect_kept();
    EXPECT_IS(true, was_sent);
    EXPECT_IS(1, overruns);
}

static void signal_without_a_stack_is_pending_until_another_handler_begins(void **state)
{
    (void)state;
    overruns = 0;
    was_sent = false;
    case_run(&(struct proc_case){.main = main_of_signals, .functions = {overrun, never}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_that_changes_something_is_in_its_bracket_until_it_has_its_result),
        cmocka_unit_test(select_that_may_sleep_has_not_changed_what_it_asks),
        cmocka_unit_test(signal_without_a_stack_is_pending_until_another_handler_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
