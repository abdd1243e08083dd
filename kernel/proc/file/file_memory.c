/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open files that are an object without a name: what memfd_create() makes.
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
