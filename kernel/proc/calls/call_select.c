/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * select: wait until a descriptor of three sets is ready.
 */
#include "calls.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "vigil.h"
#include <string.h>

#define NS_PER_US     1000u
#define NS_PER_SECOND 1000000000u
#define SET_WORDS     (PROGRAM_FILES_MAX / 32u)

enum { SET_READ, SET_WRITE, SET_EXCEPTION, SETS };

struct sets {
    uint32_t count; /* descriptors */
    uint32_t bytes; /* of each set in the program's memory */
    uint32_t wanted[SETS][SET_WORDS], ready[SETS][SET_WORDS];
};

static int32_t sets_in(const struct system_call *call, const uint32_t addresses[SETS], struct sets *sets)
{
    memset(sets, 0, sizeof(*sets));
    if ((int32_t)call->arguments[0] < 0) {
        return -EINVAL;
    }
    sets->count = call->arguments[0] < PROGRAM_FILES_MAX ? call->arguments[0] : PROGRAM_FILES_MAX;
    sets->bytes = (sets->count + 31) / 32 * (uint32_t)sizeof(uint32_t);
    for (uint32_t set = 0; set < SETS; set++) {
        int32_t result = addresses[set] != 0 ? copy_in(sets->wanted[set], addresses[set], sets->bytes) : 0;
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

/* All at once: a call that is issued again after a cut reads from them what it asks. */
static int32_t sets_out(const uint32_t addresses[SETS], const struct sets *sets)
{
    struct user_output outputs[USER_OUTPUTS_MAX];
    uint32_t count = 0;

    for (uint32_t set = 0; set < SETS; set++) {
        if (addresses[set] != 0) {
            outputs[count++] = (struct user_output){{addresses[set]}, sets->ready[set], sets->bytes};
        }
    }
    return system_call_errno(user_copy_out_all(outputs, count));
}
_Static_assert(SETS <= USER_OUTPUTS_MAX, "all sets go out at once");

/* What poll() would say of a descriptor that belongs in each set. */
static const uint32_t set_events[SETS] = {
    [SET_READ] = FILE_READABLE | POLLRDBAND | POLLHUP | POLLERR,
    [SET_WRITE] = FILE_WRITABLE | POLLWRBAND | POLLERR,
    [SET_EXCEPTION] = POLLPRI,
};

/* The events that a descriptor is waited for; 0: it is in no set. */
static uint32_t events_wanted(const struct sets *sets, uint32_t descriptor)
{
    uint32_t events = 0;

    for (uint32_t set = 0; set < SETS; set++) {
        if ((sets->wanted[set][descriptor / 32] >> (descriptor % 32) & 1u) != 0) {
            events |= set_events[set] | POLL_ALWAYS;
        }
    }
    return events;
}

/* Note in which sets a descriptor is ready; returns in how many. */
static int32_t note_ready(struct sets *sets, uint32_t descriptor, uint32_t events)
{
    uint32_t word = descriptor / 32, bit = 1u << (descriptor % 32);
    int32_t ready = 0;

    for (uint32_t set = 0; set < SETS; set++) {
        if ((sets->wanted[set][word] & bit) != 0 && (events & set_events[set]) != 0) {
            sets->ready[set][word] |= bit;
            ready++;
        }
    }
    return ready;
}

/* One look at all sets: how many bits are ready, or -EBADF. */
static int32_t select_all(const struct system_call *call, struct sets *sets)
{
    int32_t ready = 0;

    memset(sets->ready, 0, sizeof(sets->ready));
    for (uint32_t i = 0; i < sets->count; i++) {
        if (events_wanted(sets, i) == 0) {
            continue;
        }
        const struct file_record *file = file_of(call->program, i);
        if (file == NULL) {
            return -EBADF;
        }
        ready += note_ready(sets, i, file_operations(file)->events(call, file));
    }
    return ready;
}

static int32_t select_wait(const struct system_call *call, const struct sets *sets, struct call_pace *pace,
                           uint64_t deadline_ns)
{
    struct vigil vigil;
    int32_t result = vigil_is_over(call, deadline_ns);

    if (result != 0) {
        return result;
    }
    vigil_begin(&vigil);
    for (uint32_t i = 0; i < sets->count; i++) {
        uint32_t events = events_wanted(sets, i);
        if (events != 0) {
            vigil_add(&vigil, file_of(call->program, i), events);
        }
    }
    return vigil_keep(call, &vigil, pace, deadline_ns);
}

/* Wait until something is ready or the time is over: how many bits are ready, or a negative errno. */
static int32_t select_until(const struct system_call *call, const uint32_t addresses[SETS], struct sets *sets,
                            bool limited, uint64_t length_ns)
{
    uint64_t deadline_ns = vigil_deadline(call, limited, length_ns);
    int32_t result = sets_in(call, addresses, sets);
    struct call_pace pace = {0};

    while (result == 0) {
        int32_t ready = select_all(call, sets);
        result = ready != 0 ? 0 : select_wait(call, sets, &pace, deadline_ns);
        if (ready != 0 || result == -ETIMEDOUT) {
            return ready;
        }
    }
    return result;
}

/* How a program says how long to wait. */
struct limit_argument {
    uint32_t address; /* 0: for ever */
    enum time_form form;
    uint64_t length_ns;
};

/* The time that is left goes out before the sets: issued again, the call has its deadline in its record. */
static int32_t select_limited(const struct system_call *call, const uint32_t addresses[SETS],
                              const struct limit_argument *limit)
{
    struct sets sets;
    int32_t ready = select_until(call, addresses, &sets, limit->address != 0, limit->length_ns);

    vigil_time_left_out(call, limit->address, limit->form, limit->length_ns);
    if (ready < 0) {
        return ready;
    }
    int32_t copied = sets_out(addresses, &sets);
    return copied != 0 ? copied : ready;
}

static int32_t select_with_timeval(const struct system_call *call, const uint32_t addresses[SETS], uint32_t limit)
{
    struct linux_timeval time = {0, 0};
    int32_t result = limit != 0 ? copy_in(&time, limit, sizeof(time)) : 0;

    if (result == 0 && (time.seconds < 0 || time.microseconds < 0)) {
        result = -EINVAL;
    }
    uint64_t length_ns =
        (uint64_t)(uint32_t)time.seconds * NS_PER_SECOND + (uint64_t)(uint32_t)time.microseconds * NS_PER_US;
    if (result != 0) {
        return result;
    }
    return select_limited(call, addresses, &(struct limit_argument){limit, TIME_TIMEVAL, length_ns});
}

int32_t call_newselect(const struct system_call *call)
{
    return select_with_timeval(call, &call->arguments[1], call->arguments[4]);
}

/* The old form has its arguments in memory. */
int32_t call_select_old(const struct system_call *call)
{
    uint32_t arguments[5];
    int32_t result = copy_in(arguments, call->arguments[0], sizeof(arguments));
    struct system_call unpacked = *call;

    if (result != 0) {
        return result;
    }
    unpacked.arguments[0] = arguments[0];
    return select_with_timeval(&unpacked, &arguments[1], arguments[4]);
}

static int32_t select_with_timespec(const struct system_call *call, bool wide)
{
    uint64_t length_ns = 0;
    uint32_t mask[2] = {0, 0}; /* address and size */
    int32_t result = call->arguments[4] != 0 ? call_timespec_in(call->arguments[4], wide, &length_ns) : 0;

    if (result == 0 && call->arguments[5] != 0) {
        result = copy_in(mask, call->arguments[5], sizeof(mask));
    }
    if (result == 0) {
        result = vigil_begin_mask(call, mask[0], mask[1]);
    }
    if (result != 0) {
        return result;
    }
    struct limit_argument limit = {call->arguments[4], wide ? TIME_TIMESPEC64 : TIME_TIMESPEC32, length_ns};
    return vigil_end_mask(call, select_limited(call, &call->arguments[1], &limit));
}

int32_t call_pselect6(const struct system_call *call)
{
    return select_with_timespec(call, false);
}

int32_t call_pselect6_time64(const struct system_call *call)
{
    return select_with_timespec(call, true);
}
