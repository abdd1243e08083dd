/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on bytes in and out of files, and positions. What each kind of file does is in file_operations.h.
 */
#include "arch/clock.h"
#include "arch/pmap.h"
#include "calls.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "file/file_position.h"
#include "log.h"
#include "program_time.h"
#include <string.h>

#define TRANSFER_MAX 0x7FFFF000u

static bool may_access(const struct file_record *file, uint32_t denied_mode)
{
    return (file->flags & O_ACCMODE) != denied_mode && (file->flags & O_PATH) == 0;
}

/* One buffer ------------------------------------------------------------------------------------------------------- */

static bool is_user_range(uint32_t base, uint32_t length)
{
    return base + length >= base && base + length <= KERNEL_START;
}

int32_t call_read(const struct system_call *call)
{
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);
    uint32_t length = call->arguments[2] < TRANSFER_MAX ? call->arguments[2] : TRANSFER_MAX;

    if (file == NULL || !may_access(file, O_WRONLY)) {
        return -EBADF;
    }
    if (!is_user_range(call->arguments[1], length)) {
        return -EFAULT;
    }
    if (length == 0) {
        return 0;
    }
    int32_t result = file_operations(file)->read(call, file, call->arguments[1], length, 0);
    return result == FILE_READ_ON ? (int32_t)call->record->call.done : result;
}

int32_t call_write(const struct system_call *call)
{
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);
    uint32_t length = call->arguments[2] < TRANSFER_MAX ? call->arguments[2] : TRANSFER_MAX;

    if (file == NULL || !may_access(file, O_RDONLY)) {
        return -EBADF;
    }
    if (!is_user_range(call->arguments[1], length)) {
        return -EFAULT;
    }
    int32_t result = file_operations(file)->write(call, file, call->arguments[1], length, 0);
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
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);
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
        result = file_operations(file)->write(call, file, vector.base, vector.length, offset);
        offset += vector.length;
    }
    return call->record->call.done > 0 ? (int32_t)call->record->call.done : result;
}

/* A file that does not read on fills no second buffer: a short read is a right answer. */
int32_t call_readv(const struct system_call *call)
{
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);
    uint32_t offset = 0;

    if (file == NULL || !may_access(file, O_WRONLY)) {
        return -EBADF;
    }
    int32_t result = check_vectors(call);
    for (uint32_t i = 0; result == 0 && i < call->arguments[2]; i++) {
        struct linux_iovec vector;
        result = vector_at(call, i, &vector);
        if (result != 0 || vector.length == 0) {
            continue;
        }
        int32_t read = file_operations(file)->read(call, file, vector.base, vector.length, offset);
        if (read != FILE_READ_ON) {
            return read;
        }
        offset += vector.length;
    }
    return call->record->call.done > 0 ? (int32_t)call->record->call.done : result;
}

/* Positions -------------------------------------------------------------------------------------------------------- */

/* Terminals and pipes have no position and refuse, devices stay at 0 wherever one goes: 0 or a negative errno. */
static int32_t file_with_position(const struct system_call *call, const struct file_record **out)
{
    *out = file_hold(task_current(), call->arguments[0]);
    if (*out == NULL) {
        return -EBADF;
    }
    return file_operations(*out)->is_stream ? -ESPIPE : 0;
}

/* A directory has one, too: where it is listed from. */
static bool has_position(const struct file_record *file)
{
    return file_operations(file)->has_object || file_operations(file)->is_named;
}

/* The new position, or a negative errno. */
static int64_t seek(const struct system_call *call, int64_t by, uint32_t whence, const struct file_record **out)
{
    int32_t result = file_with_position(call, out);

    if (result != 0) {
        return result;
    }
    return has_position(*out) ? file_seek(*out, by, whence) : 0;
}

static void go_to(const struct system_call *call, const struct file_record *file, int64_t position)
{
    if (has_position(file)) {
        (void)call_change_task(call);
        file_set_position(file, (uint64_t)position);
    }
}

int32_t call_lseek(const struct system_call *call)
{
    const struct file_record *file;
    int64_t position = seek(call, (int32_t)call->arguments[1], call->arguments[2], &file);

    if (position > INT32_MAX) {
        return -EOVERFLOW;
    }
    if (position >= 0) {
        go_to(call, file, position);
    }
    return (int32_t)position;
}

int32_t call_llseek(const struct system_call *call)
{
    const struct file_record *file;
    int64_t by = (int64_t)((uint64_t)call->arguments[1] << 32 | call->arguments[2]);
    int64_t position = seek(call, by, call->arguments[4], &file);

    if (position < 0) {
        return (int32_t)position;
    }
    int32_t result = copy_out(call->arguments[3], &position, sizeof(position));
    if (result == 0) {
        go_to(call, file, position);
    }
    return result;
}

/* read() or write() at a position of the call's own. */
static int32_t transfer_at(const struct system_call *call, system_call_handler *elsewhere, bool is_write)
{
    const struct file_record *file;
    uint64_t position = (uint64_t)call->arguments[4] << 32 | call->arguments[3];
    uint32_t length = call->arguments[2] < TRANSFER_MAX ? call->arguments[2] : TRANSFER_MAX;
    int32_t result = file_with_position(call, &file);

    if (result != 0) {
        return result;
    }
    if (!file_operations(file)->has_object) {
        return elsewhere(call);
    }
    if (position > INT64_MAX) {
        return -EINVAL;
    }
    if (!may_access(file, is_write ? O_RDONLY : O_WRONLY)) {
        return -EBADF;
    }
    if (!is_user_range(call->arguments[1], length)) {
        return -EFAULT;
    }
    return is_write ? file_write_at(call, file, position, call->arguments[1], length)
                    : file_read_at(call, file, position, call->arguments[1], length);
}

int32_t call_pread64(const struct system_call *call)
{
    return transfer_at(call, call_read, false);
}

int32_t call_pwrite64(const struct system_call *call)
{
    return transfer_at(call, call_write, true);
}

static int32_t truncate_file(const struct system_call *call, uint64_t size)
{
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);

    if (file == NULL) {
        return -EBADF;
    }
    if (!file_operations(file)->has_object || !may_access(file, O_RDONLY) || size > INT64_MAX) {
        return -EINVAL;
    }
    return file_resize(file, size);
}

int32_t call_ftruncate(const struct system_call *call)
{
    return (int32_t)call->arguments[1] < 0 ? -EINVAL : truncate_file(call, call->arguments[1]);
}

int32_t call_ftruncate64(const struct system_call *call)
{
    return truncate_file(call, (uint64_t)call->arguments[2] << 32 | call->arguments[1]);
}
