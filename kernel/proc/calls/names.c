/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of what is no file. See names.h.
 */
#include "names.h"
#include "eidolon/eidolon.h"
#include "file/file.h"
#include "file/file_operations.h"
#include "log.h"
#include "space/address_space.h"
#include "space/object.h"
#include "space/space.h"
#include <string.h>

#define DEVICE_NUMBER(major, minor) ((major) << 8 | (minor))

/* Devices that files are on, as Linux numbers those without a disk. */
#define DEVICE_OF_NAMES  DEVICE_NUMBER(0u, 1u)
#define DEVICE_OF_PIPES  DEVICE_NUMBER(0u, 2u)
#define DEVICE_OF_OTHERS DEVICE_NUMBER(0u, 3u) /* of what has neither a name nor an object */

#define INODES_OF_DEVICES 0x4000000u
#define INODES_OF_OBJECTS 0x5000000u /* and the object */

static const struct {
    const char *path;
    uint32_t mode;
    enum file_kind kind;
    uint32_t special_device;
} names[] = {
    {"/dev/tty", S_IFCHR | 0620, FILE_TERMINAL, DEVICE_NUMBER(5, 0)},
    {"/dev/console", S_IFCHR | 0620, FILE_TERMINAL, DEVICE_NUMBER(5, 1)},
    {"/dev/null", S_IFCHR | 0666, FILE_NULL, DEVICE_NUMBER(1, 3)},
    {"/dev/zero", S_IFCHR | 0666, FILE_ZERO, DEVICE_NUMBER(1, 5)},
    {"/dev/random", S_IFCHR | 0666, FILE_RANDOM, DEVICE_NUMBER(1, 8)},
    {"/dev/urandom", S_IFCHR | 0666, FILE_RANDOM, DEVICE_NUMBER(1, 9)},
    {EIDOLON_REBORN, S_IFCHR | 0444, FILE_REBORN, DEVICE_NUMBER(10, 255)},
};
#define NAMES  (sizeof(names) / sizeof(names[0]))
#define IN_DEV "/dev/"
_Static_assert(NAMES < FS_KEY_FIRST - 2, "they come before the files of /dev in a list of it");

/* What name_special() answers. */
#define SPECIAL_NAME    1u /* and the index */
#define SPECIAL_PROGRAM 100u
#define SPECIAL_FILE    200u /* and the descriptor */

static const char *name_in_dev(uint32_t i)
{
    return names[i].path + sizeof(IN_DEV) - 1;
}

static struct node node_of_name(uint32_t i)
{
    return (struct node){.path = names[i].path,
                         .mode = names[i].mode,
                         .special_device = names[i].special_device,
                         .device = DEVICE_OF_NAMES,
                         .links = 1,
                         .inode = INODES_OF_DEVICES + i,
                         .kind = names[i].kind};
}

static struct node node_of_link(void)
{
    return (struct node){.path = "/proc/self/exe",
                         .mode = S_IFLNK | 0777,
                         .device = DEVICE_OF_NAMES,
                         .links = 1,
                         .inode = INODES_OF_DEVICES + NAMES};
}

static struct node node_of_image(struct object_id image)
{
    return (struct node){.mode = S_IFREG | 0755,
                         .device = DEVICE_OF_NAMES,
                         .links = 1,
                         .inode = INODES_OF_OBJECTS + image.number,
                         .size = object_at(image)->size,
                         .image = image};
}

static struct fs_id id_of(struct object_id object)
{
    return (struct fs_id){object.number - FS_FILES_FIRST, object_at(object)->generation};
}

struct fs_id file_id(const struct file_record *file)
{
    return id_of((struct object_id){file->object});
}

struct node node_of_file(const struct file_record *file)
{
    DOES_NOT_SLEEP();
    const char *path = file_operations(file)->path;

    if (file_operations(file)->has_object) {
        return (struct node){.mode = S_IFREG | 0777,
                             .device = DEVICE_OF_NAMES,
                             .inode = INODES_OF_OBJECTS + file->object,
                             .size = object_at((struct object_id){file->object})->size};
    }
    if (file_operations(file)->anonymous != NULL) {
        return (struct node){.mode = 0600, .device = DEVICE_OF_OTHERS, .links = 1, .inode = 1, .kind = file->kind};
    }
    for (uint32_t i = 0; path != NULL && i < NAMES; i++) {
        if (strcmp(names[i].path, path) == 0) {
            return node_of_name(i);
        }
    }
    return (struct node){
        .mode = S_IFIFO | 0600, .device = DEVICE_OF_PIPES, .links = 1, .inode = file->object + 1, .kind = FILE_PIPE};
}

bool node_of_device(uint32_t device, struct node *out)
{
    for (uint32_t i = 0; i < NAMES; i++) {
        if (names[i].special_device == device) {
            *out = node_of_name(i);
            return true;
        }
    }
    return false;
}

/* Beside files ----------------------------------------------------------------------------------------------------- */

static bool is_name(struct fs_name name, const char *text)
{
    return strlen(text) == name.length && memcmp(text, name.bytes, name.length) == 0;
}

static uint32_t special_in_dev(struct fs_name name)
{
    for (uint32_t i = 0; i < NAMES; i++) {
        if (is_name(name, name_in_dev(i))) {
            return SPECIAL_NAME + i;
        }
    }
    return 0;
}

static struct object_id own_image(const struct system_call *call)
{
    return space_at(address_space_of(call->task->program_id))->image;
}

static uint32_t special_descriptor_link(const struct system_call *call, struct fs_name name)
{
    uint32_t descriptor = 0;

    for (uint32_t i = 0; i < name.length; i++) {
        char digit = name.bytes[i];
        if (digit < '0' || digit > '9' || descriptor >= PROGRAM_FILES_MAX) {
            return 0;
        }
        descriptor = descriptor * 10 + (uint32_t)(digit - '0');
    }
    return file_of(call->program, descriptor) != NULL ? SPECIAL_FILE + descriptor : 0;
}

uint32_t name_special(const struct system_call *call, uint32_t folder, struct fs_name name)
{
    DOES_NOT_SLEEP();
    switch (folder) {
    case FS_DEV:
        return special_in_dev(name);
    case FS_SELF:
        return is_name(name, "exe") ? SPECIAL_PROGRAM : 0;
    case FS_FD:
        return special_descriptor_link(call, name);
    default:
        return 0;
    }
}

/* The descriptor of the i-th open file. */
static bool open_descriptor(const struct system_call *call, uint32_t i, uint32_t *out)
{
    for (uint32_t descriptor = 0; descriptor < PROGRAM_FILES_MAX; descriptor++) {
        if (file_of(call->program, descriptor) != NULL && i-- == 0) {
            *out = descriptor;
            return true;
        }
    }
    return false;
}

bool name_special_list(const struct system_call *call, uint32_t folder, uint32_t i, char name[PATH_BYTES],
                       uint32_t *out_inode, uint32_t *out_type)
{
    DOES_NOT_SLEEP();
    uint32_t descriptor;

    *out_type = S_IFLNK >> 12;
    *out_inode = INODES_OF_DEVICES + NAMES;
    if (folder == FS_DEV && i < NAMES) {
        kernel_snprintf(name, PATH_BYTES, "%s", name_in_dev(i));
        *out_inode = INODES_OF_DEVICES + i;
        *out_type = S_IFCHR >> 12;
    } else if (folder == FS_SELF && i == 0) {
        kernel_snprintf(name, PATH_BYTES, "exe");
    } else if (folder == FS_FD && open_descriptor(call, i, &descriptor)) {
        kernel_snprintf(name, PATH_BYTES, "%u", descriptor);
    } else {
        return false;
    }
    return true;
}

bool special_descriptor(uint32_t special, uint32_t *out_descriptor)
{
    *out_descriptor = special - SPECIAL_FILE;
    return special >= SPECIAL_FILE;
}

bool special_is_link(uint32_t special)
{
    return special >= SPECIAL_PROGRAM;
}

bool special_file(const struct system_call *call, uint32_t special, struct fs_id *out)
{
    DOES_NOT_SLEEP();
    uint32_t descriptor;
    struct object_id object = {0};

    if (special_descriptor(special, &descriptor)) {
        const struct file_record *file = file_of(call->program, descriptor);
        object.number = file != NULL && file_operations(file)->is_named ? file->object : 0;
    } else if (special == SPECIAL_PROGRAM) {
        object = own_image(call);
    }
    if (!fs_is_file(object)) {
        return false;
    }
    *out = id_of(object);
    return true;
}

void node_of_special(const struct system_call *call, uint32_t special, bool follows, struct node *out)
{
    DOES_NOT_SLEEP();
    uint32_t descriptor;

    if (special < SPECIAL_PROGRAM) {
        *out = node_of_name(special - SPECIAL_NAME);
    } else if (!follows) {
        *out = node_of_link();
    } else if (special_descriptor(special, &descriptor)) {
        *out = node_of_file(file_of(call->program, descriptor));
    } else {
        *out = own_image(call).number != 0 ? node_of_image(own_image(call)) : node_of_link();
    }
}

void name_of_special_link(const struct system_call *call, uint32_t special, char target[PATH_BYTES])
{
    uint32_t descriptor;

    if (!special_descriptor(special, &descriptor)) {
        kernel_snprintf(target, PATH_BYTES, "/%s", call->program->name);
        return;
    }
    const struct file_record *file = file_of(call->program, descriptor);
    if (file_operations(file)->anonymous != NULL) {
        kernel_snprintf(target, PATH_BYTES, "%s", file_operations(file)->anonymous);
    } else if (file_operations(file)->path == NULL) {
        kernel_snprintf(target, PATH_BYTES, "pipe:[%llu]", (unsigned long long)node_of_file(file).inode);
    } else {
        kernel_snprintf(target, PATH_BYTES, "%s", node_of_file(file).path);
    }
}

/* Images ----------------------------------------------------------------------------------------------------------- */

/* The last name of a path; the path ends before it. */
static char *cut_last(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash == NULL) {
        return path;
    }
    *slash = 0;
    return slash + 1;
}

int32_t node_of_image_at(uint32_t address, struct node *out)
{
    thread_may_sleep();
    char path[PATH_BYTES];
    enum error error = user_copy_string(path, (struct vaddr){address}, PATH_BYTES - 1);

    if (error != OK) {
        return error == ERROR_RANGE ? -ENOENT : system_call_errno(error);
    }
    size_t length = strlen(path);
    bool wants_folder = length > 0 && path[length - 1] == '/';
    while (length > 1 && path[length - 1] == '/') {
        path[--length] = 0;
    }
    const char *last = cut_last(path);
    struct object_id image = object_named(last);
    if (image.number == 0) {
        return last != path && object_named(cut_last(path)).number != 0 ? -ENOTDIR : -ENOENT;
    }
    *out = node_of_image(image);
    return wants_folder ? -ENOTDIR : 0;
}
