/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image in memory as the file that the image tool's commands open, whatever its name.
 */
#include "lie.h"

#include <string.h>

static struct lie_image *used;
static struct file_disk disk_of_store;

static void memory_submit(struct block_device *device, struct block_request *request)
{
    (void)device;
    for (uint32_t i = 0; i < request->count && request->operation != BLOCK_FLUSH; i++) {
        uint8_t *block = lie_block(used, request->first.number + i);
        if (request->operation == BLOCK_READ) {
            memcpy(request->pages[i], block, PAGE_SIZE);
        } else {
            memcpy(block, request->pages[i], PAGE_SIZE);
            used->writes++;
        }
    }
    request->result = OK;
    request->done = true;
}

static void memory_wait(struct block_device *device, struct block_request *request)
{
    (void)device;
    (void)request;
}

bool file_disk_open(struct file_disk *disk, const char *path, enum file_disk_access access)
{
    (void)path;
    *disk = (struct file_disk){.device = {.name = "memory",
                                          .block_count = used->block_count,
                                          .read_only = access == FILE_DISK_READ,
                                          .submit = memory_submit,
                                          .wait = memory_wait},
                               .file = -1};
    return true;
}

bool file_disk_create(struct file_disk *disk, const char *path, uint32_t block_count)
{
    (void)block_count;
    return file_disk_open(disk, path, FILE_DISK_WRITE);
}

const char *file_disk_text(const struct file_disk *disk, enum error error)
{
    (void)disk;
    return error_text(error);
}

void file_disk_close(struct file_disk *disk)
{
    (void)disk;
}

struct file_disk *lie_disk_use(struct lie_image *image)
{
    used = image;
    (void)file_disk_open(&disk_of_store, image->path, FILE_DISK_WRITE);
    return &disk_of_store;
}
