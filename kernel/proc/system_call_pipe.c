/*
 * System calls on pipes: making them, and bytes in and out.
 *
 * As for terminals: bytes are taken only when their destination is ready, and a write counts in record->call.done what
 * is in the pipe already, so that it goes on behind that when it is issued again after a boot.
 */
#include "calls.h"
#include "file.h"
#include "pipe.h"
#include "program_signal.h"

#define WRITE_PIECE 4096u /* bytes between two chances for others to run */

static int32_t wait_for_change(const struct system_call *call, uint32_t pipe, enum pipe_end end)
{
    if (signal_is_pending(call->task)) {
        return call->record->call.done == 0 ? call_interrupted(call) : -EINTR;
    }
    enum error error = pipe_wait(pipe, end);
    return error == OK || error == ERROR_INTERRUPTED ? 0 : system_call_errno(error);
}

int32_t call_read_pipe(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length)
{
    uint32_t piece = length < USER_RANGE_MAX ? length : USER_RANGE_MAX;

    for (;;) {
        struct user_range range;
        enum error error = user_prepare(&range, (struct vaddr){base}, piece, PMAP_WRITE);
        if (error != OK) {
            return system_call_errno(error);
        }
        uint32_t taken = pipe_read(file->object, range.address, piece);
        user_release(&range);
        if (taken > 0 || !pipe_has(file->object, PIPE_WRITER)) {
            return (int32_t)taken;
        }
        if ((file->flags & O_NONBLOCK) != 0) {
            return -EAGAIN;
        }
        int32_t result = wait_for_change(call, file->object, PIPE_READER);
        if (result != 0) {
            return result;
        }
    }
}

/* Whether so many bytes can be begun with: a short write goes in whole or not at all. */
static bool has_room(const struct file_record *file, uint32_t length, bool is_begun)
{
    uint32_t room = pipe_room(file->object);

    return room > 0 && (is_begun || length > PIPE_ATOMIC || room >= length);
}

/* The first bytes of the `left` that remain. Others may take the room while their page is waited for. */
static int32_t write_piece(const struct system_call *call, const struct file_record *file, uint32_t address,
                           uint32_t left, bool is_begun)
{
    struct user_range range;
    uint32_t length = left < WRITE_PIECE ? left : WRITE_PIECE;
    enum error error = user_prepare(&range, (struct vaddr){address}, length, PMAP_READ);

    if (error != OK) {
        return system_call_errno(error);
    }
    if (has_room(file, left, is_begun)) {
        call->record->call.done += pipe_write(file->object, range.address, length);
    }
    user_release(&range);
    call_let_others_run();
    return 0;
}

int32_t call_write_pipe(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                        uint32_t offset)
{
    int32_t result = 0;

    while (result == 0 && call->record->call.done < offset + length) {
        uint32_t at = call->record->call.done - offset;
        uint32_t left = length - at;
        if (!pipe_has(file->object, PIPE_READER)) {
            signal_send_task_from(call->task, SIGPIPE,
                                  &(struct signal_origin){.code = SI_USER, .program = call->task->program_index});
            return -EPIPE;
        }
        if (has_room(file, left, at > 0)) {
            result = write_piece(call, file, base + at, left, at > 0);
        } else {
            result = (file->flags & O_NONBLOCK) != 0 ? -EAGAIN : wait_for_change(call, file->object, PIPE_WRITER);
        }
    }
    return result;
}

/* Making ----------------------------------------------------------------------------------------------------------- */

#define MADE 0 /* of record->call.words: a descriptor and 1, for each end */

/* The file of an end that is open; if there is none, the end is closed. May sleep. */
static enum error create_end(uint32_t pipe, enum pipe_end end, uint32_t flags, uint32_t *out_file)
{
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
    uint8_t descriptor_flags = (flags & O_CLOEXEC) != 0 ? FD_CLOEXEC : 0;
    uint32_t descriptors[PIPE_ENDS];

    if (file_install(call->program, 0, files[PIPE_READER], descriptor_flags, &descriptors[PIPE_READER]) != OK) {
        file_drop(files[PIPE_WRITER]);
        return -EMFILE;
    }
    if (file_install(call->program, 0, files[PIPE_WRITER], descriptor_flags, &descriptors[PIPE_WRITER]) != OK) {
        file_close(call->program, descriptors[PIPE_READER]);
        return -EMFILE;
    }
    call->record->call.words[MADE + PIPE_READER] = descriptors[PIPE_READER] + 1;
    call->record->call.words[MADE + PIPE_WRITER] = descriptors[PIPE_WRITER] + 1;
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
    if (result != 0) {
        file_close(call->program, descriptors[PIPE_READER]);
        file_close(call->program, descriptors[PIPE_WRITER]);
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
