/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execve. What can be executed are files of the tree, and the images of programs that were brought in and are alive: the
 * caller's own, as /proc/self/exe, and any by its name, in whatever folder it is said to be.
 *
 * The strings are copied out of the caller's memory, which it is about to lose, into a buffer that one caller at a time
 * has.
 */
#include "file/tree.h"
#include "paths.h"
#include "program/programs.h"
#include "script.h"
#include "space/address_space.h"
#include "space/object.h"
#include "space/space.h"
#include <string.h>

#define STRINGS_BYTES (128u * 1024u)
#define WORDS_MAX     1024u /* arguments and environment together */
#define SCRIPTS_MAX   5u    /* one for the other, as on Linux */

static struct {
    struct mutex mutex;
    struct script_line line;
    char strings[STRINGS_BYTES];
    const char *words[WORDS_MAX];
    uint32_t used, count;
} buffer;

/* What is to be executed, with a reference of the call's own, and the name that the program gets. */
struct executable {
    struct object_id image;
    char name[PROGRAM_NAME_MAX];
};

static int32_t take_file(struct path *path, const struct node *node, struct executable *out)
{
    bool is_executable = (node->mode & S_IFMT) == S_IFREG && (node->mode & 0111u) != 0;
    struct fs_name name = fs_found_name(&path->found);
    uint32_t length = name.length < PROGRAM_NAME_MAX ? name.length : PROGRAM_NAME_MAX - 1;

    if (!is_executable) {
        return -EACCES;
    }
    if (path->found.special != 0) {
        memcpy(out->name, path->call->program->name, PROGRAM_NAME_MAX);
    } else {
        memcpy(out->name, name.bytes, length);
    }
    return path_refer(path, node->file, &out->image);
}

/* What a path means: 0 or a negative errno. */
static int32_t take(struct path *path, struct executable *out)
{
    struct node node;
    int32_t result = path_node(path, (uint32_t)AT_FDCWD, path->call->arguments[0], true, &node);

    if (result != 0) {
        return result;
    }
    if (node.file.inode != 0) {
        return take_file(path, &node, out);
    }
    if (node.image.number == 0) {
        return -EACCES;
    }
    out->image = node.image;
    memcpy(out->name, object_at(node.image)->name, PROGRAM_NAME_MAX);
    object_refer(out->image, 1); /* whoever ends while the words are waited for */
    return 0;
}

static int32_t image_in(const struct system_call *call, struct executable *out)
{
    struct path path;
    int32_t result = path_begin(&path, call);

    *out = (struct executable){.image = {0}};
    if (result == 0) {
        result = take(&path, out);
        path_end(&path);
    }
    return result;
}

/* The kernel's own string. */
static int32_t add_text(const char *text)
{
    uint32_t bytes = (uint32_t)strlen(text) + 1;

    if (buffer.count == WORDS_MAX || bytes > STRINGS_BYTES - buffer.used) {
        return -E2BIG;
    }
    memcpy(buffer.strings + buffer.used, text, bytes);
    buffer.words[buffer.count++] = buffer.strings + buffer.used;
    buffer.used += bytes;
    return 0;
}

static int32_t add_string(uint32_t address)
{
    if (buffer.count == WORDS_MAX) {
        return -E2BIG;
    }
    char *to = buffer.strings + buffer.used;
    enum error error = user_copy_string(to, (struct vaddr){address}, STRINGS_BYTES - buffer.used);
    if (error != OK) {
        return error == ERROR_RANGE ? -E2BIG : system_call_errno(error);
    }
    buffer.words[buffer.count++] = to;
    buffer.used += (uint32_t)strlen(to) + 1;
    return 0;
}

/* The strings of a vector that ends with 0, added to the buffer. A vector at 0 is empty. */
static int32_t add_strings(uint32_t vector, uint32_t *out_count)
{
    uint32_t before = buffer.count;
    int32_t result = 0;

    for (uint32_t at = vector; result == 0 && vector != 0; at += (uint32_t)sizeof(uint32_t)) {
        uint32_t address;
        result = copy_in(&address, at, sizeof(address));
        if (result == 0 && address == 0) {
            break;
        }
        result = result == 0 ? add_string(address) : result;
    }
    *out_count = buffer.count - before;
    return result;
}

/* Scripts ---------------------------------------------------------------------------------------------------------- */

static struct space_id payer_of(const struct system_call *call)
{
    return space_window(address_space_of(call->task->program_id));
}

/* The program that a script is for, in the script's place: of the tree, or an image. */
static int32_t find_interpreter(const struct system_call *call, const char *path, struct object_id *out)
{
    const char *slash = strrchr(path, '/');
    enum error error = tree_find_program(path, payer_of(call), out);

    if (error == ERROR_NOT_FOUND || error == ERROR_NOT_FOLDER) {
        *out = object_named(slash != NULL ? slash + 1 : path);
        if (out->number != 0) {
            object_refer(*out, 1);
            return 0;
        }
    }
    return error == ERROR_DENIED ? -EACCES : system_call_errno(error);
}

/* Whether a file is a script, and its line: 0, -ENOENT: it is none, or a negative errno. */
static int32_t read_line(const struct system_call *call, struct object_id file, struct script_line *out)
{
    char bytes[SCRIPT_LINE_BYTES];
    uint64_t size = object_at(file)->size;
    uint32_t length = size < sizeof(bytes) ? (uint32_t)size : (uint32_t)sizeof(bytes);
    enum error error = object_get(file, 0, bytes, length, payer_of(call));

    if (error == OK) {
        error = script_parse(bytes, length, size <= sizeof(bytes), out);
    }
    return error == ERROR_INVALID ? -ENOEXEC : system_call_errno(error);
}

/*
 * As long as `file` is a script: the program it names takes its place, and its words come before those that are there.
 * They are gathered from the last to the first, and turned round by the caller.
 */
static int32_t add_script(const struct system_call *call, struct object_id *file)
{
    int32_t result = 0;

    for (uint32_t depth = 0; (result = read_line(call, *file, &buffer.line)) == 0; depth++) {
        struct object_id interpreter;
        if (depth == SCRIPTS_MAX) {
            return -ELOOP;
        }
        result = find_interpreter(call, buffer.line.path, &interpreter);
        if (result != 0) {
            return result;
        }
        object_refer(*file, -1);
        *file = interpreter;
        result = depth == 0 ? add_string(call->arguments[0]) : 0;
        if (result != 0) {
            return result;
        }
        result = buffer.line.argument[0] != 0 ? add_text(buffer.line.argument) : 0;
        result = result == 0 ? add_text(buffer.line.path) : result;
        if (result != 0) {
            return result;
        }
    }
    return result == -ENOENT ? 0 : result;
}

static void turn_round(const char **words, uint32_t count)
{
    for (uint32_t i = 0; i < count / 2; i++) {
        const char *word = words[i];
        words[i] = words[count - 1 - i];
        words[count - 1 - i] = word;
    }
}

/* The arguments: of a script, its interpreter's words and its path in place of the first. */
static int32_t add_arguments(const struct system_call *call, struct object_id *file)
{
    uint32_t own;
    int32_t result = add_script(call, file);
    uint32_t before = buffer.count;

    if (result == 0) {
        result = add_strings(call->arguments[1], &own);
    }
    if (result == 0 && before > 0) {
        turn_round(buffer.words, before);
    }
    if (result == 0 && before > 0 && own > 0) {
        buffer.count--;
        memmove(&buffer.words[before], &buffer.words[before + 1], (own - 1) * sizeof(buffer.words[0]));
    }
    return result;
}

/* Preparing -------------------------------------------------------------------------------------------------------- */

static int32_t prepare(const struct system_call *call, struct executable *what, struct program_become *out)
{
    struct program_image words = {.arguments = buffer.words};
    int32_t result = add_arguments(call, &what->image);

    words.argument_count = buffer.count;
    words.environment = buffer.words + buffer.count;
    if (result == 0) {
        result = add_strings(call->arguments[2], &words.environment_count);
    }
    if (result != 0) {
        return result;
    }
    enum error error = program_become_prepare(what->image, what->name, &words, out);
    if (error == ERROR_DENIED) {
        return -EACCES; /* of its interpreter */
    }
    return error == ERROR_INVALID ? -ENOEXEC : system_call_errno(error);
}

/* The words are in the new space when somebody else gets the buffer. */
static int32_t prepare_alone(const struct system_call *call, struct program_become *out)
{
    struct executable what;
    int32_t result = image_in(call, &what);

    if (result != 0) {
        return result;
    }
    mutex_lock(&buffer.mutex, LOCK_WORDS);
    buffer.used = buffer.count = 0;
    result = prepare(call, &what, out);
    mutex_unlock(&buffer.mutex, LOCK_WORDS);
    object_refer(what.image, -1);
    return result;
}

int32_t call_execve(const struct system_call *call)
{
    struct program_become become;
    int32_t result = prepare_alone(call, &become);

    if (result == 0) {
        result = system_call_errno(program_become(&become));
    }
    if (result != 0 && result != -EINTR && call->program->sole_task.number != 0) {
        program_exit(SIGKILL); /* issued again after a boot, when there is no way back: the other threads have ended */
    }
    return result;
}
