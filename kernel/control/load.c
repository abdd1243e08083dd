/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program's file on its way in. See load.h.
 */
#include "load.h"
#include "atomic.h"
#include "arch/arena.h"
#include "line.h"
#include "program.h"
#include <string.h>

static struct arena file;
static uint32_t file_bytes, file_filled; /* 0 bytes: there is none */

static void give_back(void)
{
    if (file_bytes > 0) {
        arena_release(&file);
    }
    file_bytes = file_filled = 0;
}

enum error load_begin(uint64_t bytes)
{
    give_back();
    uint64_t pages = (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
    if (bytes == 0 || pages > frame_count(FRAME_FREE) / LOAD_SHARE) {
        return ERROR_RANGE;
    }
    enum error error = arena_reserve(&file, (uint32_t)pages, FRAME_KERNEL);
    if (error != OK) {
        return error;
    }
    while (error == OK && file.committed_pages < pages) {
        error = arena_grow(&file);
    }
    if (error != OK) {
        arena_release(&file);
        return error;
    }
    file_bytes = (uint32_t)bytes;
    return OK;
}

enum error load_bytes(uint64_t at, const char *text)
{
    static uint8_t bytes[CONTROL_LINE_MAX];
    uint32_t count = control_base64(text, bytes, sizeof(bytes));

    if (file_bytes == 0) {
        return ERROR_NOT_FOUND;
    }
    if (count == UINT32_MAX) {
        return ERROR_INVALID;
    }
    if (at > file_filled || at + count > file_bytes) {
        return ERROR_RANGE;
    }
    if (at + count > file_filled) {
        memcpy((uint8_t *)file.base + at, bytes, count);
        file_filled = (uint32_t)at + count;
    }
    return OK;
}

enum error load_start(const char *const *words, uint32_t count, struct program_id *out)
{
    thread_may_sleep();
    if (file_bytes == 0 || file_filled < file_bytes) {
        return ERROR_NOT_FOUND;
    }
    uint32_t arguments = 0;
    while (arguments < count && strcmp(words[arguments], "--") != 0) {
        arguments++;
    }
    struct program_image image = {
        .bytes = file.base,
        .size = file_bytes,
        .arguments = words,
        .argument_count = arguments,
        .environment = arguments < count ? &words[arguments + 1] : NULL,
        .environment_count = arguments < count ? count - arguments - 1 : 0,
    };
    enum error error = program_start(&image, out);
    give_back();
    return error;
}
