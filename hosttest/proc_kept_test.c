/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel keeps for a program: a signal that is held back, a lock, bytes in a pipe, how far a call has come. The
 * power goes at each event of the disk in turn, and the next boot has all of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host_calls.h"
#include "linux/linux_abi.h"
#include "proc_cut.h"

#include <stdio.h>
#include <string.h>

#define SET       (HOST_DATA + PAGE_SIZE + 0x100u) /* of signals, two words */
#define ENDS      (HOST_DATA + PAGE_SIZE + 0x110u)
#define TAKEN     (HOST_DATA + PAGE_SIZE + 0x118u) /* bytes that have come out */
#define NEXT      (HOST_DATA + PAGE_SIZE + 0x11Cu) /* what that becomes */
#define PIECE     (HOST_DATA + 2 * PAGE_SIZE)
#define NUMBERS   (HOST_DATA + 4 * PAGE_SIZE)
#define MORE      (NUMBERS + LONG_BYTES)
#define USR1      10u
#define USR1_MASK (1u << (USR1 - 1))

#define BYTES       (PAGE_SIZE + PAGE_SIZE / 2)
#define LONG_BYTES  (4 * PAGE_SIZE) /* of the first write */
#define SHORT_BYTES 8u              /* of the second one */
#define PIECE_BYTES (PAGE_SIZE / 2)
#define ALL_BYTES   (LONG_BYTES + SHORT_BYTES)

#define STATUS       3u
#define CUTS_FEWEST  10u
#define SCHEDULE     3u  /* of the threads */
#define TICKS        60u /* of the clock, between two calls: others have their turns */
#define SET_CAPACITY 1031u
#define SIG_BLOCK    0u
#define OPEN_FILE    5u

static uint32_t number_at(uint32_t byte)
{
    return byte * 2654435761u + 1;
}

static bool fill(struct registers *registers, uint32_t address, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i += 4) {
        if (!host_store(registers, address + i, number_at(i))) {
            return false;
        }
    }
    return true;
}

static bool is_filled(struct registers *registers, uint32_t address, uint32_t from, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i += 4) {
        uint32_t word;
        if (!host_load(registers, address + i, &word)) {
            return false;
        }
        if (word != number_at(from + i)) {
            host_wrong("byte %u from the pipe begins %08x, expected %08x", from + i, word, number_at(from + i));
        }
    }
    return true;
}

static void go_on(struct registers *registers, int32_t expected, uint32_t next)
{
    if ((int32_t)registers->eax != expected) {
        host_wrong("before instruction %u: %d, expected %d", next, (int32_t)registers->eax, expected);
    }
    host_jump(registers, next);
}

static void run_sync(struct registers *registers)
{
    HOST_CALL(registers, CALL_SYNC);
}

static void run_end(struct registers *registers)
{
    HOST_CALL(registers, CALL_EXIT, STATUS);
}

static void run_pipe(struct registers *registers)
{
    HOST_CALL(registers, CALL_PIPE, ENDS);
}

/* A signal that is held back --------------------------------------------------------------------------------------- */

enum { HOLD, SEND, SEND_SYNC, LOOK, LOOK_END };

static void run_hold(struct registers *registers)
{
    if (host_store(registers, SET, USR1_MASK) && host_store(registers, SET + 4, 0)) {
        HOST_CALL(registers, CALL_RT_SIGPROCMASK, SIG_BLOCK, SET, 0, 8);
    }
}

static void after_hold(struct registers *registers)
{
    go_on(registers, 0, SEND);
}

static void run_send(struct registers *registers)
{
    HOST_CALL(registers, CALL_KILL, 1, USR1);
}

static void after_send(struct registers *registers)
{
    go_on(registers, 0, SEND_SYNC);
}

static void after_send_sync(struct registers *registers)
{
    host_jump(registers, LOOK);
}

static void run_look(struct registers *registers)
{
    HOST_CALL(registers, CALL_RT_SIGPENDING, SET, 8);
}

static void after_look(struct registers *registers)
{
    uint32_t pending;

    if (host_load(registers, SET, &pending)) {
        if (pending != USR1_MASK) {
            host_wrong("of the signals, %08x are held back", pending);
        }
        go_on(registers, 0, LOOK_END);
    }
}

static const struct host_instruction holder[] = {
    [HOLD] = {run_hold, after_hold}, [SEND] = {run_send, after_send}, [SEND_SYNC] = {run_sync, after_send_sync},
    [LOOK] = {run_look, after_look}, [LOOK_END] = {run_end, NULL},
};

/* A lock on a file ------------------------------------------------------------------------------------------------- */

enum { CREATE, LOCK, LOCK_SYNC, ASK, ASK_END };

static bool put(struct registers *registers, uint32_t address, const void *bytes, uint32_t length)
{
    uint32_t word;

    for (uint32_t i = 0; i < length; i += 4) {
        memcpy(&word, (const uint8_t *)bytes + i, 4);
        if (!host_store(registers, address + i, word)) {
            return false;
        }
    }
    return true;
}

static void run_create(struct registers *registers)
{
    if (put(registers, PIECE, "/tmp/it", 8)) {
        HOST_CALL(registers, OPEN_FILE, PIECE, O_RDWR | O_CREAT, 0600);
    }
}

static void after_create(struct registers *registers)
{
    cut_store(registers, ENDS, registers->eax, LOCK);
}

static void call_for_lock(struct registers *registers, uint32_t operation)
{
    const struct linux_flock64 lock = {.type = F_WRLCK, .start = 0, .length = 1};
    uint32_t descriptor;

    if (put(registers, PIECE, &lock, sizeof(lock)) && host_load(registers, ENDS, &descriptor)) {
        HOST_CALL(registers, CALL_FCNTL64, descriptor, operation, PIECE);
    }
}

static void run_lock(struct registers *registers)
{
    call_for_lock(registers, F_SETLK64);
}

static void after_lock(struct registers *registers)
{
    go_on(registers, 0, LOCK_SYNC);
}

static void after_lock_sync(struct registers *registers)
{
    host_jump(registers, ASK);
}

/* As the open file, which is somebody else. */
static void run_ask(struct registers *registers)
{
    call_for_lock(registers, F_OFD_GETLK);
}

static void after_ask(struct registers *registers)
{
    uint32_t word;

    if (host_load(registers, PIECE, &word)) {
        if ((word & 0xFFFF) != F_WRLCK) {
            host_wrong("the lock is told as %u", word & 0xFFFF);
        }
        go_on(registers, 0, ASK_END);
    }
}

static const struct host_instruction locker[] = {
    [CREATE] = {run_create, after_create}, [LOCK] = {run_lock, after_lock}, [LOCK_SYNC] = {run_sync, after_lock_sync},
    [ASK] = {run_ask, after_ask},          [ASK_END] = {run_end, NULL},
};

/* Bytes in a pipe -------------------------------------------------------------------------------------------------- */

enum { MAKE, PUT, PUT_SYNC, TAKE, TAKE_END };

static void run_make(struct registers *registers)
{
    HOST_CALL(registers, CALL_PIPE2, ENDS, O_NONBLOCK);
}

static void after_make(struct registers *registers)
{
    go_on(registers, 0, PUT);
}

static void run_put(struct registers *registers)
{
    uint32_t end;

    if (fill(registers, NUMBERS, BYTES) && host_load(registers, ENDS + 4, &end)) {
        HOST_CALL(registers, CALL_WRITE, end, NUMBERS, BYTES);
    }
}

static void after_put(struct registers *registers)
{
    go_on(registers, (int32_t)BYTES, PUT_SYNC);
}

static void after_put_sync(struct registers *registers)
{
    host_jump(registers, TAKE);
}

/* Where the bytes go is there, and where they come from is not after a boot. */
static void run_take(struct registers *registers)
{
    uint32_t end;

    if (host_store(registers, PIECE, 0) && host_store(registers, PIECE + PAGE_SIZE, 0) &&
        host_load(registers, ENDS, &end)) {
        HOST_CALL(registers, CALL_READ, end, PIECE, BYTES);
    }
}

static void after_take(struct registers *registers)
{
    if (is_filled(registers, PIECE, 0, BYTES)) {
        go_on(registers, (int32_t)BYTES, TAKE_END);
    }
}

static const struct host_instruction piper[] = {
    [MAKE] = {run_make, after_make}, [PUT] = {run_put, after_put}, [PUT_SYNC] = {run_sync, after_put_sync},
    [TAKE] = {run_take, after_take}, [TAKE_END] = {run_end, NULL},
};

/* How far a call has come: a clone writes more than the pipe holds, and then a little. ----------------------------- */

enum { OPEN, NARROW, FORK, DRAW, CHECK, COUNT, COUNT_SYNC, AWAIT, AWAIT_END, POUR, REST, POUR_MORE, POUR_END };

static void after_open(struct registers *registers)
{
    go_on(registers, 0, NARROW);
}

static void run_narrow(struct registers *registers)
{
    uint32_t end;

    if (fill(registers, NUMBERS, ALL_BYTES) && host_load(registers, ENDS, &end)) {
        HOST_CALL(registers, CALL_FCNTL64, end, SET_CAPACITY, PAGE_SIZE);
    }
}

static void after_narrow(struct registers *registers)
{
    go_on(registers, PAGE_SIZE, FORK);
}

static void run_fork(struct registers *registers)
{
    HOST_CALL(registers, CALL_FORK);
}

static void after_fork(struct registers *registers)
{
    host_jump(registers, registers->eax == 0 ? POUR : DRAW);
}

static void run_draw(struct registers *registers)
{
    uint32_t end;

    if (host_load(registers, ENDS, &end)) {
        HOST_CALL(registers, CALL_READ, end, PIECE, PIECE_BYTES);
    }
}

/* The length of the piece stays in EBP, which a read does not change. */
static void after_draw(struct registers *registers)
{
    if ((int32_t)registers->eax <= 0 || registers->eax % 4 != 0) {
        host_wrong("a read from the pipe: %d", (int32_t)registers->eax);
    }
    registers->ebp = registers->eax;
    host_jump(registers, CHECK);
}

static void run_check(struct registers *registers)
{
    uint32_t taken;

    if (host_load(registers, TAKEN, &taken) && is_filled(registers, PIECE, taken, registers->ebp)) {
        cut_store(registers, NEXT, taken + registers->ebp, COUNT);
    }
}

static void run_count(struct registers *registers)
{
    uint32_t next;

    if (host_load(registers, NEXT, &next)) {
        cut_store(registers, TAKEN, next, COUNT_SYNC);
    }
}

static void after_count_sync(struct registers *registers)
{
    uint32_t taken;

    if (host_load(registers, TAKEN, &taken)) {
        host_jump(registers, taken < ALL_BYTES ? DRAW : AWAIT);
    }
}

static void run_await(struct registers *registers)
{
    HOST_CALL(registers, CALL_WAIT4, UINT32_MAX, 0, 0, 0);
}

static void after_await(struct registers *registers)
{
    host_jump(registers, AWAIT_END);
}

static void pour(struct registers *registers, uint32_t from, uint32_t bytes)
{
    uint32_t end;

    if (host_load(registers, ENDS + 4, &end)) {
        HOST_CALL(registers, CALL_WRITE, end, from, bytes);
    }
}

static void run_pour(struct registers *registers)
{
    pour(registers, NUMBERS, LONG_BYTES);
}

static void after_pour(struct registers *registers)
{
    registers->ebp = TICKS;
    go_on(registers, LONG_BYTES, REST);
}

/* No call is under way at the stops that come now, and the record has what the last one had achieved. */
static void run_rest(struct registers *registers)
{
    registers->ebp--;
    host_jump(registers, registers->ebp == 0 ? POUR_MORE : REST);
    host_trap_interrupt(registers);
}

static void run_pour_more(struct registers *registers)
{
    pour(registers, MORE, SHORT_BYTES);
}

static void after_pour_more(struct registers *registers)
{
    go_on(registers, SHORT_BYTES, POUR_END);
}

static const struct host_instruction pourer[] = {
    [OPEN] = {run_pipe, after_open},
    [NARROW] = {run_narrow, after_narrow},
    [FORK] = {run_fork, after_fork},
    [DRAW] = {run_draw, after_draw},
    [CHECK] = {run_check, NULL},
    [COUNT] = {run_count, NULL},
    [COUNT_SYNC] = {run_sync, after_count_sync},
    [AWAIT] = {run_await, after_await},
    [AWAIT_END] = {run_end, NULL},
    [POUR] = {run_pour, after_pour},
    [REST] = {run_rest, NULL},
    [POUR_MORE] = {run_pour_more, after_pour_more},
    [POUR_END] = {run_end, NULL},
};

/* Tests ------------------------------------------------------------------------------------------------------------ */

/* The power goes at each event of the disk; the boot after it comes to the same end. */
static void cut_everywhere(const struct host_instruction *program, uint32_t count, const char *name)
{
    struct host_machine machine = {.command_line = "interval=0", .program_words = "kept", .schedule = SCHEDULE};
    enum host_end_kind kind = HOST_CUT;
    uint32_t cuts = 0;

    while (kind == HOST_CUT) {
        cut_start();
        cut.at = cut.disk.event_count + ++cuts;
        struct host_end end = cut_boot(&machine, program, count);
        kind = end.kind;
        cut.at = 0;
        cut_expect(kind == HOST_CUT ? cut_boot(&machine, program, count) : end, HOST_ENDED, STATUS, cuts);
        cut_stop();
    }
    printf("%s: %u cuts\n", name, cuts);
    assert_true(cuts >= CUTS_FEWEST);
}

#define CUT_EVERYWHERE(program) cut_everywhere(program, sizeof(program) / sizeof((program)[0]), #program)

static void signal_held_back_is_still_pending_after_a_cut(void **state)
{
    (void)state;
    CUT_EVERYWHERE(holder);
}

static void lock_on_a_file_is_held_after_a_cut(void **state)
{
    (void)state;
    CUT_EVERYWHERE(locker);
}

static void bytes_in_a_pipe_come_out_after_a_cut(void **state)
{
    (void)state;
    CUT_EVERYWHERE(piper);
}

static void write_that_was_cut_goes_on_where_it_was_and_the_next_one_begins_anew(void **state)
{
    (void)state;
    CUT_EVERYWHERE(pourer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signal_held_back_is_still_pending_after_a_cut),
        cmocka_unit_test(lock_on_a_file_is_held_after_a_cut),
        cmocka_unit_test(bytes_in_a_pipe_come_out_after_a_cut),
        cmocka_unit_test(write_that_was_cut_goes_on_where_it_was_and_the_next_one_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
