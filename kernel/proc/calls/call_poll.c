/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll: wait until a descriptor of a list is ready.
 */
#include "calls.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "space/limits.h"
#include "vigil.h"

#define NS_PER_MS 1000000u

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
    return file_operations(file)->events(call, file) & ((uint16_t)entry->events | POLL_ALWAYS);
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
    int32_t result = vigil_is_over(call, deadline_ns);

    if (result != 0) {
        return result;
    }
    vigil_begin(&vigil);
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
    uint64_t deadline_ns = vigil_deadline(call, limited, length_ns);
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
        result = vigil_begin_mask(call, call->arguments[3], call->arguments[4]);
    }
    if (result != 0) {
        return result;
    }
    result = poll_until(call, call->arguments[2] != 0, length_ns);
    vigil_time_left_out(call, call->arguments[2], wide ? TIME_TIMESPEC64 : TIME_TIMESPEC32, length_ns);
    return vigil_end_mask(call, result);
}

int32_t call_ppoll(const struct system_call *call)
{
    return poll_with_timespec(call, false);
}

int32_t call_ppoll_time64(const struct system_call *call)
{
    return poll_with_timespec(call, true);
}
