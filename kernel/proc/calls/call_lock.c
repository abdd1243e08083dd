/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that lock files: what fcntl() does with locks, and flock().
 *
 * Who waits keeps nothing across a cut: issued again after a boot the call looks again.
 */
#include "calls.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "file/lock.h"
#include "space/object.h"
#include "task/pending.h"

#define ROUNDS 16u

/* A lock as a program describes it, in either width. */
struct description {
    int16_t type, whence;
    int64_t start, length;
    int32_t program;
};

static bool is_wide(uint32_t command)
{
    return command >= F_GETLK64;
}

static int32_t description_in(uint32_t address, uint32_t command, struct description *out)
{
    struct linux_flock64 wide;
    struct linux_flock narrow;
    int32_t result;

    if (is_wide(command)) {
        result = copy_in(&wide, address, sizeof(wide));
        *out = (struct description){wide.type, wide.whence, wide.start, wide.length, wide.program};
    } else {
        result = copy_in(&narrow, address, sizeof(narrow));
        *out = (struct description){narrow.type, narrow.whence, narrow.start, narrow.length, narrow.program};
    }
    return result;
}

static int32_t description_out(uint32_t address, uint32_t command, const struct description *description)
{
    struct linux_flock64 wide = {description->type, description->whence, description->start, description->length,
                                 description->program};
    struct linux_flock narrow = {description->type, description->whence, (int32_t)description->start,
                                 (int32_t)description->length, description->program};

    if (is_wide(command)) {
        return copy_out(address, &wide, sizeof(wide));
    }
    bool fits = description->start <= INT32_MAX && description->length <= INT32_MAX;
    return fits ? copy_out(address, &narrow, sizeof(narrow)) : -EOVERFLOW;
}

/* The bytes that are meant: 0, -EINVAL or -EOVERFLOW. */
static int32_t range_of(const struct file_record *file, const struct description *description, struct lock_range *out)
{
    struct object_id object = {file->object};
    int64_t from[] = {0, (int64_t)file->position, (int64_t)object_at(object)->size};
    int64_t start, last, length = description->length;

    if (description->whence < 0 || (uint32_t)description->whence >= sizeof(from) / sizeof(from[0])) {
        return -EINVAL;
    }
    if (__builtin_add_overflow(from[description->whence], description->start, &start)) {
        return -EOVERFLOW;
    }
    if (length < 0 && __builtin_add_overflow(start, length, &start)) {
        return -EINVAL;
    }
    if (start < 0) {
        return -EINVAL;
    }
    length = length < 0 ? -length : length;
    last = INT64_MAX;
    if (length > 0 && __builtin_add_overflow(start, length - 1, &last)) {
        return -EOVERFLOW;
    }
    *out = (struct lock_range){object, (uint64_t)start, (uint64_t)last};
    return 0;
}

/* What is wanted. */
struct wish {
    struct lock_range range;
    struct lock_owner owner;
    int32_t type; /* F_RDLCK, F_WRLCK or F_UNLCK */
    bool waits;
};

static struct lock_owner owner_of(const struct lock_record *lock)
{
    return (struct lock_owner){lock->owner_kind, lock->owner};
}

/* Until nothing is in the way: 0 or a negative errno. */
static int32_t wait_for_others(const struct system_call *call, const struct wish *wish)
{
    const struct lock_record *other;

    while ((other = lock_in_the_way(&wish->range, wish->type == F_WRLCK, wish->owner)) != NULL) {
        if (!wish->waits) {
            return -EAGAIN;
        }
        if (task_has_signal(call->task)) {
            return call_interrupted(call);
        }
        enum error error = lock_wait(wish->owner, owner_of(other));
        if (error != OK && error != ERROR_INTERRUPTED) {
            return -EDEADLK;
        }
    }
    return 0;
}

static int32_t grant(const struct system_call *call, const struct wish *wish)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        int32_t result = wish->type != F_UNLCK ? wait_for_others(call, wish) : 0;
        if (result != 0) {
            return result;
        }
        enum error error = wish->type == F_UNLCK ? lock_clear(&wish->range, wish->owner)
                                                 : lock_set(&wish->range, wish->type == F_WRLCK, wish->owner);
        if (error == OK) {
            (void)call_change_task(call);
            return 0;
        }
        if (lock_reserve() != OK) { /* in which others may have come */
            return -ENOLCK;
        }
    }
    return -ENOLCK;
}

/* fcntl() ------------------------------------------------------------------------------------------------------------ */

static int32_t tell(const struct system_call *call, const struct wish *wish, struct description *description)
{
    const struct lock_record *other = lock_in_the_way(&wish->range, wish->type == F_WRLCK, wish->owner);

    description->type = F_UNLCK;
    if (other != NULL) {
        uint64_t length = other->last - other->start + 1;
        *description =
            (struct description){.type = other->is_exclusive != 0 ? F_WRLCK : F_RDLCK,
                                 .whence = 0,
                                 .start = (int64_t)other->start,
                                 .length = other->last == INT64_MAX ? 0 : (int64_t)length,
                                 .program = other->owner_kind == LOCK_OF_PROGRAM ? (int32_t)other->owner : -1};
    }
    return description_out(call->arguments[2], call->arguments[1], description);
}

static bool may_lock(const struct file_record *file, int32_t type)
{
    uint32_t mode = file->flags & O_ACCMODE;

    return type == F_UNLCK || (type == F_RDLCK ? mode != O_WRONLY : mode != O_RDONLY);
}

int32_t call_fcntl_lock(const struct system_call *call)
{
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);
    uint32_t command = call->arguments[1];
    bool is_file_s = command >= F_OFD_GETLK,
         tells = command == F_GETLK || command == F_GETLK64 || command == F_OFD_GETLK;
    struct description description;
    int32_t result = description_in(call->arguments[2], command, &description);

    if (result != 0) {
        return result;
    }
    if (!file_operations(file)->has_object || description.type < F_RDLCK || description.type > F_UNLCK ||
        (tells && description.type == F_UNLCK) || (is_file_s && description.program != 0)) {
        return -EINVAL;
    }
    struct wish wish = {.owner = {LOCK_OF_PROGRAM, call->task->program_id.number},
                        .type = description.type,
                        .waits = command == F_SETLKW || command == F_SETLKW64 || command == F_OFD_SETLKW};
    if (is_file_s) {
        wish.owner = (struct lock_owner){LOCK_OF_FILE, record_index(RECORD_FILE, file)};
    }
    result = range_of(file, &description, &wish.range);
    if (result != 0) {
        return result;
    }
    if (tells) {
        return tell(call, &wish, &description);
    }
    return may_lock(file, wish.type) ? grant(call, &wish) : -EBADF;
}

/* flock() ------------------------------------------------------------------------------------------------------------ */

int32_t call_flock(const struct system_call *call)
{
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);
    uint32_t operation = call->arguments[1] & ~LOCK_NB;

    if (file == NULL || (file->flags & O_PATH) != 0) {
        return -EBADF;
    }
    if (operation != LOCK_SH && operation != LOCK_EX && operation != LOCK_UN) {
        return -EINVAL;
    }
    if (!file_operations(file)->has_object && !file_operations(file)->is_named) {
        return 0; /* nobody else can have the same open file but by inheriting it */
    }
    return grant(call, &(struct wish){.range = {{file->object}, 0, INT64_MAX},
                                      .owner = {LOCK_WHOLE, record_index(RECORD_FILE, file)},
                                      .type = operation == LOCK_UN   ? F_UNLCK
                                              : operation == LOCK_EX ? F_WRLCK
                                                                     : F_RDLCK,
                                      .waits = (call->arguments[1] & LOCK_NB) == 0});
}
