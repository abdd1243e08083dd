/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that tell what is under a name or behind a descriptor: stat() in all its forms.
 */
#include "names.h"

#define BLOCK_BYTES 4096u
#define UNIT_BYTES  512u /* of st_blocks */

static uint64_t blocks_of(const struct node *node)
{
    return (node->size + UNIT_BYTES - 1) / UNIT_BYTES;
}

static int32_t stat64_out(const struct node *node, uint32_t destination)
{
    struct linux_stat64 status = {
        .device = node->device,
        .inode_low = (uint32_t)node->inode,
        .mode = node->mode,
        .links = node->links,
        .special_device = node->special_device,
        .size = node->size,
        .block_bytes = BLOCK_BYTES,
        .blocks = blocks_of(node),
        .inode = node->inode,
    };

    return copy_out(destination, &status, sizeof(status));
}

static int32_t stat_out(const struct node *node, uint32_t destination)
{
    struct linux_stat status = {
        .device = node->device,
        .inode = (uint32_t)node->inode,
        .mode = (uint16_t)node->mode,
        .links = (uint16_t)node->links,
        .special_device = node->special_device,
        .size = (uint32_t)node->size,
        .block_bytes = BLOCK_BYTES,
        .blocks = (uint32_t)blocks_of(node),
    };

    return copy_out(destination, &status, sizeof(status));
}

static int32_t statx_out(const struct node *node, uint32_t destination)
{
    struct linux_statx status = {
        .mask = STATX_BASIC_STATS,
        .block_bytes = BLOCK_BYTES,
        .links = node->links,
        .mode = (uint16_t)node->mode,
        .inode = node->inode,
        .size = node->size,
        .blocks = blocks_of(node),
        .special_major = node->special_device >> 8,
        .special_minor = node->special_device & 0xFFu,
        .device_major = node->device >> 8,
        .device_minor = node->device & 0xFFu,
    };

    return copy_out(destination, &status, sizeof(status));
}

/* A path relative to a folder, or the descriptor itself when the path is empty and the flags say so. */
static int32_t find_at(const struct system_call *call, uint32_t flags, struct node *out)
{
    char path[PATH_BYTES];
    int32_t result = path_in(path, call->arguments[1]);

    if (result == 0 && path[0] == 0 && (flags & AT_EMPTY_PATH) != 0 && (int32_t)call->arguments[0] != AT_FDCWD) {
        return node_of_descriptor(call, call->arguments[0], out);
    }
    return result == 0 ? name_find(call, path, (flags & AT_SYMLINK_NOFOLLOW) == 0, out) : result;
}

int32_t call_stat64(const struct system_call *call)
{
    struct node node;
    int32_t result = name_find_at(call, call->arguments[0], true, &node);

    return result == 0 ? stat64_out(&node, call->arguments[1]) : result;
}

int32_t call_lstat64(const struct system_call *call)
{
    struct node node;
    int32_t result = name_find_at(call, call->arguments[0], false, &node);

    return result == 0 ? stat64_out(&node, call->arguments[1]) : result;
}

int32_t call_fstat64(const struct system_call *call)
{
    struct node node;
    int32_t result = node_of_descriptor(call, call->arguments[0], &node);

    return result == 0 ? stat64_out(&node, call->arguments[1]) : result;
}

int32_t call_fstatat64(const struct system_call *call)
{
    struct node node;
    int32_t result = find_at(call, call->arguments[3], &node);

    return result == 0 ? stat64_out(&node, call->arguments[2]) : result;
}

int32_t call_stat(const struct system_call *call)
{
    struct node node;
    int32_t result = name_find_at(call, call->arguments[0], true, &node);

    return result == 0 ? stat_out(&node, call->arguments[1]) : result;
}

int32_t call_lstat(const struct system_call *call)
{
    struct node node;
    int32_t result = name_find_at(call, call->arguments[0], false, &node);

    return result == 0 ? stat_out(&node, call->arguments[1]) : result;
}

int32_t call_fstat(const struct system_call *call)
{
    struct node node;
    int32_t result = node_of_descriptor(call, call->arguments[0], &node);

    return result == 0 ? stat_out(&node, call->arguments[1]) : result;
}

int32_t call_statx(const struct system_call *call)
{
    struct node node;
    int32_t result = find_at(call, call->arguments[2], &node);

    return result == 0 ? statx_out(&node, call->arguments[4]) : result;
}
