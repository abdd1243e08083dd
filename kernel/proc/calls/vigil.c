/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What poll() and select() have in common. See vigil.h.
 *
 * A call looks at all its descriptors, and if none is ready it watches those that may change (watch.h) until one does.
 * What tells nobody when it changes is looked at now and then.
 */
#include "vigil.h"
#include "call.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "file/file_waiting.h"
#include "log.h"
#include "program_time.h"
#include "signal/signal.h"
#include "task/pending.h"
#include "watch.h"

#define NS_PER_US     1000u
#define NS_PER_MS     1000000u
#define NS_PER_SECOND 1000000000u
#define LOOK_AGAIN_NS (10u * NS_PER_MS)

void vigil_begin(struct vigil *vigil)
{
    vigil->watcher = (struct watcher){0};
    vigil->count = 0;
    vigil->looks_again = false;
    vigil->moment_ns = UINT64_MAX;
}

void vigil_add(struct vigil *vigil, const struct file_record *file, uint32_t events)
{
    if (file == NULL || vigil->count == PROGRAM_FILES_MAX) {
        return;
    }
    const struct file_operations *operations = file_operations(file);
    if (operations->watch == NULL) {
        return;
    }
    vigil->held[vigil->count] = file_hold_also(file);
    if (!operations->watch(file, events, &vigil->watches[vigil->count++], &vigil->watcher)) {
        vigil->looks_again = true;
    }
    uint64_t moment_ns = operations->moment != NULL ? operations->moment(file, events) : UINT64_MAX;
    vigil->moment_ns = moment_ns < vigil->moment_ns ? moment_ns : vigil->moment_ns;
}

static void vigil_end(struct vigil *vigil)
{
    while (vigil->count > 0) {
        watch_end(&vigil->watches[--vigil->count]);
        file_drop_hold(vigil->held[vigil->count]);
    }
    file_signal_unwatch();
}

uint64_t vigil_deadline(const struct system_call *call, bool limited, uint64_t length_ns)
{
    if (!limited) {
        return UINT64_MAX;
    }
    if (call->record->call.deadline_ns == 0) {
        call_progress(call)->deadline_ns = time_monotonic_ns() + length_ns;
    }
    return call->record->call.deadline_ns;
}

void vigil_time_left_out(const struct system_call *call, uint32_t address, enum time_form form, uint64_t length_ns)
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

int32_t vigil_is_over(const struct system_call *call, uint64_t deadline_ns)
{
    if (time_monotonic_ns() >= deadline_ns) {
        return -ETIMEDOUT;
    }
    return task_has_signal(call->task) ? -EINTR : 0;
}

int32_t vigil_keep(const struct system_call *call, struct vigil *vigil, struct call_pace *pace, uint64_t deadline_ns)
{
    uint64_t now = time_monotonic_ns();
    uint64_t until = call_pace_next(call, pace, deadline_ns < vigil->moment_ns ? deadline_ns : vigil->moment_ns);

    if (vigil->looks_again && until - now > LOOK_AGAIN_NS) {
        until = now + LOOK_AGAIN_NS;
    }
    enum error error =
        watcher_sleep(&vigil->watcher, until == UINT64_MAX ? DEADLINE_NEVER : time_boot_deadline_ns(until));
    vigil_end(vigil);
    return error == OK || error == ERROR_TIMED_OUT || error == ERROR_INTERRUPTED ? 0 : system_call_errno(error);
}

#define MASK_BYTES 8u

int32_t vigil_begin_mask(const struct system_call *call, uint32_t address, uint32_t bytes)
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

int32_t vigil_end_mask(const struct system_call *call, int32_t result)
{
    if (result != -EINTR) {
        signal_mask_restore(call_change_task(call));
    }
    return result;
}
