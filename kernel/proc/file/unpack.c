/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unpacking. A tar is a row of blocks of 512 bytes: a header for each file, and its content. A header whose checksum is
 * wrong ends it with an error; two blocks of zeroes, or the end of the bytes, end it well.
 */
#include "unpack.h"
#include "linux/linux_abi.h"
#include "log.h"
#include "space/object.h"
#include "thread.h"
#include "tree.h"
#include <string.h>

#define BLOCK       512u
#define NS_PER_S    1000000000ull
#define PIECE_BYTES (64u * PAGE_SIZE)

struct tar_header {
    char name[100], mode[8], user[8], group[8], size[12], time[12], checksum[8], type, target[100], magic[6],
        version[2], user_name[32], group_name[32], device_major[8], device_minor[8], prefix[155], padding[12];
};
_Static_assert(sizeof(struct tar_header) == BLOCK, "a header is a block");

/* A file of the tar. */
struct member {
    char path[FS_PATH_MAX], target[FS_PATH_MAX]; /* "": none */
    char type;
    uint32_t mode, user, group;
    uint64_t size, time_ns;
};

struct unpacking {
    const uint8_t *bytes;
    uint64_t size, at;
    struct space_id payer;
    struct unpack_result *result;
    struct member member;
    struct fs_grip grip;
    struct fs_found found;
};

/* One at a time: it is too large for a stack. */
static struct unpacking unpacking;

static enum error refuse(const char *complaint)
{
    unpacking.result->complaint = complaint;
    return ERROR_INVALID;
}

/* Headers ---------------------------------------------------------------------------------------------------------- */

/* An octal number, or a binary one of GNU's; UINT64_MAX: neither. */
static uint64_t number(const char *field, uint32_t bytes)
{
    uint64_t value = 0;
    uint32_t i = 0;

    if ((field[0] & 0x80) != 0) {
        for (i = bytes - 8; i < bytes; i++) {
            value = value << 8 | (uint8_t)field[i];
        }
        return value;
    }
    while (i < bytes && field[i] == ' ') {
        i++;
    }
    for (; i < bytes && field[i] >= '0' && field[i] <= '7'; i++) {
        value = value << 3 | (uint64_t)(field[i] - '0');
    }
    return i == bytes || field[i] == 0 || field[i] == ' ' ? value : UINT64_MAX;
}

static bool checksum_is_right(const struct tar_header *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    uint32_t sum = 0, field = offsetof(struct tar_header, checksum);

    for (uint32_t i = 0; i < BLOCK; i++) {
        sum += i >= field && i < field + sizeof(header->checksum) ? ' ' : bytes[i];
    }
    return number(header->checksum, sizeof(header->checksum)) == sum;
}

static bool is_zero_block(const uint8_t *bytes)
{
    uint32_t i = 0;

    while (i < BLOCK && bytes[i] == 0) {
        i++;
    }
    return i == BLOCK;
}

/* A field that need not end with a zero. */
static void append(char path[FS_PATH_MAX], const char *field, uint32_t bytes)
{
    size_t length = strlen(path);
    uint32_t i = 0;

    while (i < bytes && field[i] != 0 && length < FS_PATH_MAX - 1) {
        path[length++] = field[i++];
    }
    path[length] = 0;
}

/* What a header says of itself. */
static enum error read_kind(const struct tar_header *header, struct member *out)
{
    out->type = header->type == 0 ? '0' : header->type;
    out->size = number(header->size, sizeof(header->size));
    return out->size > (uint64_t)OBJECT_PAGES << PAGE_SHIFT ? refuse("its size makes no sense") : OK;
}

/* And of a file, as far as none before it has said so. */
static void read_file(const struct tar_header *header, struct member *out)
{
    out->mode = (uint32_t)number(header->mode, sizeof(header->mode)) & 07777u;
    out->user = (uint32_t)number(header->user, sizeof(header->user));
    out->group = (uint32_t)number(header->group, sizeof(header->group));
    uint64_t seconds = number(header->time, sizeof(header->time));
    out->time_ns = seconds < UINT64_MAX / NS_PER_S ? seconds * NS_PER_S : 0;
    if (out->path[0] == 0 && header->prefix[0] != 0 && memcmp(header->magic, "ustar", 6) == 0) {
        append(out->path, header->prefix, sizeof(header->prefix));
        append(out->path, "/", 1);
        append(out->path, header->name, sizeof(header->name));
    } else if (out->path[0] == 0) {
        append(out->path, header->name, sizeof(header->name));
    }
    if (out->target[0] == 0) {
        append(out->target, header->target, sizeof(header->target));
    }
}

/* The value of a record of a pax header, "25 path=...\n"; NULL: it is another one. */
static const char *pax_value(const char *record, uint32_t bytes, const char *key, uint32_t *out_length)
{
    const char *blank = memchr(record, ' ', bytes);
    size_t length = strlen(key);

    if (blank == NULL) {
        return NULL;
    }
    uint32_t left = bytes - (uint32_t)(blank + 1 - record);
    if (left <= length + 1 || memcmp(blank + 1, key, length) != 0 || blank[1 + length] != '=') {
        return NULL;
    }
    *out_length = left - (uint32_t)length - 2;
    return blank + 2 + length;
}

static enum error read_pax(const char *bytes, uint32_t size, struct member *out)
{
    while (size > 0) {
        uint32_t length = 0, digits = 0, value_length;
        while (digits < size && digits < 9 && bytes[digits] >= '0' && bytes[digits] <= '9') {
            length = length * 10 + (uint32_t)(bytes[digits++] - '0');
        }
        if (digits == 0 || length <= digits || length > size || bytes[length - 1] != '\n') {
            return refuse("a header of pax's makes no sense");
        }
        const char *value = pax_value(bytes, length, "path", &value_length);
        if (value != NULL) {
            out->path[0] = 0;
            append(out->path, value, value_length);
        }
        value = pax_value(bytes, length, "linkpath", &value_length);
        if (value != NULL) {
            out->target[0] = 0;
            append(out->target, value, value_length);
        }
        bytes += length;
        size -= length;
    }
    return OK;
}

/* Paths ------------------------------------------------------------------------------------------------------------ */

/* Without slashes at either end, and "." at its beginning; false: it leads out of the tree. */
static bool tidy(char *path)
{
    char *from = path;
    size_t length;

    while (*from == '/' || (from[0] == '.' && from[1] == '/')) {
        from++;
    }
    if (strcmp(from, ".") == 0) {
        from++;
    }
    memmove(path, from, strlen(from) + 1);
    length = strlen(path);
    while (length > 0 && path[length - 1] == '/') {
        path[--length] = 0;
    }
    for (const char *part = path; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == 0)) {
            return false;
        }
    }
    return true;
}

/* Nothing is in the way, or it goes: then there is a directory, and a name in it that is free. */
static enum error clear_place(void)
{
    struct fs_grip *grip = &unpacking.grip;
    struct fs_found *found = &unpacking.found;
    bool wants_folder = unpacking.member.type == '5';
    enum error error = tree_walk(grip, unpacking.member.path, wants_folder, found);

    if (error == OK && found->file.inode != 0 && !((found->mode & S_IFMT) == S_IFDIR && wants_folder)) {
        error = fs_remove(grip, found->folder, fs_found_name(found), false);
        found->file = FS_ID_NONE;
    }
    return error;
}

static enum error make_folder(const char *path)
{
    const struct fs_new what = {.mode = S_IFDIR | 0755};
    struct fs_id made;
    enum error error = tree_walk(&unpacking.grip, path, true, &unpacking.found);

    if (error != OK || unpacking.found.file.inode != 0) {
        return error;
    }
    return fs_make(&unpacking.grip, unpacking.found.folder, fs_found_name(&unpacking.found), &what, &made);
}

/* The directories on the way to a file that the tar has not said anything about. */
static enum error make_parents(char *path)
{
    enum error error = OK;

    for (char *slash = strchr(path, '/'); error == OK && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        error = make_folder(path);
        *slash = '/';
    }
    return error;
}

/* Files ------------------------------------------------------------------------------------------------------------ */

static enum error fill(struct fs_id file, const uint8_t *content)
{
    struct object_id object;
    uint64_t size = unpacking.member.size;
    enum error error = tree_refer(&unpacking.grip, file, &object);

    if (error != OK) {
        return error;
    }
    object_at(object)->size = size;
    for (uint64_t done = 0; error == OK && done < size; done += PIECE_BYTES) {
        uint32_t piece = size - done < PIECE_BYTES ? (uint32_t)(size - done) : PIECE_BYTES;
        error = object_put(object, done, content + done, piece, unpacking.payer);
    }
    object_refer(object, -1);
    object_collect();
    return error;
}

static enum error set_attributes(struct fs_id file)
{
    const struct member *member = &unpacking.member;
    const struct fs_inode to = {.mode = member->mode,
                                .user = member->user,
                                .group = member->group,
                                .access_ns = member->time_ns,
                                .modify_ns = member->time_ns};

    return fs_set(&unpacking.grip, file, FS_MODE | FS_USER | FS_GROUP | FS_ACCESS_TIME | FS_MODIFY_TIME, &to);
}

static enum error make(uint32_t type, struct fs_id *out)
{
    const struct member *member = &unpacking.member;
    const struct fs_new what = {.mode = type | member->mode,
                                .target = member->target,
                                .target_length = type == S_IFLNK ? (uint32_t)strlen(member->target) : 0};

    return fs_make(&unpacking.grip, unpacking.found.folder, fs_found_name(&unpacking.found), &what, out);
}

static enum error link_to(void)
{
    struct fs_found place = unpacking.found;
    enum error error = tidy(unpacking.member.target) ? OK : refuse("it is linked to what is outside of the tree");

    if (error == OK) {
        error = tree_walk(&unpacking.grip, unpacking.member.target, false, &unpacking.found);
    }
    if (error == OK && unpacking.found.file.inode == 0) {
        error = refuse("it is linked to what is not there");
    }
    return error == OK ? fs_link(&unpacking.grip, unpacking.found.file, place.folder, fs_found_name(&place)) : error;
}

static enum error put(const uint8_t *content)
{
    struct unpack_result *result = unpacking.result;
    struct fs_id made = unpacking.found.file;
    enum error error = OK;

    switch (unpacking.member.type) {
    case '1':
        result->links++;
        return link_to();
    case '2':
        result->links++;
        error = make(S_IFLNK, &made);
        return error;
    case '5':
        result->folders++;
        error = made.inode == 0 ? make(S_IFDIR, &made) : OK;
        break;
    default:
        result->files++;
        error = make(S_IFREG, &made);
        if (error == OK) {
            error = fill(made, content);
        }
    }
    return error == OK ? set_attributes(made) : error;
}

static bool is_known(char type)
{
    return type == '0' || type == '1' || type == '2' || type == '5' || type == '7';
}

static enum error add_member(const uint8_t *content)
{
    struct member *member = &unpacking.member;

    kernel_snprintf(unpacking.result->where, sizeof(unpacking.result->where), "%s", member->path);
    if (!is_known(member->type)) {
        unpacking.result->left_out++;
        return OK;
    }
    if (!tidy(member->path)) {
        return refuse("its name leads out of the tree");
    }
    if (member->path[0] == 0) {
        return OK; /* the root */
    }
    enum error error = make_parents(member->path);
    if (error == OK) {
        error = clear_place();
    }
    return error == OK ? put(content) : error;
}

/* The row ---------------------------------------------------------------------------------------------------------- */

/* What a header is about that belongs to the next file. False: it is a file's own. */
static bool is_extra(char type)
{
    return type == 'L' || type == 'K' || type == 'x' || type == 'g';
}

static enum error read_extra(const char *content, uint64_t size)
{
    struct member *member = &unpacking.member;
    char *name = member->type == 'L' ? member->path : member->target;

    if (member->type == 'g') {
        return OK;
    }
    if (member->type == 'x') {
        return read_pax(content, (uint32_t)size, member);
    }
    name[0] = 0;
    append(name, content, size < FS_PATH_MAX ? (uint32_t)size : FS_PATH_MAX);
    return OK;
}

/* One header and its content. */
static enum error next(void)
{
    struct member *member = &unpacking.member;
    const struct tar_header *header = (const void *)(unpacking.bytes + unpacking.at);

    if (!checksum_is_right(header)) {
        return refuse("damaged, or no tar: a header has the wrong checksum");
    }
    enum error error = read_kind(header, member);
    const uint8_t *content = unpacking.bytes + unpacking.at + BLOCK;
    bool has_content = member->type == '0' || member->type == '7' || is_extra(member->type);
    uint64_t size = has_content ? member->size : 0, blocks = (size + BLOCK - 1) / BLOCK;
    if (error == OK && blocks > (unpacking.size - unpacking.at) / BLOCK - 1) {
        error = refuse("truncated: it ends within this file");
    }
    if (error != OK) {
        return error;
    }
    unpacking.at += (1 + blocks) * BLOCK;
    if (is_extra(member->type)) {
        return read_extra((const char *)content, size);
    }
    read_file(header, member);
    error = add_member(content);
    member->path[0] = member->target[0] = 0;
    return error;
}

static bool is_over(void)
{
    return unpacking.size - unpacking.at < BLOCK || is_zero_block(unpacking.bytes + unpacking.at);
}

enum error unpack_tar(const void *bytes, uint64_t size, struct space_id payer, struct unpack_result *out)
{
    thread_may_sleep();
    *out = (struct unpack_result){0};
    memset(&unpacking, 0, sizeof(unpacking));
    unpacking.bytes = bytes;
    unpacking.size = size;
    unpacking.payer = payer;
    unpacking.result = out;
    if (size < BLOCK) {
        return refuse("too short for a tar");
    }
    enum error error = tree_begin(&unpacking.grip, payer);
    if (error != OK) {
        return error;
    }
    while (error == OK && !is_over()) {
        error = next();
        thread_give_way();
    }
    tree_end(&unpacking.grip);
    return error;
}
