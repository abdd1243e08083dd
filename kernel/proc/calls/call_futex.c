/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * futex: waiting for a word of memory to change. (Who waits for which: task/futex.c.)
 *
 * The word is looked at and the caller joins those who wait for it in one step. From then on a wake finds it, also
 * after a boot. Its record says whether it was woken, at which word it is after a requeue, and until when it waits: a
 * deadline that is relative is made absolute once; the others are arguments. A signal ends a wait, and the call that
 * is then issued again looks at the word again.
 */
#include "arch/pmap.h"
#include "calls.h"
#include "program_time.h"
#include "arch/clock.h"
#include "space/address_space.h"
#include "space/futex_word.h"
#include "task/futex.h"
#include "task/pending.h"

#define FUTEX_COMMAND        0x7Fu
#define FUTEX_PRIVATE        0x80u
#define FUTEX_CLOCK_REALTIME 0x100u

enum futex_command {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAKE_OP = 5,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
};

/* Whether a word can be at an address. One that others might share has to be there. */
static int32_t check_word(const struct system_call *call, uint32_t address)
{
    uint32_t value;

    if ((address & 3u) != 0) {
        return -EINVAL;
    }
    if ((call->arguments[1] & FUTEX_PRIVATE) == 0) {
        return copy_in(&value, address, sizeof(value));
    }
    return address < USER_END ? 0 : -EFAULT;
}

/* -EAGAIN: the word has another value. */
static int32_t check_value(uint32_t address, uint32_t expected)
{
    uint32_t value;
    int32_t result = copy_in(&value, address, sizeof(value));

    return result == 0 && value != expected ? -EAGAIN : result;
}

static struct futex_key key_of(const struct system_call *call, uint32_t address)
{
    struct address_space space = address_space_of_task(call->task);

    return (call->arguments[1] & FUTEX_PRIVATE) != 0 ? futex_in_space(space, address) : futex_key(space, address);
}

/* Waiting ---------------------------------------------------------------------------------------------------------- */

#define WALL_LOOK_NS 1000000000u /* the wall clock may be set: it is looked at once a second at least */

/* How long a wait lasts. */
struct limit_of_wait {
    bool is_none, is_of_wall;
    uint64_t moment_ns; /* of the monotonic clock or the wall clock */
};

static bool is_absolute(const struct system_call *call)
{
    return (call->arguments[1] & FUTEX_COMMAND) == FUTEX_WAIT_BITSET;
}

static int32_t read_limit(const struct system_call *call, bool wide, struct limit_of_wait *out)
{
    *out = (struct limit_of_wait){.is_none = call->arguments[3] == 0,
                                  .is_of_wall = (call->arguments[1] & FUTEX_CLOCK_REALTIME) != 0};
    return out->is_none ? 0 : call_timespec_in(call->arguments[3], wide, &out->moment_ns);
}

/* A time from now on becomes a moment, the first time that the call is issued. */
static void fix_limit(const struct system_call *call, struct limit_of_wait *limit)
{
    if (limit->is_none || is_absolute(call)) {
        return;
    }
    if (call->record->call.deadline_ns == 0) {
        call_progress(call)->deadline_ns = time_monotonic_ns() + limit->moment_ns;
    }
    limit->moment_ns = call->record->call.deadline_ns;
}

/* Until when to sleep, of this boot; 0: the time is over. */
static uint64_t next_look(const struct system_call *call, const struct limit_of_wait *limit, struct call_pace *pace)
{
    uint64_t now_ns = limit->is_of_wall ? clock_wall_ns() : time_monotonic_ns(), moment_ns = limit->moment_ns;

    if (limit->is_none) {
        return DEADLINE_NEVER;
    }
    if (now_ns >= moment_ns) {
        return 0;
    }
    if (limit->is_of_wall) {
        moment_ns = time_monotonic_ns() + (moment_ns - now_ns < WALL_LOOK_NS ? moment_ns - now_ns : WALL_LOOK_NS);
    }
    return time_boot_deadline_ns(call_pace_next(call, pace, moment_ns));
}

static int32_t wait_until_woken(const struct system_call *call, const struct limit_of_wait *limit)
{
    struct task *task = task_current();
    struct call_pace pace = {0};
    int32_t result = 0;

    while (result == 0 && futex_state(task) != FUTEX_WOKEN) {
        uint64_t deadline_ns = next_look(call, limit, &pace);
        if (deadline_ns == 0 && !limit->is_none) {
            result = -ETIMEDOUT;
        } else if (task_has_signal(task)) { /* CALL-3 */
            result = -EINTR;
        } else {
            enum error error = futex_sleep(task, deadline_ns);
            result =
                error == OK || error == ERROR_TIMED_OUT || error == ERROR_INTERRUPTED ? 0 : system_call_errno(error);
        }
    }
    if (result == 0) {
        return 0;
    }
    futex_leave(task);
    return result == -EINTR && limit->is_none ? call_interrupted(call) : result;
}

/* Look at the word and join those who wait for it, in one step. */
static int32_t join(const struct system_call *call, uint32_t bits)
{
    struct user_range range;
    uint32_t address = call->arguments[0];
    enum error error = user_begin(&range, (struct vaddr){address}, sizeof(uint32_t), PMAP_READ);

    if (error != OK) {
        return system_call_errno(error);
    }
    bool is_changed = *(const uint32_t *)range.address != call->arguments[2];
    if (!is_changed) {
        futex_join(task_current(), key_of(call, address), bits);
    }
    user_end(&range);
    return is_changed ? -EAGAIN : 0;
}

static int32_t wait_for_change(const struct system_call *call, bool wide)
{
    uint32_t bits = is_absolute(call) ? call->arguments[5] : UINT32_MAX;
    struct limit_of_wait limit;
    int32_t result = read_limit(call, wide, &limit);

    if (result == 0 && bits == 0) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = check_word(call, call->arguments[0]);
    }
    if (futex_state(call->task) == FUTEX_NOT_WAITING) {
        result = result == 0 ? join(call, bits) : result;
    } else if (result != 0) { /* the call has been issued before, when all was well */
        futex_leave(task_current());
    }
    if (result != 0) {
        return result;
    }
    fix_limit(call, &limit);
    return wait_until_woken(call, &limit);
}

/* Waking ----------------------------------------------------------------------------------------------------------- */

/* Who asks for nobody to be woken, or fewer, wakes one. */
static uint32_t at_least_one(uint32_t count)
{
    return (int32_t)count > 1 ? count : 1;
}

static int32_t wake(const struct system_call *call, uint32_t bits)
{
    int32_t result = bits == 0 ? -EINVAL : check_word(call, call->arguments[0]);

    if (result != 0) {
        return result;
    }
    program_call_commit();
    return (int32_t)futex_wake(key_of(call, call->arguments[0]), bits, at_least_one(call->arguments[2]));
}

/* Wake some, and let some others wait for the second word; returns how many, of the latter only if it compares. */
static int32_t requeue(const struct system_call *call, bool compares)
{
    uint32_t from = call->arguments[0], to = call->arguments[4];
    int32_t result = (int32_t)call->arguments[2] < 0 || (int32_t)call->arguments[3] < 0 ? -EINVAL : 0;

    if (result == 0) {
        result = check_word(call, from);
    }
    if (result == 0) {
        result = check_word(call, to);
    }
    if (result == 0 && compares) {
        result = check_value(from, call->arguments[5]);
    }
    if (result != 0) {
        return result;
    }
    program_call_commit();
    uint32_t woken = futex_wake(key_of(call, from), UINT32_MAX, call->arguments[2]);
    return (int32_t)(woken + futex_move(key_of(call, from), key_of(call, to), call->arguments[3]));
}

#define OPERATION_SHIFTS 0x80000000u /* the operand is a bit's number */

/* The lowest 12 bits, with their sign. */
static int32_t operand(uint32_t bits)
{
    return (int32_t)(bits << 20) >> 20;
}

/* What the second word becomes: 0 or -ENOSYS. */
static int32_t operate(uint32_t encoded, uint32_t *value)
{
    uint32_t argument = (uint32_t)operand(encoded >> 12);

    if ((encoded & OPERATION_SHIFTS) != 0) {
        argument = 1u << (argument & 31u);
    }
    switch (encoded >> 28 & 7u) {
    case 0:
        *value = argument;
        return 0;
    case 1:
        *value += argument;
        return 0;
    case 2:
        *value |= argument;
        return 0;
    case 3:
        *value &= ~argument;
        return 0;
    case 4:
        *value ^= argument;
        return 0;
    default:
        return -ENOSYS;
    }
}

/* Whether the value that the second word had makes the call wake those who wait for it, too. */
static bool compare(uint32_t encoded, uint32_t value)
{
    int32_t before = (int32_t)value, operand_2 = operand(encoded);

    switch (encoded >> 24 & 15u) {
    case 0:
        return before == operand_2;
    case 1:
        return before != operand_2;
    case 2:
        return before < operand_2;
    case 3:
        return before <= operand_2;
    case 4:
        return before > operand_2;
    default:
        return before >= operand_2;
    }
}

static int32_t check_comparison(uint32_t encoded)
{
    return (encoded >> 24 & 15u) <= 5u ? 0 : -ENOSYS;
}

/* Change the second word and wake, in one step. */
static int32_t wake_and_operate(const struct system_call *call)
{
    uint32_t first = call->arguments[0], second = call->arguments[4], encoded = call->arguments[5], value;
    struct user_range range;
    int32_t result = check_word(call, first), woken = 0;

    if (result == 0) {
        result = check_word(call, second);
    }
    if (result == 0) {
        result = system_call_errno(user_begin(&range, (struct vaddr){second}, sizeof(uint32_t), PMAP_WRITE));
    }
    if (result != 0) {
        return result;
    }
    program_call_commit();
    value = *(const uint32_t *)range.address;
    result = operate(encoded, range.address);
    result = result == 0 ? check_comparison(encoded) : result;
    if (result == 0) {
        woken = (int32_t)futex_wake(key_of(call, first), UINT32_MAX, at_least_one(call->arguments[2]));
        woken += compare(encoded, value)
                     ? (int32_t)futex_wake(key_of(call, second), UINT32_MAX, at_least_one(call->arguments[3]))
                     : 0;
    }
    user_end(&range);
    return result != 0 ? result : woken;
}

static int32_t futex(const struct system_call *call, bool wide)
{
    uint32_t command = call->arguments[1] & FUTEX_COMMAND;

    if ((call->arguments[1] & FUTEX_CLOCK_REALTIME) != 0 && command != FUTEX_WAIT_BITSET) {
        return -ENOSYS;
    }
    switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        return wait_for_change(call, wide);
    case FUTEX_WAKE:
        return wake(call, UINT32_MAX);
    case FUTEX_WAKE_BITSET:
        return wake(call, call->arguments[5]);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return requeue(call, command == FUTEX_CMP_REQUEUE);
    case FUTEX_WAKE_OP:
        return wake_and_operate(call);
    default:
        return -ENOSYS;
    }
}

int32_t call_futex(const struct system_call *call)
{
    return futex(call, false);
}

int32_t call_futex_time64(const struct system_call *call)
{
    return futex(call, true);
}
