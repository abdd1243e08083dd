/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that tell what is under a name or behind a descriptor: stat() in all its forms.
 */
#include "paths.h"

#define BLOCK_BYTES 4096u
#define UNIT_BYTES  512u /* of st_blocks */

static uint64_t blocks_of(const struct node *node)
{
    return (node->size + UNIT_BYTES - 1) / UNIT_BYTES;
}

#define NS_PER_SECOND UINT64_C(1000000000)

static uint32_t seconds_of(uint64_t ns)
{
    return (uint32_t)(ns / NS_PER_SECOND);
}

static uint32_t rest_of(uint64_t ns)
{
    return (uint32_t)(ns % NS_PER_SECOND);
}

static int32_t stat64_out(const struct node *node, uint32_t destination)
{
    struct linux_stat64 status = {
        .device = node->device,
        .inode_low = (uint32_t)node->inode,
        .mode = node->mode,
        .links = node->links,
        .user = node->user,
        .group = node->group,
        .special_device = node->special_device,
        .size = node->size,
        .block_bytes = BLOCK_BYTES,
        .blocks = blocks_of(node),
        .access_time = seconds_of(node->access_ns),
        .access_time_ns = rest_of(node->access_ns),
        .modify_time = seconds_of(node->modify_ns),
        .modify_time_ns = rest_of(node->modify_ns),
        .change_time = seconds_of(node->change_ns),
        .change_time_ns = rest_of(node->change_ns),
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
        .user = (uint16_t)node->user,
        .group = (uint16_t)node->group,
        .special_device = node->special_device,
        .size = (uint32_t)node->size,
        .block_bytes = BLOCK_BYTES,
        .blocks = (uint32_t)blocks_of(node),
        .access_time = seconds_of(node->access_ns),
        .access_time_ns = rest_of(node->access_ns),
        .modify_time = seconds_of(node->modify_ns),
        .modify_time_ns = rest_of(node->modify_ns),
        .change_time = seconds_of(node->change_ns),
        .change_time_ns = rest_of(node->change_ns),
    };

    return copy_out(destination, &status, sizeof(status));
}

static struct linux_statx_time time_of(uint64_t ns)
{
    return (struct linux_statx_time){.seconds = seconds_of(ns), .nanoseconds = rest_of(ns)};
}

static int32_t statx_out(const struct node *node, uint32_t destination)
{
    struct linux_statx status = {
        .mask = STATX_BASIC_STATS,
        .block_bytes = BLOCK_BYTES,
        .links = node->links,
        .user = node->user,
        .group = node->group,
        .access = time_of(node->access_ns),
        .change = time_of(node->change_ns),
        .modify = time_of(node->modify_ns),
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

/* Which file, and how the answer goes out. */
struct asking {
    uint32_t descriptor, address, flags;
    int32_t (*out)(const struct node *node, uint32_t destination);
    uint32_t destination;
};

#define HERE ((uint32_t)AT_FDCWD)

static int32_t tell(const struct system_call *call, const struct asking *asking)
{
    struct path path;
    struct node node;
    int32_t result = path_begin(&path, call);

    if (result == 0) {
        result = path_node_at(&path, asking->descriptor, asking->address, asking->flags, &node);
        path_end(&path);
    }
    return result == 0 ? asking->out(&node, asking->destination) : result;
}

int32_t call_stat64(const struct system_call *call)
{
    return tell(call, &(struct asking){HERE, call->arguments[0], 0, stat64_out, call->arguments[1]});
}

int32_t call_lstat64(const struct system_call *call)
{
    return tell(call, &(struct asking){HERE, call->arguments[0], AT_SYMLINK_NOFOLLOW, stat64_out, call->arguments[1]});
}

int32_t call_fstat64(const struct system_call *call)
{
    return tell(call, &(struct asking){call->arguments[0], 0, AT_EMPTY_PATH, stat64_out, call->arguments[1]});
}

int32_t call_fstatat64(const struct system_call *call)
{
    return tell(call, &(struct asking){call->arguments[0], call->arguments[1], call->arguments[3], stat64_out,
                                       call->arguments[2]});
}

int32_t call_stat(const struct system_call *call)
{
    return tell(call, &(struct asking){HERE, call->arguments[0], 0, stat_out, call->arguments[1]});
}

int32_t call_lstat(const struct system_call *call)
{
    return tell(call, &(struct asking){HERE, call->arguments[0], AT_SYMLINK_NOFOLLOW, stat_out, call->arguments[1]});
}

int32_t call_fstat(const struct system_call *call)
{
    return tell(call, &(struct asking){call->arguments[0], 0, AT_EMPTY_PATH, stat_out, call->arguments[1]});
}

int32_t call_statx(const struct system_call *call)
{
    return tell(call, &(struct asking){call->arguments[0], call->arguments[1], call->arguments[2], statx_out,
                                       call->arguments[4]});
}
