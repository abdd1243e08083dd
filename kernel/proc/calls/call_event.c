/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that make files without a name which are waited for: eventfd(), timerfd_create() and its kin,
 * signalfd().
 */
#include "arch/pmap.h"
#include "calls.h"
#include "file/file.h"
#include "file/file_timer.h"
#include "file/file_waiting.h"
#include "signal/timer.h"
#include <string.h>

#define SET_BYTES  8u
#define OPEN_FLAGS (O_CLOEXEC | O_NONBLOCK)

/* A descriptor of a new file: it, or a negative errno. */
static int32_t make(const struct system_call *call, struct file_record made, uint32_t flags)
{
    struct file_id file;
    uint32_t descriptor;

    made.flags = O_RDWR | (flags & O_NONBLOCK);
    if (file_create(&made, &file) != OK) {
        return -ENFILE;
    }
    enum error error =
        file_install(call_change_program(call), 0, file, (flags & O_CLOEXEC) != 0 ? FD_CLOEXEC : 0, &descriptor);
    return error == OK ? (int32_t)descriptor : -EMFILE;
}

/* The open file of a descriptor that is to be of a kind: 0, -EBADF or -EINVAL. */
static int32_t file_of_kind(const struct system_call *call, uint32_t descriptor, enum file_kind kind,
                            const struct file_record **out)
{
    *out = file_of(call->program, descriptor);
    if (*out == NULL) {
        return -EBADF;
    }
    return (*out)->kind == kind ? 0 : -EINVAL;
}

/* Events ----------------------------------------------------------------------------------------------------------- */

static int32_t make_event(const struct system_call *call, uint32_t flags)
{
    struct file_record made = {
        .kind = FILE_EVENT,
        .event = {.count = call->arguments[0], .is_semaphore = (flags & EFD_SEMAPHORE) != 0},
    };

    return (flags & ~(OPEN_FLAGS | EFD_SEMAPHORE)) != 0 ? -EINVAL : make(call, made, flags);
}

int32_t call_eventfd(const struct system_call *call)
{
    return make_event(call, 0);
}

int32_t call_eventfd2(const struct system_call *call)
{
    return make_event(call, call->arguments[1]);
}

/* Timers ----------------------------------------------------------------------------------------------------------- */

/* timerfd_create(clock, flags) */
int32_t call_timerfd_create(const struct system_call *call)
{
    uint32_t clock = call->arguments[0], flags = call->arguments[1];
    bool is_known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME;
    struct file_record made = {.kind = FILE_TIMER, .timer = {.clock = clock, .base = TIME_MONOTONIC}};

    return !is_known || (flags & ~OPEN_FLAGS) != 0 ? -EINVAL : make(call, made, flags);
}

/*
 * timerfd_settime(descriptor, flags, new, before). As of timer_settime(), what it was goes out in the step in which it
 * is set, and if it cannot the timer is set all the same.
 */
static int32_t set_timer(const struct system_call *call, bool wide)
{
    const struct file_record *file;
    struct timer_setting wanted;
    struct user_range range = {0};
    uint8_t left[ITIMERSPEC_BYTES_MAX];
    uint32_t flags = call->arguments[1], before = call->arguments[3];
    int32_t result = call_itimerspec_in(call->arguments[2], wide, &wanted);

    if (result == 0 && (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = file_of_kind(call, call->arguments[0], FILE_TIMER, &file);
    }
    if (result != 0) {
        return result;
    }
    enum error error =
        before != 0 ? user_begin(&range, (struct vaddr){before}, call_itimerspec_put(left, wide, &wanted), PMAP_WRITE)
                    : OK;
    if (error != OK && error != ERROR_DENIED) {
        return system_call_errno(error);
    }
    struct timer_setting was = file_timer_left(file);
    int32_t base = call_clock_base(call, file->timer.clock);
    enum time_base of = base >= 0 && base <= TIME_WALL ? (enum time_base)base : TIME_MONOTONIC;
    uint64_t moment_ns =
        wanted.value_ns == 0 ? 0 : call_clock_moment(call, flags & TIMER_ABSTIME, &of, wanted.value_ns);
    file_timer_set(file_change(call, file), of, moment_ns, wanted.interval_ns);
    if (before != 0 && error == OK) {
        memcpy(range.address, left, call_itimerspec_put(left, wide, &was));
        user_end(&range);
    }
    return system_call_errno(error);
}

static int32_t get_timer(const struct system_call *call, bool wide)
{
    const struct file_record *file;
    uint8_t out[ITIMERSPEC_BYTES_MAX];
    int32_t result = file_of_kind(call, call->arguments[0], FILE_TIMER, &file);

    if (result != 0) {
        return result;
    }
    struct timer_setting left = file_timer_left(file);
    return copy_out(call->arguments[1], out, call_itimerspec_put(out, wide, &left));
}

int32_t call_timerfd_settime(const struct system_call *call)
{
    return set_timer(call, false);
}

int32_t call_timerfd_settime64(const struct system_call *call)
{
    return set_timer(call, true);
}

int32_t call_timerfd_gettime(const struct system_call *call)
{
    return get_timer(call, false);
}

int32_t call_timerfd_gettime64(const struct system_call *call)
{
    return get_timer(call, true);
}

/* Signals ---------------------------------------------------------------------------------------------------------- */

#define UNREADABLE (1u << (SIGKILL - 1) | 1u << (SIGSTOP - 1))

/* signalfd4(descriptor, set, set_bytes, flags): of a new descriptor, -1, or of one that is there. */
static int32_t make_signals(const struct system_call *call, uint32_t flags)
{
    struct file_record made = {.kind = FILE_SIGNAL};
    const struct file_record *file;

    if ((flags & ~OPEN_FLAGS) != 0 || call->arguments[2] != SET_BYTES) {
        return -EINVAL;
    }
    int32_t result = copy_in(made.signal.signals, call->arguments[1], SET_BYTES);
    made.signal.signals[0] &= ~UNREADABLE;
    if (result != 0 || call->arguments[0] == UINT32_MAX) {
        return result != 0 ? result : make(call, made, flags);
    }
    result = file_of_kind(call, call->arguments[0], FILE_SIGNAL, &file);
    if (result != 0) {
        return result;
    }
    struct file_record *record = file_change(call, file);
    record->signal = made.signal;
    file_notify(record);
    return (int32_t)call->arguments[0];
}

int32_t call_signalfd(const struct system_call *call)
{
    return make_signals(call, 0);
}

int32_t call_signalfd4(const struct system_call *call)
{
    return make_signals(call, call->arguments[3]);
}
