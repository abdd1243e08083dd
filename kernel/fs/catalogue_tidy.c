/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sparse nodes become one with a neighbour, from the leaves up, each in an operation of its own.
 */
#include "atomic.h"
#include "catalogue.h"

struct merge {
    uint32_t directory;
    struct fs_name name;
    uint32_t level;
    struct catalogue_path path;
    uint32_t left, right; /* pages of the neighbours; and the branch of the latter */
    uint32_t index;
};

static struct fs_branch branch_in(const void *node, uint32_t index)
{
    return *branch_at(node, index);
}

/* ERROR_NOT_FOUND: there is nothing to do. */
static enum error choose(const void *parent, struct merge *merge)
{
    uint32_t index = merge->path.index[merge->level + 1];

    if (branch_count(parent) < 2) {
        return ERROR_NOT_FOUND;
    }
    merge->index = index + 1 < branch_count(parent) ? index + 1 : index;
    merge->left = branch_in(parent, merge->index - 1).page;
    merge->right = branch_in(parent, merge->index).page;
    return merge->left != merge->right ? OK : ERROR_FORMAT_DAMAGED;
}

static enum error plan_of_neighbours(struct fs_grip *grip, const struct merge *merge)
{
    const void *left = catalogue_node(grip, merge->left, merge->level);
    const void *right = left != NULL ? catalogue_node(grip, merge->right, merge->level) : NULL;

    if (right == NULL) {
        return grip_error(grip);
    }
    if (node_used(left) + node_used(right) > NODE_FILLED) {
        return ERROR_NOT_FOUND;
    }
    const uint32_t pages[] = {0, merge->left, merge->right, merge->path.pages[merge->level + 1]};
    for (uint32_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        if (grip_mark(grip, catalogue_key(pages[i])) == NULL) {
            return ERROR_BUSY;
        }
    }
    return OK;
}

static enum error plan(struct fs_grip *grip, void *what)
{
    struct merge *merge = what;
    const struct fs_catalogue_head *head = catalogue_head(grip);

    if (head == NULL) {
        return grip_error(grip);
    }
    uint64_t key = key_of(merge->directory, catalogue_hash(head->seed, merge->name));
    enum error error = catalogue_descend(grip, key, &merge->path);
    if (error != OK) {
        return error;
    }
    if (merge->level + 1 >= merge->path.height) {
        return ERROR_NOT_FOUND; /* the root stays as sparse as it is */
    }
    const void *node = catalogue_node(grip, merge->path.pages[merge->level], merge->level);
    if (node_used(node) >= NODE_SPARSE) {
        return ERROR_NOT_FOUND;
    }
    error = choose(catalogue_node(grip, merge->path.pages[merge->level + 1], merge->level + 1), merge);
    return error == OK ? plan_of_neighbours(grip, merge) : error;
}

static void free_page(struct fs_grip *grip, uint32_t page)
{
    struct fs_catalogue_head *head = grip_bytes(grip, catalogue_key(0));
    struct fs_free_page *free = grip_bytes(grip, catalogue_key(page));

    *free = (struct fs_free_page){.next = head->first_free, .magic = FS_FREE_MAGIC};
    head->first_free = page;
}

static void change(struct fs_grip *grip, void *what)
{
    const struct merge *merge = what;
    struct fs_catalogue_head *head = grip_bytes(grip, catalogue_key(0));
    uint32_t above = merge->path.pages[merge->level + 1];
    void *parent = grip_bytes(grip, catalogue_key(above));

    node_merge(grip_bytes(grip, catalogue_key(merge->left)), grip_bytes(grip, catalogue_key(merge->right)),
               branch_key(branch_at(parent, merge->index)));
    branch_remove(parent, merge->index);
    free_page(grip, merge->right);
    if (branch_count(parent) == 1 && head->root == above) {
        head->root = merge->left;
        head->height--;
        free_page(grip, above);
    }
}

void catalogue_tidy(struct fs_grip *grip, uint32_t directory, struct fs_name name)
{
    thread_may_sleep();
    struct merge merge = {.directory = directory, .name = name};

    while (grip_run(grip, plan, change, &merge) == OK) {
        merge.level++;
    }
}
