/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories: looking, listing, and the beginning of them all.
 */
#include "folder.h"

enum error folder_name_check(struct fs_name name)
{
    if (name.length > FS_NAME_MAX) {
        return ERROR_TOO_LONG;
    }
    return name.length == 0 ? ERROR_NOT_FOUND : OK;
}

enum error folder_look(struct fs_grip *grip, struct fs_id folder, struct fs_name name, const struct fs_entry **out)
{
    const struct fs_inode *found;
    uint64_t free_key;
    enum error error = inode_folder(grip, folder, &found);

    return error == OK ? catalogue_find(grip, folder.inode, name, out, &free_key) : error;
}

enum error folder_plan_place(struct fs_grip *grip, struct fs_id folder, struct fs_name name, uint64_t *out_key,
                             const struct fs_entry **out_entry)
{
    const struct fs_inode *found;
    enum error error = inode_folder(grip, folder, &found);

    if (error == OK && found->links == 0) {
        error = ERROR_NOT_FOUND;
    }
    if (error == OK) {
        error = inode_mark(grip, folder.inode, &found);
    }
    if (error == OK) {
        error = catalogue_find(grip, folder.inode, name, out_entry, out_key);
        if (error == OK) {
            return ERROR_EXISTS;
        }
        if (error == ERROR_NOT_FOUND) {
            error = *out_key != 0 ? OK : ERROR_NO_SPACE;
        }
    }
    return error;
}

void folder_count(struct fs_grip *grip, uint32_t folder, int32_t names, int32_t folders)
{
    struct fs_inode *inode = inode_bytes(grip, folder);

    inode->entries += (uint32_t)names;
    inode->links += (uint32_t)folders;
    inode->modify_ns = inode->change_ns = grip->now_ns;
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

struct look {
    struct fs_id folder;
    struct fs_name name;
    struct fs_id found;
    uint32_t mode;
};

static enum error plan_find(struct fs_grip *grip, void *what)
{
    struct look *look = what;
    const struct fs_entry *entry;
    const struct fs_inode *inode;
    enum error error = folder_look(grip, look->folder, look->name, &entry);

    if (error == OK) {
        look->found.inode = entry->inode;
        error = inode_look(grip, entry->inode, &inode);
        error = error == ERROR_NOT_FOUND ? ERROR_FORMAT_DAMAGED : error;
    }
    if (error == OK) {
        look->found.generation = inode->generation;
        look->mode = inode->mode;
    }
    return error;
}

enum error fs_find(struct fs_grip *grip, struct fs_id folder, struct fs_name name, struct fs_id *out,
                   uint32_t *out_mode)
{
    struct look look = {.folder = folder, .name = name};
    enum error error = folder_name_check(name);

    if (error == OK) {
        error = grip_run(grip, plan_find, NULL, &look);
    }
    if (error == OK) {
        *out = look.found;
        *out_mode = look.mode;
    }
    return error;
}

struct keyed {
    struct fs_name name;
    uint32_t key, inode;
    struct fs_id folder;
    char *bytes;
    uint32_t length;
};

static enum error plan_key(struct fs_grip *grip, void *what)
{
    struct keyed *keyed = what;
    const struct fs_catalogue_head *head = catalogue_head(grip);

    if (head == NULL) {
        return grip_error(grip);
    }
    keyed->key = catalogue_hash(head->seed, keyed->name);
    return OK;
}

enum error fs_key(struct fs_grip *grip, struct fs_name name, uint32_t *out)
{
    struct keyed keyed = {.name = name};
    enum error error = grip_run(grip, plan_key, NULL, &keyed);

    *out = keyed.key;
    return error;
}

static enum error plan_entry(struct fs_grip *grip, void *what)
{
    struct keyed *keyed = what;
    const struct fs_inode *folder;
    const struct fs_entry *entry;
    enum error error = inode_look(grip, keyed->folder.inode, &folder);

    for (uint32_t twin = 0; error == OK && twin < FS_KEY_TWINS; twin++) {
        error = catalogue_at(grip, key_of(keyed->folder.inode, keyed->key + twin), &entry);
        if (error == OK && entry->inode == keyed->inode) {
            keyed->folder.generation = folder->generation;
            keyed->length = entry->length;
            memcpy(keyed->bytes, entry->name, entry->length);
            return OK;
        }
        error = error == ERROR_NOT_FOUND ? OK : error;
    }
    return error == OK ? ERROR_NOT_FOUND : error;
}

enum error fs_entry_at(struct fs_grip *grip, uint32_t folder, uint32_t key, uint32_t inode, struct fs_id *out_folder,
                       char name[FS_NAME_MAX], uint32_t *out_length)
{
    struct keyed keyed = {.key = key, .inode = inode, .folder = {folder, 0}, .bytes = name};
    enum error error = folder != 0 ? grip_run(grip, plan_entry, NULL, &keyed) : ERROR_NOT_FOUND;

    if (error == OK) {
        *out_folder = keyed.folder;
        *out_length = keyed.length;
    }
    return error;
}

struct up {
    struct fs_id folder, parent;
    char *name; /* NULL: it is not asked for */
    uint32_t length;
};

static enum error plan_up(struct fs_grip *grip, void *what)
{
    struct up *up = what;
    const struct fs_inode *inode, *parent;
    const struct fs_entry *entry;
    enum error error = inode_folder(grip, up->folder, &inode);

    if (error == OK && inode->links == 0) {
        error = ERROR_NOT_FOUND;
    }
    if (error == OK) {
        up->parent.inode = inode->parent;
        error = inode_look(grip, inode->parent, &parent);
    }
    if (error == OK) {
        up->parent.generation = parent->generation;
    }
    if (error != OK || up->name == NULL || up->folder.inode == FS_ROOT) {
        return error;
    }
    error = catalogue_at(grip, key_of(inode->parent, inode->name_key), &entry);
    if (error == OK) {
        up->length = entry->length;
        memcpy(up->name, entry->name, entry->length);
    }
    return error == ERROR_NOT_FOUND ? ERROR_FORMAT_DAMAGED : error;
}

enum error fs_parent(struct fs_grip *grip, struct fs_id folder, struct fs_id *out)
{
    struct up up = {.folder = folder};
    enum error error = grip_run(grip, plan_up, NULL, &up);

    if (error == OK) {
        *out = up.parent;
    }
    return error;
}

enum error fs_name_of(struct fs_grip *grip, struct fs_id folder, struct fs_id *out_parent, char name[FS_NAME_MAX],
                      uint32_t *out_length)
{
    struct up up = {.folder = folder, .name = name};
    enum error error = grip_run(grip, plan_up, NULL, &up);

    if (error == OK) {
        *out_parent = up.parent;
        *out_length = up.length;
    }
    return error;
}

/* Listing ---------------------------------------------------------------------------------------------------------- */

struct list {
    struct fs_id folder;
    uint64_t position;
    fs_lister *each;
    void *what;
    bool has_begun; /* something was taken: the rest is another call's */
};

static bool list_one(struct list *list, struct fs_name name, uint32_t inode, uint32_t type, uint64_t next)
{
    if (!list->each(list->what, name, inode, type, next)) {
        return false;
    }
    list->position = next;
    list->has_begun = true;
    return true;
}

static bool list_dots(struct list *list, const struct fs_inode *inode)
{
    static const struct fs_name here = {".", 1}, up = {"..", 2};
    uint32_t type = inode->mode >> 12;

    return (list->position != 0 || list_one(list, here, list->folder.inode, type, 1)) &&
           (list->position != 1 || list_one(list, up, inode->parent, type, 2));
}

/* Ends early, rather than to start again, when a page is missing. */
static enum error plan_list(struct fs_grip *grip, void *what)
{
    struct list *list = what;
    const struct fs_inode *inode;
    const struct fs_entry *entry;
    enum error error = inode_folder(grip, list->folder, &inode);

    if (error != OK || inode->links == 0 || !list_dots(list, inode)) {
        return error;
    }
    do {
        if (list->position > FS_KEY_LAST + UINT64_C(1)) {
            return OK;
        }
        error = catalogue_next(grip, key_of(list->folder.inode, (uint32_t)list->position), &entry);
        if (error == ERROR_NOT_FOUND || (error == OK && entry->directory != list->folder.inode)) {
            return OK;
        }
    } while (error == OK && list_one(list, (struct fs_name){(const char *)entry->name, entry->length}, entry->inode,
                                     entry->type, (uint64_t)entry->key + 1));
    return error == ERROR_BUSY && list->has_begun ? OK : error;
}

enum error fs_list(struct fs_grip *grip, struct fs_id folder, uint64_t position, fs_lister *each, void *what)
{
    struct list list = {.folder = folder, .position = position, .each = each, .what = what};

    return grip_run(grip, plan_list, NULL, &list);
}
