/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names that go, and files without names that do.
 */
#include "folder.h"
#include "log.h"

struct removal {
    struct fs_id folder;
    struct fs_name name;
    bool is_folder;
    uint64_t key;
    uint32_t inode;
};

/* Whether what a name leads to can lose it. */
static enum error check(const struct removal *removal, const struct fs_inode *inode)
{
    if (mode_is_folder(inode->mode) != removal->is_folder) {
        return removal->is_folder ? ERROR_NOT_FOLDER : ERROR_IS_FOLDER;
    }
    if (removal->inode < FS_FIXED_END) {
        return ERROR_IN_USE;
    }
    return removal->is_folder && inode->entries > 0 ? ERROR_NOT_EMPTY : OK;
}

static enum error plan_remove(struct fs_grip *grip, void *what)
{
    struct removal *removal = what;
    const struct fs_entry *entry;
    const struct fs_inode *inode = NULL, *folder;
    enum error error = folder_look(grip, removal->folder, removal->name, &entry);

    if (error == OK) {
        removal->key = entry_key(entry);
        removal->inode = entry->inode;
        error = inode_mark(grip, entry->inode, &inode);
        error = error == ERROR_NOT_FOUND ? ERROR_FORMAT_DAMAGED : error;
    }
    if (error == OK) {
        error = check(removal, inode);
    }
    if (error == OK) {
        error = inode_mark(grip, removal->folder.inode, &folder);
    }
    if (error == OK && (inode->links <= 1 || removal->is_folder)) {
        error = inode_plan_last(grip, removal->inode);
    }
    return error == OK ? catalogue_plan_remove(grip, removal->key) : error;
}

void folder_drop(struct fs_grip *grip, uint32_t inode)
{
    struct fs_inode *dropped = inode_bytes(grip, inode);

    dropped->change_ns = grip->now_ns;
    dropped->links = mode_is_folder(dropped->mode) || dropped->links <= 1 ? 0 : dropped->links - 1;
    if (dropped->links == 0) {
        inode_last(inode, dropped);
    }
}

static void change_remove(struct fs_grip *grip, void *what)
{
    const struct removal *removal = what;

    catalogue_remove(grip, removal->key);
    folder_count(grip, removal->folder.inode, -1, removal->is_folder ? -1 : 0);
    folder_drop(grip, removal->inode);
}

enum error fs_remove(struct fs_grip *grip, struct fs_id folder, struct fs_name name, bool is_folder)
{
    struct removal removal = {.folder = folder, .name = name, .is_folder = is_folder};
    enum error error = folder_name_check(name);

    if (error == OK) {
        catalogue_tidy(grip, folder.inode, name);
        error = grip_run(grip, plan_remove, change_remove, &removal);
    }
    return error;
}

/* The end of a file ------------------------------------------------------------------------------------------------ */

struct ending {
    uint32_t inode;
    void (*also)(void *what);
    void *what;
};

static enum error plan_free(struct fs_grip *grip, void *what)
{
    const struct ending *ending = what;
    const struct fs_inode *inode;
    enum error error = inode_plan_free(grip, ending->inode, &inode);

    return error == OK && inode->links > 0 ? ERROR_IN_USE : error;
}

static void change_free(struct fs_grip *grip, void *what)
{
    const struct ending *ending = what;

    inode_free(grip, ending->inode);
    ending->also(ending->what);
}

enum error fs_free(struct fs_grip *grip, uint32_t inode, void (*also)(void *what), void *what)
{
    struct ending ending = {.inode = inode, .also = also, .what = what};

    return grip_run(grip, plan_free, change_free, &ending);
}
