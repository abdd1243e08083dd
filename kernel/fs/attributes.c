/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a file.
 */
#include "inode.h"

struct asking {
    struct fs_id id;
    bool is_by_number;
    struct fs_inode found;
};

static enum error plan_ask(struct fs_grip *grip, void *what)
{
    struct asking *asking = what;
    const struct fs_inode *inode;
    enum error error =
        asking->is_by_number ? inode_look(grip, asking->id.inode, &inode) : inode_of(grip, asking->id, &inode);

    if (error == OK) {
        asking->found = *inode;
    }
    return error;
}

static enum error ask(struct fs_grip *grip, struct asking *asking, struct fs_inode *out)
{
    enum error error = grip_run(grip, plan_ask, NULL, asking);

    if (error == OK) {
        *out = asking->found;
    }
    return error;
}

enum error fs_inode_of(struct fs_grip *grip, struct fs_id id, struct fs_inode *out)
{
    return ask(grip, &(struct asking){.id = id}, out);
}

enum error fs_inode_at(struct fs_grip *grip, uint32_t inode, struct fs_inode *out)
{
    return ask(grip, &(struct asking){.id = {inode, 0}, .is_by_number = true}, out);
}

enum error fs_root(struct fs_grip *grip, struct fs_id *out)
{
    struct fs_inode root;
    enum error error = fs_inode_at(grip, FS_ROOT, &root);

    if (error == OK) {
        *out = (struct fs_id){FS_ROOT, root.generation};
    }
    return error;
}

struct setting {
    struct fs_id id;
    uint32_t mask;
    const struct fs_inode *to;
};

static enum error plan_set(struct fs_grip *grip, void *what)
{
    const struct setting *setting = what;
    const struct fs_inode *inode;
    enum error error = inode_of(grip, setting->id, &inode);

    return error == OK ? inode_mark(grip, setting->id.inode, &inode) : error;
}

static void change_set(struct fs_grip *grip, void *what)
{
    const struct setting *setting = what;
    const struct fs_inode *to = setting->to;
    struct fs_inode *inode = inode_bytes(grip, setting->id.inode);
    uint32_t mask = setting->mask;

    inode->mode = (mask & FS_MODE) != 0 ? (inode->mode & 0170000u) | (to->mode & 07777u) : inode->mode;
    inode->user = (mask & FS_USER) != 0 ? to->user : inode->user;
    inode->group = (mask & FS_GROUP) != 0 ? to->group : inode->group;
    inode->size = (mask & FS_SIZE) != 0 ? to->size : inode->size;
    inode->access_ns = (mask & FS_ACCESS_TIME) != 0 ? to->access_ns : inode->access_ns;
    inode->modify_ns = (mask & FS_MODIFY_TIME) != 0 ? to->modify_ns : inode->modify_ns;
    inode->change_ns = (mask & FS_CHANGE_TIME) != 0 ? to->change_ns : grip->now_ns;
}

enum error fs_set(struct fs_grip *grip, struct fs_id id, uint32_t mask, const struct fs_inode *to)
{
    struct setting setting = {.id = id, .mask = mask, .to = to};

    return grip_run(grip, plan_set, change_set, &setting);
}

struct counting {
    uint32_t in_use, free;
};

static enum error plan_count(struct fs_grip *grip, void *what)
{
    struct counting *counting = what;
    const struct fs_inode_head *head = grip_page(grip, inode_page(0));

    if (head == NULL) {
        return ERROR_BUSY;
    }
    *counting = (struct counting){head->in_use, FS_INODES_MAX - 1 - head->in_use};
    return OK;
}

enum error fs_count(struct fs_grip *grip, uint32_t *out_in_use, uint32_t *out_free)
{
    struct counting counting;
    enum error error = grip_run(grip, plan_count, NULL, &counting);

    if (error == OK) {
        *out_in_use = counting.in_use;
        *out_free = counting.free;
    }
    return error;
}
