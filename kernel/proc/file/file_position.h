/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside kernel/proc: files that have a position, and an object under it.
 */
#ifndef FILE_POSITION_H
#define FILE_POSITION_H

#include "call.h"
#include "record.h"

/* The operations read() and write() of such a file: from its position on, which moves along with the bytes. */
int32_t file_read_on(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                     uint32_t offset);
int32_t file_write_on(const struct system_call *call, const struct file_record *file, uint32_t base, uint32_t length,
                      uint32_t offset);

/*
 * The same from another position on; that of the file stays. What the call has moved counts from there.
 * - the result of the call, or a negative errno. May sleep as calls do.
 */
int32_t file_read_at(const struct system_call *call, const struct file_record *file, uint64_t position, uint32_t base,
                     uint32_t length);
int32_t file_write_at(const struct system_call *call, const struct file_record *file, uint64_t position, uint32_t base,
                      uint32_t length);

/* Where lseek() leads to, or -EINVAL; and going there, which is a change of the call's. */
int64_t file_seek(const struct file_record *file, int64_t by, uint32_t whence);
void file_set_position(const struct file_record *file, uint64_t position);

/* ftruncate(): 0 or a negative errno. May sleep. */
int32_t file_resize(const struct file_record *file, uint64_t size);

#endif
