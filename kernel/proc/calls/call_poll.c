/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll and select: wait until a descriptor is ready.
 *
 * A call looks at all its descriptors, and if none is ready it watches the pipes and terminals among them (watch.h)
 * until one changes. Only room for output to a terminal, which interrupts make, is looked at now and then.
 */
#include "calls.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "log.h"
#include "program_time.h"
#include "signal/signal.h"
#include "space/limits.h"
#include "task/pending.h"
#include "terminal.h"
#include "watch.h"
#include <string.h>

#define NS_PER_US     1000u
#define NS_PER_MS     1000000u
#define NS_PER_SECOND 1000000000u
#define LOOK_AGAIN_NS (10u * NS_PER_MS)
#define SET_WORDS     (PROGRAM_FILES_MAX / 32u)

/* What poll() reports unasked. */
#define ALWAYS (POLLERR | POLLHUP | POLLNVAL)

/* What a call watches while it sleeps. */
struct vigil {
    struct watcher watcher;
    struct watch watches[PROGRAM_FILES_MAX];
    uint32_t count;
    bool looks_again; /* there is something that tells nobody when it changes */
};

/* Watch a descriptor, if it is open and may change; `events` are those that are waited for. */
static void vigil_add(struct vigil *vigil, const struct file_record *file, uint32_t events)
{
    if (file == NULL || vigil->count == PROGRAM_FILES_MAX) {
        return;
    }
    const struct file_operations *operations = file_operations(file);
    if (operations->watch != NULL &&
        !operations->watch(file, events, &vigil->watches[vigil->count++], &vigil->watcher)) {
        vigil->looks_again = true;
    }
}

static void vigil_end(struct vigil *vigil)
{
    while (vigil->count > 0) {
        watch_end(&vigil->watches[--vigil->count]);
    }
}

/* How a program gives a time: a timeval, or one of the timespecs. */
enum time_form { TIME_TIMEVAL, TIME_TIMESPEC32, TIME_TIMESPEC64 };

/* The deadline of the call, set once: UINT64_MAX never. */
static uint64_t deadline_of(const struct system_call *call, bool limited, uint64_t length_ns)
{
    if (!limited) {
        return UINT64_MAX;
    }
    if (call->record->call.deadline_ns == 0) {
        call_progress(call)->deadline_ns = time_monotonic_ns() + length_ns;
    }
    return call->record->call.deadline_ns;
}

/*
 * What is left until the deadline of the call, in place of the time that the program said: as Linux does it, also with
 * an error, and without one of its own if there is no writing there. Nothing is written for a time of 0.
 */
static void time_left_out(const struct system_call *call, uint32_t address, enum time_form form, uint64_t length_ns)
{
    uint64_t deadline = call->record->call.deadline_ns;
    uint64_t now = time_monotonic_ns();
    uint64_t left = deadline > now ? deadline - now : 0;
    int32_t seconds = (int32_t)(left / NS_PER_SECOND), rest = (int32_t)(left % NS_PER_SECOND);
    int32_t ignored;

    if (address == 0 || length_ns == 0 || deadline == 0) {
        return;
    }
    if (form == TIME_TIMESPEC64) {
        struct linux_timespec64 time = {(int64_t)(left / NS_PER_SECOND), rest, 0};
        ignored = copy_out(address, &time, sizeof(time));
    } else {
        struct linux_timespec32 time = {seconds, form == TIME_TIMEVAL ? rest / (int32_t)NS_PER_US : rest};
        ignored = copy_out(address, &time, sizeof(time));
    }
    (void)ignored;
}

/* Why not to sleep: -ETIMEDOUT, -EINTR, or 0. */
static int32_t reason_to_stop(const struct system_call *call, uint64_t deadline_ns)
{
    if (time_monotonic_ns() >= deadline_ns) {
        return -ETIMEDOUT;
    }
    return task_has_signal(call->task) ? -EINTR : 0;
}

/* Sleep until something watched may have changed: 0 to look again, or a negative errno. Ends the vigil. */
static int32_t vigil_keep(const struct system_call *call, struct vigil *vigil, struct call_pace *pace,
                          uint64_t deadline_ns)
{
    uint64_t now = time_monotonic_ns();
    uint64_t until = call_pace_next(call, pace, deadline_ns);

    if (vigil->looks_again && until - now > LOOK_AGAIN_NS) {
        until = now + LOOK_AGAIN_NS;
    }
    enum error error =
        watcher_sleep(&vigil->watcher, until == UINT64_MAX ? DEADLINE_NEVER : time_boot_deadline_ns(until));
    vigil_end(vigil);
    return error == OK || error == ERROR_TIMED_OUT || error == ERROR_INTERRUPTED ? 0 : system_call_errno(error);
}

#define MASK_BYTES 8u

/* The signal mask that ppoll() and pselect() bring along, at `address` if that is not 0. */
static int32_t begin_mask(const struct system_call *call, uint32_t address, uint32_t bytes)
{
    uint32_t mask[2];

    if (address == 0) {
        return 0;
    }
    if (bytes != MASK_BYTES) {
        return -EINVAL;
    }
    int32_t result = copy_in(mask, address, sizeof(mask));
    if (result == 0) {
        call_exchange_mask(call, mask[0], mask[1]);
    }
    return result;
}

/* Give the mask of before back, unless a handler is about to run and will do so when it returns. */
static int32_t end_mask(const struct system_call *call, int32_t result)
{
    if (result != -EINTR) {
        signal_mask_restore(call_change_task(call));
    }
    return result;
}

/* poll ------------------------------------------------------------------------------------------------------------- */

static const struct file_record *polled_file(const struct system_call *call, const struct linux_pollfd *entry)
{
    return entry->descriptor >= 0 ? file_of(call->program, (uint32_t)entry->descriptor) : NULL;
}

static uint32_t poll_one(const struct system_call *call, const struct linux_pollfd *entry)
{
    const struct file_record *file = polled_file(call, entry);

    if (file == NULL) {
        return entry->descriptor >= 0 ? POLLNVAL : 0;
    }
    return file_operations(file)->events(call, file) & ((uint16_t)entry->events | ALWAYS);
}

/* One look at all entries: how many have something to report. */
static int32_t poll_all(const struct system_call *call, struct linux_pollfd *entries, uint32_t count)
{
    int32_t ready = 0;

    for (uint32_t i = 0; i < count; i++) {
        entries[i].returned_events = (int16_t)poll_one(call, &entries[i]);
        ready += entries[i].returned_events != 0;
    }
    return ready;
}

static int32_t poll_wait(const struct system_call *call, const struct linux_pollfd *entries, uint32_t count,
                         struct call_pace *pace, uint64_t deadline_ns)
{
    struct vigil vigil;
    int32_t result = reason_to_stop(call, deadline_ns);

    if (result != 0) {
        return result;
    }
    vigil.watcher = (struct watcher){0};
    vigil.count = 0;
    vigil.looks_again = false;
    for (uint32_t i = 0; i < count; i++) {
        vigil_add(&vigil, polled_file(call, &entries[i]), (uint16_t)entries[i].events);
    }
    return vigil_keep(call, &vigil, pace, deadline_ns);
}

static int32_t poll_until(const struct system_call *call, bool limited, uint64_t length_ns)
{
    struct linux_pollfd entries[PROGRAM_FILES_MAX];
    uint32_t count = call->arguments[1];
    uint32_t bytes = count * (uint32_t)sizeof(entries[0]);

    if (count > limits_files(call->program)) {
        return -EINVAL;
    }
    int32_t result = copy_in(entries, call->arguments[0], bytes);
    if (result != 0) {
        return result;
    }
    uint64_t deadline_ns = deadline_of(call, limited, length_ns);
    struct call_pace pace = {0};
    for (;;) {
        int32_t ready = poll_all(call, entries, count);
        result = ready > 0 ? 0 : poll_wait(call, entries, count, &pace, deadline_ns);
        if (ready > 0 || result == -ETIMEDOUT) {
            int32_t copied = copy_out(call->arguments[0], entries, bytes);
            return copied != 0 ? copied : ready;
        }
        if (result != 0) {
            return result;
        }
    }
}

int32_t call_poll(const struct system_call *call)
{
    int32_t limit_ms = (int32_t)call->arguments[2];

    return poll_until(call, limit_ms >= 0, limit_ms >= 0 ? (uint64_t)(uint32_t)limit_ms * NS_PER_MS : 0);
}

static int32_t poll_with_timespec(const struct system_call *call, bool wide)
{
    uint64_t length_ns = 0;
    int32_t result = call->arguments[2] != 0 ? call_timespec_in(call->arguments[2], wide, &length_ns) : 0;

    if (result == 0) {
        result = begin_mask(call, call->arguments[3], call->arguments[4]);
    }
    if (result != 0) {
        return result;
    }
    result = poll_until(call, call->arguments[2] != 0, length_ns);
    time_left_out(call, call->arguments[2], wide ? TIME_TIMESPEC64 : TIME_TIMESPEC32, length_ns);
    return end_mask(call, result);
}

int32_t call_ppoll(const struct system_call *call)
{
    return poll_with_timespec(call, false);
}

int32_t call_ppoll_time64(const struct system_call *call)
{
    return poll_with_timespec(call, true);
}

/* select ----------------------------------------------------------------------------------------------------------- */

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

static int32_t sets_out(const uint32_t addresses[SETS], const struct sets *sets)
{
    for (uint32_t set = 0; set < SETS; set++) {
        int32_t result = addresses[set] != 0 ? copy_out(addresses[set], sets->ready[set], sets->bytes) : 0;
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

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
            events |= set_events[set] | ALWAYS;
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
    int32_t result = reason_to_stop(call, deadline_ns);

    if (result != 0) {
        return result;
    }
    vigil.watcher = (struct watcher){0};
    vigil.count = 0;
    vigil.looks_again = false;
    for (uint32_t i = 0; i < sets->count; i++) {
        uint32_t events = events_wanted(sets, i);
        if (events != 0) {
            vigil_add(&vigil, file_of(call->program, i), events);
        }
    }
    return vigil_keep(call, &vigil, pace, deadline_ns);
}

static int32_t select_until(const struct system_call *call, const uint32_t addresses[SETS], bool limited,
                            uint64_t length_ns)
{
    struct sets sets;
    uint64_t deadline_ns = deadline_of(call, limited, length_ns);
    int32_t result = sets_in(call, addresses, &sets);

    if (result != 0) {
        return result;
    }
    struct call_pace pace = {0};
    for (;;) {
        int32_t ready = select_all(call, &sets);
        result = ready != 0 ? 0 : select_wait(call, &sets, &pace, deadline_ns);
        if (ready > 0 || result == -ETIMEDOUT) {
            int32_t copied = sets_out(addresses, &sets);
            return copied != 0 ? copied : ready;
        }
        if (ready < 0 || result != 0) {
            return ready < 0 ? ready : result;
        }
    }
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
    result = select_until(call, addresses, limit != 0, length_ns);
    time_left_out(call, limit, TIME_TIMEVAL, length_ns);
    return result;
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
        result = begin_mask(call, mask[0], mask[1]);
    }
    if (result != 0) {
        return result;
    }
    result = select_until(call, &call->arguments[1], call->arguments[4] != 0, length_ns);
    time_left_out(call, call->arguments[4], wide ? TIME_TIMESPEC64 : TIME_TIMESPEC32, length_ns);
    return end_mask(call, result);
}

int32_t call_pselect6(const struct system_call *call)
{
    return select_with_timespec(call, false);
}

int32_t call_pselect6_time64(const struct system_call *call)
{
    return select_with_timespec(call, true);
}
