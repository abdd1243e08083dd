/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths of system calls: from the program's memory along the tree of files, and back. See paths.h.
 */
#include "paths.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "file/tree.h"
#include "space/address_space.h"
#include "space/space.h"
#include <string.h>

#define DEVICE_OF_FILES (0u << 8 | 4u)

int32_t path_begin(struct path *path, const struct system_call *call)
{
    thread_may_sleep();
    path->call = call;
    return system_call_errno(tree_begin(&path->grip, space_window(address_space_of(call->task->program_id))));
}

void path_end(struct path *path)
{
    tree_end(&path->grip);
}

/* Walking ---------------------------------------------------------------------------------------------------------- */

int32_t path_folder(struct path *path, uint32_t descriptor, struct fs_id *out)
{
    thread_may_sleep();
    const struct program_record *program = path->call->program;
    const struct file_record *file;

    if ((int32_t)descriptor != AT_FDCWD) {
        file = file_of(program, descriptor);
        if (file == NULL) {
            return -EBADF;
        }
    } else if (program->folder.number != 0) {
        file = record_at(RECORD_FILE, program->folder.number);
    } else {
        return system_call_errno(fs_root(&path->grip, out));
    }
    if (file->kind != FILE_FOLDER) {
        return -ENOTDIR;
    }
    *out = file_id(file);
    return 0;
}

/* Where the bytes of a path are. */
struct source {
    const struct system_call *call;
    uint32_t address;
};

static enum error piece(void *context, uint32_t offset, char *out, uint32_t capacity)
{
    const struct source *source = context;
    enum error error = user_copy_string(out, (struct vaddr){source->address + offset}, capacity);

    return error == ERROR_DENIED ? ERROR_READ_ONLY : error; /* EFAULT, and not what files deny */
}

static uint32_t special(void *context, uint32_t folder, struct fs_name name)
{
    return name_special(((const struct source *)context)->call, folder, name);
}

static int32_t errno_of(enum error error)
{
    return error == ERROR_READ_ONLY ? -EFAULT : system_call_errno(error);
}

int32_t path_walk(struct path *path, uint32_t descriptor, uint32_t address, bool follows)
{
    thread_may_sleep();
    struct source source = {path->call, address};
    const struct fs_path bytes = {.piece = piece, .special = special, .context = &source};
    struct fs_id from = {FS_ROOT, 1};
    char first;
    int32_t result = copy_in(&first, address, 1);

    if (result == 0 && first == 0) {
        result = -ENOENT;
    }
    if (result == 0 && first != '/') {
        result = path_folder(path, descriptor, &from);
    }
    return result == 0 ? errno_of(fs_walk(&path->grip, from, &bytes, follows, &path->found)) : result;
}

int32_t path_is_new(const struct path *path)
{
    const struct fs_found *found = &path->found;

    return found->is_dots || found->special != 0 || found->file.inode != 0 ? -EEXIST : 0;
}

int32_t path_is_old(const struct path *path)
{
    const struct fs_found *found = &path->found;

    if (found->special != 0) {
        return -EROFS;
    }
    if (found->file.inode == 0) {
        return -ENOENT;
    }
    return found->wants_folder && (found->mode & S_IFMT) != S_IFDIR ? -ENOTDIR : 0;
}

/* What is there ---------------------------------------------------------------------------------------------------- */

/* What an inode is, as it is now. */
static struct node node_of_inode(struct fs_id id, const struct fs_inode *inode)
{
    DOES_NOT_SLEEP();
    struct fs_inode now = *inode;

    object_complete(id.inode, &now);
    bool is_folder = (now.mode & S_IFMT) == S_IFDIR;
    return (struct node){.mode = now.mode,
                         .special_device = now.device,
                         .device = DEVICE_OF_FILES,
                         .links = now.links,
                         .user = now.user,
                         .group = now.group,
                         .inode = id.inode,
                         .size = is_folder ? PAGE_SIZE : now.size,
                         .access_ns = now.access_ns,
                         .modify_ns = now.modify_ns,
                         .change_ns = now.change_ns,
                         .file = id};
}

static int32_t node_of_id(struct path *path, struct fs_id id, struct node *out)
{
    struct fs_inode inode;
    enum error error = fs_inode_of(&path->grip, id, &inode);

    if (error == OK) {
        *out = node_of_inode(id, &inode);
    }
    return system_call_errno(error);
}

int32_t node_of_descriptor(struct path *path, uint32_t descriptor, struct node *out)
{
    thread_may_sleep();
    const struct file_record *file = file_of(path->call->program, descriptor);

    if (file == NULL) {
        return -EBADF;
    }
    if (file_operations(file)->is_named) {
        return node_of_id(path, file_id(file), out);
    }
    *out = node_of_file(file);
    return 0;
}

static int32_t node_of_found_special(struct path *path, bool follows, struct node *out)
{
    struct fs_id file;

    if (path->found.wants_folder) {
        return -ENOTDIR;
    }
    if (follows && special_file(path->call, path->found.special, &file)) {
        return node_of_id(path, file, out);
    }
    node_of_special(path->call, path->found.special, follows, out);
    return 0;
}

int32_t path_node(struct path *path, uint32_t descriptor, uint32_t address, bool follows, struct node *out)
{
    thread_may_sleep();
    const struct fs_found *found = &path->found;
    int32_t result = path_walk(path, descriptor, address, follows);

    if (result == 0 && found->special != 0) {
        return node_of_found_special(path, follows, out);
    }
    if (result == 0 && found->file.inode != 0) {
        if (found->wants_folder && (found->mode & S_IFMT) != S_IFDIR) {
            return -ENOTDIR;
        }
        return node_of_id(path, found->file, out);
    }
    return result == 0 || result == -ENOENT ? node_of_image_at(address, out) : result;
}

int32_t path_node_at(struct path *path, uint32_t descriptor, uint32_t address, uint32_t flags, struct node *out)
{
    char first = 0;
    int32_t result = (flags & AT_EMPTY_PATH) != 0 && address != 0 ? copy_in(&first, address, 1) : 0;

    if (result != 0) {
        return result;
    }
    if ((flags & AT_EMPTY_PATH) == 0 || first != 0) {
        return path_node(path, descriptor, address, (flags & AT_SYMLINK_NOFOLLOW) == 0, out);
    }
    if ((int32_t)descriptor != AT_FDCWD) {
        return node_of_descriptor(path, descriptor, out);
    }
    struct fs_id folder;
    result = path_folder(path, descriptor, &folder);
    return result == 0 ? node_of_id(path, folder, out) : result;
}

int32_t path_refer(struct path *path, struct fs_id file, struct object_id *out)
{
    thread_may_sleep();
    enum error error = tree_refer(&path->grip, file, out);

    return error == ERROR_NO_MEMORY ? -ENFILE : system_call_errno(error);
}

/* The way back ----------------------------------------------------------------------------------------------------- */

/*
 * A text that is written from its end: `left` bytes of it are not there yet. What is beyond the capacity is not
 * written.
 */
struct text {
    uint32_t address, capacity, left;
};

static int32_t put(struct text *text, const char *bytes, uint32_t length)
{
    text->left -= length;
    if (text->left >= text->capacity) {
        return 0;
    }
    uint32_t fits = text->capacity - text->left;
    return copy_out(text->address + text->left, bytes, length < fits ? length : fits);
}

static int32_t put_name(struct text *text, const char *bytes, uint32_t length)
{
    int32_t result = put(text, bytes, length);

    return result == 0 ? put(text, "/", 1) : result;
}

/* From a directory up to the root; NULL: only the length is asked for. *length grows. -EAGAIN: it has become longer meanwhile. */
static int32_t way_up(struct path *path, struct fs_id folder, struct text *text, uint32_t *length)
{
    char name[FS_NAME_MAX];
    uint32_t count;

    while (folder.inode != FS_ROOT) {
        enum error error = fs_name_of(&path->grip, folder, &folder, name, &count);
        if (error != OK) {
            return system_call_errno(error);
        }
        *length += count + 1;
        if (text != NULL && text->left < count + 1) {
            return -EAGAIN;
        }
        int32_t result = text != NULL ? put_name(text, name, count) : 0;
        if (result != 0 || *length > FS_PATH_MAX) {
            return result != 0 ? result : -ENAMETOOLONG;
        }
    }
    return 0;
}

int32_t path_text(struct path *path, struct fs_id folder, struct fs_name name, uint32_t address, uint32_t capacity)
{
    thread_may_sleep();
    int32_t result;
    uint32_t whole;
    struct text text;

    do {
        uint32_t again = whole = name.length > 0 ? name.length + 1 : 0;
        result = way_up(path, folder, NULL, &whole);
        text = (struct text){address, capacity, whole};
        if (result == 0 && name.length > 0) {
            result = put_name(&text, name.bytes, name.length);
        }
        if (result == 0) {
            result = way_up(path, folder, &text, &again);
        }
    } while (result == -EAGAIN || (result == 0 && text.left != 0));
    if (result == 0 && whole == 0) {
        whole = 1;
        text.left = 1;
        result = put(&text, "/", 1);
    }
    return result == 0 ? (int32_t)whole : result;
}
