/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inode table. See inode.h.
 */
#include "inode.h"
#include <string.h>

static const void *slot(const void *page, uint32_t inode)
{
    return (const uint8_t *)page + inode % FS_INODES_OF_PAGE * FS_INODE_BYTES;
}

static const struct fs_inode *slot_of(struct fs_grip *grip, uint32_t inode, bool is_marked)
{
    const void *page = is_marked ? grip_mark(grip, inode_page(inode)) : grip_page(grip, inode_page(inode));

    return page != NULL ? slot(page, inode) : NULL;
}

static enum error look(struct fs_grip *grip, uint32_t inode, bool is_marked, const struct fs_inode **out)
{
    if (inode == 0 || inode >= FS_INODES_MAX) {
        return ERROR_FORMAT_DAMAGED;
    }
    *out = slot_of(grip, inode, is_marked);
    if (*out == NULL) {
        return ERROR_BUSY;
    }
    return (*out)->mode != 0 ? OK : ERROR_NOT_FOUND;
}

enum error inode_look(struct fs_grip *grip, uint32_t inode, const struct fs_inode **out)
{
    return look(grip, inode, false, out);
}

enum error inode_mark(struct fs_grip *grip, uint32_t inode, const struct fs_inode **out)
{
    return look(grip, inode, true, out);
}

enum error inode_of(struct fs_grip *grip, struct fs_id id, const struct fs_inode **out)
{
    enum error error = look(grip, id.inode, false, out);

    return error == OK && (*out)->generation != id.generation ? ERROR_NOT_FOUND : error;
}

enum error inode_folder(struct fs_grip *grip, struct fs_id id, const struct fs_inode **out)
{
    enum error error = inode_of(grip, id, out);

    return error == OK && !mode_is_folder((*out)->mode) ? ERROR_NOT_FOLDER : error;
}

struct fs_inode *inode_bytes(struct fs_grip *grip, uint32_t inode)
{
    return (struct fs_inode *)slot(grip_bytes(grip, inode_page(inode)), inode);
}

static struct fs_inode_head *head_bytes(struct fs_grip *grip)
{
    return grip_bytes(grip, inode_page(0));
}

/* Coming and going ------------------------------------------------------------------------------------------------- */

enum error inode_plan_new(struct fs_grip *grip, uint32_t *out)
{
    const struct fs_inode_head *head = grip_mark(grip, inode_page(0));

    if (head == NULL) {
        return ERROR_BUSY;
    }
    uint32_t inode = head->first_free != 0 ? head->first_free : head->end;
    if (inode >= FS_INODES_MAX) {
        return head->first_free != 0 ? ERROR_FORMAT_DAMAGED : ERROR_NO_SPACE;
    }
    const struct fs_inode *found;
    enum error error = inode_mark(grip, inode, &found);
    if (error != ERROR_NOT_FOUND) {
        return error == OK ? ERROR_FORMAT_DAMAGED : error;
    }
    *out = inode;
    return OK;
}

struct fs_inode *inode_new(struct fs_grip *grip, uint32_t inode)
{
    struct fs_inode_head *head = head_bytes(grip);
    struct fs_inode *taken = inode_bytes(grip, inode);

    if (head->first_free == inode) {
        head->first_free = taken->next_free;
    } else {
        head->end++;
    }
    head->in_use++;
    *taken = (struct fs_inode){.generation = taken->generation + 1};
    return taken;
}

enum error inode_plan_free(struct fs_grip *grip, uint32_t inode, const struct fs_inode **out)
{
    if (grip_mark(grip, inode_page(0)) == NULL) {
        return ERROR_BUSY;
    }
    return inode_mark(grip, inode, out);
}

void inode_free(struct fs_grip *grip, uint32_t inode)
{
    struct fs_inode_head *head = head_bytes(grip);
    struct fs_inode *freed = inode_bytes(grip, inode);

    *freed = (struct fs_inode){.generation = freed->generation, .next_free = head->first_free};
    head->first_free = inode;
    head->in_use--;
}

/* The last name ---------------------------------------------------------------------------------------------------- */

enum error inode_plan_last(struct fs_grip *grip, uint32_t inode)
{
    grip->wants_room = !grip_client()->has_room(inode);
    return grip->wants_room ? ERROR_BUSY : OK;
}

void inode_last(uint32_t inode, const struct fs_inode *of)
{
    grip_client()->keep(inode, of);
}
