/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file, or a disk of the host, as a block device.
 */
#ifndef FILE_DISK_H
#define FILE_DISK_H

#include "block_device.h"

struct file_disk {
    struct block_device device;
    int file;
    int trouble; /* an errno: why a request has failed, 0 if none has */
};

enum file_disk_access { FILE_DISK_READ, FILE_DISK_WRITE };

/*
 * Open an existing image. False, after a message that names the file and the remedy: it cannot be opened, is no
 * regular file or disk, or a machine uses it (reading beside a machine that writes is refused, too).
 */
bool file_disk_open(struct file_disk *disk, const char *path, enum file_disk_access access);

/* Make a new sparse file. False, after a message, also if the file exists. */
bool file_disk_create(struct file_disk *disk, const char *path, uint32_t block_count);

/* What an error of a store on this disk is called: an input or output error by the host's reason for it. */
const char *file_disk_text(const struct file_disk *disk, enum error error);

void file_disk_close(struct file_disk *disk);

#endif
