/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New files, and further names for them.
 */
#include "folder.h"
#include "vm_fault.h"

/* What a target that is too long for the inode is kept in: the first page of the file's object. */
static bool is_inline(uint32_t length)
{
    return length <= sizeof(((struct fs_inode *)NULL)->target);
}

static struct page_key target_page(uint32_t inode)
{
    return page_key_make(fs_object(inode), 0);
}

struct make {
    struct fs_id folder;
    const struct fs_new *what;
    struct catalogue_insert insert;
    struct fs_id made;
};

static bool has_name(const struct make *make)
{
    return make->insert.name.length > 0;
}

static bool is_link(const struct make *make)
{
    return mode_is_link(make->what->mode);
}

static enum error plan_of_name(struct fs_grip *grip, struct make *make)
{
    const struct fs_entry *entry;
    const struct fs_inode *folder;
    enum error error = folder_plan_place(grip, make->folder, make->insert.name, &make->insert.key, &entry);

    if (error == OK && mode_is_folder(make->what->mode)) {
        error = inode_look(grip, make->folder.inode, &folder);
        if (error == OK && folder->links >= FS_LINKS_MAX) {
            error = ERROR_LINKS;
        }
    }
    return error == OK ? catalogue_plan_insert(grip, &make->insert) : error;
}

static enum error plan_make(struct fs_grip *grip, void *what)
{
    struct make *make = what;
    const struct fs_inode *folder;
    enum error error = has_name(make) ? plan_of_name(grip, make) : inode_folder(grip, make->folder, &folder);

    if (error == OK) {
        error = inode_plan_new(grip, &make->insert.inode);
    }
    if (error == OK && !has_name(make)) {
        error = inode_plan_last(grip, make->insert.inode);
    }
    if (error == OK && is_link(make) && !is_inline(make->what->target_length) &&
        grip_mark(grip, target_page(make->insert.inode)) == NULL) {
        error = ERROR_BUSY;
    }
    return error;
}

static void put_target(struct fs_grip *grip, const struct make *make, struct fs_inode *inode)
{
    void *to = is_inline(make->what->target_length) ? inode->target : grip_bytes(grip, target_page(make->insert.inode));

    memcpy(to, make->what->target, make->what->target_length);
    inode->size = make->what->target_length;
}

static void put_name(struct fs_grip *grip, const struct make *make, struct fs_inode *inode)
{
    bool is_folder = mode_is_folder(inode->mode);

    catalogue_insert(grip, &make->insert);
    folder_count(grip, make->folder.inode, 1, is_folder ? 1 : 0);
    if (is_folder) {
        inode->parent = make->folder.inode;
        inode->name_key = (uint32_t)make->insert.key;
    }
    inode->links = is_folder ? 2 : 1;
}

static void change_make(struct fs_grip *grip, void *what)
{
    struct make *make = what;
    struct fs_inode *inode = inode_new(grip, make->insert.inode);

    inode->mode = make->what->mode;
    inode->user = make->what->user;
    inode->group = make->what->group;
    inode->device = make->what->device;
    inode->access_ns = inode->modify_ns = inode->change_ns = grip->now_ns;
    if (is_link(make)) {
        put_target(grip, make, inode);
    }
    if (has_name(make)) {
        put_name(grip, make, inode);
    } else {
        inode_last(make->insert.inode, inode);
    }
    make->made = (struct fs_id){make->insert.inode, inode->generation};
}

enum error fs_make(struct fs_grip *grip, struct fs_id folder, struct fs_name name, const struct fs_new *what,
                   struct fs_id *out)
{
    struct make make = {.folder = folder, .what = what, .insert = {.name = name, .type = what->mode >> 12}};
    enum error error = name.length > FS_NAME_MAX || what->target_length > FS_TARGET_MAX ? ERROR_TOO_LONG : OK;

    if (error == OK) {
        error = grip_run(grip, plan_make, change_make, &make);
    }
    if (error == OK) {
        *out = make.made;
    }
    return error;
}

/* Further names ---------------------------------------------------------------------------------------------------- */

struct link {
    struct fs_id file, folder;
    struct catalogue_insert insert;
};

static enum error plan_link(struct fs_grip *grip, void *what)
{
    struct link *link = what;
    const struct fs_inode *inode;
    const struct fs_entry *entry;
    enum error error = inode_of(grip, link->file, &inode);

    if (error == OK && mode_is_folder(inode->mode)) {
        error = ERROR_DENIED;
    }
    if (error == OK && inode->links >= FS_LINKS_MAX) {
        error = ERROR_LINKS;
    }
    if (error == OK) {
        link->insert.inode = link->file.inode;
        link->insert.type = inode->mode >> 12;
        error = inode_mark(grip, link->file.inode, &inode);
    }
    if (error == OK) {
        error = folder_plan_place(grip, link->folder, link->insert.name, &link->insert.key, &entry);
    }
    return error == OK ? catalogue_plan_insert(grip, &link->insert) : error;
}

static void change_link(struct fs_grip *grip, void *what)
{
    const struct link *link = what;
    struct fs_inode *inode = inode_bytes(grip, link->file.inode);

    catalogue_insert(grip, &link->insert);
    folder_count(grip, link->folder.inode, 1, 0);
    inode->links++;
    inode->change_ns = grip->now_ns;
}

enum error fs_link(struct fs_grip *grip, struct fs_id file, struct fs_id folder, struct fs_name name)
{
    struct link link = {.file = file, .folder = folder, .insert = {.name = name}};
    enum error error = folder_name_check(name);

    return error == OK ? grip_run(grip, plan_link, change_link, &link) : error;
}

/* Where links lead ------------------------------------------------------------------------------------------------- */

struct target {
    struct fs_id link;
    uint32_t offset, capacity, count;
    char *out;
};

static enum error plan_target(struct fs_grip *grip, void *what)
{
    struct target *target = what;
    const struct fs_inode *inode;
    enum error error = inode_of(grip, target->link, &inode);

    if (error == OK && !mode_is_link(inode->mode)) {
        error = ERROR_INVALID;
    }
    if (error != OK) {
        return error;
    }
    uint32_t size = inode->size <= FS_TARGET_MAX ? (uint32_t)inode->size : FS_TARGET_MAX;
    const char *bytes = is_inline(size) ? inode->target : grip_page(grip, target_page(target->link.inode));
    if (bytes == NULL) {
        return ERROR_BUSY;
    }
    uint32_t left = target->offset < size ? size - target->offset : 0;
    target->count = left < target->capacity ? left : target->capacity;
    memcpy(target->out, bytes + target->offset, target->count);
    return OK;
}

enum error fs_target(struct fs_grip *grip, struct fs_id link, uint32_t offset, char *out, uint32_t capacity,
                     uint32_t *out_count)
{
    struct target target = {.link = link, .offset = offset, .capacity = capacity, .out = out};
    enum error error = grip_run(grip, plan_target, NULL, &target);

    if (error == OK) {
        *out_count = target.count;
    }
    return error;
}

/* The beginning ---------------------------------------------------------------------------------------------------- */

/* The first directories, each after the one that it is in. */
static const struct {
    const char *name;
    uint32_t inode, parent, mode;
} firsts[] = {
    {"", FS_ROOT, FS_ROOT, 040755},     {"dev", FS_DEV, FS_ROOT, 040755},   {"shm", FS_SHM, FS_DEV, 041777},
    {"proc", FS_PROC, FS_ROOT, 040555}, {"self", FS_SELF, FS_PROC, 040555}, {"fd", FS_FD, FS_SELF, 040500},
    {"tmp", FS_TMP, FS_ROOT, 041777},   {"root", FS_HOME, FS_ROOT, 040700},
};
#define FIRSTS   (sizeof(firsts) / sizeof(firsts[0]))
#define LEAF_ONE 1u /* the page of the first leaf, which has them all */

static enum error plan_start(struct fs_grip *grip, void *what)
{
    const struct fs_catalogue_head *head = grip_mark(grip, catalogue_key(0));

    (void)what;
    if (head == NULL || grip_mark(grip, catalogue_key(LEAF_ONE)) == NULL || grip_mark(grip, inode_page(0)) == NULL) {
        return ERROR_BUSY;
    }
    if (head->magic == FS_CATALOGUE_MAGIC) {
        return head->version == FS_VERSION ? ERROR_EXISTS : ERROR_FORMAT_VERSION;
    }
    return head->magic == 0 ? OK : ERROR_FORMAT_DAMAGED;
}

static void put_first(struct fs_grip *grip, uint32_t i, struct fs_catalogue_head *head)
{
    struct fs_name name = {firsts[i].name, (uint32_t)strlen(firsts[i].name)};
    struct fs_inode *inode = inode_bytes(grip, firsts[i].inode);

    *inode = (struct fs_inode){.mode = firsts[i].mode,
                               .links = 2,
                               .generation = 1,
                               .parent = firsts[i].parent,
                               .access_ns = grip->now_ns,
                               .modify_ns = grip->now_ns,
                               .change_ns = grip->now_ns};
    if (name.length == 0) {
        return;
    }
    void *leaf = grip_bytes(grip, catalogue_key(LEAF_ONE));
    uint32_t key = catalogue_hash(head->seed, name);
    while (leaf_find(leaf, key_of(firsts[i].parent, key)) != NULL) {
        key++;
    }
    leaf_insert(leaf, key_of(firsts[i].parent, key), firsts[i].inode, 4, name.bytes, name.length);
    inode->name_key = key;
    folder_count(grip, firsts[i].parent, 1, 1);
    head->names++;
}

static void change_start(struct fs_grip *grip, void *what)
{
    const uint32_t *seed = what;
    struct fs_catalogue_head *head = grip_bytes(grip, catalogue_key(0));
    struct fs_inode_head *inodes = grip_bytes(grip, inode_page(0));

    *head = (struct fs_catalogue_head){.magic = FS_CATALOGUE_MAGIC,
                                       .version = FS_VERSION,
                                       .root = LEAF_ONE,
                                       .height = 1,
                                       .end = LEAF_ONE + 1,
                                       .seed = {seed[0], seed[1]}};
    *inodes =
        (struct fs_inode_head){.magic = FS_INODES_MAGIC, .version = FS_VERSION, .end = FS_FIXED_END, .in_use = FIRSTS};
    node_clear(grip_bytes(grip, catalogue_key(LEAF_ONE)), 0);
    for (uint32_t i = 0; i < FIRSTS; i++) {
        put_first(grip, i, head);
    }
}

enum error fs_start(struct fs_grip *grip, const uint32_t seed[2])
{
    uint32_t copy[2] = {seed[0], seed[1]};
    enum error error = grip_run(grip, plan_start, change_start, copy);

    return error == ERROR_EXISTS ? OK : error;
}
