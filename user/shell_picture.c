/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See shell_picture.h. Colours are set only where they change: on a serial line every byte counts.
 */
#include "shell_picture.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUFFER_BYTES 16384

static char buffer[BUFFER_BYTES];
static size_t length;
static bool fills_screen;
static int ground; /* of the last cell; -1: none */

static void put(const char *text, size_t bytes)
{
    if (bytes > sizeof(buffer) - length) {
        fwrite(buffer, 1, length, stdout);
        length = 0;
    }
    memcpy(buffer + length, text, bytes);
    length += bytes;
}

static void leave_colour(void)
{
    if (ground != -1) {
        put("\033[0m", 4);
        ground = -1;
    }
}

void picture_begin(bool is_alone)
{
    length = 0;
    ground = -1;
    fills_screen = is_alone;
    if (is_alone) {
        put("\033[H", 3);
    }
}

void picture_text(const char *format, ...)
{
    char text[160];
    va_list arguments;

    leave_colour();
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (bytes > 0) {
        put(text, (size_t)bytes < sizeof(text) ? (size_t)bytes : sizeof(text) - 1);
    }
}

/* Dark letters on bright grounds, bright ones on dark. */
void picture_cell(struct picture_look look)
{
    static const char letters[] = {'7', '7', '0', '0', '7', '7', '0', '0'};
    char colour[12];

    if (ground != (int)look.ground) {
        ground = (int)look.ground;
        put(colour, (size_t)snprintf(colour, sizeof(colour), "\033[4%d;3%cm", ground, letters[ground]));
    }
    put(&look.character, 1);
}

void picture_line_end(void)
{
    leave_colour();
    put(fills_screen ? "\033[K\n" : "\n", fills_screen ? 4 : 1);
}

void picture_end(void)
{
    leave_colour();
    if (fills_screen) {
        put("\033[J", 3);
    }
    fwrite(buffer, 1, length, stdout);
    fflush(stdout);
}

const char *picture_size(uint64_t pages)
{
    static char text[24];
    unsigned long long kib = pages * 4;

    if (kib < 1024) {
        snprintf(text, sizeof(text), "%llu KiB", kib);
    } else {
        unsigned long long tenths = kib * 10 / 1024;
        snprintf(text, sizeof(text), "%llu.%llu MiB", tenths / 10, tenths % 10);
    }
    return text;
}
