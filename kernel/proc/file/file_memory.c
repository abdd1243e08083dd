/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open files that are an object: what memfd_create() makes, and what has names (fs.h); and open directories, whose
 * object says only that they are open.
 */
#include "call.h"
#include "file_operations.h"
#include "file_position.h"
#include "space/object.h"

static uint32_t always_ready(const struct system_call *call, const struct file_record *file)
{
    (void)call;
    (void)file;
    return FILE_READABLE | FILE_WRITABLE;
}

static bool has_object(const struct file_record *file)
{
    return object_is_there((struct object_id){file->object});
}

static void refer(const struct file_record *file)
{
    object_refer((struct object_id){file->object}, 1);
}

static void leave(const struct file_record *file)
{
    object_refer((struct object_id){file->object}, -1);
}

static int32_t refuse_folder(const struct system_call *call, const struct file_record *file, uint32_t base,
                             uint32_t length, uint32_t offset)
{
    (void)call;
    (void)file;
    (void)base;
    (void)length;
    (void)offset;
    return -EISDIR;
}

const struct file_operations file_regular_operations = {
    .is_durable = true,
    .has_object = true,
    .is_named = true,
    .read = file_read_on,
    .write = file_write_on,
    .events = always_ready,
    .is_sound = has_object,
    .reopen = refer,
    .close = leave,
};

const struct file_operations file_folder_operations = {
    .is_durable = true,
    .is_named = true,
    .read = refuse_folder,
    .write = refuse_folder,
    .events = always_ready,
    .is_sound = has_object,
    .reopen = refer,
    .close = leave,
};

const struct file_operations file_memory_operations = {
    .anonymous = "/memfd",
    .is_durable = true,
    .has_object = true,
    .read = file_read_on,
    .write = file_write_on,
    .events = always_ready,
    .is_sound = has_object,
    .reopen = refer,
    .close = leave,
};
