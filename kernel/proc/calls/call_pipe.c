/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on pipes: making them, bytes in and out, and their capacity.
 *
 * A transfer goes in pieces. Each piece moves in one step, once its bytes in the program's memory and its pages in the
 * pipe are there; what has been moved is counted in record->call.done, so that a call that is issued again after a boot
 * goes on behind it. Nearly always all is there already, and nothing has to be held for it.
 */
#include "arch/pmap.h"
#include "arch/window.h"
#include "atomic.h"
#include "calls.h"
#include "file/file.h"
#include "file/pipe.h"
#include "log.h"
#include "signal/signal.h"
#include "task/pending.h"

#define TURN_BYTES (64u * 1024u) /* between two chances for others to run */

static int32_t wait_for_change(const struct system_call *call, uint32_t pipe, enum pipe_end end)
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
    uint32_t pipe, address, length;
};

static void count_done(const struct system_call *call, uint32_t length)
{
    uint32_t before = call->record->call.done;

    call_progress(call)->done = before + length;
    if (before / TURN_BYTES != (before + length) / TURN_BYTES) {
        call_let_others_run();
    }
}

/* Whether a piece was moved, which does not sleep. */
typedef bool move_piece(const struct piece *piece);

static bool take_piece(const struct piece *piece)
{
    return piece->length <= pipe_length(piece->pipe) &&
           user_is_present((struct vaddr){piece->address}, piece->length, PMAP_WRITE) &&
           pipe_read(piece->pipe, window_pointer((struct vaddr){piece->address}), piece->length);
}

static bool give_piece(const struct piece *piece)
{
    return piece->length <= pipe_room(piece->pipe) &&
           user_is_present((struct vaddr){piece->address}, piece->length, PMAP_READ) &&
           pipe_write(piece->pipe, window_pointer((struct vaddr){piece->address}), piece->length);
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
        error = error == OK ? pipe_hold(&hold, piece->pipe, end, piece->length) : error;
        if (error != OK) {
            user_release(&range);
            return error;
        }
    } else {
        error = pipe_hold(&hold, piece->pipe, end, piece->length);
        error = error == OK ? user_prepare(&range, address, piece->length, PMAP_WRITE) : error;
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

int32_t call_read_pipe(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                       uint32_t offset)
{
    const uint32_t *done = &call->record->call.done;
    uint32_t pipe = file->object;
    int32_t result = 0;

    while (result == 0 && *done < offset + length) {
        uint32_t at = *done - offset;
        struct piece piece = {pipe, base + at, least(least(length - at, PIPE_PIECE), pipe_length(pipe))};
        if (piece.length > 0) {
            result = move_counted(call, &piece, PIPE_READER, take_piece);
        } else if (*done > 0 || !pipe_has(pipe, PIPE_WRITER)) {
            return READ_ENDS;
        } else {
            result = (file->flags & O_NONBLOCK) != 0 ? -EAGAIN : wait_for_change(call, pipe, PIPE_READER);
        }
    }
    return result;
}

/* How many of the bytes that are left can be written now: a short write goes in whole or not at all. */
static uint32_t writable_length(uint32_t pipe, uint32_t left, bool is_begun)
{
    uint32_t room = pipe_room(pipe);

    return is_begun || left > PIPE_ATOMIC || room >= left ? least(least(left, PIPE_PIECE), room) : 0;
}

int32_t call_write_pipe(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                        uint32_t offset)
{
    const uint32_t *done = &call->record->call.done;
    uint32_t pipe = file->object;
    int32_t result = 0;

    while (result == 0 && *done < offset + length) {
        uint32_t at = *done - offset;
        struct piece piece = {pipe, base + at, writable_length(pipe, length - at, at > 0)};
        if (!pipe_has(pipe, PIPE_READER)) {
            signal_send_task_from(call_change_task(call), SIGPIPE,
                                  &(struct signal_origin){.code = SI_USER, .program = call->task->program_index});
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

/* Capacity --------------------------------------------------------------------------------------------------------- */

int32_t call_get_pipe_size(const struct file_record *file)
{
    return file->kind == FILE_PIPE ? (int32_t)pipe_capacity(file->object) : -EBADF;
}

int32_t call_set_pipe_size(const struct file_record *file, uint32_t bytes)
{
    uint32_t capacity = PIPE_CAPACITY_MIN;

    if (file->kind != FILE_PIPE) {
        return -EBADF;
    }
    if (bytes > INT32_MAX + 1u) {
        return -EINVAL;
    }
    while (capacity < bytes) {
        capacity *= 2;
    }
    if (capacity > PIPE_CAPACITY_MAX) {
        return -EPERM;
    }
    enum error error = pipe_set_capacity(file->object, capacity);
    return error == OK ? (int32_t)capacity : system_call_errno(error);
}

/* Making ----------------------------------------------------------------------------------------------------------- */

#define MADE 0 /* of record->call.words: a descriptor and 1, for each end */

/* The file of an end that is open; if there is none, the end is closed. May sleep. */
static enum error create_end(uint32_t pipe, enum pipe_end end, uint32_t flags, uint32_t *out_file)
{
    thread_may_sleep();
    uint32_t mode = end == PIPE_WRITER ? O_WRONLY : O_RDONLY;
    enum error error = file_create(FILE_PIPE, mode | (flags & O_NONBLOCK), pipe, out_file);

    if (error != OK) {
        pipe_close(pipe, end);
    }
    return error;
}

/*
 * A pipe with both its files, which have no descriptors yet. May sleep. Both ends are opened before anything sleeps, so
 * that nobody else takes the pipe for a free one.
 */
static enum error open_both(uint32_t flags, uint32_t files[PIPE_ENDS])
{
    thread_may_sleep();
    uint32_t pipe;
    enum error error = pipe_create(&pipe);

    if (error != OK) {
        return error;
    }
    pipe_open(pipe, PIPE_READER);
    pipe_open(pipe, PIPE_WRITER);
    error = create_end(pipe, PIPE_READER, flags, &files[PIPE_READER]);
    if (error != OK) {
        pipe_close(pipe, PIPE_WRITER);
        return error;
    }
    error = create_end(pipe, PIPE_WRITER, flags, &files[PIPE_WRITER]);
    if (error != OK) {
        file_drop(files[PIPE_READER]);
    }
    return error;
}

/* Descriptors for both, noted in the call. Does not sleep. */
static int32_t install_both(const struct system_call *call, uint32_t flags, const uint32_t files[PIPE_ENDS])
{
    DOES_NOT_SLEEP();
    uint8_t descriptor_flags = (flags & O_CLOEXEC) != 0 ? FD_CLOEXEC : 0;
    uint32_t descriptors[PIPE_ENDS];

    struct program_record *program = call_change_program(call);

    if (file_install(program, 0, files[PIPE_READER], descriptor_flags, &descriptors[PIPE_READER]) != OK) {
        file_drop(files[PIPE_WRITER]);
        return -EMFILE;
    }
    if (file_install(program, 0, files[PIPE_WRITER], descriptor_flags, &descriptors[PIPE_WRITER]) != OK) {
        file_close(program, descriptors[PIPE_READER]);
        return -EMFILE;
    }
    struct call_progress *progress = call_progress(call);
    progress->words[MADE + PIPE_READER] = descriptors[PIPE_READER] + 1;
    progress->words[MADE + PIPE_WRITER] = descriptors[PIPE_WRITER] + 1;
    return 0;
}

static int32_t make_pipe(const struct system_call *call, uint32_t flags)
{
    const uint32_t *made = &call->record->call.words[MADE];
    uint32_t files[PIPE_ENDS];
    int32_t result = 0;

    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return -EINVAL;
    }
    if (made[PIPE_READER] == 0) {
        result = open_both(flags, files) == OK ? install_both(call, flags, files) : -ENFILE;
    }
    if (result != 0) {
        return result;
    }
    const uint32_t descriptors[PIPE_ENDS] = {made[PIPE_READER] - 1, made[PIPE_WRITER] - 1};
    result = copy_out(call->arguments[0], descriptors, sizeof(descriptors));
    for (uint32_t end = 0; result != 0 && end < PIPE_ENDS; end++) {
        if (file_of(call->program, descriptors[end]) != NULL) { /* the words of the call come from an image */
            file_close(call_change_program(call), descriptors[end]);
        }
    }
    return result;
}

int32_t call_pipe(const struct system_call *call)
{
    return make_pipe(call, 0);
}

int32_t call_pipe2(const struct system_call *call)
{
    return make_pipe(call, call->arguments[1]);
}
