/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfd_create(): an open file that is an object without a name. (Bytes in and out: file/file_position.c.)
 */
#include "calls.h"
#include "file/file.h"
#include "space/object.h"

#define MFD_CLOEXEC    0x01u
#define MFD_EXEC       0x10u
#define MFD_NAME_BYTES 250u /* with its end */

/* An open file of a new object. May sleep. */
static enum error open_object(struct file_id *out)
{
    thread_may_sleep();
    struct object_id object;
    enum error error = object_reserve();

    if (error == OK) {
        error = object_create(0, &object);
    }
    if (error != OK) {
        return error;
    }
    error = file_create(
        &(struct file_record){.kind = FILE_MEMORY, .flags = O_RDWR | O_LARGEFILE, .object = object.number}, out);
    if (error == OK) {
        object_refer(object, 1);
    } else {
        object_forget(object);
    }
    return error;
}

/* The name is for people who look into /proc, which there is none of. */
int32_t call_memfd_create(const struct system_call *call)
{
    char name[MFD_NAME_BYTES];
    uint32_t flags = call->arguments[1], descriptor;
    enum error error = user_copy_string(name, (struct vaddr){call->arguments[0]}, sizeof(name));
    struct file_id file;

    if (error != OK || (flags & ~(MFD_CLOEXEC | MFD_EXEC)) != 0) {
        return error == ERROR_DENIED ? -EFAULT : -EINVAL;
    }
    error = open_object(&file);
    if (error != OK) {
        return error == ERROR_NO_MEMORY ? -ENFILE : system_call_errno(error);
    }
    uint8_t descriptor_flags = (flags & MFD_CLOEXEC) != 0 ? FD_CLOEXEC : 0;
    if (file_install(call_change_program(call), 0, file, descriptor_flags, &descriptor) != OK) {
        return -EMFILE;
    }
    return (int32_t)descriptor;
}
