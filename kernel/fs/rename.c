/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another name for a file or a directory, in place of what has it.
 *
 * A directory must not come to be below itself. Only renaming changes what is below what, so those that lead from one
 * directory to another are made one at a time, and the way up is looked at before.
 */
#include "folder.h"
#include "thread.h"

static struct mutex one_at_a_time;

struct renaming {
    struct fs_id from, to;
    struct fs_name old;
    bool replaces;
    uint64_t old_key;
    uint32_t inode, expected;       /* what is renamed, and what was looked at before; 0: nothing was */
    uint32_t victim;                /* that has the new name; 0: nothing does */
    bool is_folder, is_same;        /* both names lead to the same file */
    struct catalogue_insert insert; /* or the key of the victim */
};

/* ERROR_EXISTS also with is_same: then nothing is to be done. */
static enum error plan_victim(struct fs_grip *grip, struct renaming *renaming, const struct fs_entry *entry)
{
    const struct fs_inode *inode;

    if (!renaming->replaces) {
        return ERROR_EXISTS;
    }
    renaming->insert.key = entry_key(entry);
    renaming->victim = entry->inode;
    renaming->is_same = renaming->victim == renaming->inode;
    if (renaming->is_same) {
        return ERROR_EXISTS;
    }
    enum error error = inode_mark(grip, renaming->victim, &inode);
    if (error != OK) {
        return error;
    }
    if (mode_is_folder(inode->mode) != renaming->is_folder) {
        return renaming->is_folder ? ERROR_NOT_FOLDER : ERROR_IS_FOLDER;
    }
    if (renaming->victim < FS_FIXED_END) {
        return ERROR_IN_USE;
    }
    if (renaming->is_folder && inode->entries > 0) {
        return ERROR_NOT_EMPTY;
    }
    if (inode->links <= 1 || renaming->is_folder) {
        error = inode_plan_last(grip, renaming->victim);
    }
    return error == OK ? catalogue_plan_remove(grip, renaming->insert.key) : error;
}

static enum error plan_place(struct fs_grip *grip, struct renaming *renaming)
{
    const struct fs_entry *entry;
    const struct fs_inode *to;
    uint64_t key;
    enum error error = folder_plan_place(grip, renaming->to, renaming->insert.name, &key, &entry);

    renaming->victim = 0;
    renaming->is_same = false;
    if (error == ERROR_EXISTS) {
        return plan_victim(grip, renaming, entry);
    }
    renaming->insert.key = key;
    if (error == OK && renaming->is_folder && renaming->from.inode != renaming->to.inode) {
        error = inode_look(grip, renaming->to.inode, &to);
        if (error == OK && to->links >= FS_LINKS_MAX) {
            error = ERROR_LINKS;
        }
    }
    return error == OK ? catalogue_plan_insert(grip, &renaming->insert) : error;
}

static enum error plan_source(struct fs_grip *grip, struct renaming *renaming)
{
    const struct fs_entry *entry;
    const struct fs_inode *inode, *folder;
    enum error error = folder_look(grip, renaming->from, renaming->old, &entry);

    if (error != OK) {
        return error;
    }
    renaming->old_key = entry_key(entry);
    renaming->inode = renaming->insert.inode = entry->inode;
    renaming->insert.type = entry->type;
    if (renaming->inode < FS_FIXED_END) {
        return ERROR_IN_USE;
    }
    error = inode_mark(grip, renaming->inode, &inode);
    if (error == OK) {
        renaming->is_folder = mode_is_folder(inode->mode);
        error = inode_mark(grip, renaming->from.inode, &folder);
    }
    return error == OK ? catalogue_plan_remove(grip, renaming->old_key) : error;
}

/* ERROR_TIMED_OUT: it is another directory than the one that was looked at. */
static enum error plan(struct fs_grip *grip, void *what)
{
    struct renaming *renaming = what;
    enum error error = plan_source(grip, renaming);

    if (error == OK && renaming->is_folder && renaming->from.inode != renaming->to.inode &&
        renaming->inode != renaming->expected) {
        error = ERROR_TIMED_OUT;
    }
    return error == OK ? plan_place(grip, renaming) : error;
}

/* The new name first: then the old one may be in another node. */
static void change(struct fs_grip *grip, void *what)
{
    const struct renaming *renaming = what;
    struct fs_inode *inode = inode_bytes(grip, renaming->inode);
    int32_t folders = renaming->is_folder ? 1 : 0;

    if (renaming->victim != 0) {
        catalogue_lead(grip, renaming->insert.key, renaming->inode, renaming->insert.type);
        folder_drop(grip, renaming->victim);
        folder_count(grip, renaming->to.inode, -1, -folders);
    } else {
        catalogue_insert(grip, &renaming->insert);
    }
    catalogue_remove(grip, renaming->old_key);
    folder_count(grip, renaming->from.inode, -1, -folders);
    folder_count(grip, renaming->to.inode, 1, folders);
    inode->change_ns = grip->now_ns;
    if (renaming->is_folder) {
        inode->parent = renaming->to.inode;
        inode->name_key = (uint32_t)renaming->insert.key;
    }
}

/* Whether a directory is on the way from `to` up to the root: then it would be below itself. */
static enum error check_way_up(struct fs_grip *grip, struct fs_id to, uint32_t moved)
{
    for (uint32_t steps = 0; to.inode != FS_ROOT; steps++) {
        if (to.inode == moved) {
            return ERROR_INVALID;
        }
        enum error error = steps < FS_INODES_MAX ? fs_parent(grip, to, &to) : ERROR_FORMAT_DAMAGED;
        if (error != OK) {
            return error;
        }
    }
    return OK;
}

static enum error rename_alone(struct fs_grip *grip, struct renaming *renaming)
{
    enum error error;

    do {
        struct fs_id moved = FS_ID_NONE;
        uint32_t mode = 0;
        error = fs_find(grip, renaming->from, renaming->old, &moved, &mode);
        if (error == OK && mode_is_folder(mode)) {
            error = check_way_up(grip, renaming->to, moved.inode);
        }
        renaming->expected = moved.inode;
        if (error == OK) {
            error = grip_run(grip, plan, change, renaming);
        }
    } while (error == ERROR_TIMED_OUT);
    return error;
}

enum error fs_rename(struct fs_grip *grip, struct fs_id from, struct fs_name old, struct fs_id to, struct fs_name new,
                     bool replaces)
{
    struct renaming renaming = {.from = from, .to = to, .old = old, .replaces = replaces, .insert = {.name = new}};
    enum error error = folder_name_check(old);

    if (error == OK) {
        error = folder_name_check(new);
    }
    if (error == OK) {
        catalogue_tidy(grip, from.inode, old);
    }
    if (error == OK && from.inode == to.inode) {
        error = grip_run(grip, plan, change, &renaming);
    } else if (error == OK) {
        mutex_lock(&one_at_a_time, LOCK_NAMES);
        error = rename_alone(grip, &renaming);
        mutex_unlock(&one_at_a_time, LOCK_NAMES);
    }
    return error == ERROR_EXISTS && renaming.is_same ? OK : error;
}
