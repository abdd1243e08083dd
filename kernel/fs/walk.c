/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walking along a path. See fs_walk.h.
 *
 * A path is read piece by piece from where it is, and so is the target of a link: what is left of the path waits while
 * that of the link is followed. Whatever has been read to its end no longer waits, so a walk knows its last name.
 */
#include "fs_walk.h"
#include "atomic.h"
#include "inode.h"
#include <string.h>

/* Something that is read; link 0: the path itself. */
struct cursor {
    struct fs_id link;
    uint32_t offset;
};

struct walk {
    struct fs_grip *grip;
    const struct fs_path *path;
    struct fs_found *found;
    struct fs_id at, root;
    bool follows;
    uint32_t links;   /* followed */
    uint32_t waiting; /* cursors; the last one is being read */
    struct cursor cursors[FS_WALK_LINKS_MAX + 1];
    uint32_t window_start, window_count; /* of the bytes of the last cursor */
    char window[FS_WALK_WINDOW];
};

/* Bytes ------------------------------------------------------------------------------------------------------------ */

static enum error read_link(struct walk *walk, struct fs_id link, uint32_t offset)
{
    enum error error = fs_target(walk->grip, link, offset, walk->window, FS_WALK_WINDOW - 1, &walk->window_count);

    if (error == OK && walk->window_count < FS_WALK_WINDOW - 1) {
        walk->window[walk->window_count++] = 0;
    }
    return error;
}

static enum error read_path(struct walk *walk, uint32_t offset)
{
    enum error error = walk->path->piece(walk->path->context, offset, walk->window, FS_WALK_WINDOW);

    walk->window_count = FS_WALK_WINDOW;
    if (error == OK) {
        walk->window_count = (uint32_t)strlen(walk->window) + 1;
    }
    return error == ERROR_RANGE ? OK : error;
}

static enum error fill(struct walk *walk, uint32_t offset)
{
    const struct cursor *cursor = &walk->cursors[walk->waiting - 1];
    enum error error = cursor->link.inode != 0 ? read_link(walk, cursor->link, offset) : read_path(walk, offset);

    walk->window_start = offset;
    walk->window_count = error == OK ? walk->window_count : 0;
    return error;
}

/* The byte that the cursor is at: 0 is the end. */
static enum error peek(struct walk *walk, char *out)
{
    uint32_t offset = walk->cursors[walk->waiting - 1].offset;

    if (offset < walk->window_start || offset - walk->window_start >= walk->window_count) {
        enum error error = fill(walk, offset);
        if (error != OK) {
            return error;
        }
    }
    *out = walk->window[offset - walk->window_start];
    return OK;
}

/* A path that is too long is so from the beginning, whatever its first names are. */
static enum error check_length(struct walk *walk)
{
    enum error error = fill(walk, 0);

    for (uint32_t offset = FS_WALK_WINDOW; error == OK && walk->window[walk->window_count - 1] != 0;
         offset += FS_WALK_WINDOW) {
        error = offset < FS_PATH_MAX ? fill(walk, offset) : ERROR_TOO_LONG;
    }
    return error == OK && walk->window_start + walk->window_count > FS_PATH_MAX ? ERROR_TOO_LONG : error;
}

static void begin_reading(struct walk *walk, struct fs_id link)
{
    walk->cursors[walk->waiting++] = (struct cursor){.link = link};
    walk->window_start = walk->window_count = 0;
}

static void end_reading(struct walk *walk)
{
    walk->waiting--;
    walk->window_start = walk->window_count = 0;
}

/* Names ------------------------------------------------------------------------------------------------------------ */

static enum error skip_slashes(struct walk *walk, char *next, bool *any)
{
    enum error error = peek(walk, next);

    *any = false;
    while (error == OK && *next == '/') {
        *any = true;
        walk->cursors[walk->waiting - 1].offset++;
        error = peek(walk, next);
    }
    return error;
}

/* The next name; length 0: there is none. What has been read to its end is done with. */
static enum error read_name(struct walk *walk)
{
    struct fs_found *found = walk->found;
    bool any;
    char next;
    enum error error = skip_slashes(walk, &next, &any);

    found->length = 0;
    while (error == OK && next != '/' && next != 0) {
        if (found->length == FS_NAME_MAX) {
            return ERROR_TOO_LONG;
        }
        found->name[found->length++] = next;
        walk->cursors[walk->waiting - 1].offset++;
        error = peek(walk, &next);
    }
    if (error == OK) {
        error = skip_slashes(walk, &next, &any);
    }
    if (error == OK && next == 0) {
        end_reading(walk);
        found->wants_folder |= any && walk->waiting == 0;
    }
    return error;
}

static bool is_here(const struct fs_found *found)
{
    return found->length == 0 || (found->length == 1 && found->name[0] == '.');
}

static bool is_up(const struct fs_found *found)
{
    return found->length == 2 && found->name[0] == '.' && found->name[1] == '.';
}

/* Steps ------------------------------------------------------------------------------------------------------------ */

static enum error follow(struct walk *walk, struct fs_id link)
{
    char first;

    if (walk->links++ == FS_WALK_LINKS_MAX) {
        return ERROR_LOOP;
    }
    begin_reading(walk, link);
    enum error error = peek(walk, &first);
    if (error == OK && first == 0) {
        return ERROR_NOT_FOUND;
    }
    if (error == OK && first == '/') {
        walk->at = walk->root;
    }
    return error;
}

/* The name leads to a file, or to nothing. */
static enum error step_to(struct walk *walk, struct fs_id file, uint32_t mode)
{
    struct fs_found *found = walk->found;
    bool is_last = walk->waiting == 0;

    if (file.inode != 0 && mode_is_link(mode) && (!is_last || walk->follows || found->wants_folder)) {
        return follow(walk, file);
    }
    if (is_last) {
        found->folder = walk->at;
        found->file = file;
        found->mode = mode;
        return OK;
    }
    if (file.inode == 0) {
        return ERROR_NOT_FOUND;
    }
    walk->at = file;
    return mode_is_folder(mode) ? OK : ERROR_NOT_FOLDER;
}

static enum error step(struct walk *walk)
{
    struct fs_found *found = walk->found;
    struct fs_id file = FS_ID_NONE;
    uint32_t mode = 0;
    enum error error = OK;

    if (is_here(found) || is_up(found)) {
        if (is_up(found)) {
            error = fs_parent(walk->grip, walk->at, &walk->at);
        }
        found->is_dots = true;
        found->file = walk->at;
        return error;
    }
    found->is_dots = false;
    found->special = walk->path->special(walk->path->context, walk->at.inode, fs_found_name(found));
    if (found->special != 0) {
        found->folder = walk->at;
        found->file = FS_ID_NONE;
        return walk->waiting == 0 ? OK : ERROR_NOT_FOLDER;
    }
    error = fs_find(walk->grip, walk->at, fs_found_name(found), &file, &mode);
    return error == OK || error == ERROR_NOT_FOUND ? step_to(walk, file, mode) : error;
}

enum error fs_walk(struct fs_grip *grip, struct fs_id from, const struct fs_path *path, bool follows,
                   struct fs_found *out)
{
    thread_may_sleep();
    struct walk walk = {.grip = grip, .path = path, .found = out, .at = from, .follows = follows};

    *out = (struct fs_found){.length = 0};
    begin_reading(&walk, FS_ID_NONE);
    enum error error = fs_root(grip, &walk.root);
    if (error == OK) {
        error = check_length(&walk);
    }
    char first = 0;
    if (error == OK) {
        error = peek(&walk, &first);
    }
    if (error == OK && first == 0) {
        error = ERROR_NOT_FOUND;
    }
    if (first == '/') {
        walk.at = walk.root;
    }
    while (error == OK && walk.waiting > 0) {
        error = read_name(&walk);
        if (error == OK) {
            error = step(&walk);
        }
    }
    if (error == OK && out->is_dots) {
        struct fs_inode inode;
        error = fs_inode_of(grip, out->file, &inode);
        out->mode = inode.mode;
    }
    return error;
}
