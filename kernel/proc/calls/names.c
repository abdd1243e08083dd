/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names. See names.h.
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

#define INODES_OF_OBJECTS 0x1000000u /* and the object */

static const struct {
    const char *path;
    uint32_t mode;
    enum file_kind kind;
    uint32_t special_device;
} names[] = {
    {"/", S_IFDIR | 0755, FILE_FREE, 0},
    {"/dev", S_IFDIR | 0755, FILE_FREE, 0},
    {"/dev/tty", S_IFCHR | 0620, FILE_TERMINAL, DEVICE_NUMBER(5, 0)},
    {"/dev/console", S_IFCHR | 0620, FILE_TERMINAL, DEVICE_NUMBER(5, 1)},
    {"/dev/null", S_IFCHR | 0666, FILE_NULL, DEVICE_NUMBER(1, 3)},
    {"/dev/zero", S_IFCHR | 0666, FILE_ZERO, DEVICE_NUMBER(1, 5)},
    {"/dev/random", S_IFCHR | 0666, FILE_RANDOM, DEVICE_NUMBER(1, 8)},
    {"/dev/urandom", S_IFCHR | 0666, FILE_RANDOM, DEVICE_NUMBER(1, 9)},
    {EIDOLON_REBORN, S_IFCHR | 0444, FILE_REBORN, DEVICE_NUMBER(10, 255)},
    {"/proc/self/exe", S_IFLNK | 0777, FILE_FREE, 0},
};
#define NAMES (sizeof(names) / sizeof(names[0]))

#define PROGRAM_LINK     "/proc/self/exe"
#define DESCRIPTOR_LINKS "/proc/self/fd/"

bool node_is_folder(const struct node *node)
{
    return (node->mode & S_IFMT) == S_IFDIR;
}

static struct node node_of_name(uint32_t i)
{
    return (struct node){.path = names[i].path,
                         .mode = names[i].mode,
                         .special_device = names[i].special_device,
                         .device = DEVICE_OF_NAMES,
                         .links = 1,
                         .inode = i + 1,
                         .kind = names[i].kind};
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

/* What an open file is, for fstat(). */
static struct node node_of_file(const struct file_record *file)
{
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
    if (path == NULL) {
        return (struct node){.mode = S_IFIFO | 0600,
                             .device = DEVICE_OF_PIPES,
                             .links = 1,
                             .inode = file->object + 1,
                             .kind = FILE_PIPE};
    }
    for (uint32_t i = 0; i < NAMES; i++) {
        if (strcmp(names[i].path, path) == 0) {
            return node_of_name(i);
        }
    }
    return node_of_name(0);
}

int32_t node_of_descriptor(const struct system_call *call, uint32_t descriptor, struct node *out)
{
    const struct file_record *file = file_of(call->program, descriptor);

    if (file == NULL) {
        return -EBADF;
    }
    *out = node_of_file(file);
    return 0;
}

/* Paths ------------------------------------------------------------------------------------------------------------ */

int32_t path_in(char path[PATH_BYTES], uint32_t address)
{
    enum error error = user_copy_string(path, (struct vaddr){address}, PATH_BYTES - 1);

    if (error == ERROR_RANGE) {
        return -ENOENT;
    }
    return system_call_errno(error);
}

/* Bring a path into the form of the table: absolute, without doubled, trailing or dotted parts. The folder is always
 * "/". */
static void normalise(char *path)
{
    char result[PATH_BYTES + 2] = "";
    size_t length = 0;

    for (const char *part = path; *part != 0;) {
        size_t bytes = 0;
        while (part[bytes] != 0 && part[bytes] != '/') {
            bytes++;
        }
        bool stays = bytes == 0 || (bytes == 1 && part[0] == '.');
        bool up = bytes == 2 && part[0] == '.' && part[1] == '.';
        if (up) {
            while (length > 0 && result[--length] != '/') {
            }
        } else if (!stays && length + bytes + 1 < PATH_BYTES) {
            result[length++] = '/';
            memcpy(result + length, part, bytes);
            length += bytes;
        }
        part += part[bytes] == '/' ? bytes + 1 : bytes;
    }
    if (length == 0) {
        result[length++] = '/';
    }
    result[length] = 0;
    memcpy(path, result, length + 1);
}

/* The descriptor whose link a path is, or NULL. */
static const struct file_record *linked_descriptor(const struct system_call *call, const char *path)
{
    const size_t prefix = sizeof(DESCRIPTOR_LINKS) - 1;
    uint32_t descriptor = 0;

    if (strncmp(path, DESCRIPTOR_LINKS, prefix) != 0 || path[prefix] == 0) {
        return NULL;
    }
    for (const char *digit = path + prefix; *digit != 0; digit++) {
        if (*digit < '0' || *digit > '9' || descriptor >= PROGRAM_FILES_MAX) {
            return NULL;
        }
        descriptor = descriptor * 10 + (uint32_t)(*digit - '0');
    }
    return file_of(call->program, descriptor);
}

static bool ends_with_slash(const char *path)
{
    size_t length = strlen(path);

    return length > 0 && path[length - 1] == '/';
}

/* The link of a path that leads somewhere else, followed. False: it is no such link. */
static bool follow(const struct system_call *call, const char *path, struct node *out)
{
    const struct file_record *file = linked_descriptor(call, path);
    struct address_space space = address_space_of(call->task->program_id);
    struct object_id image = {strcmp(path, PROGRAM_LINK) == 0 ? space_at(space)->image.number : 0};

    if (file != NULL) {
        *out = node_of_file(file);
    } else if (image.number != 0) {
        *out = node_of_image(image);
    }
    return file != NULL || image.number != 0;
}

/* Whether the part of a path before its last one names something that is no folder. */
static bool is_below_a_file(const char *path)
{
    size_t length = (size_t)(strrchr(path, '/') - path);
    char before[PATH_BYTES];

    memcpy(before, path, length);
    before[length] = 0;
    for (uint32_t i = 0; i < NAMES; i++) {
        if (strcmp(before, names[i].path) == 0) {
            return (names[i].mode & S_IFMT) != S_IFDIR;
        }
    }
    return length > 0 && object_named(strrchr(before, '/') + 1).number != 0;
}

int32_t name_find(const struct system_call *call, char path[PATH_BYTES], bool follows, struct node *out)
{
    bool wants_folder = ends_with_slash(path);

    if (path[0] == 0) {
        return -ENOENT;
    }
    normalise(path);
    if (follows && follow(call, path, out)) {
        return wants_folder ? -ENOTDIR : 0;
    }
    if (linked_descriptor(call, path) != NULL) {
        *out = node_of_name(NAMES - 1);
        return 0;
    }
    for (uint32_t i = 0; i < NAMES; i++) {
        if (strcmp(path, names[i].path) == 0) {
            *out = node_of_name(i);
            return wants_folder && !node_is_folder(out) ? -ENOTDIR : 0;
        }
    }
    struct object_id image = object_named(strrchr(path, '/') + 1);
    if (image.number == 0) {
        return is_below_a_file(path) ? -ENOTDIR : -ENOENT;
    }
    *out = node_of_image(image);
    return wants_folder ? -ENOTDIR : 0;
}

int32_t name_find_at(const struct system_call *call, uint32_t address, bool follows, struct node *out)
{
    char path[PATH_BYTES];
    int32_t result = path_in(path, address);

    return result == 0 ? name_find(call, path, follows, out) : result;
}

/* Links ------------------------------------------------------------------------------------------------------------ */

int32_t name_of_link(const struct system_call *call, char path[PATH_BYTES], char target[PATH_BYTES])
{
    struct node node;
    int32_t result = name_find(call, path, false, &node);

    if (result != 0) {
        return result;
    }
    const struct file_record *file = linked_descriptor(call, path);
    if (file != NULL && file_operations(file)->anonymous != NULL) {
        kernel_snprintf(target, PATH_BYTES, "%s", file_operations(file)->anonymous);
    } else if (file != NULL && file_operations(file)->path == NULL) {
        kernel_snprintf(target, PATH_BYTES, "pipe:[%llu]", (unsigned long long)node_of_file(file).inode);
    } else if (file != NULL) {
        kernel_snprintf(target, PATH_BYTES, "%s", node_of_file(file).path);
    } else if ((node.mode & S_IFMT) == S_IFLNK) {
        kernel_snprintf(target, PATH_BYTES, "/%s", call->program->name);
    } else {
        return -EINVAL;
    }
    return 0;
}
