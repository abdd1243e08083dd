/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open terminals.
 *
 * A write counts what it has done in record->call.done, so that it can sleep in the middle and, issued again after a
 * boot, goes on behind what is already in the terminal. Input is taken only when its destination is ready (CALL-1): a
 * byte that left the terminal is in the program's memory before anything can sleep.
 */
#include "arch/pmap.h"
#include "call.h"
#include "file_operations.h"
#include "log.h"
#include "program_time.h"
#include "signal/background.h"
#include "task/pending.h"
#include "terminal/terminal_use.h"
#include "watch.h"

#define WRITE_PIECE 4096u /* bytes between two chances for others to run */

static int32_t wait_for(const struct system_call *call, enum error error)
{
    if (error == OK || (error == ERROR_INTERRUPTED && !task_has_signal(call->task))) {
        return 0;
    }
    return error == ERROR_INTERRUPTED && call->record->call.done == 0 ? call_interrupted(call)
                                                                      : system_call_errno(error);
}

/* Write some of [address, address + length) and count it; sleeps if nothing can be taken at first. */
static int32_t write_piece(const struct system_call *call, const struct file_record *file, uint32_t address,
                           uint32_t length)
{
    struct user_range range;
    enum error error = user_prepare(&range, (struct vaddr){address}, length, PMAP_READ);

    if (error != OK) {
        return system_call_errno(error);
    }
    uint32_t taken = terminal_write(file->terminal, range.address, length);
    call_progress(call)->done += taken;
    user_release(&range);
    call_let_others_run();
    if (taken > 0) {
        return 0;
    }
    return (file->flags & O_NONBLOCK) != 0 ? -EAGAIN : wait_for(call, terminal_wait_writable(file->terminal));
}

/* Whether the call is not to write, since its program is in the background; it is stopped then. */
static bool is_to_stay_quiet(const struct system_call *call, const struct file_record *file)
{
    return terminal_stops_writers(file->terminal) && !terminal_is_foreground(file->terminal, call->task->program_id) &&
           signal_background(call->task, SIGTTOU);
}

/*
 * Write what remains of a buffer, whose first byte is byte `offset` of the call. Returns 0 when all of it is out.
 */
static int32_t write_terminal(const struct system_call *call, const struct file_record *file, uint32_t base,
                              uint32_t length, uint32_t offset)
{
    const struct task_record *record = call->record;
    int32_t result = 0;

    while (result == 0 && record->call.done < offset + length) {
        uint32_t at = record->call.done - offset;
        if (task_has_signal(call->task)) {
            return record->call.done == 0 ? call_interrupted(call) : -EINTR;
        }
        if (record->call.done == 0 && is_to_stay_quiet(call, file)) {
            return call_interrupted(call);
        }
        result = write_piece(call, file, base + at, length - at < WRITE_PIECE ? length - at : WRITE_PIECE);
    }
    return result;
}

static int32_t wait_readable(const struct system_call *call, const struct file_record *file)
{
    uint64_t deadline = DEADLINE_NEVER;

    if (task_has_signal(call->task)) {
        return call_interrupted(call);
    }
    if (!terminal_is_foreground(file->terminal, call->task->program_id) && signal_background(call->task, SIGTTIN)) {
        return call_interrupted(call);
    }
    uint64_t limit_ns = terminal_read_limit_ns(file->terminal);
    if (limit_ns != 0) {
        if (call->record->call.deadline_ns == 0) {
            call_progress(call)->deadline_ns = time_monotonic_ns() + limit_ns;
        }
        deadline = time_boot_deadline_ns(call->record->call.deadline_ns);
    }
    return wait_for(call, terminal_wait_readable(file->terminal, call->task->program_id, deadline));
}

static int32_t read_terminal(const struct system_call *call, const struct file_record *file, uint32_t base,
                             uint32_t length, uint32_t offset)
{
    (void)offset; /* what was typed goes into one buffer: a short read is a right answer */
    uint32_t piece = length < USER_RANGE_MAX ? length : USER_RANGE_MAX;

    for (;;) {
        struct user_range range;
        uint32_t taken = 0;
        uint64_t deadline = call->record->call.deadline_ns;
        enum error error = user_prepare(&range, (struct vaddr){base}, piece, PMAP_WRITE);
        if (error != OK) {
            return system_call_errno(error);
        }
        error = terminal_read(file->terminal, call->task->program_id, range.address, piece, &taken);
        user_release(&range);
        if (error != ERROR_BUSY) {
            return error == OK ? (int32_t)taken : system_call_errno(error);
        }
        if ((file->flags & O_NONBLOCK) != 0) {
            return -EAGAIN;
        }
        if (deadline != 0 && time_monotonic_ns() >= deadline) {
            return 0;
        }
        int32_t result = wait_readable(call, file);
        if (result != 0 && result != -ETIMEDOUT) {
            return result;
        }
    }
}

static uint32_t terminal_events(const struct system_call *call, const struct file_record *file)
{
    return (terminal_is_readable(file->terminal, call->task->program_id) ? FILE_READABLE : 0u) |
           (terminal_is_writable(file->terminal) ? FILE_WRITABLE : 0u);
}

/* Room for output, which interrupts make, tells nobody. */
static bool watch_terminal(const struct file_record *file, uint32_t events, struct watch *watch,
                           struct watcher *watcher)
{
    terminal_watch(file->terminal, watch, watcher);
    return (events & FILE_WRITABLE) == 0;
}

static int32_t control_terminal(const struct file_record *file, uint32_t request, uint32_t argument)
{
    return terminal_ioctl(file->terminal, request, argument);
}

static bool terminal_is_sound(const struct file_record *file)
{
    return file->terminal.number < TERMINALS_MAX;
}

const struct file_operations file_terminal_operations = {
    .path = "/dev/tty",
    .is_stream = true,
    .is_durable = true,
    .read = read_terminal,
    .write = write_terminal,
    .events = terminal_events,
    .watch = watch_terminal,
    .ioctl = control_terminal,
    .is_sound = terminal_is_sound,
};
