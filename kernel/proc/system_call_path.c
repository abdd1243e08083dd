/*
 * System calls on names.
 *
 * There is no file system: memory does not go away, so programs have little to keep in one. What has a name is a
 * handful of devices, the folders they are in, and the program itself as a link. Every other name answers ENOENT, and
 * whoever wants to create one is told that this is a read-only file system.
 */
#include "calls.h"
#include "file.h"
#include <string.h>

#define PATH_BYTES                  256u /* no name that means anything is longer */
#define DEVICE_NUMBER(major, minor) ((major) << 8 | (minor))

struct node {
    const char *path;
    uint32_t mode;
    enum file_kind kind; /* FILE_FREE: cannot be opened */
    uint32_t device;
};

static const struct node nodes[] = {
    {"/", S_IFDIR | 0755, FILE_FREE, 0},
    {"/dev", S_IFDIR | 0755, FILE_FREE, 0},
    {"/dev/tty", S_IFCHR | 0620, FILE_TERMINAL, DEVICE_NUMBER(5, 0)},
    {"/dev/console", S_IFCHR | 0620, FILE_TERMINAL, DEVICE_NUMBER(5, 1)},
    {"/dev/null", S_IFCHR | 0666, FILE_NULL, DEVICE_NUMBER(1, 3)},
    {"/dev/zero", S_IFCHR | 0666, FILE_ZERO, DEVICE_NUMBER(1, 5)},
    {"/dev/random", S_IFCHR | 0666, FILE_RANDOM, DEVICE_NUMBER(1, 8)},
    {"/dev/urandom", S_IFCHR | 0666, FILE_RANDOM, DEVICE_NUMBER(1, 9)},
    {"pipe:", S_IFIFO | 0600, FILE_PIPE, 0}, /* no path leads there */
    {"/proc/self/exe", S_IFLNK | 0777, FILE_FREE, 0},
};
#define NODES (sizeof(nodes) / sizeof(nodes[0]))

/* What an open file of a kind is, for fstat(). */
static const struct node *node_of_kind(uint32_t kind)
{
    for (uint32_t i = 0; i < NODES; i++) {
        if (nodes[i].kind == kind) {
            return &nodes[i];
        }
    }
    return &nodes[0];
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

/* Read a path argument; 0 or a negative errno. */
static int32_t path_in(char path[PATH_BYTES], uint32_t address)
{
    enum error error = user_copy_string(path, (struct vaddr){address}, PATH_BYTES - 1);

    if (error == ERROR_RANGE) {
        return -ENOENT;
    }
    return system_call_errno(error);
}

static const struct node *find(char path[PATH_BYTES])
{
    normalise(path);
    for (uint32_t i = 0; i < NODES; i++) {
        if (strcmp(path, nodes[i].path) == 0) {
            return &nodes[i];
        }
    }
    return NULL;
}

static int32_t look_up(uint32_t address, const struct node **out)
{
    char path[PATH_BYTES];
    int32_t result = path_in(path, address);

    if (result != 0) {
        return result;
    }
    if (path[0] == 0) {
        return -ENOENT;
    }
    *out = find(path);
    return *out != NULL ? 0 : -ENOENT;
}

/* Opening ---------------------------------------------------------------------------------------------------------- */

static int32_t open_node(const struct system_call *call, const struct node *node, uint32_t flags)
{
    uint32_t file, descriptor;

    if ((flags & O_DIRECTORY) != 0 && (node->mode & S_IFDIR) == 0) {
        return -ENOTDIR;
    }
    if (node->kind == FILE_FREE) {
        return node->mode & S_IFDIR && (flags & O_ACCMODE) != O_RDONLY ? -EISDIR : -EACCES;
    }
    enum error error = file_create(node->kind, (flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC)) | O_LARGEFILE,
                                   call->program->terminal, &file);
    if (error != OK) {
        return -ENFILE;
    }
    error = file_install(call->program, 0, file, (flags & O_CLOEXEC) != 0 ? FD_CLOEXEC : 0, &descriptor);
    return error == OK ? (int32_t)descriptor : -EMFILE;
}

static int32_t open_path(const struct system_call *call, uint32_t path, uint32_t flags)
{
    const struct node *node;
    int32_t result = look_up(path, &node);

    if (result == -ENOENT && (flags & O_CREAT) != 0) {
        return -EROFS;
    }
    if (result == 0 && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        return -EEXIST;
    }
    return result == 0 ? open_node(call, node, flags) : result;
}

int32_t call_open(const struct system_call *call)
{
    return open_path(call, call->arguments[0], call->arguments[1]);
}

int32_t call_openat(const struct system_call *call)
{
    return open_path(call, call->arguments[1], call->arguments[2]);
}

/* Taking away or renaming: there is nothing of that name, or it has to stay. */
static int32_t refuse_change(uint32_t path)
{
    const struct node *node;
    int32_t result = look_up(path, &node);

    return result == 0 ? -EROFS : result;
}

int32_t call_change_path(const struct system_call *call)
{
    return refuse_change(call->arguments[0]);
}

int32_t call_unlinkat(const struct system_call *call)
{
    return refuse_change(call->arguments[1]);
}

int32_t call_make_path(const struct system_call *call)
{
    const struct node *node;
    int32_t result = look_up(call->arguments[0], &node);

    if (result == 0) {
        return -EEXIST;
    }
    return result == -ENOENT ? -EROFS : result;
}

static int32_t access_path(uint32_t path, uint32_t mode)
{
    const struct node *node;
    int32_t result = look_up(path, &node);

    if (result != 0) {
        return result;
    }
    return (mode & ACCESS_WRITE) != 0 && (node->mode & S_IFCHR) == 0 ? -EROFS : 0;
}

int32_t call_access(const struct system_call *call)
{
    return access_path(call->arguments[0], call->arguments[1]);
}

int32_t call_faccessat(const struct system_call *call)
{
    return access_path(call->arguments[1], call->arguments[2]);
}

/* Links and folders ------------------------------------------------------------------------------------------------ */

#define DESCRIPTOR_LINKS "/proc/self/fd/"

/* What /proc/self/fd/N leads to, or NULL. */
static const char *descriptor_target(const struct system_call *call, const char *path)
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
    const struct file_record *file = file_of(call->program, descriptor);
    return file != NULL ? node_of_kind(file->kind)->path : NULL;
}

/* The target of a link in `target`; 0 or a negative errno. */
static int32_t resolve_link(const struct system_call *call, char path[PATH_BYTES], char target[PATH_BYTES])
{
    const struct node *node = find(path);
    const char *device = descriptor_target(call, path);

    if (device != NULL) {
        memcpy(target, device, strlen(device) + 1);
        return 0;
    }
    if (node == NULL) {
        return -ENOENT;
    }
    if (node->mode != (S_IFLNK | 0777)) {
        return -EINVAL;
    }
    target[0] = '/';
    memcpy(target + 1, call->program->name, PROGRAM_NAME_MAX);
    return 0;
}

static int32_t read_link(const struct system_call *call, uint32_t address, uint32_t destination, uint32_t capacity)
{
    char path[PATH_BYTES], target[PATH_BYTES] = "";
    int32_t result = path_in(path, address);

    if (result == 0 && ((int32_t)capacity <= 0 || path[0] == 0)) {
        result = (int32_t)capacity <= 0 ? -EINVAL : -ENOENT;
    }
    if (result == 0) {
        result = resolve_link(call, path, target);
    }
    if (result != 0) {
        return result;
    }
    uint32_t length = (uint32_t)strlen(target);
    length = length < capacity ? length : capacity;
    result = copy_out(destination, target, length);
    return result == 0 ? (int32_t)length : result;
}

int32_t call_readlink(const struct system_call *call)
{
    return read_link(call, call->arguments[0], call->arguments[1], call->arguments[2]);
}

int32_t call_readlinkat(const struct system_call *call)
{
    return read_link(call, call->arguments[1], call->arguments[2], call->arguments[3]);
}

int32_t call_getcwd(const struct system_call *call)
{
    static const char folder[] = "/";

    if (call->arguments[1] < sizeof(folder)) {
        return -ERANGE;
    }
    int32_t result = copy_out(call->arguments[0], folder, sizeof(folder));
    return result == 0 ? (int32_t)sizeof(folder) : result;
}

/* Only the root may be gone to, so that relative names keep their meaning. */
int32_t call_chdir(const struct system_call *call)
{
    const struct node *node;
    int32_t result = look_up(call->arguments[0], &node);

    if (result == 0 && node != &nodes[0]) {
        result = (node->mode & S_IFDIR) != 0 ? -EACCES : -ENOTDIR;
    }
    return result;
}

int32_t call_umask(const struct system_call *call)
{
    uint32_t before = call->program->umask;

    call->program->umask = call->arguments[0] & 0777u;
    return (int32_t)before;
}

int32_t call_getdents64(const struct system_call *call)
{
    return file_of(call->program, call->arguments[0]) == NULL ? -EBADF : -ENOTDIR;
}

/* Status ----------------------------------------------------------------------------------------------------------- */

#define STATUS_BLOCK_BYTES 1024u

static uint64_t inode_of(const struct node *node)
{
    return (uint64_t)(node - nodes) + 1;
}

static int32_t stat64_out(const struct node *node, uint32_t destination)
{
    struct linux_stat64 status = {
        .inode_low = (uint32_t)inode_of(node),
        .mode = node->mode,
        .links = 1,
        .special_device = node->device,
        .block_bytes = STATUS_BLOCK_BYTES,
        .inode = inode_of(node),
    };

    return copy_out(destination, &status, sizeof(status));
}

static int32_t stat_out(const struct node *node, uint32_t destination)
{
    struct linux_stat status = {
        .inode = (uint32_t)inode_of(node),
        .mode = (uint16_t)node->mode,
        .links = 1,
        .special_device = node->device,
        .block_bytes = STATUS_BLOCK_BYTES,
    };

    return copy_out(destination, &status, sizeof(status));
}

static int32_t statx_out(const struct node *node, uint32_t destination)
{
    struct linux_statx status = {
        .mask = STATX_BASIC_STATS,
        .block_bytes = STATUS_BLOCK_BYTES,
        .links = 1,
        .mode = (uint16_t)node->mode,
        .inode = inode_of(node),
        .special_major = node->device >> 8,
        .special_minor = node->device & 0xFFu,
    };

    return copy_out(destination, &status, sizeof(status));
}

static int32_t look_up_open(const struct system_call *call, uint32_t descriptor, const struct node **out)
{
    const struct file_record *file = file_of(call->program, descriptor);

    if (file == NULL) {
        return -EBADF;
    }
    *out = node_of_kind(file->kind);
    return 0;
}

/* A path relative to a folder, or the descriptor itself when the path is empty and the flags say so. */
static int32_t look_up_at(const struct system_call *call, uint32_t flags, const struct node **out)
{
    char path[PATH_BYTES];
    int32_t result = path_in(path, call->arguments[1]);

    if (result == 0 && path[0] == 0 && (flags & AT_EMPTY_PATH) != 0 && (int32_t)call->arguments[0] != AT_FDCWD) {
        return look_up_open(call, call->arguments[0], out);
    }
    if (result != 0) {
        return result;
    }
    *out = path[0] != 0 ? find(path) : NULL;
    return *out != NULL ? 0 : -ENOENT;
}

int32_t call_stat64(const struct system_call *call)
{
    const struct node *node;
    int32_t result = look_up(call->arguments[0], &node);

    return result == 0 ? stat64_out(node, call->arguments[1]) : result;
}

int32_t call_fstat64(const struct system_call *call)
{
    const struct node *node;
    int32_t result = look_up_open(call, call->arguments[0], &node);

    return result == 0 ? stat64_out(node, call->arguments[1]) : result;
}

int32_t call_fstatat64(const struct system_call *call)
{
    const struct node *node;
    int32_t result = look_up_at(call, call->arguments[3], &node);

    return result == 0 ? stat64_out(node, call->arguments[2]) : result;
}

int32_t call_stat(const struct system_call *call)
{
    const struct node *node;
    int32_t result = look_up(call->arguments[0], &node);

    return result == 0 ? stat_out(node, call->arguments[1]) : result;
}

int32_t call_fstat(const struct system_call *call)
{
    const struct node *node;
    int32_t result = look_up_open(call, call->arguments[0], &node);

    return result == 0 ? stat_out(node, call->arguments[1]) : result;
}

int32_t call_statx(const struct system_call *call)
{
    const struct node *node;
    int32_t result = look_up_at(call, call->arguments[2], &node);

    return result == 0 ? statx_out(node, call->arguments[4]) : result;
}
