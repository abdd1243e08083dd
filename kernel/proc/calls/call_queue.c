/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on message queues: mq_open() and its kin. (The queues: file/queue.c.)
 */
#include "arch/pmap.h"
#include "calls.h"
#include "file/file.h"
#include "file/file_queue.h"
#include "file/file_waiting.h"
#include "file/queue.h"
#include "log.h"
#include <string.h>

#define MESSAGES_DEFAULT 10u
#define BYTES_DEFAULT    8192u

/* struct mq_attr */
struct attributes {
    uint32_t flags;
    int32_t messages_max, bytes_max, count;
    uint32_t reserved[4];
};
_Static_assert(sizeof(struct attributes) == 32, "struct mq_attr");

/* A name as the C library passes it: without the slash in front. */
static int32_t name_in(uint32_t address, char name[QUEUE_NAME_BYTES])
{
    enum error error = user_copy_string(name, (struct vaddr){address}, QUEUE_NAME_BYTES);

    if (error != OK) {
        return error == ERROR_RANGE ? -ENAMETOOLONG : system_call_errno(error);
    }
    if (name[0] == 0) {
        return -ENOENT;
    }
    return strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? -EACCES : 0;
}

/* mq_open() -------------------------------------------------------------------------------------------------------- */

/* What mq_open() is asked for. */
struct wish {
    char name[QUEUE_NAME_BYTES];
    uint32_t flags, messages_max, bytes_max;
};

static int32_t attributes_in(uint32_t address, struct wish *out)
{
    struct attributes attributes = {.messages_max = (int32_t)MESSAGES_DEFAULT, .bytes_max = (int32_t)BYTES_DEFAULT};
    int32_t result = address != 0 ? copy_in(&attributes, address, sizeof(attributes)) : 0;

    out->messages_max = (uint32_t)attributes.messages_max;
    out->bytes_max = (uint32_t)attributes.bytes_max;
    return result;
}

/* Only who makes a queue says how large it is. */
static int32_t check_size(const struct system_call *call, const struct wish *wish)
{
    if (wish->messages_max == 0 || wish->messages_max > QUEUE_MESSAGES_MAX || wish->bytes_max == 0 ||
        wish->bytes_max > QUEUE_BYTES_MAX) {
        return -EINVAL;
    }
    uint64_t bytes = queue_bytes_of_all() + (uint64_t)wish->messages_max * wish->bytes_max;
    return bytes > call->program->limits[RLIMIT_MSGQUEUE].soft ? -EMFILE : 0;
}

static int32_t install(const struct system_call *call, struct file_id file)
{
    uint32_t descriptor;
    enum error error = file_install(call_change_program(call), 0, file, FD_CLOEXEC, &descriptor);
    return error == OK ? (int32_t)descriptor : -EMFILE;
}

/* Whether the program may have another descriptor. */
static bool has_descriptor_left(const struct system_call *call)
{
    for (uint32_t i = 0; i < call->program->limits[RLIMIT_NOFILE].soft; i++) {
        if (call->program->files[i].number == 0) {
            return true;
        }
    }
    return false;
}

/* The queue as it is when there is a record for the open file, or a new one. */
static int32_t open_or_make(const struct system_call *call, const struct wish *wish)
{
    struct file_record opened = {.kind = FILE_QUEUE, .flags = wish->flags & (O_ACCMODE | O_NONBLOCK)};
    struct file_id file;
    struct queue_id queue;
    bool is_there = queue_find(wish->name, &queue);
    int32_t result = 0;

    if (!is_there) {
        result = (wish->flags & O_CREAT) == 0 ? -ENOENT : check_size(call, wish);
    } else if ((wish->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        result = -EEXIST;
    }
    if (result != 0) {
        return result;
    }
    if (!is_there && queue_reserve() != OK) {
        return -ENOSPC;
    }
    if (file_create(&opened, &file) != OK) {
        return -ENFILE;
    }
    if (queue_find(wish->name, &queue) != is_there || (!is_there && !queue_has_room())) {
        file_drop(file);
        return -EAGAIN; /* meanwhile it came, or went, or others took the room */
    }
    if (!has_descriptor_left(call)) {
        file_drop(file);
        return -EMFILE;
    }
    (void)call_change_task(call);
    if (!is_there) {
        queue = queue_create(wish->name, wish->messages_max, wish->bytes_max);
    }
    file_queue_open(file, queue);
    return install(call, file);
}

/* mq_open(name, flags, mode, attributes) */
int32_t call_mq_open(const struct system_call *call)
{
    struct wish wish = {.flags = call->arguments[1]};
    int32_t result = (wish.flags & O_CREAT) != 0 ? attributes_in(call->arguments[3], &wish) : 0;

    if (result == 0) {
        result = name_in(call->arguments[0], wish.name);
    }
    if (result == 0 && (wish.flags & O_ACCMODE) == O_ACCMODE) {
        result = -EINVAL;
    }
    if (result != 0) {
        return result;
    }
    do {
        result = open_or_make(call, &wish);
    } while (result == -EAGAIN);
    return result;
}

int32_t call_mq_unlink(const struct system_call *call)
{
    char name[QUEUE_NAME_BYTES];
    struct queue_id queue;
    int32_t result = name_in(call->arguments[0], name);

    if (result != 0 || !queue_find(name, &queue)) {
        return result != 0 ? result : -ENOENT;
    }
    (void)call_change_task(call);
    queue_unlink(queue);
    return 0;
}

/* Messages --------------------------------------------------------------------------------------------------------- */

/* The open queue of argument 0, held: 0 or -EBADF. way: O_RDONLY or O_WRONLY: it has to be open that way. */
static int32_t open_queue(const struct system_call *call, uint32_t way, const struct file_record **out)
{
    *out = file_hold(task_current(), call->arguments[0]);
    if (*out == NULL || (*out)->kind != FILE_QUEUE) {
        return -EBADF;
    }
    uint32_t mode = (*out)->flags & O_ACCMODE;
    return mode == O_RDWR || mode == way ? 0 : -EBADF;
}

static int32_t deadline_in(uint32_t address, bool wide, uint64_t *out_ns)
{
    *out_ns = UINT64_MAX;
    return address != 0 ? call_timespec_in(address, wide, out_ns) : 0;
}

/* mq_timedsend(descriptor, message, length, priority, deadline) */
static int32_t send(const struct system_call *call, bool wide)
{
    struct queue_transfer transfer = {
        .address = call->arguments[1], .length = call->arguments[2], .priority = call->arguments[3]};
    const struct file_record *file;
    int32_t result = deadline_in(call->arguments[4], wide, &transfer.deadline_ns);

    if (result == 0 && transfer.priority >= QUEUE_PRIORITIES) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = open_queue(call, O_WRONLY, &file);
    }
    if (result != 0) {
        return result;
    }
    return transfer.length > queue_at(file->queue)->bytes_max ? -EMSGSIZE : file_queue_send(call, file, &transfer);
}

/* mq_timedreceive(descriptor, room, length, priority, deadline) */
static int32_t receive(const struct system_call *call, bool wide)
{
    struct queue_transfer transfer = {
        .address = call->arguments[1], .length = call->arguments[2], .priority = call->arguments[3]};
    const struct file_record *file;
    int32_t result = deadline_in(call->arguments[4], wide, &transfer.deadline_ns);

    if (result == 0) {
        result = open_queue(call, O_RDONLY, &file);
    }
    if (result != 0) {
        return result;
    }
    return transfer.length < queue_at(file->queue)->bytes_max ? -EMSGSIZE : file_queue_receive(call, file, &transfer);
}

int32_t call_mq_timedsend(const struct system_call *call)
{
    return send(call, false);
}

int32_t call_mq_timedsend_time64(const struct system_call *call)
{
    return send(call, true);
}

int32_t call_mq_timedreceive(const struct system_call *call)
{
    return receive(call, false);
}

int32_t call_mq_timedreceive_time64(const struct system_call *call)
{
    return receive(call, true);
}

/* The rest --------------------------------------------------------------------------------------------------------- */

static int32_t any_queue(const struct system_call *call, const struct file_record **out)
{
    *out = file_of(call->program, call->arguments[0]);
    return *out != NULL && (*out)->kind == FILE_QUEUE ? 0 : -EBADF;
}

static int32_t stop_telling(const struct system_call *call, struct queue_id queue)
{
    (void)call_change_task(call);
    queue_leave(queue, call->task->program_id);
    return 0;
}

/* mq_notify(descriptor, event); what SIGEV_THREAD wants goes over a socket, of which there are none. */
int32_t call_mq_notify(const struct system_call *call)
{
    struct linux_sigevent event = {.notify = SIGEV_NONE};
    const struct file_record *file;
    uint32_t address = call->arguments[1];
    int32_t result = address != 0 ? copy_in(&event, address, sizeof(event)) : 0;

    if (result == 0 && event.notify != SIGEV_NONE && event.notify != SIGEV_SIGNAL) {
        result = event.notify == SIGEV_THREAD ? -ENOSYS : -EINVAL;
    }
    if (result == 0 && event.notify == SIGEV_SIGNAL && (event.signal < 0 || event.signal > (int32_t)SIGNAL_MAX)) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = any_queue(call, &file);
    }
    if (result != 0 || address == 0) {
        return result != 0 ? result : stop_telling(call, file->queue);
    }
    struct queue_record *record = queue_at(file->queue);
    if (record->told.number != 0) {
        return -EBUSY;
    }
    (void)call_change_task(call);
    record->told = call->task->program_id;
    record->notify = (uint32_t)event.notify;
    record->signal = (uint32_t)event.signal;
    record->value = event.value;
    return 0;
}

/* They are set, and told what they were, in one step: both may lie in the same memory. */
static int32_t set_flags(const struct system_call *call, uint32_t flags, const struct attributes *before)
{
    struct user_range range;
    enum error error =
        before != NULL ? user_begin(&range, (struct vaddr){call->arguments[2]}, sizeof(*before), PMAP_WRITE) : OK;

    if (error != OK) {
        return system_call_errno(error);
    }
    if (file_of(call->program, call->arguments[0]) != NULL) { /* it may have been closed over the sleep */
        file_set_flags(call_change_program(call), call->arguments[0], O_NONBLOCK, flags);
    }
    if (before != NULL) {
        memcpy(range.address, before, sizeof(*before));
        user_end(&range);
    }
    return 0;
}

/* mq_getsetattr(descriptor, attributes, before) */
int32_t call_mq_getsetattr(const struct system_call *call)
{
    struct attributes wanted = {0}, before = {0};
    const struct file_record *file;
    int32_t result = call->arguments[1] != 0 ? copy_in(&wanted, call->arguments[1], sizeof(wanted)) : 0;

    if (result == 0 && (wanted.flags & ~O_NONBLOCK) != 0) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = any_queue(call, &file);
    }
    if (result != 0) {
        return result;
    }
    before.flags = file->flags & O_NONBLOCK;
    before.messages_max = (int32_t)queue_at(file->queue)->messages_max;
    before.bytes_max = (int32_t)queue_at(file->queue)->bytes_max;
    before.count = (int32_t)queue_count(file->queue);
    if (call->arguments[1] == 0) {
        return call->arguments[2] != 0 ? copy_out(call->arguments[2], &before, sizeof(before)) : 0;
    }
    return set_flags(call, wanted.flags, call->arguments[2] != 0 ? &before : NULL);
}
