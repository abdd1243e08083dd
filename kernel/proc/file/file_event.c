/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eventfd(): a number that is added to and taken away from. It is in the record of the open file, which is all there
 * is.
 */
#include "arch/pmap.h"
#include "call.h"
#include "file_operations.h"
#include "file_waiting.h"
#include <string.h>

#define EVENT_BYTES sizeof(uint64_t)
#define COUNT_MAX   (UINT64_MAX - 1)

static uint64_t taken_of(const struct file_record *file)
{
    return file->event.is_semaphore != 0 && file->event.count > 0 ? 1 : file->event.count;
}

/* The number goes into the program's memory and away from here in one step. 0: there is none any more. */
static int32_t take(const struct system_call *call, const struct file_record *file, uint32_t address)
{
    struct user_range range;
    enum error error = user_begin(&range, (struct vaddr){address}, EVENT_BYTES, PMAP_WRITE);

    if (error != OK) {
        return system_call_errno(error);
    }
    uint64_t taken = file_is_still_open(call, file) ? taken_of(file) : 0;
    if (taken > 0) {
        struct file_record *record = file_change(call, file);
        memcpy(range.address, &taken, EVENT_BYTES);
        record->event.count -= taken;
        file_notify(record);
    }
    user_end(&range);
    return taken > 0 ? (int32_t)EVENT_BYTES : file_is_still_open(call, file) ? 0 : -EBADF;
}

static int32_t read_event(const struct system_call *call, const struct file_record *file, uint32_t base,
                          uint32_t length, uint32_t offset)
{
    struct call_pace pace = {0};
    int32_t result = length >= EVENT_BYTES ? 0 : -EINVAL;

    (void)offset;
    while (result == 0) {
        result = file->event.count > 0 ? take(call, file, base) : file_wait(call, file, UINT64_MAX, &pace);
    }
    return result;
}

static int32_t write_event(const struct system_call *call, const struct file_record *file, uint32_t base,
                           uint32_t length, uint32_t offset)
{
    struct call_pace pace = {0};
    uint64_t more;
    int32_t result = length >= EVENT_BYTES ? copy_in(&more, base, EVENT_BYTES) : -EINVAL;

    if (result == 0 && more == UINT64_MAX) {
        result = -EINVAL;
    }
    while (result == 0 && call->record->call.done <= offset) {
        if (COUNT_MAX - file->event.count < more) {
            result = file_wait(call, file, UINT64_MAX, &pace);
            continue;
        }
        struct file_record *record = file_change(call, file);
        record->event.count += more;
        file_notify(record);
        call_progress(call)->done = offset + EVENT_BYTES;
    }
    return result;
}

static uint32_t event_events(const struct system_call *call, const struct file_record *file)
{
    (void)call;
    return (file->event.count > 0 ? FILE_READABLE : 0u) | (file->event.count < COUNT_MAX ? FILE_WRITABLE : 0u) |
           (file->event.count == UINT64_MAX ? POLLERR : 0u);
}

const struct file_operations file_event_operations = {
    .anonymous = "anon_inode:[eventfd]",
    .is_stream = true,
    .read = read_event,
    .write = write_event,
    .events = event_events,
    .watch = file_watch,
};
