/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the commands of the image tool share.
 */
#ifndef IMAGE_TOOL_H
#define IMAGE_TOOL_H

#include "file_disk.h"
#include "store.h"

/* Exit statuses: the image is sound or the command done; something was found; the command could not run. */
enum { STATUS_SOUND = 0, STATUS_FOUND = 1, STATUS_NOT_RUN = 2 };

/* A message to stderr, with the tool's name in front and a newline after. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An image being looked at or changed. */
struct image {
    const char *path;
    struct file_disk disk;
    struct store *store;
    struct store_report report;
};

/*
 * Open an image: for FILE_DISK_READ nothing is written.
 * - which: a generation's number, or its name; NULL: the newest.
 * - returns STATUS_SOUND, or another after a message; then there is nothing to close.
 */
int image_open(struct image *image, const char *path, enum file_disk_access access, const char *which);

/*
 * Open, to look, the newest generation of the window that is older than another. Returns STATUS_SOUND, or another
 * without a message: there is none, or it does not prove itself; image->report.generation says which one it was.
 */
int image_open_before(struct image *image, const char *path, struct generation before);

/* Returns STATUS_SOUND, or another after a message. */
int image_close(struct image *image);

/* A file's operands, without options: exactly `count` after the command's name, or a message. */
bool operands_are(int argc, int count, const char *usage);

/* "2026-11-21 01:02:03.456" of nanoseconds since 1970, local time; for one call at a time. */
const char *time_text(uint64_t wall_time_ns);

/* "1.5 MiB" and the like; for one call at a time. */
const char *bytes_text(uint64_t bytes);

/* Names of a generation, separated by commas; "" if it has none. */
void names_text(const struct store *store, struct generation generation, char *text, size_t room);

/* The commands: argv[0] is the command's name. They return an exit status. */
int command_create(int argc, char **argv);
int command_info(int argc, char **argv);
int command_log(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_pin(int argc, char **argv);
int command_gdb(int argc, char **argv);
int command_ladder(int argc, char **argv);
int command_when(int argc, char **argv);
int command_kept(int argc, char **argv);
int command_unpin(int argc, char **argv);
int command_programs(int argc, char **argv);
int command_cat(int argc, char **argv);
int command_core(int argc, char **argv);
int command_branch_head(int argc, char **argv);
int command_picture(int argc, char **argv);

#endif
