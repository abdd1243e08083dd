/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that change what is known of a file: rights, owners, times; and those about the whole of them.
 *
 * What is no file of the tree stays as it is. All programs are root's, so rights and owners are kept and shown, and
 * deny nothing.
 */
#include "paths.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "file/file_position.h"
#include "program_time.h"
#include "space/object.h"
#include "snap.h"

#define HERE          ((uint32_t)AT_FDCWD)
#define NS_PER_SECOND UINT64_C(1000000000)
#define NOBODY        0xFFFFFFFFu /* an owner that stays */

/* Which file, and what of it. An address of 0 with AT_EMPTY_PATH: that of the descriptor. */
struct setting {
    uint32_t descriptor, address, flags;
    uint32_t mask;
    struct fs_inode to;
};

static int32_t set_found(struct path *path, const struct setting *setting)
{
    struct node node;
    int32_t result = path_node_at(path, setting->descriptor, setting->address, setting->flags, &node);

    if (result != 0) {
        return result;
    }
    if (node.file.inode == 0) {
        return -EROFS;
    }
    if (setting->mask == 0) {
        return 0;
    }
    enum error error = fs_set(&path->grip, node.file, setting->mask, &setting->to);
    if (error == OK) {
        (void)call_change_task(path->call);
        if ((setting->mask & FS_MODIFY_TIME) != 0 && object_is_there(fs_object(node.file.inode))) {
            object_at(fs_object(node.file.inode))->modify_ns = 0;
        }
    }
    return system_call_errno(error);
}

static int32_t set(const struct system_call *call, const struct setting *setting)
{
    struct path path;
    int32_t result = path_begin(&path, call);

    if (result == 0) {
        result = set_found(&path, setting);
        path_end(&path);
    }
    return result;
}

/* Rights ----------------------------------------------------------------------------------------------------------- */

static int32_t set_mode(const struct system_call *call, uint32_t descriptor, uint32_t address, uint32_t flags,
                        uint32_t mode)
{
    return set(call, &(struct setting){descriptor, address, flags, FS_MODE, {.mode = mode}});
}

int32_t call_chmod(const struct system_call *call)
{
    return set_mode(call, HERE, call->arguments[0], 0, call->arguments[1]);
}

int32_t call_fchmod(const struct system_call *call)
{
    return set_mode(call, call->arguments[0], 0, AT_EMPTY_PATH, call->arguments[1]);
}

int32_t call_fchmodat(const struct system_call *call)
{
    return set_mode(call, call->arguments[0], call->arguments[1], 0, call->arguments[2]);
}

/* Owners ----------------------------------------------------------------------------------------------------------- */

static int32_t set_owner(const struct system_call *call, uint32_t descriptor, uint32_t address, uint32_t flags,
                         const uint32_t owner[2])
{
    uint32_t mask = (owner[0] != NOBODY ? FS_USER : 0u) | (owner[1] != NOBODY ? FS_GROUP : 0u);

    return set(call, &(struct setting){descriptor, address, flags, mask, {.user = owner[0], .group = owner[1]}});
}

/* The old calls have owners of 16 bits. */
static void widen(uint32_t owner[2], const uint32_t arguments[2])
{
    for (uint32_t i = 0; i < 2; i++) {
        owner[i] = (arguments[i] & 0xFFFFu) == 0xFFFFu ? NOBODY : arguments[i] & 0xFFFFu;
    }
}

int32_t call_chown(const struct system_call *call)
{
    return set_owner(call, HERE, call->arguments[0], 0, call->arguments + 1);
}

int32_t call_lchown(const struct system_call *call)
{
    return set_owner(call, HERE, call->arguments[0], AT_SYMLINK_NOFOLLOW, call->arguments + 1);
}

int32_t call_fchown(const struct system_call *call)
{
    return set_owner(call, call->arguments[0], 0, AT_EMPTY_PATH, call->arguments + 1);
}

int32_t call_chown_old(const struct system_call *call)
{
    uint32_t owner[2];

    widen(owner, call->arguments + 1);
    return set_owner(call, HERE, call->arguments[0], 0, owner);
}

int32_t call_lchown_old(const struct system_call *call)
{
    uint32_t owner[2];

    widen(owner, call->arguments + 1);
    return set_owner(call, HERE, call->arguments[0], AT_SYMLINK_NOFOLLOW, owner);
}

int32_t call_fchown_old(const struct system_call *call)
{
    uint32_t owner[2];

    widen(owner, call->arguments + 1);
    return set_owner(call, call->arguments[0], 0, AT_EMPTY_PATH, owner);
}

int32_t call_fchownat(const struct system_call *call)
{
    return set_owner(call, call->arguments[0], call->arguments[1], call->arguments[4], call->arguments + 2);
}

/* Times ------------------------------------------------------------------------------------------------------------ */

/* One of two times: 0 or -EINVAL. */
static int32_t take_time(struct setting *setting, uint32_t bit, uint64_t *to, int64_t seconds, int32_t nanoseconds)
{
    if (nanoseconds == UTIME_OMIT) {
        return 0;
    }
    if (nanoseconds != UTIME_NOW && (nanoseconds < 0 || (uint64_t)nanoseconds >= NS_PER_SECOND)) {
        return -EINVAL;
    }
    setting->mask |= bit;
    uint64_t whole = seconds < 0                                     ? 0
                     : (uint64_t)seconds < INT64_MAX / NS_PER_SECOND ? (uint64_t)seconds
                                                                     : INT64_MAX / NS_PER_SECOND - 1;
    *to = nanoseconds == UTIME_NOW ? time_of_base_ns(TIME_WALL) : whole * NS_PER_SECOND + (uint32_t)nanoseconds;
    return 0;
}

/* Two times of 8 or 16 bytes each; address 0: now. `unit`: nanoseconds in what is less than a second. */
static int32_t take_times(struct setting *setting, uint32_t address, bool is_wide, int32_t unit)
{
    struct linux_timespec64 wide[2] = {{0, UTIME_NOW, 0}, {0, UTIME_NOW, 0}};
    struct linux_timespec32 narrow[2];
    int32_t result = 0;

    if (address != 0 && is_wide) {
        result = copy_in(wide, address, sizeof(wide));
    } else if (address != 0) {
        result = copy_in(narrow, address, sizeof(narrow));
        for (uint32_t i = 0; result == 0 && i < 2; i++) {
            bool fits = unit == 1 || (narrow[i].nanoseconds >= 0 && narrow[i].nanoseconds < 1000000);
            wide[i] = (struct linux_timespec64){narrow[i].seconds, fits ? narrow[i].nanoseconds * unit : -1, 0};
        }
    }
    if (result == 0) {
        result = take_time(setting, FS_ACCESS_TIME, &setting->to.access_ns, wide[0].seconds, wide[0].nanoseconds);
    }
    if (result == 0) {
        result = take_time(setting, FS_MODIFY_TIME, &setting->to.modify_ns, wide[1].seconds, wide[1].nanoseconds);
    }
    return result;
}

static int32_t set_times(const struct system_call *call, bool is_wide)
{
    struct setting setting = {
        .descriptor = call->arguments[0], .address = call->arguments[1], .flags = call->arguments[3]};
    int32_t result = take_times(&setting, call->arguments[2], is_wide, 1);

    if (call->arguments[1] == 0) {
        if ((int32_t)call->arguments[0] == AT_FDCWD) {
            return -EFAULT;
        }
        setting.flags |= AT_EMPTY_PATH;
    }
    return result == 0 ? set(call, &setting) : result;
}

int32_t call_utimensat(const struct system_call *call)
{
    return set_times(call, false);
}

int32_t call_utimensat_time64(const struct system_call *call)
{
    return set_times(call, true);
}

int32_t call_utimes(const struct system_call *call)
{
    struct setting setting = {.descriptor = HERE, .address = call->arguments[0]};
    int32_t result = take_times(&setting, call->arguments[1], false, 1000);

    return result == 0 ? set(call, &setting) : result;
}

int32_t call_futimesat(const struct system_call *call)
{
    struct setting setting = {.descriptor = call->arguments[0], .address = call->arguments[1]};
    int32_t result = take_times(&setting, call->arguments[2], false, 1000);

    return result == 0 ? set(call, &setting) : result;
}

int32_t call_utime(const struct system_call *call)
{
    struct setting setting = {.descriptor = HERE, .address = call->arguments[0]};
    int32_t seconds[2] = {0, 0}, nanoseconds = call->arguments[1] == 0 ? UTIME_NOW : 0;
    int32_t result = call->arguments[1] == 0 ? 0 : copy_in(seconds, call->arguments[1], sizeof(seconds));

    if (result == 0) {
        result = take_time(&setting, FS_ACCESS_TIME, &setting.to.access_ns, seconds[0], nanoseconds);
    }
    if (result == 0) {
        result = take_time(&setting, FS_MODIFY_TIME, &setting.to.modify_ns, seconds[1], nanoseconds);
    }
    return result == 0 ? set(call, &setting) : result;
}

/* Room ------------------------------------------------------------------------------------------------------------- */

int32_t call_fallocate(const struct system_call *call)
{
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);
    uint64_t start = (uint64_t)call->arguments[3] << 32 | call->arguments[2];
    uint64_t length = (uint64_t)call->arguments[5] << 32 | call->arguments[4];

    if (file == NULL || (file->flags & O_ACCMODE) == O_RDONLY) {
        return -EBADF;
    }
    if ((call->arguments[1] & ~FALLOC_KEEP_SIZE) != 0) {
        return -EOPNOTSUPP;
    }
    if (start > INT64_MAX || length == 0 || length > INT64_MAX - start) {
        return -EINVAL;
    }
    if (!file_operations(file)->has_object) {
        return file->kind == FILE_PIPE ? -ESPIPE : -ENODEV;
    }
    if (start + length > (uint64_t)OBJECT_PAGES << PAGE_SHIFT) {
        return -EFBIG;
    }
    bool grows = call->arguments[1] == 0 && object_at((struct object_id){file->object})->size < start + length;
    return grows ? file_resize(file, start + length) : 0;
}

static int32_t room_of(struct path *path, struct linux_statfs64 *out)
{
    uint32_t in_use, left;
    enum error error = fs_count(&path->grip, &in_use, &left);
    struct snap_statistics room;

    snap_statistics(&room);
    *out = (struct linux_statfs64){.type = TMPFS_TYPE,
                                   .block_bytes = PAGE_SIZE,
                                   .blocks = room.blocks,
                                   .free = room.blocks - room.blocks_used,
                                   .available = room.blocks - room.blocks_used,
                                   .files = in_use + left,
                                   .files_free = left,
                                   .name_length = FS_NAME_MAX,
                                   .fragment_bytes = PAGE_SIZE};
    return system_call_errno(error);
}

static int32_t room_out(const struct linux_statfs64 *room, uint32_t address, bool is_wide)
{
    struct linux_statfs narrow = {.type = room->type,
                                  .block_bytes = room->block_bytes,
                                  .blocks = (uint32_t)room->blocks,
                                  .free = (uint32_t)room->free,
                                  .available = (uint32_t)room->available,
                                  .files = (uint32_t)room->files,
                                  .files_free = (uint32_t)room->files_free,
                                  .name_length = room->name_length,
                                  .fragment_bytes = room->fragment_bytes};

    return is_wide ? copy_out(address, room, sizeof(*room)) : copy_out(address, &narrow, sizeof(narrow));
}

/* Of a path, or of a descriptor: all are on the same disk. */
static int32_t tell_room(const struct system_call *call, bool is_path, bool is_wide)
{
    struct linux_statfs64 room;
    struct path path;
    struct node node;
    int32_t result = path_begin(&path, call);

    if (result != 0) {
        return result;
    }
    result = is_path ? path_node(&path, HERE, call->arguments[0], true, &node)
                     : node_of_descriptor(&path, call->arguments[0], &node);
    if (result == 0) {
        result = room_of(&path, &room);
    }
    path_end(&path);
    return result == 0 ? room_out(&room, call->arguments[is_wide ? 2 : 1], is_wide) : result;
}

int32_t call_statfs(const struct system_call *call)
{
    return tell_room(call, true, false);
}

int32_t call_fstatfs(const struct system_call *call)
{
    return tell_room(call, false, false);
}

int32_t call_statfs64(const struct system_call *call)
{
    return call->arguments[1] != sizeof(struct linux_statfs64) ? -EINVAL : tell_room(call, true, true);
}

int32_t call_fstatfs64(const struct system_call *call)
{
    return call->arguments[1] != sizeof(struct linux_statfs64) ? -EINVAL : tell_room(call, false, true);
}

/* There are no attributes but these. */
int32_t call_no_attributes(const struct system_call *call)
{
    (void)call;
    return -EOPNOTSUPP;
}
