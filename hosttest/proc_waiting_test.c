/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two threads that wait for each other by futexes, whose power goes at each event of the disk in turn: resumed, they end
 * as they must.
 *
 * One program takes a mutex in turns, and is durable while a thread holds it. In the other, the second thread lets the
 * first wait for another word and wakes it there, each once, whether or not a boot lies in between: so a waiter must be
 * found before it has issued its call again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host_calls.h"
#include "linux/linux_abi.h"
#include "linux/linux_errno.h"
#include "proc_cut.h"

#include <stdio.h>

#define FIRST   (HOST_DATA + PAGE_SIZE + 0x100u)
#define SECOND  (HOST_DATA + PAGE_SIZE + 0x104u)
#define COUNTER (HOST_DATA + PAGE_SIZE + 0x108u)
#define ALIVE   (HOST_DATA + PAGE_SIZE + 0x10Cu) /* the second thread's number */
#define ROUNDS  4u
#define RIGHT   7u
#define WRONG   1u

#define FUTEX_WAIT    0u
#define FUTEX_WAKE    1u
#define FUTEX_REQUEUE 3u
#define AS_THREAD                                                                                                      \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

enum {
    BEGIN,
    START,
    LOCK,
    LOCK_WAIT,
    LOCK_AGAIN,
    READ,
    SYNC,
    WRITE,
    UNLOCK,
    UNLOCK_WAKE,
    NEXT,
    JOIN,
    JOIN_WAIT,
    END,
    EXIT,
    MOVED_WAIT,
    MOVE,
    MOVE_SYNC,
    WAKE_MOVED,
    INSTRUCTIONS
};

static bool moves; /* which program it is */

static bool is_second(const struct registers *registers)
{
    return registers->ebp != 0;
}

/* A word, to be read and changed at once. NULL: the instruction is to be given up. */
static uint32_t *word(struct registers *registers, uint32_t address)
{
    uint32_t *words;

    return host_store_words(registers, address, &words) ? words : NULL;
}

static void run_begin(struct registers *registers)
{
    registers->ebp = 0;
    registers->edi = ROUNDS;
    host_jump(registers, START);
}

static void run_start(struct registers *registers)
{
    HOST_CALL(registers, CALL_CLONE, AS_THREAD, HOST_DATA + 0x4000u, ALIVE, 0, ALIVE);
}

static void after_start(struct registers *registers)
{
    registers->ebp = registers->eax == 0;
    registers->edi = ROUNDS;
    host_jump(registers, !moves ? LOCK : is_second(registers) ? MOVE : MOVED_WAIT);
}

/* The mutex: 0: free; 1: taken; 2: taken, and somebody waits --------------------------------------------------------- */

static void run_lock(struct registers *registers)
{
    uint32_t *mutex = word(registers, FIRST);

    if (mutex != NULL) {
        host_jump(registers, *mutex == 0 ? READ : LOCK_WAIT);
        *mutex = *mutex == 0 ? 1 : 2;
    }
}

static void run_lock_wait(struct registers *registers)
{
    HOST_CALL(registers, CALL_FUTEX, FIRST, FUTEX_WAIT, 2, 0);
}

static void after_lock_wait(struct registers *registers)
{
    host_jump(registers, LOCK_AGAIN);
}

static void run_lock_again(struct registers *registers)
{
    uint32_t *mutex = word(registers, FIRST);

    if (mutex != NULL) {
        host_jump(registers, *mutex == 0 ? READ : LOCK_WAIT);
        *mutex = 2;
    }
}

static void run_read(struct registers *registers)
{
    uint32_t value;

    if (host_load(registers, COUNTER, &value)) {
        registers->esi = value;
        host_jump(registers, SYNC);
    }
}

static void run_sync(struct registers *registers)
{
    HOST_CALL(registers, CALL_SYNC);
}

static void after_sync(struct registers *registers)
{
    host_jump(registers, WRITE);
}

static void run_write(struct registers *registers)
{
    cut_store(registers, COUNTER, registers->esi + 1, UNLOCK);
}

static void run_unlock(struct registers *registers)
{
    uint32_t *mutex = word(registers, FIRST);

    if (mutex != NULL) {
        host_jump(registers, *mutex == 2 ? UNLOCK_WAKE : NEXT);
        *mutex = 0;
    }
}

static void run_unlock_wake(struct registers *registers)
{
    HOST_CALL(registers, CALL_FUTEX, FIRST, FUTEX_WAKE, 1);
}

static void after_unlock_wake(struct registers *registers)
{
    host_jump(registers, NEXT);
}

static void run_next(struct registers *registers)
{
    registers->edi--;
    host_jump(registers, registers->edi > 0 ? LOCK : is_second(registers) ? EXIT : JOIN);
}

/* The end ---------------------------------------------------------------------------------------------------------- */

static void run_join(struct registers *registers)
{
    uint32_t value;

    if (host_load(registers, ALIVE, &value)) {
        registers->esi = value;
        host_jump(registers, value != 0 ? JOIN_WAIT : END);
    }
}

static void run_join_wait(struct registers *registers)
{
    HOST_CALL(registers, CALL_FUTEX, ALIVE, FUTEX_WAIT, registers->esi, 0);
}

static void after_join_wait(struct registers *registers)
{
    host_jump(registers, JOIN);
}

static void run_end(struct registers *registers)
{
    uint32_t value;

    if (host_load(registers, COUNTER, &value)) {
        registers->esi = value == (moves ? 1 : 2 * ROUNDS) ? RIGHT : WRONG;
        host_jump(registers, EXIT);
    }
}

static void run_exit(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXIT, registers->esi);
}

static void after_exit(struct registers *registers)
{
    host_wrong("thread goes on after its end: %u", registers->ebp);
}

/* A waiter that is moved and woken where it is then ---------------------------------------------------------------- */

static void run_moved_wait(struct registers *registers)
{
    HOST_CALL(registers, CALL_FUTEX, FIRST, FUTEX_WAIT, 0, 0);
}

/* The word is what it was: only who has been woken comes here. */
static void after_moved_wait(struct registers *registers)
{
    if (registers->eax != 0) {
        host_wrong("waiter came back with %d", (int32_t)registers->eax);
    }
    host_jump(registers, JOIN);
}

static void run_move(struct registers *registers)
{
    HOST_CALL(registers, CALL_FUTEX, FIRST, FUTEX_REQUEUE, 0, 1, SECOND);
}

static void after_move(struct registers *registers)
{
    host_jump(registers, registers->eax == 1 ? MOVE_SYNC : MOVE);
}

static void after_move_sync(struct registers *registers)
{
    host_jump(registers, WAKE_MOVED);
}

static void run_wake_moved(struct registers *registers)
{
    HOST_CALL(registers, CALL_FUTEX, SECOND, FUTEX_WAKE, 1);
}

static void after_wake_moved(struct registers *registers)
{
    if (registers->eax != 1) {
        host_wrong("woken at the other word: %d", (int32_t)registers->eax);
    }
    registers->esi = 0;
    registers->edi = 1;
    host_jump(registers, SYNC); /* and counts, and ends */
}

static const struct host_instruction program[INSTRUCTIONS] = {
    [BEGIN] = {run_begin, NULL},
    [START] = {run_start, after_start},
    [LOCK] = {run_lock, NULL},
    [LOCK_WAIT] = {run_lock_wait, after_lock_wait},
    [LOCK_AGAIN] = {run_lock_again, NULL},
    [READ] = {run_read, NULL},
    [SYNC] = {run_sync, after_sync},
    [WRITE] = {run_write, NULL},
    [UNLOCK] = {run_unlock, NULL},
    [UNLOCK_WAKE] = {run_unlock_wake, after_unlock_wake},
    [NEXT] = {run_next, NULL},
    [JOIN] = {run_join, NULL},
    [JOIN_WAIT] = {run_join_wait, after_join_wait},
    [END] = {run_end, NULL},
    [EXIT] = {run_exit, after_exit},
    [MOVED_WAIT] = {run_moved_wait, after_moved_wait},
    [MOVE] = {run_move, after_move},
    [MOVE_SYNC] = {run_sync, after_move_sync},
    [WAKE_MOVED] = {run_wake_moved, after_wake_moved},
};

static struct host_end boot(uint64_t schedule)
{
    struct host_machine machine = {.command_line = "interval=1", .schedule = schedule, .program_words = "threads"};

    return cut_boot(&machine, program, INSTRUCTIONS);
}

/* From each event on, in several orders before and after the boot. */
static void cut_at_every_event(void)
{
    uint32_t boots = 0;

    for (uint64_t schedule = 0; schedule < 3; schedule++) {
        enum host_end_kind kind = HOST_CUT;
        for (uint32_t event = 1; kind == HOST_CUT; event++) {
            cut_start();
            cut.at = event;
            struct host_end end = boot(schedule);
            kind = end.kind;
            cut.at = 0;
            if (kind == HOST_CUT) {
                cut_expect(boot(schedule + event), HOST_ENDED, RIGHT, event);
                boots++;
            } else {
                cut_expect(end, HOST_ENDED, RIGHT, event);
            }
            cut_stop();
        }
    }
    printf("threads: %u cuts\n", boots);
    assert_true(boots > 60);
}

static void threads_that_take_turns_are_cut_at_every_event_and_end(void **state)
{
    (void)state;
    moves = false;
    cut_at_every_event();
}

static void waiter_that_was_moved_is_cut_at_every_event_and_woken_once(void **state)
{
    (void)state;
    moves = true;
    cut_at_every_event();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_take_turns_are_cut_at_every_event_and_end),
        cmocka_unit_test(waiter_that_was_moved_is_cut_at_every_event_and_woken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
