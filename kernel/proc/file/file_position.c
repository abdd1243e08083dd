/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading, writing and seeking in files that are objects (space/object.h).
 *
 * Bytes move in pieces, of a page at most. In the instant in which a piece moves, the call and the file note it, so that
 * a call which a power cut interrupts goes on behind it.
 */
#include "file_position.h"
#include "arch/pmap.h"
#include "file_operations.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "space/object.h"

static struct object_id object_of(const struct file_record *file)
{
    return (struct object_id){file->object};
}

void file_set_position(const struct file_record *file, uint64_t position)
{
    struct file_record *record = record_at(RECORD_FILE, record_index(RECORD_FILE, file));

    record->position = position;
}

/* Where a call that has moved some bytes goes on. `moves`: it is the file's position that it moves. */
struct transfer {
    const struct system_call *call;
    const struct file_record *file;
    uint64_t start; /* of the call, if it has a position of its own */
    bool moves, is_write;
    uint32_t base, length; /* of the buffer */
    uint32_t offset;       /* that the buffer has in the call */
};

static uint64_t position_of(const struct transfer *transfer)
{
    const struct file_record *file = transfer->file;

    if (!transfer->moves) {
        return transfer->start + transfer->call->record->call.done;
    }
    bool appends = transfer->is_write && (file->flags & O_APPEND) != 0;
    return appends ? object_at(object_of(file))->size : file->position;
}

static enum error move_piece(const struct transfer *transfer, uint32_t at, uint32_t *moved)
{
    uint64_t position = position_of(transfer);
    struct vaddr address = {transfer->base + at};
    uint32_t rest = transfer->length - at;
    enum error error = transfer->is_write ? object_write(object_of(transfer->file), position, address, rest, moved)
                                          : object_read(object_of(transfer->file), position, address, rest, moved);

    if (error == OK && *moved > 0) {
        call_progress(transfer->call)->done += *moved;
        if (transfer->moves) {
            file_set_position(transfer->file, position + *moved);
        }
    }
    return error;
}

/* 0 or a negative errno. *whole: the buffer has been moved as a whole. */
static int32_t run(const struct transfer *transfer, bool *whole)
{
    uint32_t at = transfer->call->record->call.done, moved = 1;
    enum error error = OK;

    *whole = false;
    at = at > transfer->offset ? at - transfer->offset : 0; /* of this buffer, before a power cut */
    while (error == OK && moved > 0 && at < transfer->length) {
        error = move_piece(transfer, at, &moved);
        at += error == OK ? moved : 0;
        call_let_others_run();
    }
    *whole = at >= transfer->length;
    return error == ERROR_RANGE ? -EFBIG : system_call_errno(error);
}

static int32_t result_of(const struct system_call *call, int32_t error)
{
    uint32_t done = call->record->call.done;

    return done > 0 ? (int32_t)done : error;
}

int32_t file_read_on(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                     uint32_t offset)
{
    bool whole;
    int32_t error = run(
        &(struct transfer){.call = call, .file = file, .moves = true, .base = base, .length = length, .offset = offset},
        &whole);

    return whole ? FILE_READ_ON : result_of(call, error);
}

int32_t file_write_on(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                      uint32_t offset)
{
    bool whole;

    return run(&(struct transfer){.call = call,
                                  .file = file,
                                  .moves = true,
                                  .is_write = true,
                                  .base = base,
                                  .length = length,
                                  .offset = offset},
               &whole);
}

int32_t file_read_at(const struct system_call *call, const struct file_record *file, uint64_t position, uint32_t base,
                     uint32_t length)
{
    thread_may_sleep();
    bool whole;
    int32_t error =
        run(&(struct transfer){.call = call, .file = file, .start = position, .base = base, .length = length}, &whole);

    return result_of(call, error);
}

int32_t file_write_at(const struct system_call *call, const struct file_record *file, uint64_t position, uint32_t base,
                      uint32_t length)
{
    thread_may_sleep();
    bool whole;
    int32_t error = run(
        &(struct transfer){
            .call = call, .file = file, .start = position, .is_write = true, .base = base, .length = length},
        &whole);

    return result_of(call, error);
}

int64_t file_seek(const struct file_record *file, int64_t by, uint32_t whence)
{
    uint64_t from[] = {0, file->position, object_at(object_of(file))->size};
    int64_t position;

    if (whence >= sizeof(from) / sizeof(from[0]) || __builtin_add_overflow((int64_t)from[whence], by, &position) ||
        position < 0) {
        return -EINVAL;
    }
    return position;
}

int32_t file_resize(const struct file_record *file, uint64_t size)
{
    thread_may_sleep();
    enum error error = object_resize(object_of(file), size);

    return error == ERROR_RANGE ? -EFBIG : system_call_errno(error);
}
