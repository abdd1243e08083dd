/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listing directories.
 *
 * The position of an open directory is the key of the next name, so what comes and goes meanwhile moves nothing else.
 * Names that are no files come between ".." and the files. A buffer is filled piece by piece, and the position moves
 * when the call is done.
 */
#include "file/file.h"
#include "file/file_position.h"
#include "paths.h"
#include <string.h>

#define PIECE          1024u
#define FIRST_SPECIALS 2u /* positions of what is no file */

/* A part of what the program gets. */
struct listing {
    const struct system_call *call;
    bool is_wide; /* getdents64() */
    uint32_t folder;
    uint32_t capacity; /* that the program's buffer has left */
    uint32_t used;
    uint64_t position;
    bool is_full, is_over; /* no further entry fits; there is none */
    uint8_t bytes[PIECE] __attribute__((aligned(8)));
};

static uint32_t put_wide(void *at, struct fs_name name, uint32_t inode, uint32_t type, uint64_t next)
{
    struct linux_dirent64 entry = {
        .inode = inode, .next = next, .length = (uint16_t)DIRENT64_BYTES(name.length), .type = (uint8_t)type};

    memset(at, 0, entry.length);
    memcpy(at, &entry, offsetof(struct linux_dirent64, name));
    memcpy((uint8_t *)at + offsetof(struct linux_dirent64, name), name.bytes, name.length);
    return entry.length;
}

static uint32_t put_narrow(void *at, struct fs_name name, uint32_t inode, uint32_t type, uint64_t next)
{
    struct linux_dirent entry = {.inode = inode, .next = (uint32_t)next, .length = (uint16_t)DIRENT_BYTES(name.length)};

    memset(at, 0, entry.length);
    memcpy(at, &entry, offsetof(struct linux_dirent, name));
    memcpy((uint8_t *)at + offsetof(struct linux_dirent, name), name.bytes, name.length);
    ((uint8_t *)at)[entry.length - 1] = (uint8_t)type;
    return entry.length;
}

static bool put(void *what, struct fs_name name, uint32_t inode, uint32_t type, uint64_t next)
{
    struct listing *listing = what;
    uint32_t bytes = listing->is_wide ? DIRENT64_BYTES(name.length) : DIRENT_BYTES(name.length);

    if (bytes > PIECE - listing->used) {
        return false;
    }
    if (bytes > listing->capacity - listing->used) {
        listing->is_full = true;
        return false;
    }
    uint8_t *at = listing->bytes + listing->used;
    listing->used += listing->is_wide ? put_wide(at, name, inode, type, next) : put_narrow(at, name, inode, type, next);
    listing->position = next;
    return true;
}

/* "." and ".." come from the tree; then what is no file, and then the rest from the tree. */
static void put_specials(struct listing *listing)
{
    char name[PATH_BYTES];
    uint32_t inode, type;

    while (name_special_list(listing->call, listing->folder, (uint32_t)listing->position - FIRST_SPECIALS, name, &inode,
                             &type)) {
        if (!put(listing, (struct fs_name){name, (uint32_t)strlen(name)}, inode, type, listing->position + 1)) {
            return;
        }
    }
    listing->position = listing->position < FS_KEY_FIRST ? FS_KEY_FIRST : listing->position;
}

static bool put_dots(void *what, struct fs_name name, uint32_t inode, uint32_t type, uint64_t next)
{
    return next <= FIRST_SPECIALS && put(what, name, inode, type, next);
}

static int32_t fill(struct path *path, struct fs_id folder, struct listing *listing)
{
    enum error error = OK;
    uint64_t before = listing->position;

    listing->used = 0;
    if (listing->position < FIRST_SPECIALS) {
        error = fs_list(&path->grip, folder, listing->position, put_dots, listing);
        if (error == OK && listing->position == before && !listing->is_full) {
            listing->is_over = true; /* it has been removed */
            return 0;
        }
    }
    if (error == OK && listing->position >= FIRST_SPECIALS && listing->position < FS_KEY_FIRST + PROGRAM_FILES_MAX) {
        put_specials(listing);
    }
    if (error == OK && listing->position >= FS_KEY_FIRST) {
        error = fs_list(&path->grip, folder, listing->position, put, listing);
    }
    listing->is_over = listing->used == 0 && !listing->is_full;
    return system_call_errno(error);
}

static int32_t list(struct path *path, const struct file_record *file, struct listing *listing)
{
    const struct system_call *call = path->call;
    struct fs_id folder = file_id(file);
    uint32_t done = 0;

    listing->folder = folder.inode;
    listing->position = file->position;
    while (!listing->is_full && !listing->is_over) {
        listing->capacity = call->arguments[2] - done;
        int32_t result = fill(path, folder, listing);
        if (result == 0) {
            result = copy_out(call->arguments[1] + done, listing->bytes, listing->used);
        }
        if (result != 0) {
            return result;
        }
        done += listing->used;
        call_let_others_run();
    }
    if (done == 0 && listing->is_full) {
        return -EINVAL;
    }
    (void)call_change_task(call);
    file_set_position(file, listing->position);
    return (int32_t)done;
}

static int32_t list_descriptor(const struct system_call *call, bool is_wide)
{
    const struct file_record *file = file_hold(task_current(), call->arguments[0]);
    struct listing listing = {.call = call, .is_wide = is_wide};
    struct path path;

    if (file == NULL || (file->flags & O_PATH) != 0) {
        return -EBADF;
    }
    if (file->kind != FILE_FOLDER) {
        return -ENOTDIR;
    }
    int32_t result = path_begin(&path, call);
    if (result == 0) {
        result = list(&path, file, &listing);
        path_end(&path);
    }
    return result;
}

int32_t call_getdents(const struct system_call *call)
{
    return list_descriptor(call, false);
}

int32_t call_getdents64(const struct system_call *call)
{
    return list_descriptor(call, true);
}
