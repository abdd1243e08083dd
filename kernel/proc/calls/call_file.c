/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on bytes in and out of files, and positions. What each kind of file does is in file_operations.h.
 */
#include "arch/clock.h"
#include "arch/pmap.h"
#include "calls.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "log.h"
#include "program_time.h"
#include <string.h>

#define TRANSFER_MAX 0x7FFFF000u

static bool may_access(const struct file_record *file, uint32_t denied_mode)
{
    return (file->flags & O_ACCMODE) != denied_mode;
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

/* The files there are have no position: terminals and pipes refuse, the others stay at 0 wherever one goes. */
static int32_t seek(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);

    if (file == NULL) {
        return -EBADF;
    }
    return file_operations(file)->is_stream ? -ESPIPE : 0;
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
