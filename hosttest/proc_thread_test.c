/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads on the booted kernel: how they begin, what each has of its own, and how they and their program end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "linux/linux_abi.h"
#include "proc_case.h"

#include <string.h>
#include "program/programs.h"
#include "task/task.h"

#define AT         SPACE_AT
#define PARENT_TID (AT + 0)
#define CHILD_TID  PARENT_TID /* as libc has them */
#define WORD       (AT + 8)
#define LIST       (AT + 0x100)
#define SEGMENT    (AT + 0x200)
#define STACK(n)   (AT + 0x4000 + (n)*0x1000)

#define OF_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define WITH_TIDS (CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
#define BY_GLIBC  0x3D0F00u
#define BY_MUSL   0x7D0F00u
#define MASK_USR1 (1u << 9)
#define FOREVER   0u

enum {
    FUTEX_WAIT_OP = 0,
    FUTEX_WAKE_OP = 1,
    EXIT_GROUP = 252,
    GETTID = 224,
    SET_TID_ADDRESS = 258,
    TGKILL = 270,
    SET_ROBUST_LIST = 311,
    SIGALTSTACK = 186,
    GET_THREAD_AREA = 244
};

static uint32_t seen[8];

/* A thread that runs a function of the case; its number stands at PARENT_TID, and at CHILD_TID while it lives. */
static int32_t thread_with(uint32_t function, uint32_t flags)
{
    case_registers()->ebp = function;
    return CALL(CALL_CLONE, flags, STACK(1), PARENT_TID, 0, CHILD_TID);
}

static int32_t start(uint32_t function)
{
    int32_t tid = thread_with(function, OF_THREAD | WITH_TIDS);

    EXPECT_IS(true, tid > (int32_t)PROGRAMS_MAX);
    EXPECT_IS(tid, case_word(PARENT_TID));
    return tid;
}

static void join(uint32_t tid)
{
    uint32_t left;

    while ((left = case_word(CHILD_TID)) != 0) {
        EXPECT_IS(tid, left);
        int32_t result = CALL(CALL_FUTEX, CHILD_TID, FUTEX_WAIT_OP, tid, FOREVER);
        EXPECT_IS(true, result == 0 || result == -EAGAIN);
    }
}

static void sleep_long(void)
{
    WORDS(AT + 0x300, 1000, 0);
    (void)CALL(CALL_NANOSLEEP, AT + 0x300, 0);
}

/* Beginning -------------------------------------------------------------------------------------------------------- */

static void nothing(void)
{
}

static void flags(void)
{
    EXPECT(-EINVAL, CALL_CLONE, CLONE_THREAD, 0, 0, 0, 0);
    EXPECT(-EINVAL, CALL_CLONE, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0);
    EXPECT(-EINVAL, CALL_CLONE, CLONE_SIGHAND, 0, 0, 0, 0);
    EXPECT(-EINVAL, CALL_CLONE, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0);
    EXPECT(-EINVAL, CALL_CLONE, OF_THREAD | 0x80000000u, 0, 0, 0, 0);
    EXPECT(-ENOSYS, CALL_CLONE, OF_THREAD & ~CLONE_FILES, 0, 0, 0, 0);
    EXPECT(-ENOSYS, CALL_CLONE, OF_THREAD & ~CLONE_FS, 0, 0, 0, 0);
    EXPECT(-ENOSYS, CALL_CLONE, OF_THREAD | CLONE_VFORK, 0, 0, 0, 0);
    EXPECT(-ENOSYS, CALL_CLONE, CLONE_VM, 0, 0, 0, 0);
    EXPECT(-ENOSYS, CALL_CLONE, CLONE_FILES | 17, 0, 0, 0, 0);
    EXPECT(-EFAULT, CALL_CLONE, OF_THREAD | CLONE_SETTLS, 0, 0, BAD, 0);
    WORDS(SEGMENT, 99, 0, 0, 0);
    EXPECT(-EINVAL, CALL_CLONE, OF_THREAD | CLONE_SETTLS, 0, 0, SEGMENT, 0);
    EXPECT_IS(1, case_program(1)->task_count);
    EXPECT(-EINVAL, SET_ROBUST_LIST, AT, 11);
    EXPECT(0, SET_ROBUST_LIST, AT, 12);
    EXPECT(0, 312, 0, AT + 0x20, AT + 0x24); /* get_robust_list() */
    EXPECT_IS(AT, case_word(AT + 0x20));
    EXPECT_IS(12, case_word(AT + 0x24));
    EXPECT(0, 312, 1, AT + 0x20, AT + 0x24);
    EXPECT(-ESRCH, 312, 99, AT + 0x20, AT + 0x24);
    EXPECT(-EFAULT, 312, 0, BAD, AT + 0x24);
    EXPECT(-EFAULT, 312, 0, AT + 0x20, BAD);
    EXPECT(0, SET_ROBUST_LIST, 0, 12);
}

static void clone_checks_what_a_thread_is_asked_to_be(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = flags, .functions = {nothing}});
}

static void look_at_itself(void)
{
    EXPECT_IS(CALL(GETTID), case_word(PARENT_TID)); /* before its first instruction */
    EXPECT_IS(CALL(GETTID), case_word(CHILD_TID));
    EXPECT(1, CALL_GETPID);
    EXPECT_IS(STACK(1), case_registers()->esp);
    WORDS(WORD, 77);
    WORDS(SEGMENT, 6, 0, 0, 0);
    EXPECT(0, GET_THREAD_AREA, SEGMENT);
    seen[0] = case_word(SEGMENT + 4);
}

static void begin_and_join(void)
{
    WORDS(SEGMENT, 6, 0x12345000, 0xFFFFF, 0x51);
    EXPECT(0, 243, SEGMENT); /* set_thread_area() */
    EXPECT(1, GETTID);
    join((uint32_t)start(0));
    EXPECT_IS(77, case_word(WORD));
    EXPECT_IS(0x12345000, seen[0]);
    WORDS(SEGMENT, 6, 0x54321000, 0xFFFFF, 0x51);
    case_registers()->ebp = 0;
    uint32_t tid = (uint32_t)CALL(CALL_CLONE, BY_MUSL | WITH_TIDS, STACK(1), PARENT_TID, SEGMENT, CHILD_TID);
    join(tid);
    EXPECT_IS(0x54321000, seen[0]);
    WORDS(SEGMENT, 6, 0, 0, 0);
    EXPECT(0, GET_THREAD_AREA, SEGMENT);
    EXPECT_IS(0x12345000, case_word(SEGMENT + 4)); /* its maker's stayed */
    EXPECT_IS(1, case_program(1)->task_count);
}

static void thread_has_its_maker_s_memory_and_its_own_number_and_segments(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = begin_and_join, .functions = {look_at_itself}});
}

static void look_at_mask(void)
{
    EXPECT(0, CALL_RT_SIGPROCMASK, 0, 0, AT + 0x20, 8);
    EXPECT_IS(MASK_USR1, case_word(AT + 0x20));
    WORDS(AT + 0x20, 0, 0);
    EXPECT(0, CALL_RT_SIGPROCMASK, 2, AT + 0x20, 0, 8);
    EXPECT(0, SIGALTSTACK, 0, AT + 0x20);
    EXPECT_IS(SS_DISABLE, case_word(AT + 0x24));
}

static void masks(void)
{
    WORDS(AT + 0x10, MASK_USR1, 0);
    EXPECT(0, CALL_RT_SIGPROCMASK, 2, AT + 0x10, 0, 8);
    WORDS(AT + 0x10, STACK(2), 0, 4096);
    EXPECT(0, SIGALTSTACK, AT + 0x10, 0);
    join((uint32_t)start(0));
    EXPECT(0, CALL_RT_SIGPROCMASK, 0, 0, AT + 0x20, 8);
    EXPECT_IS(MASK_USR1, case_word(AT + 0x20));
    EXPECT(0, SIGALTSTACK, 0, AT + 0x20);
    EXPECT_IS(STACK(2), case_word(AT + 0x20));
}

static void thread_begins_with_its_maker_s_mask_and_no_signal_stack(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = masks, .functions = {look_at_mask}});
}

/* Names ------------------------------------------------------------------------------------------------------------ */

enum { PRCTL = 172, SET_NAME = 15, GET_NAME = 16 };

static void expect_name(const char *name)
{
    char told[16];

    EXPECT(0, PRCTL, GET_NAME, AT + 0x20);
    case_get(AT + 0x20, told, sizeof(told));
    EXPECT_IS(0, strncmp(told, name, sizeof(told)));
}

static void rename_thread(void)
{
    expect_name("longer than fif");
    EXPECT(0, PRCTL, SET_NAME, case_string(AT + 0x40, "thread"));
    expect_name("thread");
}

static void keep_name(void)
{
    expect_name("longer than fif");
}

static void names(void)
{
    EXPECT(0, PRCTL, SET_NAME, case_string(AT + 0x40, "longer than fifteen"));
    expect_name("longer than fif");
    join((uint32_t)start(0));
    case_reap(case_fork(1), 0);
    EXPECT(-EFAULT, PRCTL, SET_NAME, BAD);
    EXPECT(-EFAULT, PRCTL, GET_NAME, BAD);
    EXPECT(-EINVAL, PRCTL, 1000, 0);
    expect_name("longer than fif");
    EXPECT(0, PRCTL, SET_NAME, case_string(AT + 0x40, ""));
    expect_name("");
}

static void each_task_has_a_name_that_it_can_be_given(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = names, .functions = {rename_thread, keep_name}});
}

/* No place for the numbers: the thread is there all the same. */
static void begin_without_numbers(void)
{
    case_registers()->ebp = 0;
    int32_t tid = CALL(CALL_CLONE, OF_THREAD | WITH_TIDS, STACK(1), BAD, 0, BAD);
    EXPECT_IS(true, tid > (int32_t)PROGRAMS_MAX);
    while (case_program(1)->task_count > 1) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void thread_whose_numbers_have_no_place_begins_and_ends(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = begin_without_numbers, .functions = {nothing}});
}

/* Limits ----------------------------------------------------------------------------------------------------------- */

static void crowd(void)
{
    uint32_t threads = 1;
    int32_t tid;

    while ((tid = thread_with(1, BY_GLIBC & ~(CLONE_SETTLS | WITH_TIDS))) > 0) {
        threads++;
    }
    EXPECT_IS(-EAGAIN, tid);
    EXPECT_IS(thread_limit(), threads);
    EXPECT_IS(threads, case_program((uint32_t)CALL(CALL_GETPID))->task_count);
    EXPECT(0, EXIT_GROUP, 3);
}

static void make_crowds(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        case_reap(case_fork(0), 3u << 8);
        EXPECT_IS(1, task_count());
    }
}

static void make_most(void)
{
    EXPECT_IS(THREADS_MAX, thread_limit());
    make_crowds();
}

static void program_has_so_many_threads_and_its_end_frees_all(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = make_crowds, .functions = {crowd, sleep_long}, .frames = 4096});
    case_run(&(struct proc_case){.main = make_crowds, .functions = {crowd, sleep_long}, .frames = 640});
    case_run(&(struct proc_case){.main = make_most, .functions = {crowd, sleep_long}, .frames = 40000});
}

/* Programs that have all the threads they can get, until all together have what there may be. */
static void take_what_there_is(void)
{
    while (thread_with(1, OF_THREAD) > 0) {
    }
    sleep_long();
}

/* Beside them others begin and end, and what they had comes back. */
static void live_beside(void)
{
    uint32_t greedy[8];

    for (uint32_t i = 0; i < 8; i++) {
        greedy[i] = (uint32_t)case_fork(0);
    }
    while (task_count() < program_count() + thread_limit_of_all()) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    EXPECT(-EAGAIN, CALL_CLONE, OF_THREAD, STACK(1), 0, 0, 0);
    case_reap(case_fork(2), 0);
    for (uint32_t i = 0; i < 8; i++) {
        EXPECT(0, CALL_KILL, greedy[i], 9);
        case_reap((int32_t)greedy[i], 9);
    }
    EXPECT_IS(1, task_count());
    join((uint32_t)start(2));
}

static void programs_with_all_threads_they_can_get_leave_others_theirs(void **state)
{
    (void)state;
    case_run(&(struct proc_case){
        .main = live_beside, .functions = {take_what_there_is, sleep_long, nothing}, .frames = 1024});
}

/* The end ---------------------------------------------------------------------------------------------------------- */

static void end_all(void)
{
    EXPECT(0, EXIT_GROUP, 5);
}

static void be_ended(void)
{
    (void)start(1);
    sleep_long();
}

static void kill_itself(void)
{
    EXPECT(0, TGKILL, (uint32_t)CALL(CALL_GETPID), (uint32_t)CALL(GETTID), 10);
}

static void be_killed(void)
{
    (void)start(2);
    sleep_long();
}

static void ends(void)
{
    case_reap(case_fork(0), 5u << 8);
    case_reap(case_fork(3), 10);
    EXPECT_IS(1, task_count());
}

static void end_of_the_program_by_a_thread_ends_all(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = ends, .functions = {be_ended, end_all, kill_itself, be_killed}});
}

static void go_on_alone(void)
{
    while (task_first_of((struct program_id){(uint32_t)CALL(CALL_GETPID)})->next_of_program != NULL) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    EXPECT(-EAGAIN, CALL_FUTEX, CHILD_TID, FUTEX_WAIT_OP, 1, FOREVER); /* the first thread's word */
    EXPECT(0, EXIT_GROUP, 9);
}

static void leave_first(void)
{
    WORDS(WORD, 1);
    EXPECT(CALL(GETTID), SET_TID_ADDRESS, WORD);
    case_registers()->ebp = 1;
    EXPECT_IS(true, CALL(CALL_CLONE, OF_THREAD, STACK(1), 0, 0, 0) > 0);
    (void)CALL(CALL_EXIT, 4);
}

static void wait_for_the_first(void)
{
    while (case_word(WORD) != 0) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    go_on_alone();
}

static void first_ends(void)
{
    int32_t child = case_fork(0);
    case_reap(child, 9u << 8);
}

static void program_goes_on_without_its_first_thread(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = first_ends, .functions = {leave_first, wait_for_the_first}});
}

/* The status of a program whose threads end one by one is what its first one has ended with. */
static void end_late(void)
{
    for (uint32_t i = 0; i < 20; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    (void)CALL(CALL_EXIT, 6);
}

static void end_early(void)
{
    case_registers()->ebp = 1;
    EXPECT_IS(true, CALL(CALL_CLONE, OF_THREAD, STACK(1), 0, 0, 0) > 0);
    (void)CALL(CALL_EXIT, 4);
}

static void one_by_one(void)
{
    case_reap(case_fork(0), 4u << 8);
}

static void status_is_the_first_thread_s_when_all_end_by_themselves(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = one_by_one, .functions = {end_early, end_late}});
}

/* Robust locks ----------------------------------------------------------------------------------------------------- */

#define LOCK(n) (LIST + 0x40 + (n)*16)

/* Holds lock 0, with a waiter, and 1, without; 2 is somebody else's; 3 is being taken. */
static void die_with_locks(void)
{
    uint32_t tid = (uint32_t)CALL(GETTID);

    WORDS(LIST, LOCK(0) - 4, 4, LOCK(3) - 4);
    WORDS(LOCK(0) - 4, LOCK(1) - 4, tid | FUTEX_WAITERS);
    WORDS(LOCK(1) - 4, LOCK(2) - 4, tid);
    WORDS(LOCK(2) - 4, LIST, 1 | FUTEX_WAITERS);
    WORDS(LOCK(3) - 4, 0, tid);
    EXPECT(0, SET_ROBUST_LIST, LIST, 12);
    for (uint32_t i = 0; i < 20; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

static void wait_for_lock(void)
{
    uint32_t tid = (uint32_t)start(0);

    while (case_word(LOCK(0)) != (tid | FUTEX_WAITERS)) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    EXPECT(0, CALL_FUTEX, LOCK(0), FUTEX_WAIT_OP, tid | FUTEX_WAITERS, FOREVER);
    EXPECT_IS(FUTEX_OWNER_DIED | FUTEX_WAITERS, case_word(LOCK(0)));
    join(tid);
    EXPECT_IS(FUTEX_OWNER_DIED, case_word(LOCK(1)));
    EXPECT_IS(1 | FUTEX_WAITERS, case_word(LOCK(2)));
    EXPECT_IS(FUTEX_OWNER_DIED, case_word(LOCK(3)));
}

static void lock_of_a_dead_thread_says_so(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = wait_for_lock, .functions = {die_with_locks}});
}

/* A list that goes round, one that leads nowhere, one of which a lock is nowhere. */
static void die_with_nonsense(void)
{
    uint32_t tid = (uint32_t)CALL(GETTID);

    switch (seen[0]) {
    case 0:
        WORDS(LIST, LOCK(0), 0, 0);
        WORDS(LOCK(0), LOCK(0));
        break;
    case 1:
        WORDS(LIST, BAD, 0, BAD);
        break;
    case 2:
        WORDS(LIST, LOCK(0), 1, 0);
        WORDS(LOCK(0), LIST, tid);
        break;
    default:
        WORDS(LIST, LOCK(0), 0x7FFFFFFC, 0);
        WORDS(LOCK(0), LIST, tid);
        break;
    }
    EXPECT(0, SET_ROBUST_LIST, seen[0] == 4 ? BAD : LIST, 12);
}

static void outlive_nonsense(void)
{
    for (seen[0] = 0; seen[0] <= 4; seen[0]++) {
        join((uint32_t)start(0));
    }
}

static void list_of_locks_that_makes_no_sense_is_given_up(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = outlive_nonsense, .functions = {die_with_nonsense}});
}

/* What threads share ---------------------------------------------------------------------------------------------- */

#define ENDS (AT + 0x400)

static int32_t read_result;

static void read_from_pipe(void)
{
    read_result = CALL(CALL_READ, case_word(ENDS), AT + 0x420, 4);
    seen[1] = 1;
}

static void yield(uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
}

/* A thread reads, another one closes what it reads from, and the number goes to something else. */
static void close_under_reader(void)
{
    seen[1] = 0;
    EXPECT(0, CALL_PIPE, ENDS);
    EXPECT_IS(true, thread_with(0, OF_THREAD) > 0);
    yield(4);
    EXPECT(0, CALL_CLOSE, case_word(ENDS));
    EXPECT(0, CALL_PIPE, ENDS + 8);
    EXPECT_IS(case_word(ENDS), case_word(ENDS + 8));
    WORDS(AT + 0x430, 7);
    EXPECT(4, CALL_WRITE, case_word(ENDS + 12), AT + 0x430, 4); /* not to the reader */
    yield(4);
    EXPECT_IS(0, seen[1]);
    WORDS(AT + 0x430, 8);
    EXPECT(4, CALL_WRITE, case_word(ENDS + 4), AT + 0x430, 4);
    yield(4);
    EXPECT_IS(1, seen[1]);
    EXPECT_IS(4, read_result);
    EXPECT_IS(8, case_word(AT + 0x420));
    EXPECT(-EPIPE, CALL_WRITE, case_word(ENDS + 4), AT + 0x430, 4); /* with it, the reading end has gone */
}

static void ignore_pipe(void)
{
    WORDS(AT + 0x440, 1, 0, 0, 0, 0);
    EXPECT(0, CALL_RT_SIGACTION, 13, AT + 0x440, 0, 8);
    close_under_reader();
}

static void file_that_a_thread_reads_from_outlives_its_descriptor(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = ignore_pipe, .functions = {read_from_pipe}});
}

static void poll_pipe(void)
{
    WORDS(AT + 0x450, case_word(ENDS), 1);
    read_result = CALL(CALL_POLL, AT + 0x450, 1, UINT32_MAX);
    seen[1] = 1;
}

static void close_under_poll(void)
{
    seen[1] = 0;
    EXPECT(0, CALL_PIPE, ENDS);
    EXPECT_IS(true, thread_with(0, OF_THREAD) > 0);
    yield(4);
    EXPECT(0, CALL_CLOSE, case_word(ENDS));
    EXPECT(4, CALL_WRITE, case_word(ENDS + 4), AT + 0x430, 4); /* it is still there */
    yield(4);
    EXPECT_IS(1, seen[1]);
    EXPECT_IS(1, read_result);
    EXPECT_IS(0x20, case_word(AT + 0x454) >> 16); /* POLLNVAL */
}

static void file_that_a_thread_watches_outlives_its_descriptor(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = close_under_poll, .functions = {poll_pipe}});
}

/* Both wait for the same child: one hears of it. */
static void wait_for_child(void)
{
    read_result = CALL(CALL_WAIT4, UINT32_MAX, AT + 0x480, 0, 0);
    seen[1] = 1;
}

static void wait_in_two(void)
{
    seen[1] = 0;
    int32_t child = case_fork(1);
    EXPECT_IS(true, thread_with(0, OF_THREAD) > 0);
    int32_t own = CALL(CALL_WAIT4, UINT32_MAX, AT + 0x490, 0, 0);
    yield(8);
    EXPECT_IS(1, seen[1]);
    EXPECT_IS(true, (own == child && read_result == -ECHILD) || (own == -ECHILD && read_result == child));
    EXPECT_IS(0, case_word(own == child ? AT + 0x490 : AT + 0x480));
}

static void end_after_a_while(void)
{
    yield(20);
}

static void end_of_a_child_is_told_to_one_thread(void **state)
{
    (void)state;
    for (uint64_t schedule = 0; schedule < 20; schedule++) {
        case_run(&(struct proc_case){
            .main = wait_in_two, .functions = {wait_for_child, end_after_a_while}, .schedule = schedule});
    }
}

/* While a thread writes, its sibling clones and waits, again and again: nothing that it wrote is lost. */
#define ARENA  0x40000000u
#define PAGES  8u
#define ROUNDS 300u

static uint32_t written;

static void write_on(void)
{
    for (written = 1; written <= ROUNDS; written++) {
        uint32_t page = ARENA + written % PAGES * PAGE_SIZE;
        WORDS(page, case_word(page) + 1);
    }
    seen[1] = 1;
}

static void clone_on(void)
{
    uint32_t sum = 0;

    seen[1] = 0;
    EXPECT((int32_t)ARENA, CALL_MMAP2, ARENA, PAGES * PAGE_SIZE, 3, 0x32, UINT32_MAX, 0);
    EXPECT_IS(true, thread_with(0, OF_THREAD) > 0);
    while (seen[1] == 0) {
        case_reap(case_fork(1), 0);
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        sum += case_word(ARENA + page * PAGE_SIZE);
    }
    EXPECT_IS(ROUNDS, sum);
    while (case_program(1)->task_count > 1) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    case_reap(case_fork(1), 0); /* alone again: what has piled up goes */
}

static void what_a_thread_writes_while_another_clones_stays(void **state)
{
    (void)state;
    for (uint64_t schedule = 0; schedule < 20; schedule++) {
        case_run(&(struct proc_case){.main = clone_on, .functions = {write_on, nothing}, .schedule = schedule});
    }
}

/* A word of shared memory, at two addresses of two programs. */
#define ELSEWHERE 0x50000000u

static void wait_at_shared(void)
{
    EXPECT((int32_t)ELSEWHERE, CALL_MREMAP, ARENA, PAGE_SIZE, PAGE_SIZE, 3, ELSEWHERE);
    WORDS(ELSEWHERE + 4, 1);
    EXPECT(0, CALL_FUTEX, ELSEWHERE, FUTEX_WAIT_OP, 0, FOREVER);
}

static void wake_at_shared(void)
{
    EXPECT((int32_t)ARENA, CALL_MMAP2, ARENA, PAGE_SIZE, 3, 0x31, UINT32_MAX, 0);
    int32_t child = case_fork(0);
    while (case_word(ARENA + 4) == 0) {
        EXPECT(0, CALL_SCHED_YIELD);
    }
    yield(8);
    EXPECT(0, CALL_FUTEX, ARENA, FUTEX_WAKE_OP | 0x80, 9, 0); /* FUTEX_PRIVATE: of this program's own */
    EXPECT(0, CALL_FUTEX, ARENA + 4, FUTEX_WAKE_OP, 9, 0);
    EXPECT(1, CALL_FUTEX, ARENA, FUTEX_WAKE_OP, 9, 0);
    case_reap(child, 0);
}

static void word_of_shared_memory_is_one_for_all_programs(void **state)
{
    (void)state;
    case_run(&(struct proc_case){.main = wake_at_shared, .functions = {wait_at_shared}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clone_checks_what_a_thread_is_asked_to_be),
        cmocka_unit_test(thread_has_its_maker_s_memory_and_its_own_number_and_segments),
        cmocka_unit_test(each_task_has_a_name_that_it_can_be_given),
        cmocka_unit_test(thread_begins_with_its_maker_s_mask_and_no_signal_stack),
        cmocka_unit_test(thread_whose_numbers_have_no_place_begins_and_ends),
        cmocka_unit_test(program_has_so_many_threads_and_its_end_frees_all),
        cmocka_unit_test(programs_with_all_threads_they_can_get_leave_others_theirs),
        cmocka_unit_test(end_of_the_program_by_a_thread_ends_all),
        cmocka_unit_test(program_goes_on_without_its_first_thread),
        cmocka_unit_test(status_is_the_first_thread_s_when_all_end_by_themselves),
        cmocka_unit_test(lock_of_a_dead_thread_says_so),
        cmocka_unit_test(list_of_locks_that_makes_no_sense_is_given_up),
        cmocka_unit_test(file_that_a_thread_reads_from_outlives_its_descriptor),
        cmocka_unit_test(file_that_a_thread_watches_outlives_its_descriptor),
        cmocka_unit_test(end_of_a_child_is_told_to_one_thread),
        cmocka_unit_test(what_a_thread_writes_while_another_clones_stays),
        cmocka_unit_test(word_of_shared_memory_is_one_for_all_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
