/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See tree.h.
 */
#include "tree.h"
#include "arch/clock.h"
#include "linux/linux_abi.h"
#include "program_time.h"
#include "space/object.h"
#include "thread.h"
#include <string.h>

#define ROUNDS 16u

/* The first directories have been made, or were there when this was asked first. Volatile. */
static bool is_started;

enum error tree_begin(struct fs_grip *grip, struct space_id payer)
{
    thread_may_sleep();
    fs_begin(grip, payer, time_of_base_ns(TIME_WALL));
    if (is_started) {
        return OK;
    }
    uint64_t bits = clock_entropy();
    enum error error = fs_start(grip, (const uint32_t[]){(uint32_t)bits, (uint32_t)(bits >> 32)});
    is_started = error == OK;
    if (error != OK) {
        fs_end(grip);
    }
    return error;
}

void tree_end(struct fs_grip *grip)
{
    fs_end(grip);
}

static enum error piece(void *context, uint32_t offset, char *out, uint32_t capacity)
{
    const char *path = (const char *)context + offset;
    size_t length = strlen(path);

    if (length >= capacity) {
        memcpy(out, path, capacity);
        return ERROR_RANGE;
    }
    memcpy(out, path, length + 1);
    return OK;
}

static uint32_t nothing_special(void *context, uint32_t folder, struct fs_name name)
{
    (void)context;
    (void)folder;
    (void)name;
    return 0;
}

enum error tree_walk(struct fs_grip *grip, const char *path, bool follows, struct fs_found *out)
{
    thread_may_sleep();
    const struct fs_path bytes = {.piece = piece, .special = nothing_special, .context = (void *)path};
    struct fs_id root;
    enum error error = fs_root(grip, &root);

    return error == OK ? fs_walk(grip, root, &bytes, follows, out) : error;
}

/* One without a name has a record, or nobody can have come to it. */
enum error tree_refer(struct fs_grip *grip, struct fs_id file, struct object_id *out)
{
    thread_may_sleep();
    struct fs_inode inode;
    enum error error = OK;

    for (uint32_t round = 0; error == OK && round < ROUNDS; round++) {
        uint32_t index;
        error = object_reserve();
        if (error == OK) {
            error = fs_inode_of(grip, file, &inode);
        }
        if (error == OK && (object_is_there(fs_object(file.inode)) || record_find_free(RECORD_OBJECT, &index))) {
            *out = fs_object(file.inode);
            error = object_create_file(file.inode, &inode);
            if (error == OK) {
                object_refer(*out, 1);
            }
            return error;
        }
    }
    return error == OK ? ERROR_NO_MEMORY : error;
}

static enum error find_program(struct fs_grip *grip, const char *path, struct object_id *out)
{
    struct fs_found found;
    enum error error = tree_walk(grip, path, true, &found);

    if (error == OK && found.file.inode == 0) {
        error = ERROR_NOT_FOUND;
    }
    if (error == OK && ((found.mode & S_IFMT) != S_IFREG || (found.mode & 0111u) == 0)) {
        error = ERROR_DENIED;
    }
    return error == OK ? tree_refer(grip, found.file, out) : error;
}

enum error tree_find_program(const char *path, struct space_id payer, struct object_id *out)
{
    thread_may_sleep();
    struct fs_grip grip;
    enum error error = tree_begin(&grip, payer);

    if (error == OK) {
        error = find_program(&grip, path, out);
        tree_end(&grip);
    }
    return error;
}
