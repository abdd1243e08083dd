/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EIDOLON_REBORN (include/eidolon/eidolon.h): readable when the system has booted since it was opened or last read. How
 * often it had by then is in the record of the open file, so a boot makes it readable without doing anything: a read
 * that waits, and a poll, are issued again after it and find it so.
 */
#include "arch/pmap.h"
#include "call.h"
#include "eidolon/eidolon.h"
#include "file_operations.h"
#include "file_waiting.h"
#include "program_time.h"
#include "system_state.h"
#include <string.h>

static uint64_t away_ns(void)
{
    return time_whole_ns() - time_monotonic_ns();
}

static bool is_reborn(const struct file_record *file)
{
    return file->reborn.boots != system_state.boots;
}

static void note(struct file_record *file)
{
    file->reborn.boots = system_state.boots;
    file->reborn.away_ns = away_ns();
}

/* 0: somebody else has read it meanwhile. */
static int32_t take(const struct system_call *call, const struct file_record *file, uint32_t address)
{
    struct user_range range;
    enum error error = user_begin(&range, (struct vaddr){address}, sizeof(struct eidolon_reborn), PMAP_WRITE);

    if (error != OK) {
        return system_call_errno(error);
    }
    bool is_news = file_is_still_open(call, file) && is_reborn(file);
    if (is_news) {
        struct file_record *record = file_change(call, file);
        struct eidolon_reborn news = {.boots = system_state.boots,
                                      .boots_new = system_state.boots - record->reborn.boots,
                                      .generation = system_resumed.number,
                                      .away_ns = away_ns() - record->reborn.away_ns};
        memcpy(range.address, &news, sizeof(news));
        note(record);
        file_notify(record);
    }
    user_end(&range);
    return is_news ? (int32_t)sizeof(struct eidolon_reborn) : file_is_still_open(call, file) ? 0 : -EBADF;
}

static int32_t read_news(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                         uint32_t offset)
{
    struct call_pace pace = {0};
    int32_t result = length >= sizeof(struct eidolon_reborn) ? 0 : -EINVAL;

    (void)offset;
    while (result == 0) {
        result = is_reborn(file) ? take(call, file, base) : file_wait(call, file, UINT64_MAX, &pace);
    }
    return result;
}

static uint32_t reborn_events(const struct system_call *call, const struct file_record *file)
{
    (void)call;
    return is_reborn(file) ? FILE_READABLE : 0;
}

const struct file_operations file_reborn_operations = {
    .path = EIDOLON_REBORN,
    .is_stream = true,
    .read = read_news,
    .write = file_write_nothing,
    .events = reborn_events,
    .watch = file_watch,
    .open = note,
};
