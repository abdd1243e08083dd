/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * futex: waiting for a word of memory to change.
 *
 * A program has one task and no memory that others write to, so a wait ends with a deadline or a signal, and a wake
 * finds nobody. Everything that is checked, and what is answered, is as if there were others. A futex is a word of a
 * space: with several tasks in one, a waiter is found by the space that it runs in and the address that it waits at.
 *
 * Deadlines outlive a boot: one that is relative is made absolute once, in record->call; the others are arguments.
 */
#include "arch/pmap.h"
#include "calls.h"
#include "program_time.h"

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

#define NOBODY 0 /* who was woken or moved */

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

/* Waiting ---------------------------------------------------------------------------------------------------------- */

static bool is_absolute(const struct system_call *call)
{
    return (call->arguments[1] & FUTEX_COMMAND) == FUTEX_WAIT_BITSET;
}

static int32_t sleep_to_timeout(const struct system_call *call, uint64_t timeout_ns)
{
    if ((call->arguments[1] & FUTEX_CLOCK_REALTIME) != 0) {
        return call_sleep_until_wall(call, timeout_ns);
    }
    if (is_absolute(call)) {
        return call_sleep_until(call, timeout_ns);
    }
    if (call->record->call.deadline_ns == 0) {
        call_progress(call)->deadline_ns = time_monotonic_ns() + timeout_ns;
    }
    return call_sleep_until(call, call->record->call.deadline_ns);
}

static int32_t wait_for_change(const struct system_call *call, bool wide)
{
    uint32_t address = call->arguments[0], timeout = call->arguments[3];
    uint64_t timeout_ns = 0;
    int32_t result = timeout != 0 ? call_timespec_in(timeout, wide, &timeout_ns) : 0;

    if (result == 0 && is_absolute(call) && call->arguments[5] == 0) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = check_word(call, address);
    }
    if (result == 0) {
        result = check_value(address, call->arguments[2]);
    }
    if (result != 0) {
        return result;
    }
    if (timeout == 0) {
        result = call_sleep_until(call, UINT64_MAX);
        return result == -EINTR ? call_interrupted(call) : result;
    }
    result = sleep_to_timeout(call, timeout_ns);
    return result == 0 ? -ETIMEDOUT : result;
}

/* Waking ----------------------------------------------------------------------------------------------------------- */

static int32_t wake(const struct system_call *call, uint32_t bits)
{
    int32_t result = bits == 0 ? -EINVAL : check_word(call, call->arguments[0]);

    return result != 0 ? result : NOBODY;
}

static int32_t requeue(const struct system_call *call, bool compares)
{
    int32_t result = (int32_t)call->arguments[2] < 0 || (int32_t)call->arguments[3] < 0 ? -EINVAL : 0;

    if (result == 0) {
        result = check_word(call, call->arguments[0]);
    }
    if (result == 0) {
        result = check_word(call, call->arguments[4]);
    }
    if (result == 0 && compares) {
        result = check_value(call->arguments[0], call->arguments[5]);
    }
    return result != 0 ? result : NOBODY;
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

/* The comparison only decides who else is woken. */
static int32_t check_comparison(uint32_t encoded)
{
    return (encoded >> 24 & 15u) <= 5u ? 0 : -ENOSYS;
}

/* Change the second word, in one step, and wake. */
static int32_t wake_and_operate(const struct system_call *call)
{
    uint32_t address = call->arguments[4];
    struct user_range range;
    int32_t result = check_word(call, call->arguments[0]);

    if (result == 0) {
        result = check_word(call, address);
    }
    if (result == 0) {
        result = system_call_errno(user_begin(&range, (struct vaddr){address}, sizeof(uint32_t), PMAP_WRITE));
    }
    if (result != 0) {
        return result;
    }
    program_call_commit();
    result = operate(call->arguments[5], range.address);
    user_end(&range);
    if (result == 0) {
        result = check_comparison(call->arguments[5]);
    }
    return result != 0 ? result : NOBODY;
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
