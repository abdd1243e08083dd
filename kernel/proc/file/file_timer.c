/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timerfd_create(): a timer that is read. Its next moment is in the record of the open file; how many have passed is
 * found out when somebody looks, so nothing happens when it is due but that those who wait for it look again by
 * themselves.
 */
#include "file_timer.h"
#include "arch/pmap.h"
#include "atomic.h"
#include "call.h"
#include "file_operations.h"
#include "file_waiting.h"
#include "program_time.h"
#include "signal/timer.h"
#include <string.h>

#define TICKS_BYTES sizeof(uint64_t)

/* How many of its moments have passed unread. */
static uint64_t ticks_of(const struct file_record *file)
{
    uint64_t now_ns = time_of_base_ns(file->timer.base), deadline_ns = file->timer.deadline_ns;

    if (deadline_ns == 0 || now_ns < deadline_ns) {
        return 0;
    }
    return file->timer.interval_ns == 0 ? 1 : 1 + (now_ns - deadline_ns) / file->timer.interval_ns;
}

/* The first moment behind so many; 0: there is none. */
static uint64_t moment_behind(const struct file_record *file, uint64_t ticks)
{
    uint64_t deadline_ns =
        file->timer.interval_ns == 0 && ticks > 0 ? 0 : file->timer.deadline_ns + ticks * file->timer.interval_ns;

    return deadline_ns <= TIMER_NS_MAX ? deadline_ns : 0;
}

struct timer_setting file_timer_left(const struct file_record *file)
{
    DOES_NOT_SLEEP();
    uint64_t moment_ns = moment_behind(file, ticks_of(file)), now_ns = time_of_base_ns(file->timer.base);

    return (struct timer_setting){moment_ns > now_ns ? moment_ns - now_ns : moment_ns != 0, file->timer.interval_ns};
}

void file_timer_set(struct file_record *file, enum time_base base, uint64_t deadline_ns, uint64_t interval_ns)
{
    DOES_NOT_SLEEP();
    file->timer.base = base;
    file->timer.deadline_ns = deadline_ns < TIMER_NS_MAX ? deadline_ns : TIMER_NS_MAX;
    file->timer.interval_ns = interval_ns < TIMER_NS_MAX ? interval_ns : TIMER_NS_MAX;
    file_notify(file);
}

static uint64_t timer_moment(const struct file_record *file, uint32_t events)
{
    return (events & FILE_READABLE) != 0 && file->timer.deadline_ns != 0
               ? time_to_look_ns(file->timer.base, file->timer.deadline_ns)
               : UINT64_MAX;
}

static int32_t take(const struct system_call *call, const struct file_record *file, uint32_t address)
{
    struct user_range range;
    enum error error = user_begin(&range, (struct vaddr){address}, TICKS_BYTES, PMAP_WRITE);

    if (error != OK) {
        return system_call_errno(error);
    }
    uint64_t ticks = file_is_still_open(call, file) ? ticks_of(file) : 0;
    if (ticks > 0) {
        struct file_record *record = file_change(call, file);
        memcpy(range.address, &ticks, TICKS_BYTES);
        record->timer.deadline_ns = moment_behind(record, ticks);
    }
    user_end(&range);
    return ticks > 0 ? (int32_t)TICKS_BYTES : file_is_still_open(call, file) ? 0 : -EBADF;
}

static int32_t read_timer(const struct system_call *call, const struct file_record *file, uint32_t base,
                          uint32_t length, uint32_t offset)
{
    struct call_pace pace = {0};
    int32_t result = length >= TICKS_BYTES ? 0 : -EINVAL;

    (void)offset;
    while (result == 0) {
        result = ticks_of(file) > 0 ? take(call, file, base)
                                    : file_wait(call, file, timer_moment(file, FILE_READABLE), &pace);
    }
    return result;
}

static uint32_t timer_events(const struct system_call *call, const struct file_record *file)
{
    (void)call;
    return ticks_of(file) > 0 ? FILE_READABLE : 0;
}

const struct file_operations file_timer_operations = {
    .anonymous = "anon_inode:[timerfd]",
    .is_stream = true,
    .read = read_timer,
    .write = file_write_nothing,
    .events = timer_events,
    .watch = file_watch,
    .moment = timer_moment,
};
