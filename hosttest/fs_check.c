/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See fs_check.h. All pages of the inode table and of the catalogue are read first, so that the rest is of one instant
 * as far as nobody changes files meanwhile.
 */
#include "fs_check.h"
#include "../kernel/fs/node.h"
#include "space/object.h"
#include "vm_fault.h"

#include <stdio.h>
#include <stdlib.h>

uint32_t fs_check_inodes, fs_check_nameless, fs_check_nodes, fs_check_height;

static char wrong[200];
static uint8_t *catalogue, *inodes; /* pages one after the other */
static uint32_t page_count, inode_count;
static uint8_t *page_seen;
static uint32_t *names, *folders_in;
static uint64_t entries, last_key;
static bool has_last;

#define WRONG(...) (snprintf(wrong, sizeof(wrong), __VA_ARGS__), wrong)

static const char *read_page(struct object_id object, uint32_t index, void *out)
{
    struct vm_page *page;
    const void *bytes = NULL;

    while (bytes == NULL) {
        if (vm_object_hold(page_key_make(object, index), SPACE_NONE, &page) != OK) {
            return WRONG("page %u of object %u cannot be read", index, object.number);
        }
        bytes = vm_object_bytes(page);
        if (bytes != NULL) {
            memcpy(out, bytes, PAGE_SIZE);
        }
        vm_unwire(page);
    }
    return NULL;
}

static const char *read_all(struct object_id object, uint32_t count, uint8_t **out)
{
    const char *error = NULL;

    *out = realloc(*out, (size_t)count * PAGE_SIZE);
    for (uint32_t i = 0; error == NULL && i < count; i++) {
        error = read_page(object, i, *out + (size_t)i * PAGE_SIZE);
    }
    return error;
}

static const struct fs_inode *inode_at(uint32_t inode)
{
    return (const struct fs_inode *)(inodes + (size_t)inode * FS_INODE_BYTES);
}

static const struct fs_catalogue_head *head(void)
{
    return (const struct fs_catalogue_head *)catalogue;
}

static const struct fs_inode_head *inode_head(void)
{
    return (const struct fs_inode_head *)inodes;
}

static bool is_folder(const struct fs_inode *inode)
{
    return (inode->mode & 0170000u) == 0040000u;
}

/* The tree --------------------------------------------------------------------------------------------------------- */

static const char *check_entry(const struct fs_entry *entry)
{
    if (has_last && entry_key(entry) <= last_key) {
        return WRONG("key %08x:%08x does not ascend", entry->directory, entry->key);
    }
    has_last = true;
    last_key = entry_key(entry);
    entries++;
    if (entry->inode == 0 || entry->inode >= inode_head()->end || inode_at(entry->inode)->mode == 0) {
        return WRONG("an entry of %u leads to inode %u, which is free", entry->directory, entry->inode);
    }
    const struct fs_inode *inode = inode_at(entry->inode);
    if (entry->directory >= inode_head()->end || !is_folder(inode_at(entry->directory))) {
        return WRONG("an entry is in inode %u, which is no directory", entry->directory);
    }
    if (entry->type != inode->mode >> 12) {
        return WRONG("an entry says that inode %u is of type %u", entry->inode, entry->type);
    }
    if (is_folder(inode) && (inode->parent != entry->directory || inode->name_key != entry->key)) {
        return WRONG("directory %u does not know its name", entry->inode);
    }
    names[entry->inode]++;
    folders_in[entry->directory] += is_folder(inode);
    names[entry->directory] += 0;
    return NULL;
}

static const char *check_leaf(const void *leaf, uint64_t low, uint64_t high)
{
    uint32_t offset = 0;
    const struct fs_entry *entry;
    const char *error = NULL;

    while (error == NULL && (entry = entry_at(leaf, offset)) != NULL) {
        if (entry_key(entry) < low || entry_key(entry) >= high) {
            return WRONG("key %llx is not where it would be looked for", (unsigned long long)entry_key(entry));
        }
        error = check_entry(entry);
        offset += FS_ENTRY_BYTES(entry->length);
    }
    return error == NULL && offset != node_used(leaf) ? WRONG("a leaf ends within an entry") : error;
}

static const char *check_node(uint32_t page, uint32_t level, uint64_t low, uint64_t high)
{
    const void *node = catalogue + (size_t)page * PAGE_SIZE;
    const char *error = NULL;

    if (page == 0 || page >= page_count || page_seen[page]++ != 0) {
        return WRONG("page %u is a node twice, or none", page);
    }
    if (!node_is(node, level)) {
        return WRONG("page %u is no node of level %u", page, level);
    }
    fs_check_nodes++;
    if (level == 0) {
        return check_leaf(node, low, high);
    }
    for (uint32_t i = 0; error == NULL && i < branch_count(node); i++) {
        uint64_t from = i == 0 ? low : branch_key(branch_at(node, i));
        uint64_t to = i + 1 < branch_count(node) ? branch_key(branch_at(node, i + 1)) : high;
        if (from < low || to > high || (i > 0 && from >= to)) {
            return WRONG("branches of page %u are not in order", page);
        }
        error = check_node(branch_at(node, i)->page, level - 1, from, to);
    }
    return error;
}

static const char *check_free_pages(void)
{
    uint32_t at = head()->first_free;

    while (at != 0) {
        const struct fs_free_page *page = (const void *)(catalogue + (size_t)at * PAGE_SIZE);
        if (at >= page_count || page_seen[at]++ != 0 || page->magic != FS_FREE_MAGIC) {
            return WRONG("page %u is free twice, or not", at);
        }
        at = page->next;
    }
    for (uint32_t page = 1; page < page_count; page++) {
        if (page_seen[page] != 1) {
            return WRONG("page %u is neither a node nor free", page);
        }
    }
    return NULL;
}

/* Inodes ----------------------------------------------------------------------------------------------------------- */

static const char *check_inode(uint32_t number, const struct fs_inode *inode)
{
    uint32_t links =
        names[number] + (is_folder(inode) && (names[number] > 0 || number == FS_ROOT) ? 1 + folders_in[number] : 0);

    links += number == FS_ROOT ? 1 : 0;
    if (inode->links != links) {
        return WRONG("inode %u has %u links, and %u names lead to it", number, inode->links, links);
    }
    if (links == 0 && !object_is_there(fs_object(number))) {
        return WRONG("inode %u has no name, and nobody has it", number);
    }
    return NULL;
}

static const char *check_entries(void)
{
    uint32_t *counts = calloc(inode_count, sizeof(*counts));
    const char *error = NULL;

    for (uint32_t page = 1; page < page_count; page++) {
        const void *leaf = catalogue + (size_t)page * PAGE_SIZE;
        const struct fs_entry *entry;
        for (uint32_t offset = 0; node_is(leaf, 0) && (entry = entry_at(leaf, offset)) != NULL;
             offset += FS_ENTRY_BYTES(entry->length)) {
            counts[entry->directory]++;
        }
    }
    for (uint32_t i = 1; error == NULL && i < inode_head()->end; i++) {
        if (is_folder(inode_at(i)) && inode_at(i)->entries != counts[i]) {
            error = WRONG("directory %u has %u entries, and says %u", i, counts[i], inode_at(i)->entries);
        }
    }
    free(counts);
    return error;
}

static const char *check_inodes(void)
{
    uint32_t listed = 0;
    const char *error = NULL;

    fs_check_inodes = fs_check_nameless = 0;
    for (uint32_t i = 1; error == NULL && i < inode_head()->end; i++) {
        if (inode_at(i)->mode != 0) {
            fs_check_inodes++;
            fs_check_nameless += inode_at(i)->links == 0;
            error = check_inode(i, inode_at(i));
        }
    }
    for (uint32_t at = inode_head()->first_free; error == NULL && at != 0; at = inode_at(at)->next_free) {
        if (at >= inode_head()->end || inode_at(at)->mode != 0 || listed++ > inode_count) {
            error = WRONG("inode %u is on the list of free ones", at);
        }
    }
    if (error == NULL &&
        (fs_check_inodes != inode_head()->in_use || fs_check_inodes + listed + 1 != inode_head()->end)) {
        error = WRONG("%u inodes are in use and %u free, of %u; the head says %u", fs_check_inodes, listed,
                      inode_head()->end, inode_head()->in_use);
    }
    return error == NULL ? check_entries() : error;
}

const char *fs_check(void)
{
    const char *error = read_all(FS_OBJECT_CATALOGUE, 1, &catalogue);

    if (error == NULL) {
        error = read_all(FS_OBJECT_INODES, 1, &inodes);
    }
    if (error != NULL || head()->magic == 0) {
        return error;
    }
    page_count = head()->end;
    uint32_t pages_of_inodes = (inode_head()->end + FS_INODES_OF_PAGE - 1) / FS_INODES_OF_PAGE;
    inode_count = pages_of_inodes * FS_INODES_OF_PAGE;
    error = read_all(FS_OBJECT_CATALOGUE, page_count, &catalogue);
    if (error == NULL) {
        error = read_all(FS_OBJECT_INODES, pages_of_inodes, &inodes);
    }
    page_seen = calloc(page_count, 1);
    names = calloc(inode_count, sizeof(*names));
    folders_in = calloc(inode_count, sizeof(*folders_in));
    entries = 0;
    has_last = false;
    fs_check_nodes = 0;
    fs_check_height = head()->height;
    if (error == NULL) {
        error = check_node(head()->root, head()->height - 1, 0, UINT64_MAX);
    }
    error = error == NULL ? check_free_pages() : error;
    if (error == NULL && entries != head()->names) {
        error =
            WRONG("%llu names, and the head says %llu", (unsigned long long)entries, (unsigned long long)head()->names);
    }
    error = error == NULL ? check_inodes() : error;
    free(page_seen);
    free(names);
    free(folders_in);
    return error;
}
