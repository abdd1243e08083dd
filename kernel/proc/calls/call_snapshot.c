/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on durability, and those of Eidolon's own.
 *
 * A call that waits for a snapshot keeps nothing across a cut: issued again after a boot it asks for a new one.
 */
#include "arch/clock.h"
#include "calls.h"
#include "eidolon/eidolon.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "program_time.h"
#include "snap.h"
#include "system_call.h"
#include "system_state.h"
#include "task/pending.h"

#define MS_ASYNC 1u
#define MS_SYNC  4u
#define MS_KNOWN 7u /* with MS_INVALIDATE, which has nothing to do: there is no other copy */

static uint64_t resumed_age_ns;

void system_call_set_boot(struct generation resumed, uint64_t age_ns)
{
    system_resumed = resumed;
    resumed_age_ns = age_ns;
}

static int32_t wait_until_durable(const struct system_call *call)
{
    uint64_t ticket = snap_request();

    for (;;) {
        if (task_has_signal(call->task)) {
            return call_interrupted(call);
        }
        enum error error = snap_wait(ticket);
        if (error != ERROR_INTERRUPTED) {
            return system_call_errno(error);
        }
    }
}

int32_t call_sync(const struct system_call *call)
{
    return wait_until_durable(call);
}

int32_t call_fsync(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);

    if (file == NULL) {
        return -EBADF;
    }
    return file_operations(file)->is_durable ? wait_until_durable(call) : -EINVAL;
}

int32_t call_msync(const struct system_call *call)
{
    uint32_t flags = call->arguments[2];

    if ((flags & ~MS_KNOWN) != 0 || (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) {
        return -EINVAL;
    }
    int32_t result = mapped_range_check(call);
    if (result != 0 || call->arguments[1] == 0) {
        return result;
    }
    if ((flags & MS_SYNC) == 0) {
        (void)snap_request();
        return 0;
    }
    return wait_until_durable(call);
}

int32_t call_eidolon_information(const struct system_call *call)
{
    struct snap_statistics statistics;

    snap_statistics(&statistics);
    struct eidolon_information information = {
        .boots = system_state.boots,
        .generation_resumed = system_resumed.number,
        .generation_committed = statistics.committed.number,
        .age_ns = resumed_age_ns,
        .boot_ns = clock_boot_ns(),
        .monotonic_ns = time_monotonic_ns(),
        .snapshots = statistics.snapshots,
        .failures = statistics.failures,
        .pages_written = statistics.pages_written,
        .bytes_written = statistics.bytes_written,
        .stop_ns_last = statistics.stop_ns_last,
        .stop_ns_max = statistics.stop_ns_max,
    };
    uint32_t length = call->arguments[1] < sizeof(information) ? call->arguments[1] : (uint32_t)sizeof(information);
    int32_t result = copy_out(call->arguments[0], &information, length);
    return result != 0 ? result : (int32_t)sizeof(information);
}

int32_t call_eidolon_sync(const struct system_call *call)
{
    struct snap_statistics statistics;
    int32_t result = wait_until_durable(call);

    if (result != 0 || call->arguments[0] == 0) {
        return result;
    }
    snap_statistics(&statistics);
    return copy_out(call->arguments[0], &statistics.committed.number, sizeof(statistics.committed.number));
}
