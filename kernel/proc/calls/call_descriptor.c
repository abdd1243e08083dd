/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on descriptors: closing, duplicates, flags, and control of what is behind them.
 */
#include "calls.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "linux/linux_terminal.h"
#include "space/limits.h"

int32_t call_close(const struct system_call *call)
{
    if (file_of(call->program, call->arguments[0]) == NULL) {
        return -EBADF;
    }
    file_close(call_change_program(call), call->arguments[0]);
    return 0;
}

static int32_t duplicate(const struct system_call *call, uint32_t lowest, uint8_t flags)
{
    uint32_t descriptor;

    if (file_of(call->program, call->arguments[0]) == NULL) {
        return -EBADF;
    }
    struct file_id file = call->program->files[call->arguments[0]];
    enum error error = file_install(call_change_program(call), lowest, file, flags, &descriptor);
    return error == OK ? (int32_t)descriptor : -EMFILE;
}

int32_t call_dup(const struct system_call *call)
{
    return duplicate(call, 0, 0);
}

static int32_t duplicate_to(const struct system_call *call, uint32_t target, uint8_t flags)
{
    if (file_of(call->program, call->arguments[0]) == NULL || target >= limits_files(call->program)) {
        return -EBADF;
    }
    if (file_of(call->program, target) != NULL) {
        file_close(call_change_program(call), target);
    }
    return duplicate(call, target, flags);
}

int32_t call_dup2(const struct system_call *call)
{
    if (call->arguments[0] == call->arguments[1]) {
        return file_of(call->program, call->arguments[0]) != NULL ? (int32_t)call->arguments[1] : -EBADF;
    }
    return duplicate_to(call, call->arguments[1], 0);
}

int32_t call_dup3(const struct system_call *call)
{
    if (call->arguments[0] == call->arguments[1] || (call->arguments[2] & ~O_CLOEXEC) != 0) {
        return -EINVAL;
    }
    return duplicate_to(call, call->arguments[1], (call->arguments[2] & O_CLOEXEC) != 0 ? FD_CLOEXEC : 0);
}

int32_t call_fcntl64(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);
    uint32_t descriptor = call->arguments[0], argument = call->arguments[2];

    if (file == NULL) {
        return -EBADF;
    }
    switch (call->arguments[1]) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return argument >= limits_files(call->program)
                   ? -EINVAL
                   : duplicate(call, argument, call->arguments[1] == F_DUPFD ? 0 : (uint8_t)FD_CLOEXEC);
    case F_GETFD:
        return call->program->file_flags[descriptor];
    case F_SETFD:
        call_change_program(call)->file_flags[descriptor] = argument & FD_CLOEXEC;
        return 0;
    case F_GETFL:
        return (int32_t)file->flags;
    case F_SETFL:
        file_set_flags(call_change_program(call), descriptor, O_APPEND | O_NONBLOCK, argument);
        return 0;
    case F_GETPIPE_SZ:
        return file_operations(file)->size != NULL ? file_operations(file)->size(file) : -EBADF;
    case F_SETPIPE_SZ:
        return file_operations(file)->set_size != NULL ? file_operations(file)->set_size(file, argument) : -EBADF;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_GETLK64:
    case F_SETLK64:
    case F_SETLKW64:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return call_fcntl_lock(call);
    default:
        return -EINVAL;
    }
}

/* What is the same for all files: 0, a negative errno, or -ENOTTY: it is something else. */
static int32_t ioctl_of_any(const struct system_call *call)
{
    uint32_t descriptor = call->arguments[0];
    int32_t wanted;

    switch (call->arguments[1]) {
    case FIOCLEX:
        call_change_program(call)->file_flags[descriptor] |= FD_CLOEXEC;
        return 0;
    case FIONCLEX:
        call_change_program(call)->file_flags[descriptor] &= (uint8_t)~FD_CLOEXEC;
        return 0;
    case FIONBIO: {
        int32_t result = copy_in(&wanted, call->arguments[2], sizeof(wanted));
        if (result == 0) {
            file_set_flags(call_change_program(call), descriptor, O_NONBLOCK, wanted != 0 ? O_NONBLOCK : 0u);
        }
        return result;
    }
    default:
        return -ENOTTY;
    }
}

int32_t call_ioctl(const struct system_call *call)
{
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);

    if (file == NULL) {
        return -EBADF;
    }
    int32_t result = ioctl_of_any(call);
    if (result != -ENOTTY) {
        return result;
    }
    const struct file_operations *operations = file_operations(file);
    return operations->ioctl != NULL ? operations->ioctl(file, call->arguments[1], call->arguments[2]) : -ENOTTY;
}
