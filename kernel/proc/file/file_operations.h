/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: what each kind of open file does. Whoever has one asks here and not for its kind.
 */
#ifndef FILE_OPERATIONS_H
#define FILE_OPERATIONS_H

#include "call.h"
#include "record.h"
#include "types.h"
#include "watch.h"

/* What poll() may report of a file that can be read from, can be written to. */
#define FILE_READABLE (POLLIN | POLLRDNORM)
#define FILE_WRITABLE (POLLOUT | POLLWRNORM)

#define FILE_READ_ON INT32_MIN /* of read(): the buffer is full, and what there is more goes into the next one */

struct file_operations {
    const char *path;      /* of what is open; NULL: it has none */
    const char *anonymous; /* what the link of a descriptor says then; NULL: it is a pipe */
    bool is_stream;        /* it has no position */
    bool is_durable;       /* it is part of the object space, so fsync() means something */
    bool maps_zeroes;      /* to map it is to map memory */
    bool is_named;         /* it is a file or a directory of fs.h */
    bool has_object;       /* it has a position, a size, and content that can be mapped (file_position.h) */

    /*
     * Read into [base, base + length), which is not empty, or write what remains of it; its first byte is byte `offset`
     * of the call, and record->call.done says how many bytes the call has moved. May sleep as calls do.
     * - read(): the call's result, or FILE_READ_ON. write(): 0 when all is out, or a negative errno.
     */
    int32_t (*read)(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                    uint32_t offset);
    int32_t (*write)(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                     uint32_t offset);

    /* What poll() has to report now. Does not sleep. */
    uint32_t (*events)(const struct system_call *call, const struct file_record *file);

    /*
     * Watch for that (watch.h); NULL: it never changes. False: not all of `events` tells the watcher, so look again now
     * and then.
     */
    bool (*watch)(const struct file_record *file, uint32_t events, struct watch *watch, struct watcher *watcher);

    /*
     * When one of `events` will be there though nobody does anything, by the monotonic clock, or is already;
     * UINT64_MAX, or NULL: never.
     */
    uint64_t (*moment)(const struct file_record *file, uint32_t events);

    /* It is about to be opened by its path: what its record says from the beginning. NULL: nothing. */
    void (*open)(struct file_record *file);

    /* ioctl(): a result or a negative errno. NULL: it knows none. */
    int32_t (*ioctl)(const struct file_record *file, uint32_t request, uint32_t argument);

    /* F_GETPIPE_SZ and F_SETPIPE_SZ; NULL: it has no size of its own. */
    int32_t (*size)(const struct file_record *file);
    int32_t (*set_size)(const struct file_record *file, uint32_t bytes);

    /*
     * The object: whether there is one that can be open in this way; it is open again after a boot; it is closed for
     * good. Each may be NULL: there is nothing to it. None sleeps.
     */
    bool (*is_sound)(const struct file_record *file);
    void (*reopen)(const struct file_record *file);
    void (*close)(const struct file_record *file);

    /* A program has closed a descriptor of it, maybe not the last. NULL: it does not care. Does not sleep. */
    void (*leave)(const struct file_record *file, struct program_id program);
};

extern const struct file_operations file_terminal_operations, file_pipe_operations, file_null_operations,
    file_zero_operations, file_random_operations, file_event_operations, file_timer_operations, file_signal_operations,
    file_reborn_operations, file_memory_operations, file_regular_operations, file_folder_operations,
    file_queue_operations;

/* By kind, which is of an open file. */
const struct file_operations *file_operations_of_kind(uint32_t kind);

static inline const struct file_operations *file_operations(const struct file_record *file)
{
    return file_operations_of_kind(file->kind);
}

#endif
