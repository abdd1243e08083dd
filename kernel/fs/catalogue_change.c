/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries that come and go.
 *
 * A node that is full is split, and its upper half gets a page of its own; then its parent has one branch more, and so
 * on upwards. The plan counts how many pages that takes.
 */
#include "catalogue.h"
#include "log.h"

static struct fs_catalogue_head *head_bytes(struct fs_grip *grip)
{
    return grip_bytes(grip, catalogue_key(0));
}

static void *node_at(struct fs_grip *grip, uint32_t page)
{
    return grip_bytes(grip, catalogue_key(page));
}

/* Free pages ------------------------------------------------------------------------------------------------------- */

static bool is_taken(const struct catalogue_insert *insert, uint32_t page)
{
    for (uint32_t i = 0; i < insert->fresh_count; i++) {
        if (insert->fresh[i] == page) {
            return true;
        }
    }
    return false;
}

static enum error take_fresh(struct fs_grip *grip, struct catalogue_insert *insert)
{
    uint32_t page = insert->first_free != 0 ? insert->first_free : insert->end;

    if (page >= OBJECT_PAGES) {
        return ERROR_NO_SPACE;
    }
    const struct fs_free_page *found = grip_mark(grip, catalogue_key(page));
    if (found == NULL) {
        return ERROR_BUSY;
    }
    if (insert->first_free == 0) {
        insert->end++;
    } else if (found->magic != FS_FREE_MAGIC || page >= insert->end || is_taken(insert, page)) {
        return ERROR_FORMAT_DAMAGED;
    } else {
        insert->first_free = found->next;
    }
    insert->fresh[insert->fresh_count++] = page;
    return OK;
}

static enum error take_all_fresh(struct fs_grip *grip, struct catalogue_insert *insert, uint32_t count)
{
    const struct fs_catalogue_head *head = grip_mark(grip, catalogue_key(0));
    enum error error = head != NULL ? OK : ERROR_BUSY;

    if (error == OK) {
        insert->first_free = head->first_free;
        insert->end = head->end;
        insert->fresh_count = 0;
    }
    while (error == OK && insert->fresh_count < count) {
        error = take_fresh(grip, insert);
    }
    return error;
}

/* An entry comes --------------------------------------------------------------------------------------------------- */

static bool has_room(const void *node, uint32_t level, uint32_t bytes)
{
    return node_left(node) >= (level == 0 ? bytes : (uint32_t)sizeof(struct fs_branch));
}

enum error catalogue_plan_insert(struct fs_grip *grip, struct catalogue_insert *insert)
{
    enum error error = catalogue_descend(grip, insert->key, &insert->path);
    uint32_t level = 0;

    if (error == ERROR_NOT_FOUND) {
        insert->path.height = 0;
        return take_all_fresh(grip, insert, 1);
    }
    for (; error == OK && level < insert->path.height; level++) {
        const void *node = grip_mark(grip, catalogue_key(insert->path.pages[level]));
        if (node == NULL) {
            return ERROR_BUSY;
        }
        if (has_room(node, level, FS_ENTRY_BYTES(insert->name.length))) {
            return take_all_fresh(grip, insert, level);
        }
    }
    if (error == OK && level == HEIGHT_MAX) {
        return ERROR_NO_SPACE;
    }
    return error == OK ? take_all_fresh(grip, insert, level + 1) : error; /* and a new root */
}

static void put_entry(void *leaf, const struct catalogue_insert *insert)
{
    leaf_insert(leaf, insert->key, insert->inode, insert->type, insert->name.bytes, insert->name.length);
}

static void grow_root(struct fs_grip *grip, uint32_t page, uint32_t left, uint64_t key, uint32_t right)
{
    struct fs_catalogue_head *head = head_bytes(grip);
    void *node = node_at(grip, page);

    node_clear(node, head->height);
    if (head->height > 0) {
        branch_insert(node, 0, 0, left);
        branch_insert(node, 1, key, right);
    }
    head->root = page;
    head->height++;
}

/* One branch more at a level. Returns the key of the node to its right, if it had to be split; else 0. */
static uint64_t put_branch(void *node, void *fresh, uint32_t level, uint32_t index, uint64_t key, uint32_t page)
{
    if (has_room(node, level, 0)) {
        branch_insert(node, index, key, page);
        return 0;
    }
    node_clear(fresh, level);
    uint32_t stay = branch_split(node, fresh);
    if (index <= stay) {
        branch_insert(node, index, key, page);
    } else {
        branch_insert(fresh, index - stay, key, page);
    }
    return branch_key(branch_at(fresh, 0));
}

static void split_upwards(struct fs_grip *grip, const struct catalogue_insert *insert, uint64_t key)
{
    const struct catalogue_path *path = &insert->path;

    for (uint32_t level = 1; key != 0; level++) {
        uint32_t right = insert->fresh[level - 1];
        if (level == path->height) {
            grow_root(grip, insert->fresh[level], path->pages[level - 1], key, right);
            return;
        }
        void *fresh = level < insert->fresh_count ? node_at(grip, insert->fresh[level]) : NULL;
        key = put_branch(node_at(grip, path->pages[level]), fresh, level, path->index[level] + 1, key, right);
    }
}

void catalogue_insert(struct fs_grip *grip, const struct catalogue_insert *insert)
{
    struct fs_catalogue_head *head = head_bytes(grip);

    head->first_free = insert->first_free;
    head->end = insert->end;
    head->names++;
    if (insert->path.height == 0) {
        grow_root(grip, insert->fresh[0], 0, 0, 0);
        put_entry(node_at(grip, insert->fresh[0]), insert);
        return;
    }
    void *leaf = node_at(grip, insert->path.pages[0]);
    if (has_room(leaf, 0, FS_ENTRY_BYTES(insert->name.length))) {
        put_entry(leaf, insert);
        return;
    }
    void *right = node_at(grip, insert->fresh[0]);
    node_clear(right, 0);
    uint64_t key = leaf_split(leaf, right);
    put_entry(insert->key < key ? leaf : right, insert);
    split_upwards(grip, insert, key);
}

/* An entry goes ---------------------------------------------------------------------------------------------------- */

enum error catalogue_plan_remove(struct fs_grip *grip, uint64_t key)
{
    struct catalogue_path path;
    enum error error = catalogue_descend(grip, key, &path);

    if (error == OK &&
        (grip_mark(grip, catalogue_key(path.pages[0])) == NULL || grip_mark(grip, catalogue_key(0)) == NULL)) {
        error = ERROR_BUSY;
    }
    return error;
}

/* The leaf of a key that is there and was planned for. */
static void *leaf_of(struct fs_grip *grip, uint64_t key)
{
    struct catalogue_path path;
    enum error error = catalogue_descend(grip, key, &path);

    ASSERT(error == OK);
    return node_at(grip, path.pages[0]);
}

void catalogue_remove(struct fs_grip *grip, uint64_t key)
{
    leaf_remove(leaf_of(grip, key), key);
    head_bytes(grip)->names--;
}

void catalogue_lead(struct fs_grip *grip, uint64_t key, uint32_t inode, uint32_t type)
{
    struct fs_entry *entry = (struct fs_entry *)leaf_find(leaf_of(grip, key), key);

    entry->inode = inode;
    entry->type = (uint8_t)type;
}
