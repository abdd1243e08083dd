/*
 * poll and select: wait until a descriptor is ready.
 *
 * Terminals and pipes may be not ready. A terminal's input is what one waits for; room for output, and pipes, are
 * looked at now and then.
 */
#include "calls.h"
#include "file.h"
#include "pipe.h"
#include "program_signal.h"
#include "program_time.h"
#include "signals.h"
#include "terminal.h"
#include <string.h>

#define NS_PER_MS     1000000u
#define NS_PER_SECOND 1000000000u
#define LOOK_AGAIN_NS (10u * NS_PER_MS)
#define SET_WORDS     (PROGRAM_FILES_MAX / 32u)

/* What is waited for, over all descriptors of a call. */
struct interest {
    bool input; /* of `terminal` */
    bool output;
    bool pipe;
    uint32_t terminal;
};

static bool is_ready(const struct system_call *call, const struct file_record *file, bool for_output,
                     struct interest *interest)
{
    if (file->kind == FILE_PIPE) {
        interest->pipe = true;
        return for_output ? pipe_room(file->object) >= PIPE_ATOMIC || !pipe_has(file->object, PIPE_READER)
                          : pipe_length(file->object) > 0 || !pipe_has(file->object, PIPE_WRITER);
    }
    if (file->kind != FILE_TERMINAL) {
        return true;
    }
    interest->terminal = file->object;
    if (for_output) {
        interest->output = true;
        return terminal_is_writable(file->object);
    }
    interest->input = true;
    return terminal_is_readable(file->object, call->task->program_index);
}

/* The deadline of the call, set once: UINT64_MAX never. */
static uint64_t deadline_of(const struct system_call *call, bool limited, uint64_t length_ns)
{
    struct task_record *record = call->record;

    if (!limited) {
        return UINT64_MAX;
    }
    if (record->call.deadline_ns == 0) {
        record->call.deadline_ns = time_monotonic_ns() + length_ns;
    }
    return record->call.deadline_ns;
}

/* Sleep until something may have changed: 0 to look again, -ETIMEDOUT, -EINTR. */
static int32_t wait_for_change(const struct system_call *call, const struct interest *interest, struct call_pace *pace,
                               uint64_t deadline_ns)
{
    uint64_t now = time_monotonic_ns();

    if (now >= deadline_ns) {
        return -ETIMEDOUT;
    }
    if (signal_is_pending(call->task)) {
        return -EINTR;
    }
    uint64_t until = call_pace_next(call, pace, deadline_ns);
    if ((interest->output || interest->pipe) && until - now > LOOK_AGAIN_NS) {
        until = now + LOOK_AGAIN_NS;
    }
    if (!interest->input) {
        return call_sleep_until(call, until);
    }
    uint64_t boot_deadline = until == UINT64_MAX ? DEADLINE_NEVER : time_boot_deadline_ns(until);
    enum error error = terminal_wait_readable(interest->terminal, call->task->program_index, boot_deadline);
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
        signal_mask_exchange(call->task, mask[0], mask[1]);
    }
    return result;
}

/* Give the mask of before back, unless a handler is about to run and will do so when it returns. */
static int32_t end_mask(const struct system_call *call, int32_t result)
{
    if (result != -EINTR) {
        signal_mask_restore(call->task);
    }
    return result;
}

/* poll ------------------------------------------------------------------------------------------------------------- */

static int16_t poll_one(const struct system_call *call, const struct linux_pollfd *entry, struct interest *interest)
{
    int16_t returned = 0;

    if (entry->descriptor < 0) {
        return 0;
    }
    const struct file_record *file = file_of(call->program, (uint32_t)entry->descriptor);
    if (file == NULL) {
        return POLLNVAL;
    }
    if ((entry->events & POLLIN) != 0 && is_ready(call, file, false, interest)) {
        returned |= POLLIN;
    }
    if ((entry->events & POLLOUT) != 0 && is_ready(call, file, true, interest)) {
        returned |= POLLOUT;
    }
    if (file->kind == FILE_PIPE && (file->flags & O_ACCMODE) != O_WRONLY && !pipe_has(file->object, PIPE_WRITER)) {
        returned = (int16_t)((returned & ~(pipe_length(file->object) == 0 ? POLLIN : 0)) | POLLHUP);
    }
    return returned;
}

/* One look at all entries: how many have something to report. */
static int32_t poll_all(const struct system_call *call, struct linux_pollfd *entries, uint32_t count,
                        struct interest *interest)
{
    int32_t ready = 0;

    for (uint32_t i = 0; i < count; i++) {
        entries[i].returned_events = poll_one(call, &entries[i], interest);
        ready += entries[i].returned_events != 0;
    }
    return ready;
}

static int32_t poll_until(const struct system_call *call, bool limited, uint64_t length_ns)
{
    struct linux_pollfd entries[PROGRAM_FILES_MAX];
    uint32_t count = call->arguments[1];
    uint32_t bytes = count * (uint32_t)sizeof(entries[0]);

    if (count > PROGRAM_FILES_MAX) {
        return -EINVAL;
    }
    int32_t result = copy_in(entries, call->arguments[0], bytes);
    if (result != 0) {
        return result;
    }
    uint64_t deadline_ns = deadline_of(call, limited, length_ns);
    struct call_pace pace = {0};
    for (;;) {
        struct interest interest = {0};
        int32_t ready = poll_all(call, entries, count, &interest);
        result = ready > 0 ? 0 : wait_for_change(call, &interest, &pace, deadline_ns);
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
    return result != 0 ? result : end_mask(call, poll_until(call, call->arguments[2] != 0, length_ns));
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

/* One look at all sets: how many bits are ready, or -EBADF. */
static int32_t select_all(const struct system_call *call, struct sets *sets, struct interest *interest)
{
    int32_t ready = 0;

    memset(sets->ready, 0, sizeof(sets->ready));
    for (uint32_t i = 0; i < sets->count; i++) {
        for (uint32_t set = 0; set < SETS; set++) {
            if ((sets->wanted[set][i / 32] >> (i % 32) & 1u) == 0) {
                continue;
            }
            const struct file_record *file = file_of(call->program, i);
            if (file == NULL) {
                return -EBADF;
            }
            if (set != SET_EXCEPTION && is_ready(call, file, set == SET_WRITE, interest)) {
                sets->ready[set][i / 32] |= 1u << (i % 32);
                ready++;
            }
        }
    }
    return ready;
}

static int32_t select_until(const struct system_call *call, const uint32_t addresses[SETS], bool limited,
                            uint64_t length_ns)
{
    struct sets sets;
    int32_t result = sets_in(call, addresses, &sets);

    if (result != 0) {
        return result;
    }
    uint64_t deadline_ns = deadline_of(call, limited, length_ns);
    struct call_pace pace = {0};
    for (;;) {
        struct interest interest = {0};
        int32_t ready = select_all(call, &sets, &interest);
        result = ready != 0 ? 0 : wait_for_change(call, &interest, &pace, deadline_ns);
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
        (uint64_t)(uint32_t)time.seconds * NS_PER_SECOND + (uint64_t)(uint32_t)time.microseconds * 1000u;
    return result != 0 ? result : select_until(call, addresses, limit != 0, length_ns);
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
    return result != 0 ? result
                       : end_mask(call, select_until(call, &call->arguments[1], call->arguments[4] != 0, length_ns));
}

int32_t call_pselect6(const struct system_call *call)
{
    return select_with_timespec(call, false);
}

int32_t call_pselect6_time64(const struct system_call *call)
{
    return select_with_timespec(call, true);
}
