/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on names: making them, taking them away, giving others.
 *
 * What is changed is changed in one instant (fs.h), which is the last thing that a call does: so it is never done
 * twice. What has a name and is no file (names.h) stays as it is: who wants to change it is told that it is read-only.
 */
#include "paths.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "thread.h"
#include <string.h>

#define HERE ((uint32_t)AT_FDCWD)

/* The end of a call that has changed something or not. */
static int32_t finish(struct path *path, enum error error)
{
    if (error == OK) {
        (void)call_change_task(path->call);
    }
    return system_call_errno(error);
}

typedef int32_t path_work(struct path *path, void *what);

/* Begin, work, end. */
static int32_t with_path(const struct system_call *call, path_work *work, void *what)
{
    struct path path;
    int32_t result = path_begin(&path, call);

    if (result == 0) {
        result = work(&path, what);
        path_end(&path);
    }
    return result;
}

/* Making ----------------------------------------------------------------------------------------------------------- */

struct making {
    uint32_t descriptor, address;
    struct fs_new what;
};

static int32_t make(struct path *path, void *what)
{
    const struct making *making = what;
    struct fs_id made;
    int32_t result = path_walk(path, making->descriptor, making->address, false);

    if (result == 0) {
        result = path_is_new(path);
    }
    if (result == 0 && path->found.wants_folder && (making->what.mode & S_IFMT) != S_IFDIR) {
        result = -ENOENT;
    }
    struct node node;
    if (result == -ENOENT && node_of_image_at(making->address, &node) == 0) {
        result = -EEXIST; /* an image is in whatever folder it is said to be */
    }
    if (result != 0) {
        return result;
    }
    return finish(path, fs_make(&path->grip, path->found.folder, fs_found_name(&path->found), &making->what, &made));
}

static int32_t make_folder(const struct system_call *call, uint32_t descriptor, uint32_t address, uint32_t mode)
{
    struct making making = {descriptor, address, {.mode = S_IFDIR | (mode & 01777u & ~call->program->umask)}};

    return with_path(call, make, &making);
}

int32_t call_mkdir(const struct system_call *call)
{
    return make_folder(call, HERE, call->arguments[0], call->arguments[1]);
}

int32_t call_mkdirat(const struct system_call *call)
{
    return make_folder(call, call->arguments[0], call->arguments[1], call->arguments[2]);
}

static int32_t make_node(const struct system_call *call, uint32_t descriptor, uint32_t address, uint32_t mode,
                         uint32_t device)
{
    uint32_t type = mode & S_IFMT;
    bool is_device = type == S_IFCHR || type == S_IFBLK;
    struct making making = {descriptor,
                            address,
                            {.mode = (type != 0 ? type : S_IFREG) | (mode & 07777u & ~call->program->umask),
                             .device = is_device ? device : 0}};

    if (type == S_IFDIR) {
        return -EPERM;
    }
    if (type != 0 && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && !is_device) {
        return -EINVAL;
    }
    return with_path(call, make, &making);
}

int32_t call_mknod(const struct system_call *call)
{
    return make_node(call, HERE, call->arguments[0], call->arguments[1], call->arguments[2]);
}

int32_t call_mknodat(const struct system_call *call)
{
    return make_node(call, call->arguments[0], call->arguments[1], call->arguments[2], call->arguments[3]);
}

/* One target at a time is on its way from a program's memory into a file. */
static struct {
    struct mutex mutex;
    char bytes[FS_TARGET_MAX + 1];
} target;

static int32_t make_link_alone(const struct system_call *call, uint32_t descriptor, uint32_t address)
{
    enum error error = user_copy_string(target.bytes, (struct vaddr){call->arguments[0]}, sizeof(target.bytes));
    struct making making = {descriptor, address, {.mode = S_IFLNK | 0777, .target = target.bytes}};

    if (error != OK) {
        return error == ERROR_RANGE ? -ENAMETOOLONG : system_call_errno(error);
    }
    making.what.target_length = (uint32_t)strlen(target.bytes);
    return making.what.target_length == 0 ? -ENOENT : with_path(call, make, &making);
}

static int32_t make_link(const struct system_call *call, uint32_t descriptor, uint32_t address)
{
    mutex_lock(&target.mutex, LOCK_WORDS);
    int32_t result = make_link_alone(call, descriptor, address);
    mutex_unlock(&target.mutex, LOCK_WORDS);
    return result;
}

int32_t call_symlink(const struct system_call *call)
{
    return make_link(call, HERE, call->arguments[1]);
}

int32_t call_symlinkat(const struct system_call *call)
{
    return make_link(call, call->arguments[1], call->arguments[2]);
}

/* Taking away ------------------------------------------------------------------------------------------------------ */

struct removal {
    uint32_t descriptor, address;
    bool is_folder;
};

/* Nothing in the tree: it may be an image, which stays. */
static int32_t refuse(const struct path *path, uint32_t address)
{
    struct node node;
    int32_t result = node_of_image_at(address, &node);

    (void)path;
    return result == 0 ? -EROFS : result;
}

static int32_t dots_stay(const struct path *path, bool is_folder)
{
    if (!is_folder) {
        return -EISDIR;
    }
    return path->found.length == 0 ? -EBUSY : path->found.length == 1 ? -EINVAL : -ENOTEMPTY;
}

static int32_t take_away(struct path *path, void *what)
{
    const struct removal *removal = what;
    int32_t result = path_walk(path, removal->descriptor, removal->address, false);

    if (result == 0 && path->found.is_dots) {
        return dots_stay(path, removal->is_folder);
    }
    if (result == 0) {
        result = path_is_old(path);
    }
    if (result == -ENOENT) {
        return refuse(path, removal->address);
    }
    if (result != 0) {
        return result;
    }
    return finish(path, fs_remove(&path->grip, path->found.folder, fs_found_name(&path->found), removal->is_folder));
}

int32_t call_unlink(const struct system_call *call)
{
    return with_path(call, take_away, &(struct removal){HERE, call->arguments[0], false});
}

int32_t call_rmdir(const struct system_call *call)
{
    return with_path(call, take_away, &(struct removal){HERE, call->arguments[0], true});
}

int32_t call_unlinkat(const struct system_call *call)
{
    uint32_t flags = call->arguments[2];

    if ((flags & ~AT_REMOVEDIR) != 0) {
        return -EINVAL;
    }
    return with_path(call, take_away,
                     &(struct removal){call->arguments[0], call->arguments[1], (flags & AT_REMOVEDIR) != 0});
}

/* Other names ------------------------------------------------------------------------------------------------------ */

struct pair {
    uint32_t descriptors[2], addresses[2];
    uint32_t flags;
};

/* The new name, after the old one: what is found is that of the new one. */
static int32_t walk_to_new(struct path *path, const struct pair *pair)
{
    int32_t result = path_walk(path, pair->descriptors[1], pair->addresses[1], false);

    if (result == 0 && path->found.special != 0) {
        result = -EXDEV;
    }
    return result;
}

static int32_t rename_found(struct path *path, void *what)
{
    const struct pair *pair = what;
    int32_t result = path_walk(path, pair->descriptors[0], pair->addresses[0], false);

    if (result == 0) {
        result = path->found.is_dots ? -EBUSY : path_is_old(path);
    }
    if (result == -ENOENT) {
        return refuse(path, pair->addresses[0]);
    }
    struct fs_found old = path->found;
    if (result == 0) {
        result = walk_to_new(path, pair);
    }
    if (result == 0 && path->found.is_dots) {
        result = (pair->flags & RENAME_NOREPLACE) != 0 ? -EEXIST : -EBUSY;
    }
    if (result == 0 && path->found.wants_folder && (old.mode & S_IFMT) != S_IFDIR) {
        result = -ENOTDIR;
    }
    if (result != 0) {
        return result;
    }
    return finish(path, fs_rename(&path->grip, old.folder, fs_found_name(&old), path->found.folder,
                                  fs_found_name(&path->found), (pair->flags & RENAME_NOREPLACE) == 0));
}

int32_t call_rename(const struct system_call *call)
{
    return with_path(call, rename_found, &(struct pair){{HERE, HERE}, {call->arguments[0], call->arguments[1]}, 0});
}

static int32_t rename_at(const struct system_call *call, uint32_t flags)
{
    if ((flags & ~RENAME_NOREPLACE) != 0) {
        return -EINVAL;
    }
    return with_path(
        call, rename_found,
        &(struct pair){{call->arguments[0], call->arguments[2]}, {call->arguments[1], call->arguments[3]}, flags});
}

int32_t call_renameat(const struct system_call *call)
{
    return rename_at(call, 0);
}

int32_t call_renameat2(const struct system_call *call)
{
    return rename_at(call, call->arguments[4]);
}

static int32_t link_found(struct path *path, void *what)
{
    const struct pair *pair = what;
    struct node node;
    uint32_t flags = (pair->flags & AT_EMPTY_PATH) | ((pair->flags & AT_SYMLINK_FOLLOW) != 0 ? 0 : AT_SYMLINK_NOFOLLOW);
    int32_t result = path_node_at(path, pair->descriptors[0], pair->addresses[0], flags, &node);

    if (result == 0) {
        result = walk_to_new(path, pair);
    }
    if (result == 0) {
        result = path_is_new(path);
    }
    if (result == 0 && path->found.wants_folder) {
        result = -ENOENT;
    }
    if (result == 0) {
        result = node.file.inode == 0 ? -EXDEV : node_is_folder(&node) ? -EPERM : 0;
    }
    if (result != 0) {
        return result;
    }
    enum error error = fs_link(&path->grip, node.file, path->found.folder, fs_found_name(&path->found));
    return error == ERROR_DENIED ? -EPERM : finish(path, error);
}

int32_t call_link(const struct system_call *call)
{
    return with_path(call, link_found, &(struct pair){{HERE, HERE}, {call->arguments[0], call->arguments[1]}, 0});
}

int32_t call_linkat(const struct system_call *call)
{
    uint32_t flags = call->arguments[4];

    if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_FOLLOW)) != 0) {
        return -EINVAL;
    }
    return with_path(
        call, link_found,
        &(struct pair){{call->arguments[0], call->arguments[2]}, {call->arguments[1], call->arguments[3]}, flags});
}

/* Asking ----------------------------------------------------------------------------------------------------------- */

struct asking {
    uint32_t descriptor, address, flags, mode;
};

/* Whoever asks may do everything that can be done: to write to an image, or to execute what nobody may, cannot. */
static int32_t may_access(struct path *path, void *what)
{
    const struct asking *asking = what;
    struct node node;
    int32_t result = path_node_at(path, asking->descriptor, asking->address, asking->flags, &node);

    if (result != 0) {
        return result;
    }
    if ((asking->mode & ACCESS_WRITE) != 0 && node.image.number != 0) {
        return -EROFS;
    }
    bool is_denied = ((asking->mode & ACCESS_READ) != 0 && node.image.number != 0) ||
                     ((asking->mode & ACCESS_EXECUTE) != 0 && (node.mode & 0111u) == 0);
    return is_denied ? -EACCES : 0;
}

static int32_t access_path(const struct system_call *call, uint32_t descriptor, uint32_t address, uint32_t mode,
                           uint32_t flags)
{
    if ((mode & ~(ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE)) != 0) {
        return -EINVAL;
    }
    return with_path(call, may_access, &(struct asking){descriptor, address, flags, mode});
}

int32_t call_access(const struct system_call *call)
{
    return access_path(call, HERE, call->arguments[0], call->arguments[1], 0);
}

int32_t call_faccessat(const struct system_call *call)
{
    return access_path(call, call->arguments[0], call->arguments[1], call->arguments[2], 0);
}

int32_t call_faccessat2(const struct system_call *call)
{
    return access_path(call, call->arguments[0], call->arguments[1], call->arguments[2],
                       call->arguments[3] & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
}

/* Links and where we are ------------------------------------------------------------------------------------------- */

struct reading {
    uint32_t descriptor, address, destination, capacity;
};

/* The link of a descriptor that is a file of the tree. */
static int32_t read_file_link(struct path *path, const struct file_record *file, const struct reading *reading)
{
    char name[FS_NAME_MAX] = "";
    struct fs_id folder, id = file_id(file);
    uint32_t length = 0;

    if (file->kind == FILE_FOLDER) {
        return path_text(path, id, (struct fs_name){name, 0}, reading->destination, reading->capacity);
    }
    enum error error = fs_entry_at(&path->grip, file->name.folder, file->name.key, id.inode, &folder, name, &length);
    if (error == ERROR_NOT_FOUND) {
        static const char gone[] = "(deleted)";
        folder = (struct fs_id){FS_ROOT, 1};
        length = sizeof(gone) - 1;
        memcpy(name, gone, length);
    } else if (error != OK) {
        return system_call_errno(error);
    }
    return path_text(path, folder, (struct fs_name){name, length}, reading->destination, reading->capacity);
}

static int32_t read_special_link(struct path *path, const struct reading *reading)
{
    char text[PATH_BYTES] = "";
    uint32_t descriptor;

    if (path->found.wants_folder || !special_is_link(path->found.special)) {
        return path->found.wants_folder ? -ENOTDIR : -EINVAL;
    }
    const struct file_record *file =
        special_descriptor(path->found.special, &descriptor) ? file_hold(task_current(), descriptor) : NULL;
    if (file != NULL && file_operations(file)->is_named) {
        return read_file_link(path, file, reading);
    }
    name_of_special_link(path->call, path->found.special, text);
    uint32_t length = (uint32_t)strlen(text);
    length = length < reading->capacity ? length : reading->capacity;
    int32_t result = copy_out(reading->destination, text, length);
    return result == 0 ? (int32_t)length : result;
}

#define PIECE 256u

static int32_t read_target(struct path *path, struct fs_id link, const struct reading *reading)
{
    char bytes[PIECE];
    uint32_t offset = 0, count = PIECE;

    while (count == PIECE && offset < reading->capacity) {
        uint32_t wanted = reading->capacity - offset < PIECE ? reading->capacity - offset : PIECE;
        enum error error = fs_target(&path->grip, link, offset, bytes, wanted, &count);
        int32_t result = error == OK ? copy_out(reading->destination + offset, bytes, count) : system_call_errno(error);
        if (result != 0) {
            return error == ERROR_INVALID ? -EINVAL : result;
        }
        offset += count;
    }
    return (int32_t)offset;
}

static int32_t read_link(struct path *path, void *what)
{
    const struct reading *reading = what;
    char first;
    int32_t result = copy_in(&first, reading->address, 1);

    if (result == 0 && first == 0 && (int32_t)reading->descriptor != AT_FDCWD) {
        const struct file_record *file = file_of(path->call->program, reading->descriptor);
        if (file != NULL && file_operations(file)->is_named) {
            return read_target(path, file_id(file), reading);
        }
    }
    if (result == 0) {
        result = path_walk(path, reading->descriptor, reading->address, false);
    }
    if (result == 0 && path->found.special != 0) {
        result = read_special_link(path, reading);
        return result > (int32_t)reading->capacity ? (int32_t)reading->capacity : result;
    }
    if (result == 0) {
        result = path_is_old(path);
    }
    if (result == -ENOENT) {
        struct node node;
        result = node_of_image_at(reading->address, &node);
        return result == 0 ? -EINVAL : result;
    }
    return result == 0 ? read_target(path, path->found.file, reading) : result;
}

static int32_t read_link_at(const struct system_call *call, const struct reading *reading)
{
    struct reading copy = *reading;

    return (int32_t)reading->capacity <= 0 ? -EINVAL : with_path(call, read_link, &copy);
}

int32_t call_readlink(const struct system_call *call)
{
    return read_link_at(call, &(struct reading){HERE, call->arguments[0], call->arguments[1], call->arguments[2]});
}

int32_t call_readlinkat(const struct system_call *call)
{
    return read_link_at(
        call, &(struct reading){call->arguments[0], call->arguments[1], call->arguments[2], call->arguments[3]});
}

static int32_t tell_folder(struct path *path, void *what)
{
    const struct system_call *call = path->call;
    struct fs_id folder;
    int32_t result = path_folder(path, HERE, &folder);

    (void)what;
    if (result == 0) {
        result = path_text(path, folder, (struct fs_name){"", 0}, call->arguments[0], call->arguments[1]);
    }
    if (result < 0) {
        return result;
    }
    if ((uint32_t)result + 1 > call->arguments[1]) {
        return -ERANGE;
    }
    int32_t ended = copy_out(call->arguments[0] + (uint32_t)result, "", 1);
    return ended == 0 ? result + 1 : ended;
}

int32_t call_getcwd(const struct system_call *call)
{
    return with_path(call, tell_folder, NULL);
}

int32_t call_umask(const struct system_call *call)
{
    uint32_t before = call->program->umask;

    call_change_program(call)->umask = call->arguments[0] & 0777u;
    return (int32_t)before;
}
