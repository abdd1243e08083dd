/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on descriptors: bytes in and out, duplicates, flags.
 *
 * A transfer counts what it has done in record->call.done, so that it can sleep in the middle and, issued again after a
 * boot, goes on behind what is already in the terminal. Input is taken only when its destination is ready (CALL-1): a
 * byte that left the terminal is in the program's memory before anything can sleep.
 */
#include "arch/clock.h"
#include "arch/pmap.h"
#include "calls.h"
#include "file/file.h"
#include "file/pipe.h"
#include "linux/linux_terminal.h"
#include "log.h"
#include "program_time.h"
#include "space/limits.h"
#include "task/pending.h"
#include "terminal.h"
#include <string.h>

#define TRANSFER_MAX 0x7FFFF000u
#define WRITE_PIECE  4096u /* bytes between two chances for others to run */

static bool may_access(const struct file_record *file, uint32_t denied_mode)
{
    return (file->flags & O_ACCMODE) != denied_mode;
}

/* Writing ---------------------------------------------------------------------------------------------------------- */

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
    uint32_t taken = terminal_write(file->object, range.address, length);
    call_progress(call)->done += taken;
    user_release(&range);
    call_let_others_run();
    if (taken > 0) {
        return 0;
    }
    return (file->flags & O_NONBLOCK) != 0 ? -EAGAIN : wait_for(call, terminal_wait_writable(file->object));
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
        result = write_piece(call, file, base + at, length - at < WRITE_PIECE ? length - at : WRITE_PIECE);
    }
    return result;
}

/* The same for any file; one that is neither terminal nor pipe takes everything. */
static int32_t write_file(const struct system_call *call, const struct file_record *file, uint32_t base,
                          uint32_t length, uint32_t offset)
{
    switch (file->kind) {
    case FILE_TERMINAL:
        return write_terminal(call, file, base, length, offset);
    case FILE_PIPE:
        return call_write_pipe(call, file, base, length, offset);
    default:
        call_progress(call)->done = offset + length;
        return 0;
    }
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

static int32_t wait_readable(const struct system_call *call, const struct file_record *file)
{
    uint64_t deadline = DEADLINE_NEVER;

    if (task_has_signal(call->task)) {
        return call_interrupted(call);
    }
    uint64_t limit_ns = terminal_read_limit_ns(file->object);
    if (limit_ns != 0) {
        if (call->record->call.deadline_ns == 0) {
            call_progress(call)->deadline_ns = time_monotonic_ns() + limit_ns;
        }
        deadline = time_boot_deadline_ns(call->record->call.deadline_ns);
    }
    return wait_for(call, terminal_wait_readable(file->object, call->task->program_index, deadline));
}

static int32_t read_terminal(const struct system_call *call, const struct file_record *file, uint32_t base,
                             uint32_t length)
{
    uint32_t piece = length < USER_RANGE_MAX ? length : USER_RANGE_MAX;

    for (;;) {
        struct user_range range;
        uint32_t taken = 0;
        uint64_t deadline = call->record->call.deadline_ns;
        enum error error = user_prepare(&range, (struct vaddr){base}, piece, PMAP_WRITE);
        if (error != OK) {
            return system_call_errno(error);
        }
        error = terminal_read(file->object, call->task->program_index, range.address, piece, &taken);
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

static int32_t read_zeroes(uint32_t base, uint32_t length, bool random)
{
    for (uint32_t at = 0; at < length;) {
        struct user_range range;
        uint32_t piece = length - at < USER_RANGE_MAX ? length - at : USER_RANGE_MAX;
        enum error error = user_prepare(&range, (struct vaddr){base + at}, piece, PMAP_WRITE);
        if (error != OK) {
            return at > 0 ? (int32_t)at : system_call_errno(error);
        }
        memset(range.address, 0, piece);
        for (uint32_t i = 0; random && i < piece; i += sizeof(uint64_t)) {
            uint64_t bits = clock_entropy();
            memcpy((uint8_t *)range.address + i, &bits, piece - i < sizeof(bits) ? piece - i : sizeof(bits));
        }
        user_release(&range);
        at += piece;
        call_let_others_run();
    }
    return (int32_t)length;
}

static int32_t read_file(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length)
{
    switch (file->kind) {
    case FILE_TERMINAL:
        return read_terminal(call, file, base, length);
    case FILE_ZERO:
    case FILE_RANDOM:
        return read_zeroes(base, length, file->kind == FILE_RANDOM);
    default:
        return 0;
    }
}

/* One buffer ------------------------------------------------------------------------------------------------------- */

static bool is_user_range(uint32_t base, uint32_t length)
{
    return base + length >= base && base + length <= KERNEL_START;
}

/* Of a read that counts what it has got. */
static int32_t read_result(const struct system_call *call, int32_t result)
{
    if (call->record->call.done > 0) {
        return (int32_t)call->record->call.done;
    }
    return result == READ_ENDS ? 0 : result;
}

int32_t call_read(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);
    uint32_t length = call->arguments[2] < TRANSFER_MAX ? call->arguments[2] : TRANSFER_MAX;

    if (file == NULL || !may_access(file, O_WRONLY)) {
        return -EBADF;
    }
    if (!is_user_range(call->arguments[1], length)) {
        return -EFAULT;
    }
    if (file->kind == FILE_PIPE) {
        return read_result(call, call_read_pipe(call, file, call->arguments[1], length, 0));
    }
    return length == 0 ? 0 : read_file(call, file, call->arguments[1], length);
}

int32_t call_write(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);
    uint32_t length = call->arguments[2] < TRANSFER_MAX ? call->arguments[2] : TRANSFER_MAX;

    if (file == NULL || !may_access(file, O_RDONLY)) {
        return -EBADF;
    }
    if (!is_user_range(call->arguments[1], length)) {
        return -EFAULT;
    }
    int32_t result = write_file(call, file, call->arguments[1], length, 0);
    return call->record->call.done > 0 ? (int32_t)call->record->call.done : result;
}

/* Several buffers -------------------------------------------------------------------------------------------------- */

static int32_t vector_at(const struct system_call *call, uint32_t index, struct linux_iovec *out)
{
    int32_t result = copy_in(out, call->arguments[1] + index * (uint32_t)sizeof(*out), sizeof(*out));

    if (result == 0 && out->length > TRANSFER_MAX) {
        return -EINVAL;
    }
    if (result == 0 && !is_user_range(out->base, out->length)) {
        return -EFAULT;
    }
    return result;
}

/* All vectors are checked before the first byte moves. Their total is bounded by TRANSFER_MAX. */
static int32_t check_vectors(const struct system_call *call)
{
    uint32_t total = 0;

    if (call->arguments[2] > LINUX_IOV_MAX) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < call->arguments[2]; i++) {
        struct linux_iovec vector;
        int32_t result = vector_at(call, i, &vector);
        if (result != 0) {
            return result;
        }
        if (vector.length > TRANSFER_MAX - total) {
            return -EINVAL;
        }
        total += vector.length;
    }
    return 0;
}

int32_t call_writev(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);
    uint32_t offset = 0;

    if (file == NULL || !may_access(file, O_RDONLY)) {
        return -EBADF;
    }
    int32_t result = check_vectors(call);
    for (uint32_t i = 0; result == 0 && i < call->arguments[2]; i++) {
        struct linux_iovec vector;
        result = vector_at(call, i, &vector);
        if (result != 0) {
            break;
        }
        result = write_file(call, file, vector.base, vector.length, offset);
        offset += vector.length;
    }
    return call->record->call.done > 0 ? (int32_t)call->record->call.done : result;
}

static int32_t readv_pipe(const struct system_call *call, const struct file_record *file)
{
    uint32_t offset = 0;
    int32_t result = 0;

    for (uint32_t i = 0; result == 0 && i < call->arguments[2]; i++) {
        struct linux_iovec vector;
        result = vector_at(call, i, &vector);
        if (result == 0) {
            result = call_read_pipe(call, file, vector.base, vector.length, offset);
            offset += vector.length;
        }
    }
    return read_result(call, result);
}

/* Read into the first buffer that has room, but for pipes: a short read is a right answer. */
int32_t call_readv(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);

    if (file == NULL || !may_access(file, O_WRONLY)) {
        return -EBADF;
    }
    int32_t result = check_vectors(call);
    if (result == 0 && file->kind == FILE_PIPE) {
        return readv_pipe(call, file);
    }
    for (uint32_t i = 0; result == 0 && i < call->arguments[2]; i++) {
        struct linux_iovec vector;
        result = vector_at(call, i, &vector);
        if (result == 0 && vector.length > 0) {
            return read_file(call, file, vector.base, vector.length);
        }
    }
    return result;
}

/* Positions -------------------------------------------------------------------------------------------------------- */

/* The files there are have no position: terminals and pipes refuse, the others stay at 0 wherever one goes. */
static int32_t seek(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);

    if (file == NULL) {
        return -EBADF;
    }
    return file->kind == FILE_TERMINAL || file->kind == FILE_PIPE ? -ESPIPE : 0;
}

int32_t call_lseek(const struct system_call *call)
{
    return seek(call);
}

int32_t call_llseek(const struct system_call *call)
{
    const uint64_t position = 0;
    int32_t result = seek(call);

    return result != 0 ? result : copy_out(call->arguments[3], &position, sizeof(position));
}

int32_t call_pread64(const struct system_call *call)
{
    int32_t result = seek(call);

    return result != 0 ? result : call_read(call);
}

int32_t call_pwrite64(const struct system_call *call)
{
    int32_t result = seek(call);

    return result != 0 ? result : call_write(call);
}

int32_t call_ftruncate(const struct system_call *call)
{
    return file_of(call->program, call->arguments[0]) == NULL ? -EBADF : -EINVAL;
}

/* Descriptors ------------------------------------------------------------------------------------------------------ */

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
    uint32_t file = call->program->files[call->arguments[0]];
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
                   : duplicate(call, argument, call->arguments[1] == F_DUPFD ? 0 : FD_CLOEXEC);
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
        return call_get_pipe_size(file);
    case F_SETPIPE_SZ:
        return call_set_pipe_size(file, argument);
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

static int32_t ioctl_of_pipe(const struct system_call *call, const struct file_record *file)
{
    uint32_t length = pipe_length(file->object);

    return call->arguments[1] == FIONREAD ? copy_out(call->arguments[2], &length, sizeof(length)) : -ENOTTY;
}

int32_t call_ioctl(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);

    if (file == NULL) {
        return -EBADF;
    }
    int32_t result = ioctl_of_any(call);
    if (result != -ENOTTY) {
        return result;
    }
    if (file->kind == FILE_PIPE) {
        return ioctl_of_pipe(call, file);
    }
    return file->kind == FILE_TERMINAL ? terminal_ioctl(file->object, call->arguments[1], call->arguments[2]) : -ENOTTY;
}
