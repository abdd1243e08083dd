/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pictures of memory in coloured characters, for the VGA text screen and for any terminal that knows ANSI colours.
 *
 * They are drawn into a buffer and shown at once, so that a picture that is drawn again and again does not flicker.
 */
#ifndef SHELL_PICTURE_H
#define SHELL_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

enum picture_colour {
    PICTURE_BLACK,
    PICTURE_RED,
    PICTURE_GREEN,
    PICTURE_YELLOW,
    PICTURE_BLUE,
    PICTURE_MAGENTA,
    PICTURE_CYAN,
    PICTURE_WHITE
};

/* How a cell looks: a character on a ground of its colour. */
struct picture_look {
    char character;
    enum picture_colour ground;
};

/* Begin a picture: on a cleared screen, or below what is there. */
void picture_begin(bool is_alone);
void picture_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void picture_cell(struct picture_look look);

/* The end of a line: the rest of it is cleared, if the picture is alone. */
void picture_line_end(void);

/* Show it. */
void picture_end(void);

/* "1.5 MiB" of so many pages; for one call at a time. */
const char *picture_size(uint64_t pages);

#endif
