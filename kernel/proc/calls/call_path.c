/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on names: opening, asking, following links; and those that would change something.
 *
 * Every name but those of names.h answers ENOENT, and whoever wants to create or change one is told that this is a
 * read-only file system. An image can be executed, which maps it, and not be read: there is no file behind it.
 */
#include "file/file.h"
#include "file/file_operations.h"
#include "names.h"
#include <string.h>

/* Opening ---------------------------------------------------------------------------------------------------------- */

static int32_t open_node(const struct system_call *call, const struct node *node, uint32_t flags)
{
    struct file_id file;
    uint32_t descriptor;

    if ((flags & O_DIRECTORY) != 0 && !node_is_folder(node)) {
        return -ENOTDIR;
    }
    if (node->image.number != 0 && (flags & (O_ACCMODE | O_TRUNC)) != O_RDONLY) {
        return -EROFS;
    }
    if (node->kind == FILE_FREE || file_operations_of_kind(node->kind)->path == NULL) {
        return node_is_folder(node) && (flags & O_ACCMODE) != O_RDONLY ? -EISDIR : -EACCES;
    }
    struct file_record opened = {.kind = node->kind,
                                 .flags = (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC)) | O_LARGEFILE,
                                 .terminal = call->program->terminal};
    if (file_operations_of_kind(node->kind)->open != NULL) {
        file_operations_of_kind(node->kind)->open(&opened);
    }
    enum error error = file_create(&opened, &file);
    if (error != OK) {
        return -ENFILE;
    }
    error = file_install(call_change_program(call), 0, file, (flags & O_CLOEXEC) != 0 ? FD_CLOEXEC : 0, &descriptor);
    return error == OK ? (int32_t)descriptor : -EMFILE;
}

static int32_t open_path(const struct system_call *call, uint32_t path, uint32_t flags)
{
    struct node node;
    int32_t result = name_find_at(call, path, true, &node);

    if (result == -ENOENT && (flags & O_CREAT) != 0) {
        return -EROFS;
    }
    if (result == 0 && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        return -EEXIST;
    }
    return result == 0 ? open_node(call, &node, flags) : result;
}

int32_t call_open(const struct system_call *call)
{
    return open_path(call, call->arguments[0], call->arguments[1]);
}

int32_t call_openat(const struct system_call *call)
{
    return open_path(call, call->arguments[1], call->arguments[2]);
}

/* Taking away or renaming: there is nothing of that name, or it has to stay. */
static int32_t refuse_change(const struct system_call *call, uint32_t path)
{
    struct node node;
    int32_t result = name_find_at(call, path, false, &node);

    return result == 0 ? -EROFS : result;
}

int32_t call_change_path(const struct system_call *call)
{
    return refuse_change(call, call->arguments[0]);
}

int32_t call_unlinkat(const struct system_call *call)
{
    return refuse_change(call, call->arguments[1]);
}

int32_t call_make_path(const struct system_call *call)
{
    struct node node;
    int32_t result = name_find_at(call, call->arguments[0], false, &node);

    if (result == 0) {
        return -EEXIST;
    }
    return result == -ENOENT ? -EROFS : result;
}

/* Whoever asks may do everything that can be done: to write to what does not change, or to execute a device, cannot. */
static int32_t access_path(const struct system_call *call, uint32_t path, uint32_t mode)
{
    struct node node;
    bool is_known = (mode & ~(ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE)) == 0;
    int32_t result = is_known ? name_find_at(call, path, true, &node) : -EINVAL;

    if (result != 0) {
        return result;
    }
    if ((mode & ACCESS_WRITE) != 0 && (node.image.number != 0 || node_is_folder(&node))) {
        return -EROFS;
    }
    bool is_denied = ((mode & ACCESS_READ) != 0 && node.image.number != 0) ||
                     ((mode & ACCESS_EXECUTE) != 0 && (node.mode & 0111u) == 0);
    return is_denied ? -EACCES : 0;
}

int32_t call_access(const struct system_call *call)
{
    return access_path(call, call->arguments[0], call->arguments[1]);
}

int32_t call_faccessat(const struct system_call *call)
{
    return access_path(call, call->arguments[1], call->arguments[2]);
}

/* Links and folders ------------------------------------------------------------------------------------------------ */

static int32_t read_link(const struct system_call *call, uint32_t address, uint32_t destination, uint32_t capacity)
{
    char path[PATH_BYTES], target[PATH_BYTES] = "";
    int32_t result = path_in(path, address);

    if (result == 0 && ((int32_t)capacity <= 0 || path[0] == 0)) {
        result = (int32_t)capacity <= 0 ? -EINVAL : -ENOENT;
    }
    if (result == 0) {
        result = name_of_link(call, path, target);
    }
    if (result != 0) {
        return result;
    }
    uint32_t length = (uint32_t)strlen(target);
    length = length < capacity ? length : capacity;
    result = copy_out(destination, target, length);
    return result == 0 ? (int32_t)length : result;
}

int32_t call_readlink(const struct system_call *call)
{
    return read_link(call, call->arguments[0], call->arguments[1], call->arguments[2]);
}

int32_t call_readlinkat(const struct system_call *call)
{
    return read_link(call, call->arguments[1], call->arguments[2], call->arguments[3]);
}

int32_t call_getcwd(const struct system_call *call)
{
    static const char folder[] = "/";

    if (call->arguments[1] < sizeof(folder)) {
        return -ERANGE;
    }
    int32_t result = copy_out(call->arguments[0], folder, sizeof(folder));
    return result == 0 ? (int32_t)sizeof(folder) : result;
}

/* Only the root may be gone to, so that relative names keep their meaning. */
int32_t call_chdir(const struct system_call *call)
{
    struct node node;
    int32_t result = name_find_at(call, call->arguments[0], true, &node);

    if (result == 0 && !(node.path != NULL && strcmp(node.path, "/") == 0)) {
        result = node_is_folder(&node) ? -EACCES : -ENOTDIR;
    }
    return result;
}

int32_t call_umask(const struct system_call *call)
{
    uint32_t before = call->program->umask;

    call_change_program(call)->umask = call->arguments[0] & 0777u;
    return (int32_t)before;
}

int32_t call_getdents64(const struct system_call *call)
{
    return file_of(call->program, call->arguments[0]) == NULL ? -EBADF : -ENOTDIR;
}
