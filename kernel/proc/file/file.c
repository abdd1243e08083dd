/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors and open file descriptions: the records, their reference counts, and what is verified after a boot.
 */
#include "file.h"
#include "atomic.h"
#include "file_operations.h"
#include "linux/linux_abi.h"
#include "lock.h"
#include "log.h"
#include "pipe.h"
#include "queue.h"
#include "space/limits.h"
#include "task/task.h"
#include <string.h>

const struct file_operations *file_operations_of_kind(uint32_t kind)
{
    static const struct file_operations *const by_kind[FILE_KINDS] = {
        [FILE_TERMINAL] = &file_terminal_operations, [FILE_NULL] = &file_null_operations,
        [FILE_ZERO] = &file_zero_operations,         [FILE_RANDOM] = &file_random_operations,
        [FILE_PIPE] = &file_pipe_operations,         [FILE_EVENT] = &file_event_operations,
        [FILE_TIMER] = &file_timer_operations,       [FILE_SIGNAL] = &file_signal_operations,
        [FILE_REBORN] = &file_reborn_operations,     [FILE_MEMORY] = &file_memory_operations,
        [FILE_REGULAR] = &file_regular_operations,   [FILE_FOLDER] = &file_folder_operations,
        [FILE_QUEUE] = &file_queue_operations,
    };

    ASSERT(kind < FILE_KINDS && by_kind[kind] != NULL);
    return by_kind[kind];
}

static uint16_t holds[FILES_MAX]; /* by calls that are about a file; volatile */

static struct file_record *record(struct file_id file)
{
    return record_at(RECORD_FILE, file.number);
}

enum error file_create(const struct file_record *opened, struct file_id *out_file)
{
    thread_may_sleep();
    struct file_id file;
    enum error error = record_reserve(RECORD_FILE, 1);

    if (error != OK || !record_find_free(RECORD_FILE, &file.number)) {
        return error != OK ? error : ERROR_NO_MEMORY;
    }
    *record(file) = *opened;
    *out_file = file;
    return OK;
}

const struct file_record *file_of(const struct program_record *program, uint32_t descriptor)
{
    if (descriptor >= PROGRAM_FILES_MAX || program->files[descriptor].number == 0) {
        return NULL;
    }
    return record(program->files[descriptor]);
}

void file_set_flags(struct program_record *program, uint32_t descriptor, uint32_t mask, uint32_t flags)
{
    struct file_record *file = record(program->files[descriptor]);

    file->flags = (file->flags & ~mask) | (flags & mask);
}

/* LOCK-2: whatever is locked through a file that goes. */
static void unlock(struct file_id file)
{
    struct object_id object = {record(file)->object};

    if (file_operations(record(file))->has_object || file_operations(record(file))->is_named) {
        lock_drop(object, (struct lock_owner){LOCK_OF_FILE, file.number});
        lock_drop(object, (struct lock_owner){LOCK_WHOLE, file.number});
    }
}

static void clear(struct file_id file)
{
    memset(record(file), 0, sizeof(struct file_record));
    record_freed(RECORD_FILE, file.number);
}

static void free_if_unreferenced(struct file_id file)
{
    if (record(file)->references == 0 && holds[file.number] == 0) {
        unlock(file);
        if (file_operations(record(file))->close != NULL) {
            file_operations(record(file))->close(record(file));
        }
        clear(file);
    }
}

struct file_id file_hold_also(const struct file_record *file)
{
    DOES_NOT_SLEEP();
    struct file_id id = {record_index(RECORD_FILE, file)};

    holds[id.number]++;
    return id;
}

void file_drop_hold(struct file_id file)
{
    DOES_NOT_SLEEP();
    ASSERT(holds[file.number] > 0);
    holds[file.number]--;
    free_if_unreferenced(file);
}

const struct file_record *file_hold(struct task *task, uint32_t descriptor)
{
    DOES_NOT_SLEEP();
    const struct file_record *file = file_of(task->program, descriptor);

    file_let_go(task);
    if (file != NULL) {
        task->held_file = file_hold_also(file);
    }
    return file;
}

void file_let_go_of_held(struct task *task)
{
    file_drop_hold(task->held_file);
    task->held_file = FILE_NONE;
}

void file_drop(struct file_id file)
{
    DOES_NOT_SLEEP();
    ASSERT(record(file)->references == 0);
    free_if_unreferenced(file);
}

bool file_has_place(const struct program_record *program)
{
    uint32_t descriptor = 0, end = limits_files(program);

    while (descriptor < end && program->files[descriptor].number != 0) {
        descriptor++;
    }
    return descriptor < end;
}

enum error file_install(struct program_record *program, uint32_t lowest, struct file_id file, uint8_t flags,
                        uint32_t *out_descriptor)
{
    uint32_t end = limits_files(program);

    for (uint32_t descriptor = lowest; descriptor < end; descriptor++) {
        if (program->files[descriptor].number == 0) {
            program->files[descriptor] = file;
            program->file_flags[descriptor] = flags;
            record(file)->references++;
            *out_descriptor = descriptor;
            return OK;
        }
    }
    free_if_unreferenced(file);
    return ERROR_NO_SPACE;
}

void file_close(struct program_record *program, uint32_t descriptor)
{
    struct file_id file = program->files[descriptor];

    ASSERT(file.number != 0 && record(file)->references > 0);
    if (file_operations(record(file))->has_object) {
        lock_drop((struct object_id){record(file)->object},
                  (struct lock_owner){LOCK_OF_PROGRAM, record_index(RECORD_PROGRAM, program)});
    }
    program->files[descriptor] = FILE_NONE;
    program->file_flags[descriptor] = 0;
    if (file_operations(record(file))->leave != NULL) {
        file_operations(record(file))->leave(record(file), (struct program_id){record_index(RECORD_PROGRAM, program)});
    }
    record(file)->references--;
    free_if_unreferenced(file);
}

void file_set_folder(struct program_record *program, struct file_id folder)
{
    DOES_NOT_SLEEP();
    struct file_id before = program->folder;

    program->folder = folder;
    if (folder.number != 0) {
        record(folder)->references++;
    }
    if (before.number != 0) {
        record(before)->references--;
        free_if_unreferenced(before);
    }
}

void file_close_all(struct program_record *program)
{
    file_set_folder(program, FILE_NONE);
    for (uint32_t descriptor = 0; descriptor < PROGRAM_FILES_MAX; descriptor++) {
        if (program->files[descriptor].number != 0) {
            file_close(program, descriptor);
        }
    }
}

void file_share_all(struct program_record *program, const struct program_record *from)
{
    memcpy(program->files, from->files, sizeof(program->files));
    memcpy(program->file_flags, from->file_flags, sizeof(program->file_flags));
    file_set_folder(program, from->folder);
    for (uint32_t descriptor = 0; descriptor < PROGRAM_FILES_MAX; descriptor++) {
        if (program->files[descriptor].number != 0) {
            record(program->files[descriptor])->references++;
        }
    }
}

enum error file_open_terminal(struct program_record *program, struct terminal_id terminal)
{
    thread_may_sleep();
    struct file_id file;
    uint32_t descriptor;
    enum error error = file_create(
        &(struct file_record){.kind = FILE_TERMINAL, .flags = O_RDWR | O_LARGEFILE, .terminal = terminal}, &file);

    for (uint32_t i = 0; i < 3 && error == OK; i++) {
        error = file_install(program, i, file, 0, &descriptor);
    }
    return error;
}

/* After a boot ----------------------------------------------------------------------------------------------------- */

static bool is_sound(struct file_id file)
{
    if (file.number >= record_committed(RECORD_FILE)) {
        return false;
    }
    const struct file_record *found = record(file);
    if (found->kind == FILE_FREE || found->kind >= FILE_KINDS) {
        return false;
    }
    const struct file_operations *operations = file_operations(found);
    return operations->is_sound == NULL || operations->is_sound(found);
}

static enum error count_folder(const struct program_record *program, struct program_id id)
{
    if (program->folder.number == 0) {
        return OK;
    }
    if (!is_sound(program->folder) || record(program->folder)->kind != FILE_FOLDER) {
        log_line("file: program %u is in record %u, which is no directory", id.number, program->folder.number);
        return ERROR_FORMAT_DAMAGED;
    }
    record(program->folder)->references++;
    return OK;
}

static enum error count_descriptors(const struct program_record *program, struct program_id id)
{
    for (uint32_t descriptor = 0; descriptor < PROGRAM_FILES_MAX; descriptor++) {
        struct file_id file = program->files[descriptor];
        if (file.number == 0) {
            continue;
        }
        if (!is_sound(file)) {
            log_line("file: descriptor %u of program %u names record %u, which is not sound", descriptor, id.number,
                     file.number);
            return ERROR_FORMAT_DAMAGED;
        }
        record(file)->references++;
    }
    return count_folder(program, id);
}

enum error file_resume(void)
{
    for (struct file_id file = {1}; file.number < record_committed(RECORD_FILE); file.number++) {
        if (record(file)->kind != FILE_FREE) {
            record(file)->references = 0;
        }
    }
    for (struct program_id id = PROGRAM_FIRST; program_is_in_table(id); id.number++) {
        const struct program_record *program = program_at(id);
        enum error error = program->state != PROGRAM_FREE ? count_descriptors(program, id) : OK;
        if (error != OK) {
            return error;
        }
    }
    pipe_resume();
    queue_resume();
    for (struct file_id file = {1}; file.number < record_committed(RECORD_FILE); file.number++) {
        if (record(file)->kind != FILE_FREE && record(file)->references == 0) {
            clear(file);
        } else if (record(file)->kind != FILE_FREE && file_operations(record(file))->reopen != NULL) {
            file_operations(record(file))->reopen(record(file));
        }
    }
    pipe_resumed();
    queue_resumed();
    lock_resume();
    return OK;
}
