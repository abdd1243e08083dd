/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors and open file descriptions.
 *
 * Both persist: a program's record maps descriptors to file records, a file record says what it is open on. Record 0 is
 * never used, so that 0 means "closed".
 *
 *     FILE-1  The references of a file record are the descriptors that name it, and the programs that have it as their
 *             directory; a free one has none. One without any is free when no call is about it any more, or at the next boot.
 */
#ifndef FILE_H
#define FILE_H

#include "error.h"
#include "pipe.h"
#include "record.h"
#include "task/task.h"
#include "types.h"

/*
 * Open something: a file record with no reference yet.
 * - opened: its kind, its flags, and its terminal or pipe. A pipe's end is opened by the caller and closed with the
 *   file.
 * - may sleep before it changes anything. ERROR_NO_MEMORY: the table is full.
 */
MUST_CHECK enum error file_create(const struct file_record *opened, struct file_id *out_file);

/* Undo file_create(), for a file that was never installed. Does not sleep. */
void file_drop(struct file_id file);

/* The open file of a descriptor, or NULL when it is closed or no descriptor at all. */
const struct file_record *file_of(const struct program_record *program, uint32_t descriptor);

/*
 * The same for a call that waits: the open file is there until file_let_go(), also when another thread closes the
 * descriptor meanwhile. A task holds one; what it held before it lets go of. Neither sleeps.
 */
const struct file_record *file_hold(struct task *task, uint32_t descriptor);
void file_let_go_of_held(struct task *task);
static inline void file_let_go(struct task *task)
{
    if (task->held_file.number != 0) {
        file_let_go_of_held(task);
    }
}

/* The same for any number of open files: to be let go of one by one. */
struct file_id file_hold_also(const struct file_record *file);
void file_drop_hold(struct file_id file);

/* Of those in `mask`, the flags of the open file behind a descriptor become those in `flags`. */
void file_set_flags(struct program_record *program, uint32_t descriptor, uint32_t mask, uint32_t flags);

/*
 * Give the lowest closed descriptor at or above `lowest` to a file record.
 * - ERROR_NO_SPACE: the program has as many open as its limit allows. A record without references is then free again.
 */
MUST_CHECK enum error file_install(struct program_record *program, uint32_t lowest, struct file_id file, uint8_t flags,
                                   uint32_t *out_descriptor);

/* Whether a program can have another one open. */
bool file_has_place(const struct program_record *program);

/* Close a descriptor that is open; the last one frees the record. */
void file_close(struct program_record *program, uint32_t descriptor);
void file_close_all(struct program_record *program);

/* Where a program's relative paths begin from now on: an open directory, or FILE_NONE: the root. Does not sleep. */
void file_set_folder(struct program_record *program, struct file_id folder);

/* A new program gets all descriptors of another one, and its directory; the open files are shared. */
void file_share_all(struct program_record *program, const struct program_record *from);

/* Descriptors 0, 1 and 2 of a new program: the terminal. May sleep. ERROR_NO_MEMORY. */
MUST_CHECK enum error file_open_terminal(struct program_record *program, struct terminal_id terminal);

/* After a boot: verify FILE-1 over all programs that are alive. ERROR_FORMAT_DAMAGED; the log names the record. */
MUST_CHECK enum error file_resume(void);

#endif
