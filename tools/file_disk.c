/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files as disks. Requests are carried out at once.
 *
 * QEMU marks its use of an image by locks on single bytes of the file: 100 + n for each right it has, 200 + n for each
 * it does not grant to others, where n is 1 for writing. This tool takes part in that protocol, so an image is never
 * written by both, nor read by one while the other writes.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "file_disk.h"
#include "file_holder.h"
#include "image_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fs.h>

#define LOCK_BYTES_FIRST 100
#define LOCK_BYTES_COUNT 200
#define LOCK_WRITER      101 /* whoever may write holds this byte */
#define LOCK_NO_WRITERS  201 /* whoever wants no writers holds this one */

/* Returns 0, or why it failed: an errno. */
static int transfer(int file, const struct block_request *request)
{
    struct iovec pieces[BLOCK_REQUEST_PAGES_MAX];
    for (uint32_t i = 0; i < request->count; i++) {
        pieces[i] = (struct iovec){request->pages[i], PAGE_SIZE};
    }
    off_t offset = (off_t)request->first.number * PAGE_SIZE;
    int count = (int)request->count;
    ssize_t done =
        request->operation == BLOCK_READ ? preadv(file, pieces, count, offset) : pwritev(file, pieces, count, offset);
    if (done < 0) {
        return errno;
    }
    bool is_whole = done == (ssize_t)request->count * PAGE_SIZE;
    return is_whole ? 0 : request->operation == BLOCK_READ ? EIO : ENOSPC;
}

static void file_submit(struct block_device *device, struct block_request *request)
{
    struct file_disk *disk = (struct file_disk *)(void *)device;
    int trouble = 0;
    if (request->operation != BLOCK_FLUSH) {
        trouble = transfer(disk->file, request);
    } else if (fdatasync(disk->file) != 0) {
        trouble = errno;
    }
    disk->trouble = trouble != 0 ? trouble : disk->trouble;
    request->result = trouble == 0 ? OK : ERROR_IO;
    block_finish(request);
}

static void file_wait(struct block_device *device, struct block_request *request)
{
    (void)device;
    (void)request;
}

static void device_fill(struct file_disk *disk, int file, uint32_t block_count, bool read_only)
{
    *disk = (struct file_disk){
        .device = {.name = "file",
                   .block_count = block_count,
                   .read_only = read_only,
                   .submit = file_submit,
                   .wait = file_wait},
        .file = file,
    };
}

static bool lock(int file, short type, off_t first, off_t count)
{
    struct flock request = {.l_type = type, .l_whence = SEEK_SET, .l_start = first, .l_len = count};
    return fcntl(file, F_OFD_SETLK, &request) == 0;
}

static bool lock_is_free(int file, off_t byte)
{
    struct flock request = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(file, F_OFD_GETLK, &request) != 0 || request.l_type == F_UNLCK;
}

static bool claim(int file, enum file_disk_access access)
{
    if (access == FILE_DISK_WRITE) {
        return lock(file, F_WRLCK, LOCK_BYTES_FIRST, LOCK_BYTES_COUNT);
    }
    return lock(file, F_RDLCK, LOCK_NO_WRITERS, 1) && lock_is_free(file, LOCK_WRITER);
}

/* Bytes of a regular file or a disk; negative for anything else. */
static int64_t length_of(int file)
{
    struct stat status;
    if (fstat(file, &status) != 0) {
        return -1;
    }
    if (S_ISREG(status.st_mode)) {
        return status.st_size;
    }
    uint64_t bytes;
    return S_ISBLK(status.st_mode) && ioctl(file, BLKGETSIZE64, &bytes) == 0 ? (int64_t)bytes : -1;
}

bool file_disk_open(struct file_disk *disk, const char *path, enum file_disk_access access)
{
    /* Not to wait for the other end of what turns out to be a pipe. */
    int file = open(path, (access == FILE_DISK_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    int64_t length = length_of(file);
    if (length < 0) {
        complain("%s: neither a file nor a disk; name an Eidolon image", path);
    } else if (!claim(file, access)) {
        char holder[FILE_HOLDER_BYTES];
        file_holder(file, holder, sizeof(holder));
        complain("%s: in use by a running machine, %s; end that first", path, holder);
    } else {
        int64_t blocks = length / PAGE_SIZE;
        device_fill(disk, file, blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)blocks, access == FILE_DISK_READ);
        return true;
    }
    close(file);
    return false;
}

bool file_disk_create(struct file_disk *disk, const char *path, uint32_t block_count)
{
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0) {
        complain("%s: %s%s", path, strerror(errno), errno == EEXIST ? "; choose another name or remove it" : "");
        return false;
    }
    if (!claim(file, FILE_DISK_WRITE) || ftruncate(file, (off_t)block_count * PAGE_SIZE) != 0) {
        complain("%s: cannot make a file of %u MiB: %s", path, block_count / 256, strerror(errno));
        close(file);
        unlink(path);
        return false;
    }
    device_fill(disk, file, block_count, false);
    return true;
}

const char *file_disk_text(const struct file_disk *disk, enum error error)
{
    return error == ERROR_IO && disk->trouble != 0 ? strerror(disk->trouble) : error_text(error);
}

void file_disk_close(struct file_disk *disk)
{
    close(disk->file);
}
