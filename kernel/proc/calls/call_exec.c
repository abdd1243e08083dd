/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execve. There are no files, so what can be executed are the images of programs that are alive: the caller's own, as
 * /proc/self/exe, and any by its name, in whatever folder it is said to be.
 *
 * The strings are copied out of the caller's memory, which it is about to lose, into a buffer that one caller at a time
 * has.
 */
#include "names.h"
#include "program/programs.h"
#include "space/address_space.h"
#include "space/object.h"
#include <string.h>

#define STRINGS_BYTES (128u * 1024u)
#define WORDS_MAX     1024u /* arguments and environment together */

static struct {
    struct mutex mutex;
    char strings[STRINGS_BYTES];
    const char *words[WORDS_MAX];
    uint32_t used, count;
} buffer;

/* The image that a path means: 0 or a negative errno. */
static int32_t image_in(const struct system_call *call, struct object_id *out)
{
    char path[PATH_BYTES];
    struct node node;
    int32_t result = path_in(path, call->arguments[0]);

    if (result == 0) {
        result = name_find(call, path, true, &node);
    }
    if (result == 0 && node.image.number == 0) {
        result = -EACCES;
    }
    *out = node.image;
    return result;
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

static int32_t prepare(const struct system_call *call, struct object_id image, struct program_become *out)
{
    struct program_image words = {.arguments = buffer.words};
    int32_t result = add_strings(call->arguments[1], &words.argument_count);

    words.environment = buffer.words + buffer.count;
    if (result == 0) {
        result = add_strings(call->arguments[2], &words.environment_count);
    }
    if (result != 0) {
        return result;
    }
    enum error error = program_become_prepare(image, &words, out);
    return error == ERROR_INVALID ? -ENOEXEC : system_call_errno(error);
}

/* The words are in the new space when somebody else gets the buffer. */
static int32_t prepare_alone(const struct system_call *call, struct program_become *out)
{
    struct object_id image;
    int32_t result = image_in(call, &image);

    if (result != 0) {
        return result;
    }
    object_refer(image, 1); /* whoever ends while the words are waited for */
    mutex_lock(&buffer.mutex, LOCK_WORDS);
    buffer.used = buffer.count = 0;
    result = prepare(call, image, out);
    mutex_unlock(&buffer.mutex, LOCK_WORDS);
    object_refer(image, -1);
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
