/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking for names. See catalogue.h.
 */
#include "catalogue.h"

const struct fs_catalogue_head *catalogue_head(struct fs_grip *grip)
{
    return grip_page(grip, catalogue_key(0));
}

const void *catalogue_node(struct fs_grip *grip, uint32_t page, uint32_t level)
{
    const struct fs_catalogue_head *head = catalogue_head(grip);

    if (head == NULL || page == 0 || page >= head->end) {
        return NULL;
    }
    const void *node = grip_page(grip, catalogue_key(page));
    return node != NULL && node_is(node, level) ? node : NULL;
}

enum error catalogue_descend(struct fs_grip *grip, uint64_t key, struct catalogue_path *out)
{
    const struct fs_catalogue_head *head = catalogue_head(grip);

    if (head == NULL) {
        return grip_error(grip);
    }
    if (head->root == 0) {
        return ERROR_NOT_FOUND;
    }
    if (head->height == 0 || head->height > HEIGHT_MAX) {
        return ERROR_FORMAT_DAMAGED;
    }
    out->height = head->height;
    out->limit = UINT64_MAX;
    uint32_t page = head->root;
    for (uint32_t level = out->height - 1;; level--) {
        const void *node = catalogue_node(grip, page, level);
        if (node == NULL) {
            return grip_error(grip);
        }
        out->pages[level] = page;
        if (level == 0) {
            return OK;
        }
        uint32_t index = branch_find(node, key);
        out->index[level] = index;
        out->limit = index + 1 < branch_count(node) ? branch_key(branch_at(node, index + 1)) : out->limit;
        page = branch_at(node, index)->page;
    }
}

enum error catalogue_at(struct fs_grip *grip, uint64_t key, const struct fs_entry **out)
{
    struct catalogue_path path;
    enum error error = catalogue_descend(grip, key, &path);

    if (error == OK) {
        *out = leaf_find(catalogue_node(grip, path.pages[0], 0), key);
        error = *out != NULL ? OK : ERROR_NOT_FOUND;
    }
    return error;
}

enum error catalogue_next(struct fs_grip *grip, uint64_t key, const struct fs_entry **out)
{
    struct catalogue_path path;

    for (;;) {
        enum error error = catalogue_descend(grip, key, &path);
        if (error != OK) {
            return error;
        }
        const void *leaf = catalogue_node(grip, path.pages[0], 0);
        *out = entry_at(leaf, leaf_seek(leaf, key));
        if (*out != NULL) {
            return OK;
        }
        if (path.limit == UINT64_MAX || path.limit <= key) {
            return ERROR_NOT_FOUND;
        }
        key = path.limit;
    }
}

/* Names ------------------------------------------------------------------------------------------------------------ */

uint32_t catalogue_hash(const uint32_t seed[2], struct fs_name name)
{
    uint32_t hash = seed[0];

    for (uint32_t i = 0; i < name.length; i++) {
        hash = (hash ^ (uint8_t)name.bytes[i]) * 0x01000193u;
        hash ^= hash >> 15;
    }
    hash = (hash ^ seed[1]) * 0x7FEB352Du;
    hash = (hash ^ hash >> 15) * 0x846CA68Bu;
    hash = (hash ^ hash >> 16) & (0x7FFFFFFFu & ~(FS_KEY_TWINS - 1));
    if (hash < FS_KEY_FIRST) {
        return FS_KEY_FIRST;
    }
    return hash < FS_KEY_LAST - FS_KEY_TWINS ? hash : hash - 2 * FS_KEY_TWINS;
}

static bool is_name(const struct fs_entry *entry, struct fs_name name)
{
    return entry->length == name.length && memcmp(entry->name, name.bytes, name.length) == 0;
}

enum error catalogue_find(struct fs_grip *grip, uint32_t directory, struct fs_name name, const struct fs_entry **out,
                          uint64_t *out_free)
{
    const struct fs_catalogue_head *head = catalogue_head(grip);

    if (head == NULL) {
        return grip_error(grip);
    }
    uint64_t key = key_of(directory, catalogue_hash(head->seed, name)), end = key + FS_KEY_TWINS, at = key;
    *out_free = 0;
    while (at < end) {
        enum error error = catalogue_next(grip, at, out);
        if (error != OK && error != ERROR_NOT_FOUND) {
            return error;
        }
        uint64_t found = error == OK ? entry_key(*out) : end;
        *out_free = *out_free == 0 && found > at ? at : *out_free; /* a gap before it */
        if (found < end && is_name(*out, name)) {
            return OK;
        }
        at = found + 1;
    }
    return ERROR_NOT_FOUND;
}
