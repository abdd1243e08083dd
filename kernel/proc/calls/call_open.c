/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * open() in all its forms.
 *
 * A file that is made is there before it is open, and what comes between may sleep: so the call notes which one it is,
 * and goes on with that after a boot. An image can be executed, which maps it, and not be read: there is no file behind
 * it.
 */
#include "file/file.h"
#include "file/file_operations.h"
#include "paths.h"
#include "space/object.h"

#define O_NOT_KEPT (O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | O_NOFOLLOW)
#define ROUNDS     16u

/* What is asked for. */
struct opening {
    struct path *path;
    uint32_t descriptor, address, flags, mode;
};

static bool wants_to_write(uint32_t flags)
{
    return (flags & O_ACCMODE) != O_RDONLY;
}

static int32_t install(const struct system_call *call, struct file_id file, uint32_t flags)
{
    uint32_t descriptor;
    uint8_t descriptor_flags = (flags & O_CLOEXEC) != 0 ? FD_CLOEXEC : 0;
    enum error error = file_install(call_change_program(call), 0, file, descriptor_flags, &descriptor);

    return error == OK ? (int32_t)descriptor : -EMFILE;
}

/* What is no file -------------------------------------------------------------------------------------------------- */

static int32_t open_node(const struct system_call *call, const struct node *node, uint32_t flags)
{
    struct file_id file;

    if ((flags & O_DIRECTORY) != 0) {
        return -ENOTDIR;
    }
    if (node->image.number != 0 && (flags & (O_ACCMODE | O_TRUNC)) != O_RDONLY) {
        return -EROFS;
    }
    if (node_is_link(node)) {
        return -ELOOP;
    }
    if (node->kind == FILE_FREE || file_operations_of_kind(node->kind)->path == NULL) {
        return -EACCES;
    }
    struct file_record opened = {
        .kind = node->kind, .flags = (flags & ~O_NOT_KEPT) | O_LARGEFILE, .terminal = call->program->terminal};
    if (file_operations_of_kind(node->kind)->open != NULL) {
        file_operations_of_kind(node->kind)->open(&opened);
    }
    return file_create(&opened, &file) == OK ? install(call, file, flags) : -ENFILE;
}

/* Files ------------------------------------------------------------------------------------------------------------ */

/* Room for the records of an open file, which is there until something sleeps. */
static enum error reserve(void)
{
    struct record_rounds rounds = {0};
    enum error error;

    do {
        record_round_begin(&rounds);
        error = object_reserve();
        if (error == OK) {
            error = record_reserve(RECORD_FILE, 1);
        }
    } while (record_round_again(&rounds, &error));
    return error;
}

/* Whether nothing has to be waited for. */
static bool is_reserved(struct fs_id id)
{
    uint32_t index;

    return record_find_free(RECORD_FILE, &index) &&
           (object_is_there(fs_object(id.inode)) || record_find_free(RECORD_OBJECT, &index));
}

/* key: of the name that it is opened by (fs_key()). */
static struct file_record record_of(const struct opening *opening, struct fs_id id, const struct fs_inode *inode,
                                    uint32_t key)
{
    const struct fs_found *found = &opening->path->found;
    bool is_folder = (inode->mode & S_IFMT) == S_IFDIR;

    return (struct file_record){.kind = is_folder ? FILE_FOLDER : FILE_REGULAR,
                                .flags = (opening->flags & ~O_NOT_KEPT) | O_LARGEFILE,
                                .object = fs_object(id.inode).number,
                                .name = {.folder = found->folder.inode, .key = key}};
}

/*
 * An open file record, which nobody has yet. A file without a name can be opened only by whoever has just made it, or
 * while somebody has it open: is_nameless says that the caller knows so.
 */
static int32_t open_record(const struct opening *opening, struct fs_id id, bool is_nameless, struct file_id *out)
{
    struct fs_inode inode;
    uint32_t key = 0;
    enum error error = fs_key(&opening->path->grip, fs_found_name(&opening->path->found), &key);

    for (uint32_t round = 0; error == OK && round < ROUNDS; round++) {
        error = reserve();
        if (error == OK) {
            error = fs_inode_of(&opening->path->grip, id, &inode);
        }
        if (error == OK && inode.links == 0 && !is_nameless) {
            error = ERROR_NOT_FOUND;
        }
        if (error != OK || !is_reserved(id)) {
            continue;
        }
        struct file_record opened = record_of(opening, id, &inode, key);
        error = object_create_file(id.inode, &inode);
        if (error == OK) {
            error = file_create(&opened, out);
        }
        if (error == OK) {
            object_refer(fs_object(id.inode), 1);
            return 0;
        }
    }
    return error == OK || error == ERROR_NO_MEMORY ? -ENFILE : system_call_errno(error);
}

static int32_t open_file(const struct opening *opening, struct fs_id id, bool is_nameless)
{
    const struct system_call *call = opening->path->call;
    struct file_id file;
    int32_t result = open_record(opening, id, is_nameless, &file);

    if (result != 0) {
        return result;
    }
    if ((opening->flags & O_TRUNC) != 0 && (opening->flags & O_PATH) == 0 && object_at(fs_object(id.inode))->size > 0) {
        result = system_call_errno(object_resize(fs_object(id.inode), 0));
    }
    if (result != 0) {
        file_drop(file);
        return result;
    }
    return install(call, file, opening->flags);
}

/* 0, or why an inode cannot be opened so. */
static int32_t check(const struct opening *opening, uint32_t mode)
{
    uint32_t flags = opening->flags;
    bool is_folder = (mode & S_IFMT) == S_IFDIR;

    if ((mode & S_IFMT) == S_IFLNK) {
        return (flags & O_PATH) != 0 ? 0 : -ELOOP;
    }
    if (((flags & O_DIRECTORY) != 0 || opening->path->found.wants_folder) && !is_folder) {
        return -ENOTDIR;
    }
    return is_folder && (wants_to_write(flags) || (flags & (O_CREAT | O_TRUNC)) != 0) ? -EISDIR : 0;
}

static int32_t open_special_inode(const struct opening *opening, struct fs_id id)
{
    struct fs_inode inode;
    struct node node;
    enum error error = fs_inode_of(&opening->path->grip, id, &inode);

    if (error != OK) {
        return system_call_errno(error);
    }
    return (inode.mode & S_IFMT) == S_IFCHR && node_of_device(inode.device, &node)
               ? open_node(opening->path->call, &node, opening->flags)
               : -ENXIO;
}

static int32_t open_found(const struct opening *opening, struct fs_id id, uint32_t mode)
{
    uint32_t type = mode & S_IFMT;
    int32_t result = check(opening, mode);

    if (result != 0) {
        return result;
    }
    if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK && (opening->flags & O_PATH) == 0) {
        return open_special_inode(opening, id);
    }
    return open_file(opening, id, false);
}

/* A file that somebody has open, whether or not it has a name. */
static int32_t open_linked(const struct opening *opening, struct fs_id id)
{
    struct object_id object = fs_object(id.inode);
    struct fs_inode inode;

    object_refer(object, 1);
    int32_t result = system_call_errno(fs_inode_of(&opening->path->grip, id, &inode));
    if (result == 0) {
        result = check(opening, inode.mode);
    }
    if (result == 0) {
        result = open_file(opening, id, true);
    }
    object_refer(object, -1);
    return result;
}

/* An end of a pipe, by the link of its descriptor: the same open file. The other end cannot be opened by it. */
static int32_t open_pipe(const struct opening *opening, uint32_t descriptor, const struct file_record *file)
{
    const struct system_call *call = opening->path->call;

    if (((opening->flags ^ file->flags) & O_ACCMODE) != 0) {
        return -EACCES;
    }
    return install(call, call->program->files[descriptor], opening->flags);
}

static const struct file_record *linked_pipe(const struct opening *opening, uint32_t *out_descriptor)
{
    const struct path *path = opening->path;
    const struct file_record *file =
        special_descriptor(path->found.special, out_descriptor) ? file_of(path->call->program, *out_descriptor) : NULL;

    return file != NULL && file->kind == FILE_PIPE ? file : NULL;
}

/* Through the link of a descriptor or of the program, or a device. */
static int32_t open_special(const struct opening *opening)
{
    struct path *path = opening->path;
    struct node node;
    struct fs_id file;

    if ((opening->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        return -EEXIST;
    }
    if (path->found.wants_folder) {
        return -ENOTDIR;
    }
    if ((opening->flags & O_NOFOLLOW) == 0 && special_file(path->call, path->found.special, &file)) {
        return open_linked(opening, file);
    }
    uint32_t descriptor;
    const struct file_record *pipe = linked_pipe(opening, &descriptor);
    if (pipe != NULL && (opening->flags & O_NOFOLLOW) == 0) {
        return open_pipe(opening, descriptor, pipe);
    }
    node_of_special(path->call, path->found.special, (opening->flags & O_NOFOLLOW) == 0, &node);
    return open_node(path->call, &node, opening->flags);
}

/* New files -------------------------------------------------------------------------------------------------------- */

/* The call has made a file: noted in the instant in which it has. */
static void note_made(const struct system_call *call, struct fs_id id)
{
    struct call_progress *progress = call_progress(call);

    progress->done = 1;
    progress->words[0] = id.inode;
    progress->words[1] = id.generation;
}

static enum error make(const struct opening *opening, struct fs_id folder, struct fs_name name, struct fs_id *out)
{
    const struct fs_new what = {.mode = S_IFREG | (opening->mode & 07777u & ~opening->path->call->program->umask)};

    return fs_make(&opening->path->grip, folder, name, &what, out);
}

/* -EEXIST: somebody else has made it. */
static int32_t create(const struct opening *opening)
{
    const struct fs_found *found = &opening->path->found;
    struct fs_id made;

    if (found->wants_folder) {
        return -EISDIR;
    }
    enum error error = make(opening, found->folder, fs_found_name(found), &made);
    if (error != OK) {
        return system_call_errno(error);
    }
    note_made(opening->path->call, made);
    return open_file(opening, made, false);
}

static int32_t open_nameless(struct opening *opening)
{
    struct path *path = opening->path;
    struct fs_id made;

    if (!wants_to_write(opening->flags)) {
        return -EINVAL;
    }
    int32_t result = path_walk(path, opening->descriptor, opening->address, true);
    if (result == 0) {
        result = path_is_old(path);
    }
    if (result == 0 && (path->found.mode & S_IFMT) != S_IFDIR) {
        result = -ENOTDIR;
    }
    opening->flags &= ~(O_TMPFILE | O_DIRECTORY);
    struct fs_id folder = path->found.file;
    path->found.folder = FS_ID_NONE;
    for (uint32_t round = 0; result == 0 && round < ROUNDS; round++) {
        result = system_call_errno(make(opening, folder, (struct fs_name){"", 0}, &made));
        if (result == 0) {
            result = open_file(opening, made, true);
            if (result != -ENOENT) { /* nobody has taken it for one that nobody wants */
                return result;
            }
            result = 0;
        }
    }
    return result == 0 ? -ENFILE : result;
}

static int32_t open_walked(const struct opening *opening)
{
    const struct fs_found *found = &opening->path->found;
    uint32_t flags = opening->flags;
    struct node node;

    if (found->special != 0) {
        return open_special(opening);
    }
    if (found->file.inode != 0) {
        return (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ? -EEXIST
                                                                  : open_found(opening, found->file, found->mode);
    }
    if ((flags & O_CREAT) != 0) {
        return create(opening);
    }
    int32_t result = node_of_image_at(opening->address, &node);
    return result == 0 ? open_node(opening->path->call, &node, flags) : result;
}

/* An image is in whatever folder it is said to be, also in one that there is not. */
static int32_t open_image(const struct opening *opening)
{
    struct node node;
    int32_t result = node_of_image_at(opening->address, &node);

    if (result == 0 && (opening->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        return -EEXIST;
    }
    return result == 0 ? open_node(opening->path->call, &node, opening->flags) : result;
}

static int32_t open_again(const struct opening *opening)
{
    const struct call_progress *progress = &opening->path->call->record->call;

    opening->path->found = (struct fs_found){.length = 0};
    return open_file(opening, (struct fs_id){progress->words[0], progress->words[1]}, false);
}

static int32_t open_in(struct opening *opening)
{
    uint32_t flags = opening->flags;
    bool follows = (flags & O_NOFOLLOW) == 0 && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
    int32_t result;

    if (opening->path->call->record->call.done != 0) {
        return open_again(opening);
    }
    if ((flags & O_TMPFILE) != 0) {
        return open_nameless(opening);
    }
    do {
        result = path_walk(opening->path, opening->descriptor, opening->address, follows);
        if (result == 0) {
            result = open_walked(opening);
        } else if (result == -ENOENT) {
            return open_image(opening);
        }
    } while (result == -EEXIST && (flags & (O_CREAT | O_EXCL)) == O_CREAT);
    return result;
}

static int32_t open_path(const struct system_call *call, uint32_t descriptor, uint32_t address, uint32_t flags,
                         uint32_t mode)
{
    struct path path;
    int32_t result = path_begin(&path, call);

    if (result != 0) {
        return result;
    }
    if (!file_has_place(call->program)) {
        path_end(&path);
        return -EMFILE;
    }
    if ((flags & O_PATH) != 0) {
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    }
    result = open_in(&(struct opening){&path, descriptor, address, flags, mode});
    path_end(&path);
    return result;
}

int32_t call_open(const struct system_call *call)
{
    return open_path(call, (uint32_t)AT_FDCWD, call->arguments[0], call->arguments[1], call->arguments[2]);
}

int32_t call_creat(const struct system_call *call)
{
    return open_path(call, (uint32_t)AT_FDCWD, call->arguments[0], O_WRONLY | O_CREAT | O_TRUNC, call->arguments[1]);
}

int32_t call_openat(const struct system_call *call)
{
    return open_path(call, call->arguments[0], call->arguments[1], call->arguments[2], call->arguments[3]);
}

/* Another length, by a path ---------------------------------------------------------------------------------------- */

static int32_t truncate_found(struct path *path, uint64_t size)
{
    const struct opening opening = {.path = path};
    struct file_id file;
    struct node node;
    int32_t result = path_node(path, (uint32_t)AT_FDCWD, path->call->arguments[0], true, &node);

    if (result == 0 && (node.mode & S_IFMT) != S_IFREG) {
        result = node_is_folder(&node) ? -EISDIR : -EINVAL;
    }
    if (result == 0) {
        result = node.file.inode == 0 ? -EROFS : open_record(&opening, node.file, false, &file);
    }
    if (result == 0) {
        enum error error = object_resize(fs_object(node.file.inode), size);
        result = error == ERROR_RANGE ? -EFBIG : system_call_errno(error);
        file_drop(file);
    }
    return result;
}

static int32_t truncate_path(const struct system_call *call, uint64_t size)
{
    struct path path;

    if (size > INT64_MAX) {
        return -EINVAL;
    }
    int32_t result = path_begin(&path, call);
    if (result == 0) {
        result = truncate_found(&path, size);
        path_end(&path);
    }
    return result;
}

int32_t call_truncate(const struct system_call *call)
{
    return (int32_t)call->arguments[1] < 0 ? -EINVAL : truncate_path(call, call->arguments[1]);
}

int32_t call_truncate64(const struct system_call *call)
{
    return truncate_path(call, (uint64_t)call->arguments[2] << 32 | call->arguments[1]);
}

/* Where relative paths begin --------------------------------------------------------------------------------------- */

static int32_t change_folder(struct path *path, struct fs_id id)
{
    const struct opening opening = {.path = path, .flags = O_PATH};
    struct file_id file;

    path->found.folder = FS_ID_NONE;
    if (id.inode == FS_ROOT) {
        file_set_folder(call_change_program(path->call), FILE_NONE);
        return 0;
    }
    int32_t result = open_record(&opening, id, true, &file);
    if (result == 0) {
        file_set_folder(call_change_program(path->call), file);
    }
    return result;
}

static int32_t change_to(struct path *path)
{
    struct node node;
    int32_t result = path_node(path, (uint32_t)AT_FDCWD, path->call->arguments[0], true, &node);

    if (result == 0 && !node_is_folder(&node)) {
        result = -ENOTDIR;
    }
    return result == 0 ? change_folder(path, node.file) : result;
}

int32_t call_chdir(const struct system_call *call)
{
    struct path path;
    int32_t result = path_begin(&path, call);

    if (result == 0) {
        result = change_to(&path);
        path_end(&path);
    }
    return result;
}

int32_t call_fchdir(const struct system_call *call)
{
    const struct file_record *file = file_of(call->program, call->arguments[0]);

    if (file == NULL) {
        return -EBADF;
    }
    if (file->kind != FILE_FOLDER) {
        return -ENOTDIR;
    }
    file_set_folder(call_change_program(call), call->program->files[call->arguments[0]]);
    return 0;
}
