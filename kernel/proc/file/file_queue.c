/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open files of message queues, and messages in and out. See file_queue.h.
 */
#include "file_queue.h"
#include "atomic.h"
#include "file_operations.h"
#include "file_waiting.h"
#include "log.h"
#include "program_time.h"
#include "queue.h"
#include "space/object.h"
#include "task/pending.h"

static struct queue_id queue_of(const struct file_record *file)
{
    return file->queue;
}

/* Bytes between the caller's memory and a slot, which nobody else has. May sleep, but not after the last of them. */
static enum error move(struct queue_id queue, uint32_t slot, uint32_t address, uint32_t length, bool is_sent)
{
    thread_may_sleep();
    struct object_id content = queue_at(queue)->content;
    uint64_t position = queue_position(queue, slot);
    enum error error = OK;

    for (uint32_t done = 0, moved; error == OK && done < length; done += moved) {
        struct vaddr at = {address + done};
        error = is_sent ? object_write(content, position + done, at, length - done, &moved)
                        : object_read(content, position + done, at, length - done, &moved);
    }
    return error;
}

/* 0: look again. Otherwise what the call answers. */
static int32_t wait_for_change(const struct system_call *call, const struct file_record *file, uint64_t deadline_ns,
                               struct call_pace *pace)
{
    struct watcher watcher = {0};
    struct watch watch;

    if ((file->flags & O_NONBLOCK) != 0) {
        return -EAGAIN;
    }
    if (deadline_ns <= time_of_base_ns(TIME_WALL)) {
        return -ETIMEDOUT;
    }
    if (task_has_signal(call->task)) { /* CALL-3 */
        return call_interrupted(call);
    }
    uint64_t moment_ns = deadline_ns != UINT64_MAX ? time_to_look_ns(TIME_WALL, deadline_ns) : UINT64_MAX;
    uint64_t until_ns = call_pace_next(call, pace, moment_ns);
    watch_begin(queue_watchers(queue_of(file)), &watch, &watcher);
    enum error error =
        watcher_sleep(&watcher, until_ns == UINT64_MAX ? DEADLINE_NEVER : time_boot_deadline_ns(until_ns));
    watch_end(&watch);
    if (!file_is_still_open(call, file)) {
        return -EBADF;
    }
    return error == OK || error == ERROR_TIMED_OUT || error == ERROR_INTERRUPTED ? 0 : system_call_errno(error);
}

int32_t file_queue_send(const struct system_call *call, const struct file_record *file,
                        const struct queue_transfer *transfer)
{
    thread_may_sleep();
    struct queue_id queue = queue_of(file);
    struct call_pace pace = {0};
    uint32_t slot;

    while (!queue_take_free(queue, &slot)) {
        int32_t result = wait_for_change(call, file, transfer->deadline_ns, &pace);
        if (result != 0) {
            return result;
        }
    }
    enum error error = move(queue, slot, transfer->address, transfer->length, true);
    if (error != OK) {
        queue_put_back(queue, slot);
        return system_call_errno(error);
    }
    (void)call_change_task(call);
    queue_arrive(queue, slot, transfer->length, transfer->priority);
    return 0;
}

static int32_t take_message(const struct system_call *call, const struct file_record *file, uint64_t deadline_ns,
                            uint32_t *slot)
{
    struct call_pace pace = {0};
    int32_t result = 0;

    queue_receives(queue_of(file), true);
    while (result == 0 && !queue_take_next(queue_of(file), slot)) {
        result = wait_for_change(call, file, deadline_ns, &pace);
    }
    queue_receives(queue_of(file), false);
    return result;
}

int32_t file_queue_receive(const struct system_call *call, const struct file_record *file,
                           const struct queue_transfer *transfer)
{
    thread_may_sleep();
    struct queue_id queue = queue_of(file);
    uint32_t slot;
    int32_t result = take_message(call, file, transfer->deadline_ns, &slot);

    if (result != 0) {
        return result;
    }
    const struct queue_message message = queue_at(queue)->messages[slot];
    if (transfer->priority != 0) {
        result = copy_out(transfer->priority, &message.priority, sizeof(message.priority));
    }
    if (result == 0) {
        result = system_call_errno(move(queue, slot, transfer->address, message.length, false));
    }
    if (result != 0) {
        queue_put_back(queue, slot);
        return result;
    }
    (void)call_change_task(call);
    queue_depart(queue, slot);
    return (int32_t)message.length;
}

void file_queue_open(struct file_id file, struct queue_id queue)
{
    DOES_NOT_SLEEP();
    struct file_record *record = record_at(RECORD_FILE, file.number);

    record->queue = queue;
    queue_open(queue);
}

/* Operations ------------------------------------------------------------------------------------------------------- */

static uint32_t queue_events(const struct system_call *call, const struct file_record *file)
{
    (void)call;
    uint32_t count = queue_count(queue_of(file));

    return (count > 0 ? FILE_READABLE : 0u) | (count < queue_at(queue_of(file))->messages_max ? FILE_WRITABLE : 0u);
}

static bool watch_queue(const struct file_record *file, uint32_t events, struct watch *watch, struct watcher *watcher)
{
    (void)events;
    watch_begin(queue_watchers(queue_of(file)), watch, watcher);
    return true;
}

static bool has_queue(const struct file_record *file)
{
    return queue_is_there(queue_of(file));
}

static void reopen(const struct file_record *file)
{
    queue_open(queue_of(file));
}

static void close(const struct file_record *file)
{
    if (file->queue.number != 0) { /* or it was never opened */
        queue_close(queue_of(file));
    }
}

static void leave(const struct file_record *file, struct program_id program)
{
    queue_leave(queue_of(file), program);
}

const struct file_operations file_queue_operations = {
    .anonymous = "/mqueue",
    .is_stream = true,
    .is_durable = true,
    .read = file_write_nothing,
    .write = file_write_nothing,
    .events = queue_events,
    .watch = watch_queue,
    .leave = leave,
    .is_sound = has_queue,
    .reopen = reopen,
    .close = close,
};
