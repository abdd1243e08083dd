/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing an SVG file: boxes, texts, and the looks that the pictures of an image share.
 *
 * Lengths are in user units, which viewers take for pixels. Errors of the file show at the end, as stdio has them.
 */
#ifndef PICTURE_SVG_H
#define PICTURE_SVG_H

#include <stdint.h>
#include <stdio.h>

#define SVG_WIDTH  1200u
#define SVG_MARGIN 40u

/* Begin a picture of this height; its end. */
void svg_begin(FILE *file, uint32_t height, const char *title);
void svg_end(FILE *file);

/*
 * A filled box with words that a viewer shows when it is pointed at.
 * - fill: a colour, or url(#...) of a pattern that svg_begin() defines: guard, zero. opacity_percent: 1 .. 100.
 * - hint: NULL: none.
 */
struct svg_box {
    uint32_t x, y, width, height;
};
void svg_box(FILE *file, struct svg_box box, const char *fill, uint32_t opacity_percent, const char *hint);

/* A line of text, from its baseline; `style`: one of the classes title, heading, text, small, code. Escaped. */
void svg_text(FILE *file, uint32_t x, uint32_t y, const char *style, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The colour of a program's pages, by its number; of the kernel's records; and of what programs share: 0. */
#define SVG_KERNEL 4095u
const char *svg_program_colour(uint32_t program);

#define SVG_UNTOUCHED "#ece8df" /* a place where nothing is */

#endif
