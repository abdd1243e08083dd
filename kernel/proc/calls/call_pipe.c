/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that make pipes. (Bytes in and out: file/file_pipe.c.)
 */
#include "arch/pmap.h"
#include "arch/window.h"
#include "atomic.h"
#include "calls.h"
#include "file/file.h"
#include "file/pipe.h"
#include "log.h"

#define MADE 0 /* of record->call.words: a descriptor and 1, for each end */

/* The file of an end that is open; if there is none, the end is closed. May sleep. */
static enum error create_end(struct pipe_id pipe, enum pipe_end end, uint32_t flags, struct file_id *out_file)
{
    thread_may_sleep();
    uint32_t mode = end == PIPE_WRITER ? O_WRONLY : O_RDONLY;
    enum error error = file_create(
        &(struct file_record){.kind = FILE_PIPE, .flags = mode | (flags & O_NONBLOCK), .pipe = pipe}, out_file);

    if (error != OK) {
        pipe_close(pipe, end);
    }
    return error;
}

/*
 * A pipe with both its files, which have no descriptors yet. May sleep. Both ends are opened before anything sleeps, so
 * that nobody else takes the pipe for a free one.
 */
static enum error open_both(uint32_t flags, struct file_id files[PIPE_ENDS])
{
    thread_may_sleep();
    struct pipe_id pipe;
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
static int32_t install_both(const struct system_call *call, uint32_t flags, const struct file_id files[PIPE_ENDS])
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
    struct file_id files[PIPE_ENDS];
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
