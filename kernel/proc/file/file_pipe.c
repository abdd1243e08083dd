/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open ends of pipes.
 *
 * A transfer goes in pieces. Each piece moves in one step, once its bytes in the program's memory and its pages in the
 * pipe are there; what has been moved is counted in record->call.done, so that a call that is issued again after a boot
 * goes on behind it. Nearly always all is there already, and nothing has to be held for it.
 */
#include "arch/pmap.h"
#include "arch/window.h"
#include "call.h"
#include "file_operations.h"
#include "linux/linux_terminal.h"
#include "log.h"
#include "pipe.h"
#include "signal/signal.h"
#include "task/pending.h"
#include "watch.h"

static enum pipe_end end_of(const struct file_record *file)
{
    return (file->flags & O_ACCMODE) == O_WRONLY ? PIPE_WRITER : PIPE_READER;
}

#define TURN_BYTES (64u * 1024u) /* between two chances for others to run */

static int32_t wait_for_change(const struct system_call *call, struct pipe_id pipe, enum pipe_end end)
{
    if (task_has_signal(call->task)) {
        return call->record->call.done == 0 ? call_interrupted(call) : -EINTR;
    }
    enum error error = pipe_wait(pipe, end);
    return error == OK || error == ERROR_INTERRUPTED ? 0 : system_call_errno(error);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* A piece of a transfer: so many bytes at an address of the program's. */
struct piece {
    struct pipe_id pipe;
    uint32_t address, length;
    const struct system_call *call;
};

static void count_done(const struct system_call *call, uint32_t length)
{
    uint32_t before = call->record->call.done;

    call_progress(call)->done = before + length;
    if (before / TURN_BYTES != (before + length) / TURN_BYTES) {
        call_let_others_run();
    }
}

/* Whether a piece was moved, which does not sleep; if it was, nothing does before it is counted. */
typedef bool move_piece(const struct piece *piece);

static bool take_piece(const struct piece *piece)
{
    bool is_moved = piece->length <= pipe_length(piece->pipe) &&
                    user_is_present((struct vaddr){piece->address}, piece->length, PMAP_WRITE) &&
                    pipe_read(piece->pipe, window_pointer((struct vaddr){piece->address}), piece->length);

    if (is_moved) {
        (void)call_change_task(piece->call);
    }
    return is_moved;
}

static bool give_piece(const struct piece *piece)
{
    bool is_moved = piece->length <= pipe_room(piece->pipe) &&
                    user_is_present((struct vaddr){piece->address}, piece->length, PMAP_READ) &&
                    pipe_write(piece->pipe, window_pointer((struct vaddr){piece->address}), piece->length);

    if (is_moved) {
        (void)call_change_task(piece->call);
    }
    return is_moved;
}

/*
 * The same with all that it touches held meanwhile. What is written to is made ready last, as a stop would close it to
 * writing again. It need not have been moved after OK: others may have taken the bytes, or the room.
 */
static enum error hold_and_move(const struct piece *piece, enum pipe_end end, move_piece *move, bool *out_moved)
{
    struct vaddr address = {piece->address};
    struct user_range range = {0};
    struct pipe_hold hold = {0};
    enum error error;

    if (end == PIPE_WRITER) {
        error = user_prepare(&range, address, piece->length, PMAP_READ);
        if (error == OK) {
            error = pipe_hold(&hold, piece->pipe, end, piece->length);
        }
        if (error != OK) {
            user_release(&range);
            return error;
        }
    } else {
        error = pipe_hold(&hold, piece->pipe, end, piece->length);
        if (error == OK) {
            error = user_prepare(&range, address, piece->length, PMAP_WRITE);
        }
        if (error != OK) {
            if (hold.count > 0) {
                pipe_let_go(&hold);
            }
            return error;
        }
    }
    *out_moved = move(piece);
    pipe_let_go(&hold);
    user_release(&range);
    return OK;
}

/*
 * Move a piece and count it: 0 or a negative errno. Of a piece that reaches into memory that may not be accessed those
 * pages of the ring are moved that lie before it as a whole.
 */
static int32_t move_counted(const struct system_call *call, struct piece *piece, enum pipe_end end, move_piece *move)
{
    bool is_moved = move(piece);
    enum error error = is_moved ? OK : hold_and_move(piece, end, move, &is_moved);

    uint32_t part = pipe_part(piece->pipe, end, piece->length);
    if (error == ERROR_DENIED && part < piece->length) {
        piece->length = part;
        error = hold_and_move(piece, end, move, &is_moved);
    }
    if (error == OK && is_moved) {
        count_done(call, piece->length);
    }
    return system_call_errno(error);
}

static int32_t read_pipe(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                         uint32_t offset)
{
    const uint32_t *done = &call->record->call.done;
    struct pipe_id pipe = file->pipe;
    int32_t result = 0;

    while (result == 0 && *done < offset + length) {
        uint32_t at = *done - offset;
        struct piece piece = {pipe, base + at, least(least(length - at, PIPE_PIECE), pipe_length(pipe)), call};
        if (piece.length > 0) {
            result = move_counted(call, &piece, PIPE_READER, take_piece);
        } else if (*done > 0 || !pipe_has(pipe, PIPE_WRITER)) {
            return (int32_t)*done;
        } else {
            result = (file->flags & O_NONBLOCK) != 0 ? -EAGAIN : wait_for_change(call, pipe, PIPE_READER);
        }
    }
    if (result != 0) {
        return *done > 0 ? (int32_t)*done : result;
    }
    return FILE_READ_ON;
}

/* How many of the bytes that are left can be written now: a short write goes in whole or not at all. */
static uint32_t writable_length(struct pipe_id pipe, uint32_t left, bool is_begun)
{
    uint32_t room = pipe_room(pipe);

    return is_begun || left > PIPE_ATOMIC || room >= left ? least(least(left, PIPE_PIECE), room) : 0;
}

static int32_t write_pipe(const struct system_call *call, const struct file_record *file, uint32_t base,
                          uint32_t length, uint32_t offset)
{
    const uint32_t *done = &call->record->call.done;
    struct pipe_id pipe = file->pipe;
    int32_t result = 0;

    while (result == 0 && *done < offset + length) {
        uint32_t at = *done - offset;
        struct piece piece = {pipe, base + at, writable_length(pipe, length - at, at > 0), call};
        if (!pipe_has(pipe, PIPE_READER)) {
            signal_send_task_from(call_change_task(call), SIGPIPE,
                                  &(struct signal_origin){.code = SI_USER, .program = call->task->program_id});
            return -EPIPE;
        }
        if (piece.length > 0) {
            result = move_counted(call, &piece, PIPE_WRITER, give_piece);
        } else {
            result = (file->flags & O_NONBLOCK) != 0 ? -EAGAIN : wait_for_change(call, pipe, PIPE_WRITER);
        }
    }
    return result;
}

static int32_t pipe_size(const struct file_record *file)
{
    return (int32_t)pipe_capacity(file->pipe);
}

static int32_t set_pipe_size(const struct file_record *file, uint32_t bytes)
{
    uint32_t capacity = PIPE_CAPACITY_MIN;

    if (bytes > INT32_MAX + 1u) {
        return -EINVAL;
    }
    while (capacity < bytes) {
        capacity *= 2;
    }
    if (capacity > PIPE_CAPACITY_MAX) {
        return -EPERM;
    }
    enum error error = pipe_set_capacity(file->pipe, capacity);
    return error == OK ? (int32_t)capacity : system_call_errno(error);
}

static uint32_t pipe_events(const struct system_call *call, const struct file_record *file)
{
    const struct pipe_record *pipe = pipe_record(file->pipe);

    (void)call;
    if (end_of(file) == PIPE_READER) {
        return (pipe->length > 0 ? FILE_READABLE : 0u) | (pipe->ends[PIPE_WRITER] > 0 ? 0u : POLLHUP);
    }
    return (pipe->capacity - pipe->length >= PIPE_ATOMIC ? FILE_WRITABLE : 0u) |
           (pipe->ends[PIPE_READER] > 0 ? 0u : POLLERR);
}

static bool watch_pipe(const struct file_record *file, uint32_t events, struct watch *watch, struct watcher *watcher)
{
    (void)events;
    pipe_watch(file->pipe, end_of(file), watch, watcher);
    return true;
}

static int32_t control_pipe(const struct file_record *file, uint32_t request, uint32_t argument)
{
    uint32_t length = pipe_length(file->pipe);

    return request == FIONREAD ? copy_out(argument, &length, sizeof(length)) : -ENOTTY;
}

static bool pipe_is_sound(const struct file_record *file)
{
    return record_is_present(RECORD_PIPE, file->pipe.number);
}

static void reopen_pipe(const struct file_record *file)
{
    pipe_open(file->pipe, end_of(file));
}

static void close_pipe(const struct file_record *file)
{
    pipe_close(file->pipe, end_of(file));
}

const struct file_operations file_pipe_operations = {
    .is_stream = true,
    .read = read_pipe,
    .write = write_pipe,
    .events = pipe_events,
    .watch = watch_pipe,
    .ioctl = control_pipe,
    .size = pipe_size,
    .set_size = set_pipe_size,
    .is_sound = pipe_is_sound,
    .reopen = reopen_pipe,
    .close = close_pipe,
};
